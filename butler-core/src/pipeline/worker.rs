//! The worker of a sink: leases what is due, lets attempts run, settles how they went.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::attempt::{Attempts, Ended, Prepared, hold};
use super::batch::Round;
use super::breaker::{Breaker, Change, Sign};
use super::health::Health;
use super::report::Reporter;
use super::settler::Settler;
use crate::clock::Clock;
use crate::source::Stop;
use crate::store::{Interest, Journal, Lease, Leased, Settlement, StoreError};

/// A worker looks for work at least this often: for leases that ran out.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How long the store is left alone after it failed.
const STORE_PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// Moves the deliveries of one sink. Attempts, leasing and settling go on beside each other: no attempt waits for a commit, unless too much is unsettled.
pub(super) struct Worker {
    attempts: Arc<Attempts>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    reporter: Reporter,
    stop: Stop,
    breaker: Breaker,
    /// How many deliveries an attempt may have.
    max_batch: usize,
    running: JoinSet<Round>,
    /// Leased, but not started: one round of attempts ahead, so that a fast sink never waits for the store.
    ready: VecDeque<Lease>,
    /// Of batches that were refused; each is tried by itself.
    singles: VecDeque<Prepared>,
    leasing: Option<BoxFuture<'static, Result<Leased, StoreError>>>,
    settler: Settler,
    /// Whether there may be something to lease.
    look: bool,
    /// When there will be something to lease.
    next_due: Option<Timestamp>,
    last_delivered: Option<Timestamp>,
    down_since: Option<Timestamp>,
    /// What the picture of health says of the attempts under way.
    shown_in_flight: usize,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("sink", &self.attempts.name).field("running", &self.running.len()).finish_non_exhaustive()
    }
}

impl Worker {
    pub(super) fn new(attempts: Attempts, journal: Arc<dyn Journal>, health: Arc<Health>, reporter: Reporter, stop: Stop) -> Self {
        let clock = Arc::clone(&attempts.clock);
        Self {
            settler: Settler::new(attempts.name.clone(), Arc::clone(&journal), Arc::clone(&clock), Arc::clone(&health)),
            max_batch: attempts.sink.sink.max_batch().max(1),
            attempts: Arc::new(attempts),
            journal,
            clock,
            health,
            reporter,
            stop,
            breaker: Breaker::default(),
            running: JoinSet::new(),
            ready: VecDeque::new(),
            singles: VecDeque::new(),
            leasing: None,
            look: true,
            next_due: None,
            last_delivered: None,
            down_since: None,
            shown_in_flight: 0,
        }
    }

    /// Works until it is told to stop, then waits for the attempts under way and settles them.
    pub(super) async fn run(&mut self) {
        let name = self.attempts.name.clone();
        self.health.update(|health| {
            health.sinks.entry(name.clone()).or_default();
        });
        let mut changes = self.journal.watch(Interest::Sink(&name));
        self.look = true;
        loop {
            let stopping = self.stop.is_cancelled();
            if !stopping {
                self.start();
                self.begin_leasing(&mut changes);
            }
            if stopping || self.breaker.probe_at().is_some() {
                self.give_back().await;
            }
            self.settler.begin();
            self.show_in_flight();
            if stopping && self.running.is_empty() && self.leasing.is_none() && self.settler.open() == 0 {
                break;
            }
            let sleep = self.clock.sleep(self.wait());
            tokio::select! {
                Some(ended) = self.running.join_next(), if !self.running.is_empty() => {
                    self.take(ended);
                    while let Some(ended) = self.running.try_join_next() {
                        self.take(ended);
                    }
                }
                () = self.settler.done(stopping) => {}
                leased = leased(&mut self.leasing) => self.leased(leased),
                _ = changes.changed(), if !stopping => self.look = true,
                () = sleep, if !stopping => (self.look, self.next_due) = (true, None),
                () = self.stop.cancelled(), if !stopping => {}
            }
        }
    }

    /// How many more may be leased.
    fn wanted(&self) -> usize {
        let allowed = self.breaker.allowance(self.attempts.sink.max_in_flight, self.clock.monotonic());
        let batch = self.batch();
        // One round ahead while all is well; of batches a round is much already.
        let ahead = match (self.breaker.probe_at(), batch) {
            (Some(_), _) => 0,
            (None, 1) => allowed,
            (None, _) => 1,
        };
        if self.settler.is_failing() || self.settler.open() > 4 * allowed * batch {
            return 0;
        }
        let free = (allowed + ahead).saturating_sub(self.running.len());
        (free * batch).saturating_sub(self.ready.len() + self.singles.len())
    }

    /// How many deliveries an attempt has, at the most: a single one while the sink is down.
    fn batch(&self) -> usize {
        if self.breaker.probe_at().is_some() { 1 } else { self.max_batch }
    }

    fn begin_leasing(&mut self, changes: &mut watch::Receiver<u64>) {
        let wanted = self.wanted();
        // A few at a time cost as much as many: wait until half a round is free, as long as there is something to go on with.
        let batch = self.batch();
        let is_little = wanted <= self.attempts.sink.max_in_flight * batch / 2 && self.ready.len() >= batch;
        if !self.look || self.leasing.is_some() || wanted == 0 || is_little {
            return;
        }
        changes.borrow_and_update();
        self.look = false;
        let (journal, name) = (Arc::clone(&self.journal), self.attempts.name.clone());
        let hold = hold(&self.attempts.plan, &self.attempts.sink);
        self.leasing = Some(async move { journal.lease(&name, hold, wanted).await }.boxed());
    }

    fn leased(&mut self, leased: Result<Leased, StoreError>) {
        match leased {
            Ok(Leased { leases, next_due }) => {
                // When the next is due is told by a look that finds nothing.
                self.look |= !leases.is_empty();
                self.next_due = next_due;
                self.ready.extend(leases);
            }
            Err(error) => {
                tracing::error!(sink = %self.attempts.name, %error, "Deliveries can't be leased; trying again.");
                self.next_due = Some(self.clock.now().saturating_add(STORE_PAUSE).unwrap_or(Timestamp::MAX));
            }
        }
    }

    fn start(&mut self) {
        let allowed = self.breaker.allowance(self.attempts.sink.max_in_flight, self.clock.monotonic());
        while self.running.len() < allowed && !self.settler.is_failing() {
            let attempts = Arc::clone(&self.attempts);
            let last_delivered = self.last_delivered;
            if let Some(single) = self.singles.pop_front() {
                let send = async move { Round { ended: vec![attempts.send(single, last_delivered).await], refused: Vec::new() } };
                self.running.spawn(send);
                continue;
            }
            let leases = self.next_batch();
            if leases.is_empty() {
                break;
            }
            self.running.spawn(async move { attempts.make(leases, last_delivered).await });
        }
    }

    /// What goes out together next. What may be the one that takes the process down goes alone.
    fn next_batch(&mut self) -> Vec<Lease> {
        let most = self.batch();
        let mut batch: Vec<Lease> = Vec::new();
        while batch.len() < most
            && let Some(next) = self.ready.front()
            && (batch.is_empty() || (next.lost == 0 && batch[0].lost == 0))
        {
            batch.extend(self.ready.pop_front());
        }
        batch
    }

    fn take(&mut self, round: Result<Round, tokio::task::JoinError>) {
        match round {
            Ok(Round { ended, refused }) => {
                self.singles.extend(refused);
                ended.into_iter().for_each(|ended| self.take_one(ended));
            }
            Err(error) => {
                // An attempt catches what panics while rendering and sending. This one keeps its leases until they run out, and is counted as lost.
                tracing::error!(sink = %self.attempts.name, %error, "An attempt broke off; it is repeated once its lease has run out. Please report this.");
            }
        }
    }

    fn take_one(&mut self, ended: Ended) {
        let error = match &ended.settlement {
            Settlement::Retry { error, .. } | Settlement::Dead { error } => Some(error.to_string()),
            _ => None,
        };
        if matches!(ended.settlement, Settlement::Delivered { .. }) {
            self.last_delivered = Some(self.clock.now());
        }
        if let Settlement::Dead { error } = &ended.settlement {
            self.reporter.dead(&self.attempts.name, ended.token.delivery, &ended.event, error);
        }
        if ended.sign != Sign::None || error.is_some() {
            self.note(ended.sign, error);
        }
        self.settler.add(ended.token, ended.settlement);
    }

    fn note(&mut self, sign: Sign, error: Option<String>) {
        let name = &self.attempts.name;
        let change = self.breaker.note(sign, self.clock.monotonic(), self.attempts.sink.retry.first);
        let now = self.clock.now();
        match change {
            Change::None => {}
            Change::WentDown => {
                self.down_since = Some(now);
                tracing::warn!(sink = %name, error = error.as_deref().unwrap_or(""), "The sink is down; one delivery at a time probes it, the others wait.");
            }
            Change::StillDown => {
                if let Some(since) = self.down_since {
                    self.reporter.still_down(name, since, now, error.as_deref().unwrap_or(""));
                }
            }
            Change::CameUp => {
                self.down_since = None;
                tracing::info!(sink = %name, "The sink is up again.");
            }
        }
        let (down_since, last_delivered) = (self.down_since, self.last_delivered);
        self.health.update(|health| {
            let entry = health.sinks.entry(name.clone()).or_default();
            entry.down_since = down_since;
            entry.last_delivered = last_delivered;
            if error.is_some() {
                entry.last_error = error;
            }
        });
    }

    fn show_in_flight(&mut self) {
        let in_flight = self.running.len();
        if self.shown_in_flight == in_flight {
            return;
        }
        self.shown_in_flight = in_flight;
        self.health.update(|health| health.sinks.entry(self.attempts.name.clone()).or_default().in_flight = in_flight);
    }

    /// Gives back what is leased but not started.
    async fn give_back(&mut self) {
        let singles = self.singles.drain(..).map(|single| single.lease.token);
        let tokens: Vec<_> = self.ready.drain(..).map(|lease| lease.token).chain(singles).collect();
        if !tokens.is_empty()
            && let Err(error) = self.journal.release(tokens).await
        {
            tracing::warn!(sink = %self.attempts.name, %error, "Leases can't be given back; they run out by themselves.");
        }
    }

    /// How long to wait at the most: until something is due, or the sink may be probed, or a lease may have run out.
    fn wait(&self) -> Duration {
        let due = self.next_due.map(|due| Duration::try_from(due.duration_since(self.clock.now())).unwrap_or(Duration::ZERO));
        let probe = self.breaker.probe_at().map(|at| at.saturating_sub(self.clock.monotonic()));
        match (due, probe) {
            // While the sink is down nothing is leased, so nothing is known of what is due.
            (_, Some(probe)) if !probe.is_zero() => probe,
            (due, _) => due.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN),
        }
    }
}

/// Waits for what is being leased; for ever if nothing is. Dropping this future changes nothing.
async fn leased(leasing: &mut Option<BoxFuture<'static, Result<Leased, StoreError>>>) -> Result<Leased, StoreError> {
    let Some(under_way) = leasing else { return std::future::pending().await };
    let leased = under_way.await;
    *leasing = None;
    leased
}
