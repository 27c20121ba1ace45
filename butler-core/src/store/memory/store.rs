//! The store's face.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

use super::ledger::Ledger;
use super::pairs::Pairs;
use super::schedules::Schedules;
use super::states::States;
use crate::clock::Clock;
use crate::event::{DeliveryId, EventId, Facts, NewEvent, SinkName};
use crate::store::watchers::{Wakes, Watchers};
use crate::store::{
    Appended, AttemptRecord, Claim, ClaimToken, DeleteOutcome, DeliveryQuery, DeliveryRecord, EventQuery, EventRecord, If, Interest,
    Journal, JournalStats, KvEntry, KvStore, LeaseToken, Leased, Lookup, OccurrenceClaim, OpenRun, PrunePolicy, PruneReport, PutOutcome,
    Routing, RunOutcome, ScheduleRecord, ScheduleRun, ScheduleStore, Settled, Settlement, StateEntry, StateStore, StoreError, Story,
};

type Result<T> = std::result::Result<T, StoreError>;

/// A store in memory. It never fails, and forgets everything when it is dropped.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    watchers: Watchers,
    ledger: Mutex<Ledger>,
    pairs: Mutex<Pairs>,
    schedules: Mutex<Schedules>,
    states: Mutex<States>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            watchers: Watchers::default(),
            ledger: Mutex::default(),
            pairs: Mutex::default(),
            schedules: Mutex::default(),
            states: Mutex::default(),
        }
    }

    /// The same, whose pairs may take so many bytes all together; as many as there are if nobody says anything.
    #[must_use]
    pub fn with_pair_room(self, bytes: Option<u64>) -> Self {
        lock(&self.pairs).room = bytes;
        self
    }

    /// Voids every claim and lease, as reopening a durable store does: claims are handed out again, open leases count as lost. For tests of those who hold some.
    pub fn forget_holders(&self) {
        lock(&self.ledger).forget_holders();
        lock(&self.schedules).forget_holders();
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Changes the journal, then wakes those who wait for that.
    fn change<T>(&self, change: impl FnOnce(&mut Ledger, Timestamp, &mut Wakes) -> T) -> T {
        let mut wakes = Wakes::default();
        let done = change(&mut lock(&self.ledger), self.now(), &mut wakes);
        self.watchers.wake(wakes);
        done
    }
}

#[async_trait]
impl Journal for MemoryStore {
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Appended>> {
        Ok(self.change(|ledger, now, wakes| events.into_iter().map(|event| ledger.append(event, now, wakes)).collect()))
    }

    async fn claim(&self, hold: Duration, max: usize) -> Result<Vec<Claim>> {
        Ok(self.change(|ledger, now, _| ledger.claim(hold, max, now)))
    }

    async fn defer(&self, token: ClaimToken, facts: Facts, until: Timestamp) -> Result<Settled> {
        Ok(self.change(|ledger, _, _| ledger.defer(token, facts, until)))
    }

    async fn route(&self, token: ClaimToken, routing: Routing) -> Result<Settled> {
        Ok(self.change(|ledger, now, wakes| ledger.route(token, routing, now, wakes)))
    }

    async fn add_facts(&self, event: EventId, facts: Facts) -> Result<()> {
        self.change(|ledger, _, _| ledger.add_facts(event, facts));
        Ok(())
    }

    async fn lease(&self, sink: &SinkName, hold: Duration, max: usize) -> Result<Leased> {
        if max == 0 {
            return Ok(Leased::default());
        }
        Ok(self.change(|ledger, now, wakes| ledger.lease(sink, hold, max, now, wakes)))
    }

    async fn settle(&self, settlements: Vec<(LeaseToken, Settlement)>) -> Result<Vec<Settled>> {
        Ok(self.change(|ledger, now, wakes| settlements.into_iter().map(|(token, how)| ledger.settle(token, how, now, wakes)).collect()))
    }

    async fn release(&self, tokens: Vec<LeaseToken>) -> Result<()> {
        self.change(|ledger, _, wakes| tokens.into_iter().for_each(|token| ledger.release(token, wakes)));
        Ok(())
    }

    fn watch(&self, interest: Interest<'_>) -> watch::Receiver<u64> {
        self.watchers.watch(interest)
    }

    async fn events(&self, query: EventQuery) -> Result<Vec<EventRecord>> {
        Ok(lock(&self.ledger).events(&query))
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Vec<DeliveryRecord>> {
        Ok(lock(&self.ledger).deliveries(&query))
    }

    async fn story(&self, event: EventId) -> Result<Option<Story>> {
        Ok(lock(&self.ledger).story(event))
    }

    async fn attempts(&self, delivery: DeliveryId) -> Result<Vec<AttemptRecord>> {
        Ok(lock(&self.ledger).attempts(delivery))
    }

    async fn revive(&self, delivery: DeliveryId, expires: Timestamp) -> Result<bool> {
        Ok(self.change(|ledger, _, wakes| ledger.revive(delivery, expires, wakes)))
    }

    async fn discard(&self, delivery: DeliveryId, why: String) -> Result<bool> {
        Ok(self.change(|ledger, now, wakes| ledger.discard(delivery, &why, now, wakes)))
    }

    async fn adopt(&self, from: &SinkName, to: &SinkName) -> Result<u64> {
        Ok(self.change(|ledger, _, wakes| ledger.adopt(from, to, wakes)))
    }

    async fn expire(&self) -> Result<u64> {
        Ok(self.change(|ledger, now, wakes| ledger.expire(now, wakes)))
    }

    async fn prune(&self, policy: PrunePolicy) -> Result<PruneReport> {
        lock(&self.pairs).prune(self.now());
        Ok(self.change(|ledger, now, wakes| ledger.prune(&policy, now, wakes)))
    }

    async fn stats(&self) -> Result<JournalStats> {
        Ok(lock(&self.ledger).stats())
    }
}

#[async_trait]
impl KvStore for MemoryStore {
    async fn namespaces(&self) -> Result<Vec<String>> {
        Ok(lock(&self.pairs).namespaces())
    }

    async fn list(&self, namespace: &str, prefix: &str, after: u64, max: usize, bytes: usize) -> Result<Option<Vec<KvEntry>>> {
        Ok(lock(&self.pairs).list(namespace, prefix, after, max, bytes, self.now()))
    }

    async fn get(&self, namespace: &str, key: &str) -> Result<Lookup> {
        Ok(lock(&self.pairs).get(namespace, key, self.now()))
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
        let pair = KvEntry { key: key.to_owned(), value: value.to_owned(), version: 0, place: 0, expires };
        Ok(lock(&self.pairs).put(namespace, pair, condition, key_limit, self.now()))
    }

    async fn delete(&self, namespace: &str, key: &str, condition: If) -> Result<DeleteOutcome> {
        Ok(lock(&self.pairs).delete(namespace, key, condition, self.now()))
    }

    async fn drop_namespace(&self, namespace: &str) -> Result<bool> {
        Ok(lock(&self.pairs).drop_namespace(namespace))
    }
}

#[async_trait]
impl ScheduleStore for MemoryStore {
    async fn schedules(&self) -> Result<Vec<ScheduleRecord>> {
        Ok(lock(&self.schedules).all())
    }

    async fn upsert_schedule(&self, schedule: ScheduleRecord) -> Result<()> {
        lock(&self.schedules).upsert(schedule);
        Ok(())
    }

    async fn remove_schedule(&self, id: &str) -> Result<bool> {
        Ok(lock(&self.schedules).remove(id))
    }

    async fn claim_occurrence(&self, schedule: &str, occurrence: Timestamp, hold: Duration) -> Result<Option<OccurrenceClaim>> {
        Ok(lock(&self.schedules).claim(schedule, occurrence, hold, self.now()))
    }

    async fn record_run(&self, claim: &OccurrenceClaim, outcome: RunOutcome) -> Result<bool> {
        Ok(lock(&self.schedules).record(claim, outcome, self.now()))
    }

    async fn runs(&self, schedule: &str, max: usize) -> Result<Vec<ScheduleRun>> {
        Ok(lock(&self.schedules).runs(schedule, max))
    }

    async fn open_runs(&self, max: usize) -> Result<Vec<OpenRun>> {
        Ok(lock(&self.schedules).open_runs(max))
    }

    async fn update_run(&self, schedule: &str, occurrence: Timestamp, outcome: RunOutcome) -> Result<bool> {
        Ok(lock(&self.schedules).update(schedule, occurrence, outcome))
    }

    async fn prune_runs(&self, before: Timestamp) -> Result<u64> {
        Ok(lock(&self.schedules).prune(before))
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn state(&self, name: &str) -> Result<Option<StateEntry>> {
        Ok(lock(&self.states).get(name))
    }

    async fn set_state(&self, name: &str, value: &str, expected: u64) -> Result<Option<u64>> {
        Ok(lock(&self.states).set(name, value, expected))
    }

    async fn remove_state(&self, name: &str) -> Result<bool> {
        Ok(lock(&self.states).remove(name))
    }

    async fn states(&self, prefix: &str) -> Result<Vec<StateEntry>> {
        Ok(lock(&self.states).list(prefix))
    }
}
