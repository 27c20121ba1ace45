//! The store's face: each call of the traits becomes a job of the writer or of a reader.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

use super::cache::PairCache;
use super::failpoint::Failpoints;
use super::lock::Lock;
use super::schema::{open_reader, open_writer};
use super::versions::Versions;
use super::writer::{Call, Counters, Readers, Write, Writer};
use super::{deliveries, events, keeping, pairs, queries, schedules, states};
use crate::clock::Clock;
use crate::event::{DeliveryId, EventId, Facts, NewEvent, SinkName};
use crate::store::ids::EventIds;
use crate::store::rules::is_live;
use crate::store::watchers::Watchers;
use crate::store::{
    Appended, AttemptRecord, Claim, ClaimToken, DeleteOutcome, DeliveryQuery, DeliveryRecord, EventQuery, EventRecord, If, Increment,
    Interest, Journal, JournalStats, KvEntry, KvStore, LeaseToken, Leased, Lookup, OccurrenceClaim, OpenRun, PrunePolicy, PruneReport,
    PutOutcome, Routing, RunOutcome, ScheduleRecord, ScheduleRun, ScheduleStore, Settled, Settlement, StateEntry, StateStore, StoreError,
    Story,
};

type Result<T> = std::result::Result<T, StoreError>;

/// How many connections read.
const READERS: usize = 2;
/// How many bytes of pairs are kept in memory unless somebody says otherwise.
const PAIR_CACHE: usize = 16 << 20;

/// Where the embedded store lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteSettings {
    /// The database file; its lock file stands beside it.
    pub path: PathBuf,
}

/// The embedded store. Dropping it writes what waits, and gives the file back.
#[derive(Debug)]
pub struct SqliteStore {
    // In the order in which they have to end: the readers, the writer, the lock.
    readers: Readers,
    pub(super) writer: Writer,
    _lock: Lock,
    clock: Arc<dyn Clock>,
    watchers: Arc<Watchers>,
    pub(super) cache: Arc<PairCache>,
    pair_room: Option<u64>,
}

impl SqliteStore {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// [`StoreError::Held`] if another process holds it, [`StoreError::Newer`] if a later version wrote it, [`StoreError::Unavailable`] with the remedy
    /// otherwise.
    pub fn open(settings: SqliteSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open_with(settings, clock, Failpoints::default())
    }

    /// As [`open`](Self::open), with points at which a test may end the process.
    ///
    /// # Errors
    /// The same.
    pub fn open_with(settings: SqliteSettings, clock: Arc<dyn Clock>, failpoints: Failpoints) -> Result<Self> {
        let path = settings.path;
        let lock = Lock::take(&path)?;
        let connection = open_writer(&path)?;
        let ids = EventIds::after(events::newest(&connection)?);
        let readers: Vec<_> = (0..READERS).map(|_| open_reader(&path)).collect::<Result<_>>()?;
        let watchers = Arc::new(Watchers::default());
        let wake = {
            let watchers = Arc::clone(&watchers);
            move |wakes| watchers.wake(wakes)
        };
        let no_thread = |why: std::io::Error| StoreError::Failed(format!("no thread for it: {why}"));
        let cache = Arc::new(PairCache::new(PAIR_CACHE));
        let versions = Versions::of(&connection)?;
        let writer = Writer::start(connection, Counters { ids, versions }, Arc::clone(&cache), failpoints, wake).map_err(no_thread)?;
        let readers = Readers::start(readers).map_err(no_thread)?;
        Ok(Self { readers, writer, _lock: lock, clock, watchers, cache, pair_room: None })
    }

    /// The same, with so many bytes of pairs kept in memory to be read without the file; 16 MiB if nobody says anything.
    #[must_use]
    pub fn with_pair_cache(self, bytes: u64) -> Self {
        self.cache.resize(usize::try_from(bytes).unwrap_or(usize::MAX));
        self
    }

    /// The same, whose pairs may take so many bytes all together; as many as there are if nobody says anything.
    #[must_use]
    pub fn with_pair_room(self, bytes: Option<u64>) -> Self {
        Self { pair_room: bytes, ..self }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

#[async_trait]
impl Journal for SqliteStore {
    async fn append(&self, new: Vec<NewEvent>) -> Result<Vec<Appended>> {
        let now = self.now();
        self.writer.call(Call::Append, move |write| events::append(write, new, now)).await
    }

    async fn claim(&self, hold: Duration, max: usize) -> Result<Vec<Claim>> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let now = self.now();
        self.writer.call(Call::Claim, move |write| events::claim(write, hold, max, now)).await
    }

    async fn defer(&self, token: ClaimToken, facts: Facts, until: Timestamp) -> Result<Settled> {
        self.writer.call(Call::Other, move |write| events::defer(write, token, &facts, until)).await
    }

    async fn route(&self, token: ClaimToken, routing: Routing) -> Result<Settled> {
        let now = self.now();
        self.writer.call(Call::Route, move |write| events::route(write, token, routing, now)).await
    }

    async fn add_facts(&self, event: EventId, facts: Facts) -> Result<()> {
        self.writer.call(Call::Other, move |write| events::add_facts(write, event, &facts)).await
    }

    async fn lease(&self, sink: &SinkName, hold: Duration, max: usize) -> Result<Leased> {
        if max == 0 {
            return Ok(Leased::default());
        }
        let (sink, now) = (sink.clone(), self.now());
        self.writer.call(Call::Lease, move |write| deliveries::lease(write, &sink, hold, max, now)).await
    }

    async fn settle(&self, settlements: Vec<(LeaseToken, Settlement)>) -> Result<Vec<Settled>> {
        let now = self.now();
        self.writer.call(Call::Settle, move |write| deliveries::settle(write, settlements, now)).await
    }

    async fn release(&self, tokens: Vec<LeaseToken>) -> Result<()> {
        self.writer.call(Call::Other, move |write| deliveries::release(write, &tokens)).await
    }

    fn watch(&self, interest: Interest<'_>) -> watch::Receiver<u64> {
        self.watchers.watch(interest)
    }

    async fn events(&self, query: EventQuery) -> Result<Vec<EventRecord>> {
        self.readers.call(move |connection| queries::events(connection, &query)).await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Vec<DeliveryRecord>> {
        self.readers.call(move |connection| queries::deliveries(connection, &query)).await
    }

    async fn story(&self, event: EventId) -> Result<Option<Story>> {
        self.readers.call(move |connection| queries::story(connection, event)).await
    }

    async fn attempts(&self, delivery: DeliveryId) -> Result<Vec<AttemptRecord>> {
        self.readers.call(move |connection| queries::attempts(connection, delivery)).await
    }

    async fn revive(&self, delivery: DeliveryId, expires: Timestamp) -> Result<bool> {
        self.writer.call(Call::Other, move |write| keeping::revive(write, delivery, expires)).await
    }

    async fn discard(&self, delivery: DeliveryId, why: String) -> Result<bool> {
        let now = self.now();
        self.writer.call(Call::Other, move |write| keeping::discard(write, delivery, &why, now)).await
    }

    async fn adopt(&self, from: &SinkName, to: &SinkName) -> Result<u64> {
        let (from, to) = (from.clone(), to.clone());
        self.writer.call(Call::Other, move |write| keeping::adopt(write, &from, &to)).await
    }

    async fn expire(&self) -> Result<u64> {
        let now = self.now();
        let mut expired = 0;
        loop {
            // In slices, so that writers hardly wait.
            let slice = self.writer.call(Call::Other, move |write| keeping::expire(write, now)).await?;
            expired += slice;
            if slice == 0 {
                return Ok(expired);
            }
        }
    }

    async fn prune(&self, policy: PrunePolicy) -> Result<PruneReport> {
        /// Few enough that writers hardly wait for a slice.
        const PAIRS: i64 = 1000;
        let now = self.now();
        while self.writer.call(Call::Other, move |write| pairs::prune(write, now, PAIRS)).await? > 0 {}
        self.writer.call(Call::Prune, move |write: &mut Write<'_>| keeping::prune(write, &policy, now)).await
    }

    async fn stats(&self) -> Result<JournalStats> {
        self.readers.call(queries::stats).await
    }
}

#[async_trait]
impl KvStore for SqliteStore {
    async fn namespaces(&self) -> Result<Vec<String>> {
        self.readers.call(pairs::namespaces).await
    }

    async fn list(&self, namespace: &str, prefix: &str, after: u64, max: usize, bytes: usize) -> Result<Option<Vec<KvEntry>>> {
        let (namespace, prefix, now) = (namespace.to_owned(), prefix.to_owned(), self.now());
        self.readers.call(move |connection| pairs::list(connection, &namespace, &prefix, after, max, bytes, now)).await
    }

    async fn get(&self, namespace: &str, key: &str) -> Result<Lookup> {
        let now = self.now();
        let ticket = match self.cache.get(namespace, key) {
            Ok(pair) if is_live(pair.expires, now) => return Ok(Lookup::Pair(KvEntry::clone(&pair))),
            Ok(_) => return Ok(Lookup::NoKey),
            Err(ticket) => ticket,
        };
        let (of, wanted) = (namespace.to_owned(), key.to_owned());
        let found = self.readers.call(move |connection| pairs::get(connection, &of, &wanted, now)).await?;
        if let Lookup::Pair(pair) = &found {
            self.cache.fill(ticket, namespace, pair);
        }
        Ok(found)
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
        let (namespace, key, value) = (namespace.to_owned(), key.to_owned(), value.to_owned());
        let (put, now) = (pairs::Put { namespace, key, value, expires, condition, key_limit, room: self.pair_room }, self.now());
        self.writer.call(Call::Other, move |write| pairs::put(write, put, now)).await
    }

    async fn increment(&self, namespace: &str, key: &str, by: i64, key_limit: Option<u64>) -> Result<Increment> {
        let (namespace, key, room, now) = (namespace.to_owned(), key.to_owned(), self.pair_room, self.now());
        self.writer.call(Call::Other, move |write| pairs::increment(write, namespace, key, by, key_limit, room, now)).await
    }

    async fn delete(&self, namespace: &str, key: &str, condition: If) -> Result<DeleteOutcome> {
        let (namespace, key, now) = (namespace.to_owned(), key.to_owned(), self.now());
        self.writer.call(Call::Other, move |write| pairs::delete(write, namespace, key, condition, now)).await
    }

    async fn drop_namespace(&self, namespace: &str) -> Result<bool> {
        let namespace = namespace.to_owned();
        self.writer.call(Call::Other, move |write| pairs::drop_namespace(write, namespace)).await
    }
}

#[async_trait]
impl ScheduleStore for SqliteStore {
    async fn schedules(&self) -> Result<Vec<ScheduleRecord>> {
        self.readers.call(schedules::schedules).await
    }

    async fn upsert_schedule(&self, schedule: ScheduleRecord) -> Result<()> {
        self.writer.call(Call::Other, move |write| schedules::upsert_schedule(write, &schedule)).await
    }

    async fn remove_schedule(&self, id: &str) -> Result<bool> {
        let id = id.to_owned();
        self.writer.call(Call::Other, move |write| schedules::remove_schedule(write, &id)).await
    }

    async fn claim_occurrence(&self, schedule: &str, occurrence: Timestamp, hold: Duration) -> Result<Option<OccurrenceClaim>> {
        let (schedule, now) = (schedule.to_owned(), self.now());
        self.writer.call(Call::Other, move |write| schedules::claim_occurrence(write, &schedule, occurrence, hold, now)).await
    }

    async fn record_run(&self, claim: &OccurrenceClaim, outcome: RunOutcome) -> Result<bool> {
        let (claim, now) = (claim.clone(), self.now());
        self.writer.call(Call::Other, move |write| schedules::record_run(write, &claim, &outcome, now)).await
    }

    async fn runs(&self, schedule: &str, max: usize) -> Result<Vec<ScheduleRun>> {
        let schedule = schedule.to_owned();
        self.readers.call(move |connection| schedules::runs(connection, &schedule, max)).await
    }

    async fn open_runs(&self, max: usize) -> Result<Vec<OpenRun>> {
        self.readers.call(move |connection| schedules::open_runs(connection, max)).await
    }

    async fn update_run(&self, schedule: &str, occurrence: Timestamp, outcome: RunOutcome) -> Result<bool> {
        let schedule = schedule.to_owned();
        self.writer.call(Call::Other, move |write| schedules::update_run(write, &schedule, occurrence, &outcome)).await
    }

    async fn prune_runs(&self, before: Timestamp) -> Result<u64> {
        let mut pruned = 0;
        // In slices, so that nobody else waits long.
        loop {
            let (removed, is_more) = self.writer.call(Call::Other, move |write| schedules::prune_runs(write, before)).await?;
            pruned += removed;
            if !is_more {
                return Ok(pruned);
            }
        }
    }
}

#[async_trait]
impl StateStore for SqliteStore {
    async fn state(&self, name: &str) -> Result<Option<StateEntry>> {
        let name = name.to_owned();
        self.readers.call(move |connection| states::state(connection, &name)).await
    }

    async fn set_state(&self, name: &str, value: &str, expected: u64) -> Result<Option<u64>> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.writer.call(Call::Other, move |write| states::set_state(write, &name, &value, expected)).await
    }

    async fn remove_state(&self, name: &str) -> Result<bool> {
        let name = name.to_owned();
        self.writer.call(Call::Other, move |write| states::remove_state(write, &name)).await
    }

    async fn states(&self, prefix: &str) -> Result<Vec<StateEntry>> {
        let prefix = prefix.to_owned();
        self.readers.call(move |connection| states::states(connection, &prefix)).await
    }
}
