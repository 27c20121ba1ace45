//! Settles how attempts went, while others go on: one commit at a time, and each carries whatever has ended by then.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::feed::{Happening, Outcome};
use super::health::Health;
use crate::clock::Clock;
use crate::event::SinkName;
use crate::sink::DeliveryError;
use crate::store::{Journal, LeaseToken, Settled, Settlement, StoreError};

/// How long the store is left alone after it failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

type Settlements = Vec<(LeaseToken, Settlement)>;
type Commit = BoxFuture<'static, (Settlements, Result<Vec<Settled>, StoreError>)>;

/// What has ended and is not settled yet, of one sink.
pub(super) struct Settler {
    name: SinkName,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    ended: Settlements,
    /// The commit under way, with what it carries.
    commit: Option<Commit>,
    under_way: usize,
    is_failing: bool,
}

impl fmt::Debug for Settler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settler").field("ended", &self.ended.len()).field("under_way", &self.under_way).finish_non_exhaustive()
    }
}

impl Settler {
    pub(super) fn new(name: SinkName, journal: Arc<dyn Journal>, clock: Arc<dyn Clock>, health: Arc<Health>) -> Self {
        Self { name, journal, clock, health, ended: Vec::new(), commit: None, under_way: 0, is_failing: false }
    }

    pub(super) fn add(&mut self, token: LeaseToken, settlement: Settlement) {
        self.ended.push((token, settlement));
    }

    /// How many are not settled yet.
    pub(super) fn open(&self) -> usize {
        self.ended.len() + self.under_way
    }

    /// Whether the store refused the last commit.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing
    }

    /// Begins to settle what has ended, unless that is under way.
    pub(super) fn begin(&mut self) {
        if self.ended.is_empty() || self.commit.is_some() {
            return;
        }
        let ended = std::mem::take(&mut self.ended);
        self.under_way = ended.len();
        let (journal, clock) = (Arc::clone(&self.journal), Arc::clone(&self.clock));
        let pause = self.is_failing.then_some(STORE_PAUSE);
        let commit = async move {
            if let Some(pause) = pause {
                clock.sleep(pause).await;
            }
            let copies = ended.iter().map(|(token, settlement)| (*token, copy(settlement))).collect();
            (copies, journal.settle(ended).await)
        };
        self.commit = Some(commit.boxed());
    }

    /// Waits until the commit under way is done; for ever if there is none. What the store refused is settled with the next one, unless the program is ending: the store
    /// is asked once more at the next start then, where the leases are void, and at most repeats what was accepted. Until then the leases hold.
    ///
    /// Dropping this future changes nothing.
    pub(super) async fn done(&mut self, stopping: bool) {
        let Some(commit) = &mut self.commit else { return std::future::pending().await };
        let (copies, result) = commit.await;
        self.commit = None;
        self.under_way = 0;
        self.is_failing = false;
        match result {
            Ok(results) => {
                let done = copies.iter().zip(&results).filter(|(_, how)| **how == Settled::Done);
                self.health.feed().tell(|| done.map(|((token, settlement), _)| tried(&self.name, token, settlement)).collect::<Vec<_>>());
                let stale = results.iter().filter(|r| **r == Settled::Stale).count();
                if stale > 0 {
                    tracing::warn!(sink = %self.name, stale, "Some attempts took longer than their lease; they may be repeated.");
                }
            }
            Err(StoreError::Closed) => self.ended.clear(),
            Err(error) => {
                tracing::error!(sink = %self.name, %error, "Attempts can't be settled; trying again.");
                self.is_failing = true;
                if stopping {
                    self.ended.clear();
                } else {
                    self.ended.splice(0..0, copies);
                }
            }
        }
    }
}

/// What those who watch are told of a settlement.
fn tried(sink: &SinkName, token: &LeaseToken, settlement: &Settlement) -> Happening {
    let (outcome, why) = match settlement {
        Settlement::Delivered { fault, .. } => (Outcome::Delivered, fault.clone()),
        Settlement::Retry { error, .. } => (Outcome::Retry, Some(error.message.clone())),
        Settlement::Dead { error } => (Outcome::Dead, Some(error.message.clone())),
        Settlement::Suppressed(_) => (Outcome::Suppressed, None),
    };
    Happening::Tried { delivery: token.delivery, sink: sink.clone(), outcome, why }
}

/// The same settlement once more; of an error what is stored, which is all but its source.
fn copy(settlement: &Settlement) -> Settlement {
    let error_copy =
        |error: &DeliveryError| DeliveryError { reason: error.reason, retry: error.retry, message: error.message.clone(), source: None };
    match settlement {
        Settlement::Delivered { receipt, preview, took, fault } => {
            Settlement::Delivered { receipt: receipt.clone(), preview: preview.clone(), took: *took, fault: fault.clone() }
        }
        Settlement::Retry { error, due, overtake } => Settlement::Retry { error: error_copy(error), due: *due, overtake: *overtake },
        Settlement::Dead { error } => Settlement::Dead { error: error_copy(error) },
        Settlement::Suppressed(by) => Settlement::Suppressed(by.clone()),
    }
}
