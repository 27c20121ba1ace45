//! A store of your own.
//!
//! A store is four traits, each of which states its contract: [`Journal`], [`KvStore`], [`ScheduleStore`] and [`StateStore`]. This one keeps everything in
//! another store and writes a trail beside it: one line for each event that was accepted, and for each delivery that came to an end. What is
//! not of interest is handed on. Its test runs the suite that every store has to pass. Run it:
//!
//! ```text
//! cargo run -p butler-examples --bin custom_store
//! ```

use std::fmt::Debug;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use butler_core::clock::SystemClock;
use butler_core::config::Config;
use butler_core::event::{Body, DeliveryId, EventId, Facts, Kind, NewEvent, SinkName, TaskEvent, TaskOutcome};
use butler_core::simulator::inbox::HttpInbox;
use butler_core::store::memory::MemoryStore;
use butler_core::store::*;
use butler_core::{Butler, async_trait};
use jiff::Timestamp;
use tokio::sync::watch;

type Result<T> = std::result::Result<T, StoreError>;

/// A store in memory with an audit trail.
#[derive(Debug)]
struct Audited<W> {
    inner: MemoryStore,
    trail: Mutex<W>,
}

impl<W: Write> Audited<W> {
    fn new(inner: MemoryStore, trail: W) -> Self {
        Self { inner, trail: Mutex::new(trail) }
    }

    fn note(&self, line: std::fmt::Arguments<'_>) {
        let mut trail = self.trail.lock().unwrap_or_else(PoisonError::into_inner);
        // The contract comes first: a trail that can't be written costs no alert.
        let _ = writeln!(trail, "{line}");
    }
}

#[async_trait]
impl<W: Write + Debug + Send + 'static> Journal for Audited<W> {
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Appended>> {
        let kinds: Vec<Kind> = events.iter().map(|event| event.kind.clone()).collect();
        let appended = self.inner.append(events).await?;
        for (kind, appended) in kinds.iter().zip(&appended) {
            match appended {
                Appended::New(id) => self.note(format_args!("accepted  {id} {kind}")),
                Appended::Duplicate(id) => self.note(format_args!("repeated  {id} {kind}")),
            }
        }
        Ok(appended)
    }

    async fn settle(&self, settlements: Vec<(LeaseToken, Settlement)>) -> Result<Vec<Settled>> {
        let ends: Vec<_> = settlements.iter().map(|(token, settlement)| (token.delivery, word(settlement))).collect();
        let settled = self.inner.settle(settlements).await?;
        for ((delivery, end), _) in ends.into_iter().zip(&settled).filter(|(_, settled)| **settled == Settled::Done) {
            self.note(format_args!("{end} {delivery}"));
        }
        Ok(settled)
    }

    // Everything else the inner store does as it should.
    async fn claim(&self, hold: Duration, max: usize) -> Result<Vec<Claim>> {
        self.inner.claim(hold, max).await
    }
    async fn defer(&self, token: ClaimToken, facts: Facts, until: Timestamp) -> Result<Settled> {
        self.inner.defer(token, facts, until).await
    }
    async fn route(&self, token: ClaimToken, routing: Routing) -> Result<Settled> {
        self.inner.route(token, routing).await
    }
    async fn add_facts(&self, event: EventId, facts: Facts) -> Result<()> {
        self.inner.add_facts(event, facts).await
    }
    async fn lease(&self, sink: &SinkName, hold: Duration, max: usize) -> Result<Leased> {
        self.inner.lease(sink, hold, max).await
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

fn word(settlement: &Settlement) -> &'static str {
    match settlement {
        Settlement::Delivered { .. } => "delivered",
        Settlement::Retry { .. } => "failed   ",
        Settlement::Dead { .. } => "dead     ",
        Settlement::Suppressed(_) => "held back",
    }
}

#[async_trait]
impl<W: Debug + Send + 'static> KvStore for Audited<W> {
    async fn namespaces(&self) -> Result<Vec<String>> {
        self.inner.namespaces().await
    }
    async fn list(&self, namespace: &str, prefix: &str, after: u64, max: usize, bytes: usize) -> Result<Option<Vec<KvEntry>>> {
        self.inner.list(namespace, prefix, after, max, bytes).await
    }
    async fn get(&self, namespace: &str, key: &str) -> Result<Lookup> {
        self.inner.get(namespace, key).await
    }
    #[rustfmt::skip]
    async fn put(&self, namespace: &str, key: &str, value: &str, expires: Option<Timestamp>, condition: If, limit: Option<u64>) -> Result<PutOutcome> {
        self.inner.put(namespace, key, value, expires, condition, limit).await
    }
    async fn increment(&self, namespace: &str, key: &str, by: i64, limit: Option<u64>) -> Result<Increment> {
        self.inner.increment(namespace, key, by, limit).await
    }
    async fn delete(&self, namespace: &str, key: &str, condition: If) -> Result<DeleteOutcome> {
        self.inner.delete(namespace, key, condition).await
    }
    async fn drop_namespace(&self, namespace: &str) -> Result<bool> {
        self.inner.drop_namespace(namespace).await
    }
}

#[async_trait]
impl<W: Debug + Send + 'static> ScheduleStore for Audited<W> {
    async fn schedules(&self) -> Result<Vec<ScheduleRecord>> {
        self.inner.schedules().await
    }
    async fn upsert_schedule(&self, schedule: ScheduleRecord) -> Result<()> {
        self.inner.upsert_schedule(schedule).await
    }
    async fn remove_schedule(&self, id: &str) -> Result<bool> {
        self.inner.remove_schedule(id).await
    }
    async fn claim_occurrence(&self, schedule: &str, occurrence: Timestamp, hold: Duration) -> Result<Option<OccurrenceClaim>> {
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
impl<W: Debug + Send + 'static> StateStore for Audited<W> {
    async fn state(&self, name: &str) -> Result<Option<StateEntry>> {
        self.inner.state(name).await
    }
    async fn set_state(&self, name: &str, value: &str, expected: u64) -> Result<Option<u64>> {
        self.inner.set_state(name, value, expected).await
    }
    async fn remove_state(&self, name: &str) -> Result<bool> {
        self.inner.remove_state(name).await
    }
    async fn states(&self, prefix: &str) -> Result<Vec<StateEntry>> {
        self.inner.states(prefix).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let webhook = HttpInbox::start().await?;
    let text = format!(
        r#"
        [udp]
        enabled = false
        [api]
        enabled = false
        [sinks.ops]
        type = "webhook"
        options.url = "{}"
        [[routes]]
        events = ["*"]
        sinks = ["ops"]
        "#,
        webhook.url("/alerts")
    );
    let config = Config::from_toml(&text, ".")?;
    let store = Audited::new(MemoryStore::new(Arc::new(SystemClock::default())), std::io::stdout());
    let butler = Butler::builder(config).store(Arc::new(store)).start().await?;
    for task in ["Reload sales", "Reload stock"] {
        butler.intake().submit(a_failure_of(task)).await?;
    }
    webhook.wait_for(2).await;
    butler.shutdown(Duration::from_secs(5)).await?;
    Ok(())
}

fn a_failure_of(task: &str) -> NewEvent {
    NewEvent {
        site: "prod".into(),
        kind: Kind::task(TaskOutcome::Failed),
        at: std::time::SystemTime::now().try_into().unwrap_or_default(),
        source: "example".into(),
        keys: Vec::new(),
        body: Body::Task(TaskEvent { task_name: task.into(), ..TaskEvent::default() }),
    }
}

#[cfg(test)]
mod tests {
    use butler_core::store_suite;
    use butler_core::testkit::TestClock;
    use butler_core::testkit::store_suite::StoreHarness;

    use super::*;

    /// What the suite needs to know about the store.
    struct Harness(TestClock, Arc<Audited<std::io::Sink>>);

    #[async_trait]
    impl StoreHarness for Harness {
        async fn start() -> Self {
            let clock = TestClock::default();
            let inner = MemoryStore::new(Arc::new(clock.clone()));
            Self(clock, Arc::new(Audited::new(inner, std::io::sink())))
        }

        fn store(&self) -> Arc<dyn Store> {
            Arc::clone(&self.1) as _
        }

        fn clock(&self) -> TestClock {
            self.0.clone()
        }

        /// It lives no longer than its process.
        async fn reopen(self) -> Option<Self> {
            None
        }
    }

    store_suite!(audited_keeps_the_contract, Harness);

    #[test]
    fn it_runs_to_its_end() {
        main().expect("a good end");
    }
}
