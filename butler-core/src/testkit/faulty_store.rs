//! A store that breaks one promise: what suites and crash tests have to catch.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use crate::event::{DeliveryId, EventId, Facts, NewEvent, SinkName};
use crate::sink::Receipt;
use crate::store::{
    Appended, AttemptRecord, Claim, ClaimToken, DeleteOutcome, DeliveryQuery, DeliveryRecord, EventQuery, EventRecord, If, Increment,
    Interest, Journal, JournalStats, KvEntry, KvStore, LeaseToken, Leased, Lookup, OccurrenceClaim, OpenRun, PrunePolicy, PruneReport,
    PutOutcome, Routing, RunOutcome, ScheduleRecord, ScheduleRun, ScheduleStore, Settled, Settlement, StateEntry, StateStore, Store,
    StoreError, Story,
};

type Result<T> = std::result::Result<T, StoreError>;

/// The promise that a [`FaultyStore`] breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    /// Every so manieth event is answered for, and not stored.
    LosesEvents(u64),
    /// Every so manieth decision is stored without its deliveries.
    LosesDeliveries(u64),
    /// Every so manieth failed attempt is stored as a success.
    ForgetsFailures(u64),
    /// A claim is for everybody.
    SharesClaims,
    /// Deliveries of a lane are leased side by side.
    IgnoresLanes,
    /// Whoever had a lease may settle.
    SettlesStale,
    /// Pairs don't expire.
    KeepsPairs,
    /// An occurrence is for everybody.
    SharesOccurrences,
    /// No schedule can be stored or removed.
    RefusesSchedules,
    /// State is set under any version.
    IgnoresVersions,
}

/// A store around another one, which is as good as that but for one promise.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    fault: StoreFault,
    count: AtomicU64,
    latest: Mutex<HashMap<DeliveryId, LeaseToken>>,
}

impl FaultyStore {
    /// Breaks `fault` of the promises that `inner` keeps.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, fault: StoreFault) -> Self {
        Self { inner, fault, count: AtomicU64::new(0), latest: Mutex::default() }
    }

    /// Whether this is the one of `every` that is struck.
    fn strikes(&self, every: u64) -> bool {
        (self.count.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(every)
    }

    fn takes_schedules(&self) -> Result<()> {
        match self.fault {
            StoreFault::RefusesSchedules => Err(StoreError::Failed("it takes no schedules".into())),
            _ => Ok(()),
        }
    }

    fn latest(&self, token: LeaseToken) -> LeaseToken {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.get(&token.delivery).copied().unwrap_or(token)
    }
}

#[async_trait]
impl Journal for FaultyStore {
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Appended>> {
        let StoreFault::LosesEvents(every) = self.fault else { return self.inner.append(events).await };
        let mut appended = Vec::with_capacity(events.len());
        for event in events {
            if self.strikes(every) {
                appended.push(Appended::New(EventId(Uuid::now_v7())));
            } else {
                appended.extend(self.inner.append(vec![event]).await?);
            }
        }
        Ok(appended)
    }

    async fn claim(&self, hold: Duration, max: usize) -> Result<Vec<Claim>> {
        let hold = if self.fault == StoreFault::SharesClaims { Duration::ZERO } else { hold };
        self.inner.claim(hold, max).await
    }

    async fn defer(&self, token: ClaimToken, facts: Facts, until: Timestamp) -> Result<Settled> {
        self.inner.defer(token, facts, until).await
    }

    async fn route(&self, token: ClaimToken, mut routing: Routing) -> Result<Settled> {
        match self.fault {
            StoreFault::LosesDeliveries(every) if self.strikes(every) => routing.deliveries.clear(),
            StoreFault::IgnoresLanes => routing.deliveries.iter_mut().for_each(|delivery| delivery.lane = None),
            _ => {}
        }
        self.inner.route(token, routing).await
    }

    async fn add_facts(&self, event: EventId, facts: Facts) -> Result<()> {
        self.inner.add_facts(event, facts).await
    }

    async fn lease(&self, sink: &SinkName, hold: Duration, max: usize) -> Result<Leased> {
        let leased = self.inner.lease(sink, hold, max).await?;
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.extend(leased.leases.iter().map(|lease| (lease.token.delivery, lease.token)));
        Ok(leased)
    }

    async fn settle(&self, mut settlements: Vec<(LeaseToken, Settlement)>) -> Result<Vec<Settled>> {
        for (token, settlement) in &mut settlements {
            match (self.fault, &settlement) {
                (StoreFault::SettlesStale, _) => *token = self.latest(*token),
                (StoreFault::ForgetsFailures(every), Settlement::Retry { .. }) if self.strikes(every) => {
                    let receipt = Receipt { detail: "sent, surely".into() };
                    *settlement = Settlement::Delivered { receipt, preview: String::new(), took: Duration::ZERO, fault: None };
                }
                _ => {}
            }
        }
        self.inner.settle(settlements).await
    }

    async fn release(&self, tokens: Vec<LeaseToken>) -> Result<()> {
        self.inner.release(tokens).await
    }

    fn watch(&self, interest: Interest<'_>) -> watch::Receiver<u64> {
        self.inner.watch(interest)
    }

    async fn events(&self, query: EventQuery) -> Result<Vec<EventRecord>> {
        self.inner.events(query).await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Vec<DeliveryRecord>> {
        self.inner.deliveries(query).await
    }

    async fn story(&self, event: EventId) -> Result<Option<Story>> {
        self.inner.story(event).await
    }

    async fn attempts(&self, delivery: DeliveryId) -> Result<Vec<AttemptRecord>> {
        self.inner.attempts(delivery).await
    }

    async fn revive(&self, delivery: DeliveryId, expires: Timestamp) -> Result<bool> {
        self.inner.revive(delivery, expires).await
    }

    async fn discard(&self, delivery: DeliveryId, why: String) -> Result<bool> {
        self.inner.discard(delivery, why).await
    }

    async fn adopt(&self, from: &SinkName, to: &SinkName) -> Result<u64> {
        self.inner.adopt(from, to).await
    }

    async fn expire(&self) -> Result<u64> {
        self.inner.expire().await
    }

    async fn prune(&self, policy: PrunePolicy) -> Result<PruneReport> {
        self.inner.prune(policy).await
    }

    async fn stats(&self) -> Result<JournalStats> {
        self.inner.stats().await
    }
}

#[async_trait]
impl KvStore for FaultyStore {
    async fn namespaces(&self) -> Result<Vec<String>> {
        self.inner.namespaces().await
    }

    async fn list(&self, namespace: &str, prefix: &str, after: u64, max: usize, bytes: usize) -> Result<Option<Vec<KvEntry>>> {
        self.inner.list(namespace, prefix, after, max, bytes).await
    }

    async fn get(&self, namespace: &str, key: &str) -> Result<Lookup> {
        self.inner.get(namespace, key).await
    }

    async fn put(
        &self,
        namespace: &str,
        key: &str,
        value: &str,
        expires: Option<Timestamp>,
        condition: If,
        key_limit: Option<u64>,
    ) -> Result<PutOutcome> {
        let expires = expires.filter(|_| self.fault != StoreFault::KeepsPairs);
        self.inner.put(namespace, key, value, expires, condition, key_limit).await
    }

    async fn increment(&self, namespace: &str, key: &str, by: i64, key_limit: Option<u64>) -> Result<Increment> {
        self.inner.increment(namespace, key, by, key_limit).await
    }

    async fn delete(&self, namespace: &str, key: &str, condition: If) -> Result<DeleteOutcome> {
        self.inner.delete(namespace, key, condition).await
    }

    async fn drop_namespace(&self, namespace: &str) -> Result<bool> {
        self.inner.drop_namespace(namespace).await
    }
}

#[async_trait]
impl ScheduleStore for FaultyStore {
    async fn schedules(&self) -> Result<Vec<ScheduleRecord>> {
        self.inner.schedules().await
    }

    async fn upsert_schedule(&self, schedule: ScheduleRecord) -> Result<()> {
        self.takes_schedules()?;
        self.inner.upsert_schedule(schedule).await
    }

    async fn remove_schedule(&self, id: &str) -> Result<bool> {
        self.takes_schedules()?;
        self.inner.remove_schedule(id).await
    }

    async fn claim_occurrence(&self, schedule: &str, occurrence: Timestamp, hold: Duration) -> Result<Option<OccurrenceClaim>> {
        let hold = if self.fault == StoreFault::SharesOccurrences { Duration::ZERO } else { hold };
        self.inner.claim_occurrence(schedule, occurrence, hold).await
    }

    async fn record_run(&self, claim: &OccurrenceClaim, outcome: RunOutcome) -> Result<bool> {
        self.inner.record_run(claim, outcome).await
    }

    async fn runs(&self, schedule: &str, max: usize) -> Result<Vec<ScheduleRun>> {
        self.inner.runs(schedule, max).await
    }

    async fn open_runs(&self, max: usize) -> Result<Vec<OpenRun>> {
        self.inner.open_runs(max).await
    }

    async fn update_run(&self, schedule: &str, occurrence: Timestamp, outcome: RunOutcome) -> Result<bool> {
        self.inner.update_run(schedule, occurrence, outcome).await
    }

    async fn prune_runs(&self, before: Timestamp) -> Result<u64> {
        self.inner.prune_runs(before).await
    }
}

#[async_trait]
impl StateStore for FaultyStore {
    async fn state(&self, name: &str) -> Result<Option<StateEntry>> {
        self.inner.state(name).await
    }

    async fn set_state(&self, name: &str, value: &str, mut expected: u64) -> Result<Option<u64>> {
        if self.fault == StoreFault::IgnoresVersions {
            expected = self.inner.state(name).await?.map_or(0, |entry| entry.version);
        }
        self.inner.set_state(name, value, expected).await
    }

    async fn remove_state(&self, name: &str) -> Result<bool> {
        self.inner.remove_state(name).await
    }

    async fn states(&self, prefix: &str) -> Result<Vec<StateEntry>> {
        self.inner.states(prefix).await
    }
}
