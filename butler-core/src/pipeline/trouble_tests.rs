//! The stages when what is around them misbehaves: a store that refuses, sinks that panic, messages that take the process down.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

use super::stage::{FakeEnricher, SECOND, Setup, Stage, one_sink, rest, route};
use super::testing::a_new_event;
use super::*;
use crate::event::*;
use crate::sink::*;
use crate::source::{Datagram, IntakeError, RejectReason};
use crate::store::memory::MemoryStore;
use crate::store::*;
use crate::testkit::{FakeSink, TestClock};

/// A journal that misbehaves on command.
#[derive(Debug)]
struct Moody {
    store: Arc<MemoryStore>,
    refuses: AtomicBool,
    panics: AtomicBool,
    /// What it says of every lease.
    lost: AtomicU32,
    /// What it says that it has expired, once.
    expired: AtomicU64,
    /// Whether settling takes for ever.
    is_slow: watch::Sender<bool>,
    /// How many were settled by each call.
    settled: Mutex<Vec<usize>>,
}

#[async_trait]
impl Journal for Moody {
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Appended>, StoreError> {
        assert!(!self.panics.swap(false, Ordering::Relaxed), "the journal panics");
        if self.refuses.load(Ordering::Relaxed) {
            return Err(StoreError::Full("no space left on device".into()));
        }
        self.store.append(events).await
    }
    async fn claim(&self, hold: Duration, max: usize) -> Result<Vec<Claim>, StoreError> {
        self.store.claim(hold, max).await
    }
    async fn defer(&self, token: ClaimToken, facts: Facts, until: Timestamp) -> Result<Settled, StoreError> {
        self.store.defer(token, facts, until).await
    }
    async fn route(&self, token: ClaimToken, routing: Routing) -> Result<Settled, StoreError> {
        self.store.route(token, routing).await
    }
    async fn add_facts(&self, event: EventId, facts: Facts) -> Result<(), StoreError> {
        self.store.add_facts(event, facts).await
    }
    async fn lease(&self, sink: &SinkName, hold: Duration, max: usize) -> Result<Leased, StoreError> {
        let mut leased = self.store.lease(sink, hold, max).await?;
        leased.leases.iter_mut().for_each(|lease| lease.lost = self.lost.load(Ordering::Relaxed));
        Ok(leased)
    }
    async fn settle(&self, settlements: Vec<(LeaseToken, Settlement)>) -> Result<Vec<Settled>, StoreError> {
        let mut slow = self.is_slow.subscribe();
        // The sender lives in this journal, so the wait cannot fail.
        let _ = slow.wait_for(|slow| !slow).await;
        self.settled.lock().unwrap().push(settlements.len());
        self.store.settle(settlements).await
    }
    async fn release(&self, tokens: Vec<LeaseToken>) -> Result<(), StoreError> {
        self.store.release(tokens).await
    }
    fn watch(&self, interest: Interest<'_>) -> watch::Receiver<u64> {
        self.store.watch(interest)
    }
    async fn events(&self, query: EventQuery) -> Result<Vec<EventRecord>, StoreError> {
        self.store.events(query).await
    }
    async fn deliveries(&self, query: DeliveryQuery) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.store.deliveries(query).await
    }
    async fn story(&self, event: EventId) -> Result<Option<Story>, StoreError> {
        self.store.story(event).await
    }
    async fn attempts(&self, delivery: DeliveryId) -> Result<Vec<AttemptRecord>, StoreError> {
        self.store.attempts(delivery).await
    }
    async fn revive(&self, delivery: DeliveryId, expires: Timestamp) -> Result<bool, StoreError> {
        self.store.revive(delivery, expires).await
    }
    async fn discard(&self, delivery: DeliveryId, why: String) -> Result<bool, StoreError> {
        self.store.discard(delivery, why).await
    }
    async fn adopt(&self, from: &SinkName, to: &SinkName) -> Result<u64, StoreError> {
        self.store.adopt(from, to).await
    }
    async fn expire(&self) -> Result<u64, StoreError> {
        Ok(self.expired.swap(0, Ordering::Relaxed) + self.store.expire().await?)
    }
    async fn prune(&self, policy: PrunePolicy) -> Result<PruneReport, StoreError> {
        self.store.prune(policy).await
    }
    async fn stats(&self) -> Result<JournalStats, StoreError> {
        self.store.stats().await
    }
}

impl Setup {
    async fn start_moody(self) -> (Stage, Arc<Moody>) {
        let clock = TestClock::default();
        let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
        let moody = Arc::new(Moody {
            store: Arc::clone(&store),
            refuses: AtomicBool::default(),
            panics: AtomicBool::default(),
            lost: AtomicU32::default(),
            expired: AtomicU64::default(),
            is_slow: watch::Sender::default(),
            settled: Mutex::default(),
        });
        let stage = self.start_with(clock, store, Arc::clone(&moody) as _).await;
        (stage, moody)
    }
}

fn datagram(clock: &TestClock) -> Datagram {
    let line = b"/scheduler-task-failed/;node;Reload sales;Sales;LAB\\goran;dec2a02a-1680-44ef-8dc2-e2bfb180af87;;2024-05-13 06:02:11,123;INFO;;Max retries";
    Datagram {
        bytes: line.as_slice().into(),
        from: None,
        site: "prod".into(),
        source: "udp".into(),
        received: crate::clock::Clock::now(clock),
    }
}

/// `ops` takes what the routes say, `chief` is the fallback.
fn with_fallback(ops: &FakeSink, chief: &FakeSink, events: &str) -> Setup {
    Setup {
        sinks: vec![("ops", ops.clone().into_plan()), ("chief", chief.clone().into_plan())],
        routes: vec![route(events, &["ops"])],
        fallback: vec!["chief".into()],
        enricher: FakeEnricher::default(),
    }
}

#[tokio::test]
async fn a_store_that_refuses_is_told_once_past_it_and_costs_no_datagram() {
    let (ops, chief) = (FakeSink::default(), FakeSink::default());
    let (stage, moody) = with_fallback(&ops, &chief, "reload_task.*").start_moody().await;
    moody.refuses.store(true, Ordering::Relaxed);
    let submitted = stage.intake.submit(a_new_event(7)).await;
    assert!(matches!(submitted, Err(IntakeError::Store(_))), "{submitted:?}");
    for _ in 0..3 {
        assert!(stage.intake.offer(datagram(&stage.clock)));
        stage.pass(10 * SECOND).await;
    }
    assert!(!stage.health.report().is_ready());
    assert!(stage.health.report().store.is_some_and(|(_, why)| why.contains("no space left")));
    let told: Vec<_> = chief.taken().into_iter().map(|taken| taken.body).collect();
    assert_eq!(told, ["butler.store_failing owner=?"]);
    assert_eq!(ops.taken(), []);

    moody.refuses.store(false, Ordering::Relaxed);
    stage.pass(2 * SECOND).await;
    assert!(stage.health.report().is_ready());
    // The three datagrams lie more than the tolerance apart, so they are three events; the refused one was its sender's to keep.
    assert_eq!(ops.taken().len(), 3);
    assert_eq!(stage.intake.counters().accepted(), 3);
}

#[tokio::test]
async fn a_journal_that_panics_loses_nothing_that_it_was_handed() {
    let sink = FakeSink::default();
    let (stage, moody) = one_sink(&sink).start_moody().await;
    moody.panics.store(true, Ordering::Relaxed);
    let submitted = tokio::spawn({
        let intake = stage.intake.clone();
        async move { intake.submit(a_new_event(1)).await.map_err(|error| error.to_string()) }
    });
    rest().await;
    assert_eq!(sink.taken().len(), 0);
    stage.pass(2 * SECOND).await;
    assert!(matches!(submitted.await, Ok(Ok(Appended::New(_)))));
    assert_eq!(sink.taken().len(), 1);
}

#[tokio::test]
async fn what_a_failing_store_did_not_take_before_the_end_is_counted() {
    let (stage, moody) = one_sink(&FakeSink::default()).start_moody().await;
    moody.refuses.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        assert!(stage.intake.offer(datagram(&stage.clock)));
        rest().await;
    }
    let ending = tokio::spawn(stage.pipeline.shutdown(SECOND));
    rest().await;
    stage.clock.advance(SECOND);
    assert!(!ending.await.unwrap(), "it says that all went well");
    rest().await;
    assert_eq!(stage.intake.counters().rejected(), [(RejectReason::ShuttingDown, 3)]);
}

#[tokio::test]
async fn the_end_in_time_says_so() {
    let stage = one_sink(&FakeSink::default()).start().await;
    assert!(stage.pipeline.shutdown(SECOND).await);
}

#[tokio::test]
async fn what_no_route_takes_is_told_to_the_fallback_and_can_be_seen() {
    let (ops, chief) = (FakeSink::default(), FakeSink::default());
    let stage = with_fallback(&ops, &chief, "reload_task.success").start().await;
    let id = stage.submit(a_new_event(1)).await.id();
    assert_eq!((ops.taken().len(), chief.taken().len()), (0, 1));
    assert_eq!(stage.health.report().unrouted, Some(Unrouted { to_fallback: 1, to_nobody: 0, latest: id }));
    // Good news may go nowhere.
    let mut fine = a_new_event(2);
    fine.kind = Kind::Other("service.started".into());
    stage.submit(fine).await;
    assert_eq!(stage.health.report().unrouted.map(|unrouted| unrouted.to_fallback), Some(1));

    let mut setup = with_fallback(&ops, &chief, "reload_task.success");
    setup.fallback.clear();
    let stage = setup.start().await;
    let id = stage.submit(a_new_event(1)).await.id();
    assert_eq!(stage.health.report().unrouted, Some(Unrouted { to_fallback: 0, to_nobody: 1, latest: id }));
}

/// Cannot say to whom.
#[derive(Debug)]
struct Speechless(FakeSink);

#[async_trait]
impl Sink for Speechless {
    fn targets(&self, _request: &TargetRequest<'_>) -> Vec<Target> {
        panic!("no recipients")
    }
    fn render(&self, rendering: &Rendering<'_>) -> Result<Message, RenderError> {
        self.0.render(rendering)
    }
    fn plain(&self, rendering: &Rendering<'_>, fault: &str) -> Message {
        self.0.plain(rendering, fault)
    }
    async fn deliver(&self, delivery: &Delivery<'_>) -> Result<Receipt, DeliveryError> {
        self.0.deliver(delivery).await
    }
    async fn check(&self) -> Result<Receipt, DeliveryError> {
        self.0.check().await
    }
}

#[tokio::test]
async fn a_sink_that_panics_when_asked_for_recipients_holds_up_nobody_and_stands_in_the_list() {
    let (fine, odd) = (FakeSink::default(), FakeSink::default());
    odd.answer(|| Err(DeliveryError::permanent(Reason::Rejected, "to whom?")));
    let odd = SinkPlan { sink: Arc::new(Speechless(odd)), ..FakeSink::default().into_plan() };
    let setup = Setup {
        sinks: vec![("odd", odd), ("fine", fine.clone().into_plan())],
        routes: vec![route("reload_task.*", &["odd", "fine"])],
        fallback: Vec::new(),
        enricher: FakeEnricher::default(),
    };
    let stage = setup.start().await;
    stage.submit(a_new_event(1)).await;
    assert_eq!(fine.taken().len(), 1);
    let deliveries = stage.deliveries().await;
    let states: Vec<_> = deliveries.iter().map(|d| (d.sink.as_str(), d.state)).collect();
    assert_eq!(states, [("odd", DeliveryState::Dead), ("fine", DeliveryState::Delivered)]);
}

#[tokio::test]
async fn a_message_whose_leases_never_returned_goes_out_in_plain_words() {
    let sink = FakeSink::default().with_needs(Needs { owner: true, ..Needs::NONE });
    let mut setup = one_sink(&sink);
    // This look-up takes the process down, or as good as.
    setup.enricher = FakeEnricher::default();
    let asked = setup.enricher.asked();
    let (stage, moody) = setup.start_moody().await;
    moody.lost.store(2, Ordering::Relaxed);
    stage.submit(a_new_event(1)).await;
    assert_eq!(sink.taken()[0].body, "reload_task.failed plain, for: 2 earlier attempts never returned");
    // Once for what decides, never for what would be shown.
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_task_that_went_on_elsewhere_is_told_at_once_where_nobody_can_be_asked() {
    let sink = FakeSink::default();
    let stage = one_sink(&sink).start().await;
    let mut event = a_new_event(1);
    event.site = "elsewhere".into();
    event.kind = Kind::task(TaskOutcome::Unsettled);
    stage.submit(event).await;
    assert_eq!(
        sink.taken()[0].body,
        "task.failed owner=? missing[task: nobody can be asked: the configuration has no certificates for the site `elsewhere`] missing[execution result: it could not be found out how the task ended; nobody can be asked: the configuration has no certificates for the site `elsewhere`]"
    );
}

#[tokio::test]
async fn a_remote_that_asks_for_quiet_gets_it() {
    let sink = FakeSink::default();
    for _ in 0..3 {
        sink.answer(|| Err(DeliveryError::transient(Reason::Throttled, "HTTP 429").retry_after(60 * SECOND)));
    }
    let mut setup = one_sink(&sink);
    setup.sinks[0].1.max_in_flight = 1;
    let stage = setup.start().await;
    for task in 0..10 {
        stage.submit(a_new_event(task)).await;
    }
    let before = sink.taken().len();
    assert_eq!(before, 3);
    stage.pass(50 * SECOND).await;
    assert_eq!(sink.taken().len(), before);
    stage.pass(60 * SECOND).await;
    assert_eq!(sink.taken().iter().filter(|taken| taken.accepted).count(), 10);
}

#[tokio::test]
async fn what_became_too_old_while_it_waited_is_told_once_a_day() {
    let (ops, chief) = (FakeSink::default(), FakeSink::default());
    let mut setup = with_fallback(&ops, &chief, "reload_task.*");
    setup.routes.push(route("butler.*", &["chief"]));
    let (stage, moody) = setup.start_moody().await;
    for count in [5, 7] {
        moody.expired.store(count, Ordering::Relaxed);
        stage.pass(2 * 60 * SECOND).await;
    }
    let told: Vec<_> = chief.taken().into_iter().map(|taken| taken.body).collect();
    assert_eq!(told, ["butler.delivery_dead owner=?"]);
}

#[tokio::test]
async fn a_lease_outlives_the_slowest_attempt_and_the_one_before_it() {
    let sink = FakeSink::default().with_needs(Needs { owner: true, ..Needs::NONE });
    let mut setup = one_sink(&sink);
    setup.enricher = FakeEnricher::hanging();
    setup.sinks[0].1.max_in_flight = 1;
    let stage = setup.start().await;
    for task in 0..4 {
        stage.submit(a_new_event(task)).await;
    }
    for _ in 0..60 {
        stage.pass(10 * SECOND).await;
    }
    let keys: std::collections::BTreeSet<_> = sink.taken().iter().map(|taken| taken.key.to_string()).collect();
    assert_eq!((sink.taken().len(), keys.len()), (4, 4), "{:?}", sink.taken());
}

#[tokio::test]
async fn attempts_go_on_while_a_commit_takes_its_time_and_the_next_one_carries_all_that_ended() {
    let sink = FakeSink::default();
    let (stage, moody) = one_sink(&sink).start_moody().await;
    moody.is_slow.send_replace(true);
    for task in 0..20 {
        stage.submit(a_new_event(task)).await;
    }
    assert_eq!(sink.taken().len(), 20);
    assert!(moody.settled.lock().unwrap().is_empty());
    moody.is_slow.send_replace(false);
    rest().await;
    assert_eq!(stage.states().await, [DeliveryState::Delivered; 20]);
    assert_eq!(*moody.settled.lock().unwrap(), [1, 19]);
}

#[tokio::test]
async fn no_more_is_attempted_than_can_be_settled_in_a_while() {
    let sink = FakeSink::default();
    let (stage, moody) = one_sink(&sink).start_moody().await;
    moody.is_slow.send_replace(true);
    for task in 0..200 {
        stage.submit(a_new_event(task)).await;
    }
    let attempted = sink.taken().len();
    assert!((32..=56).contains(&attempted), "{attempted}");
    moody.is_slow.send_replace(false);
    rest().await;
    assert_eq!(stage.states().await.iter().filter(|state| **state == DeliveryState::Delivered).count(), 200);
}

#[tokio::test]
async fn what_may_take_the_process_down_goes_alone() {
    let sink = FakeSink::default().with_batch(10);
    sink.hang();
    let (stage, moody) = one_sink(&sink).start_moody().await;
    moody.lost.store(1, Ordering::Relaxed);
    for task in 0..30 {
        stage.intake.submit(a_new_event(task)).await.unwrap();
    }
    rest().await;
    sink.release();
    rest().await;
    assert_eq!(sink.taken().len(), 30);
    assert_eq!(sink.batches(), [0; 0]);
}
