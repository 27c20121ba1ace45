//! What the server, the runs and the handle of a site share.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

use super::engine::Engine;
use super::execution::Execution;
use super::faults::Faults;
use super::pace::Pace;
use super::requests::SiteRequest;
use super::shapes::Shapes;
use super::state::SiteState;
use super::subscriptions::Subscriptions;
use crate::clock::Clock;
use crate::simulator::kept::Kept;

/// How many executions whoever listens may be behind.
const REMEMBERED: usize = 1024;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) pace: Pace,
    pub(super) faults: Faults,
    pub(super) requests: Kept<SiteRequest>,
    pub(super) down: watch::Sender<bool>,
    pub(super) shapes: Shapes,
    pub(super) engine: Engine,
    /// Executions that have ended.
    pub(super) ended: broadcast::Sender<Execution>,
    state: Mutex<SiteState>,
    datagrams_to: Mutex<Option<SocketAddr>>,
    /// Which share of the datagrams gets lost, and what decides about each.
    losses: Mutex<Option<(f64, fastrand::Rng)>>,
    /// Who is called when something changes, by handle. The repository keeps it in its memory.
    pub(super) subscriptions: Subscriptions,
    /// What goes on by itself: runs that were started through the repository. It ends with the site.
    background: Mutex<JoinSet<()>>,
}

impl Shared {
    pub(super) fn new(state: SiteState, clock: Arc<dyn Clock>, pace: Pace, datagrams_to: Option<SocketAddr>) -> Self {
        Self {
            clock,
            pace,
            faults: Faults::default(),
            requests: Kept::default(),
            down: watch::Sender::new(false),
            shapes: Shapes::default(),
            engine: Engine::default(),
            ended: broadcast::Sender::new(REMEMBERED),
            state: Mutex::new(state),
            datagrams_to: Mutex::new(datagrams_to),
            losses: Mutex::default(),
            subscriptions: Subscriptions::default(),
            background: Mutex::default(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, SiteState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn datagrams_to(&self) -> Option<SocketAddr> {
        *self.datagrams_to.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn send_datagrams_to(&self, to: Option<SocketAddr>) {
        *self.datagrams_to.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    pub(super) fn lose_datagrams(&self, share: f64, seed: u64) {
        *self.losses.lock().unwrap_or_else(PoisonError::into_inner) = (share > 0.0).then(|| (share, fastrand::Rng::with_seed(seed)));
    }

    /// Whether the next datagram gets lost on its way.
    pub(super) fn loses_datagram(&self) -> bool {
        let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        losses.as_mut().is_some_and(|(share, random)| random.f64() < *share)
    }

    pub(super) fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut background = self.background.lock().unwrap_or_else(PoisonError::into_inner);
        while background.try_join_next().is_some() {}
        background.spawn(work);
    }

    pub(super) fn end(&self) {
        self.background.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}
