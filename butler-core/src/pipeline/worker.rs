//! The worker of a sink: leases what is due, lets attempts run, settles how they went.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use super::attempt::{Attempts, Ended, hold};
use super::breaker::{Breaker, Change, Sign};
use super::health::Health;
use super::report::Reporter;
use crate::clock::Clock;
use crate::sink::DeliveryError;
use crate::source::Stop;
use crate::store::{Interest, Journal, Lease, LeaseToken, Settled, Settlement, StoreError};

/// How long the store is left alone after it failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// A worker looks for work at least this often: for leases that ran out.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Moves the deliveries of one sink.
#[derive(Debug)]
pub(super) struct Worker {
    attempts: Arc<Attempts>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    reporter: Reporter,
    stop: Stop,
    breaker: Breaker,
    running: JoinSet<Ended>,
    /// Leased, but not started: one round of attempts ahead, so that a fast sink never waits for the store.
    ready: VecDeque<Lease>,
    /// Ended, but not settled.
    ended: Vec<(LeaseToken, Settlement)>,
    last_delivered: Option<Timestamp>,
    down_since: Option<Timestamp>,
    /// What the picture of health says of the attempts under way.
    shown_in_flight: usize,
}

impl Worker {
    pub(super) fn new(attempts: Attempts, journal: Arc<dyn Journal>, health: Arc<Health>, reporter: Reporter, stop: Stop) -> Self {
        let clock = Arc::clone(&attempts.clock);
        Self {
            attempts: Arc::new(attempts),
            journal,
            clock,
            health,
            reporter,
            stop,
            breaker: Breaker::default(),
            running: JoinSet::new(),
            ready: VecDeque::new(),
            ended: Vec::new(),
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
        loop {
            let stopping = self.stop.is_cancelled();
            let mut next_due = None;
            changes.borrow_and_update();
            if !stopping {
                self.start();
                match self.refill().await {
                    Ok(due) => next_due = due,
                    Err(error) => {
                        tracing::error!(sink = %name, %error, "Deliveries can't be leased; trying again.");
                        next_due = Some(self.clock.now().saturating_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX));
                    }
                }
                self.start();
            }
            self.show_in_flight();
            let put_off = self.settle().await;
            if stopping && self.running.is_empty() {
                break;
            }
            if put_off && !stopping {
                // While it was leased the journal could not say when it is due.
                continue;
            }
            let wait = self.wait_for(next_due);
            let sleep = self.clock.sleep(wait);
            let is_full = self.wanted() == 0;
            tokio::select! {
                Some(ended) = self.running.join_next(), if !self.running.is_empty() => {
                    self.take(ended);
                    while let Some(ended) = self.running.try_join_next() {
                        self.take(ended);
                    }
                }
                _ = changes.changed(), if !is_full && !stopping => {}
                () = sleep, if !stopping => {}
                () = self.stop.cancelled(), if !stopping => self.give_back().await,
            }
        }
        self.give_back().await;
    }

    /// How many more may be leased.
    fn wanted(&self) -> usize {
        let allowed = self.breaker.allowance(self.attempts.sink.max_in_flight, self.clock.monotonic());
        // One round ahead while all is well.
        let wanted = if self.breaker.probe_at().is_none() { 2 * allowed } else { allowed };
        wanted.saturating_sub(self.running.len() + self.ready.len())
    }

    async fn refill(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let wanted = self.wanted();
        // A few at a time cost as much as many: wait until half a round is free.
        if wanted == 0 || (wanted <= self.attempts.sink.max_in_flight / 2 && !self.ready.is_empty()) {
            return Ok(None);
        }
        let hold = hold(&self.attempts.plan, &self.attempts.sink);
        let leased = self.journal.lease(&self.attempts.name, hold, wanted).await?;
        self.ready.extend(leased.leases);
        Ok(leased.next_due)
    }

    fn start(&mut self) {
        let allowed = self.breaker.allowance(self.attempts.sink.max_in_flight, self.clock.monotonic());
        while self.running.len() < allowed {
            let Some(lease) = self.ready.pop_front() else { break };
            let attempts = Arc::clone(&self.attempts);
            let last_delivered = self.last_delivered;
            self.running.spawn(async move { attempts.make(lease, last_delivered).await });
        }
    }

    fn take(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // `make` catches what panics while rendering and sending. This one keeps its lease until it runs out, and is counted as lost.
                tracing::error!(sink = %self.attempts.name, %error, "An attempt broke off; it is repeated once its lease has run out. Please report this.");
                return;
            }
        };
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
        self.note(ended.sign, error);
        self.ended.push((ended.token, ended.settlement));
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

    /// Settles what has ended; whether some of it is to be tried again later. What the store refuses is kept and settled with the next; the leases hold meanwhile.
    async fn settle(&mut self) -> bool {
        let mut put_off = false;
        if self.breaker.probe_at().is_some() && !self.ready.is_empty() {
            self.give_back().await;
        }
        while !self.ended.is_empty() {
            let ended = std::mem::take(&mut self.ended);
            let copies: Vec<_> = ended.iter().map(|(token, settlement)| (*token, copy(settlement))).collect();
            match self.journal.settle(ended).await {
                Ok(results) => {
                    put_off |= copies.iter().any(|(_, settlement)| matches!(settlement, Settlement::Retry { .. }));
                    let stale = results.iter().filter(|r| **r == Settled::Stale).count();
                    if stale > 0 {
                        tracing::warn!(sink = %self.attempts.name, stale, "Some attempts took longer than their lease; they may be repeated.");
                    }
                }
                Err(StoreError::Closed) => return false,
                Err(error) => {
                    tracing::error!(sink = %self.attempts.name, %error, "Attempts can't be settled; trying again.");
                    self.ended = copies;
                    if self.stop.is_cancelled() {
                        // The store is asked once more at the next start: the leases are void then, and at most repeat what was accepted.
                        return false;
                    }
                    self.clock.sleep(STORE_PAUSE).await;
                }
            }
        }
        put_off
    }

    /// Gives back what is leased but not started.
    async fn give_back(&mut self) {
        let tokens: Vec<_> = self.ready.drain(..).map(|lease| lease.token).collect();
        if !tokens.is_empty()
            && let Err(error) = self.journal.release(tokens).await
        {
            tracing::warn!(sink = %self.attempts.name, %error, "Leases can't be given back; they run out by themselves.");
        }
    }

    /// How long to wait at the most: until something is due, or the sink may be probed, or a lease may have run out.
    fn wait_for(&self, next_due: Option<Timestamp>) -> Duration {
        let due = next_due.map(|due| Duration::try_from(due.duration_since(self.clock.now())).unwrap_or(Duration::ZERO));
        let probe = self.breaker.probe_at().map(|at| at.saturating_sub(self.clock.monotonic()));
        match (due, probe) {
            // While the sink is down nothing is leased, so nothing is known of what is due.
            (_, Some(probe)) if !probe.is_zero() => probe,
            (due, _) => due.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN),
        }
    }
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
