//! A stage for tests of the stages together: the store in memory, and a clock that moves by hand.
//!
//! Nothing on it touches a socket or a thread, so letting every task run until it waits is a matter of yielding often enough.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::testing::known_task;
use super::*;
use crate::clock::Deadline;
use crate::enrich::Enricher;
use crate::event::{Event, ExecutionResult, ExecutionStatus, Fact, FactSheet, Needs, NewEvent, Owner, SinkName};
use crate::sink::{Links, SiteInfo};
use crate::source::Intake;
use crate::store::memory::MemoryStore;
use crate::store::{Appended, DeliveryQuery, DeliveryRecord, DeliveryState, Journal, PrunePolicy};
use crate::testkit::{FakeSink, TestClock};

pub(super) const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct FakeEnricher {
    pub(super) hangs: bool,
    /// The statuses that look-ups find, one after the other; the last one stays.
    pub(super) statuses: Mutex<Vec<i64>>,
    asked: Arc<AtomicUsize>,
}

impl FakeEnricher {
    /// Finds the task, and then nothing more.
    pub(super) fn hanging() -> Self {
        Self { hangs: true, ..Self::default() }
    }

    /// How often it was asked.
    pub(super) fn asked(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.asked)
    }

    fn result(&self) -> Option<ExecutionResult> {
        let mut statuses = self.statuses.lock().unwrap();
        let status = if statuses.len() > 1 { statuses.remove(0) } else { *statuses.first()? };
        Some(ExecutionResult {
            id: Some(Uuid::from_u128(77)),
            execution_id: None,
            executing_node: "node".into(),
            status: ExecutionStatus(status),
            start_time: String::new(),
            stop_time: String::new(),
            duration_ms: 0,
            file_reference: None,
            script_log_size: 0,
            details: Vec::new(),
            certain: true,
        })
    }
}

#[async_trait]
impl Enricher for FakeEnricher {
    async fn enrich(&self, _event: &Event, needs: Needs, sheet: &FactSheet, _deadline: Deadline) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if needs.task {
            sheet.update(|facts| facts.task = Fact::Known(known_task()));
        }
        if let (true, Some(result)) = (needs.result, self.result()) {
            sheet.update(|facts| facts.result = Fact::Known(result));
        }
        if self.hangs {
            std::future::pending::<()>().await;
        }
        if needs.owner {
            let owner = Owner { name: "Göran".into(), ..Owner::default() };
            sheet.update(|facts| facts.owner = Fact::Known(owner));
        }
    }
}

pub(super) struct Stage {
    pub(super) clock: TestClock,
    pub(super) store: Arc<MemoryStore>,
    pub(super) intake: Intake,
    pub(super) pipeline: Pipeline,
    pub(super) health: Arc<Health>,
}

pub(super) struct Setup {
    pub(super) sinks: Vec<(&'static str, SinkPlan)>,
    pub(super) routes: Vec<Route>,
    pub(super) fallback: Vec<SinkName>,
    pub(super) enricher: FakeEnricher,
}

pub(super) fn route(events: &str, sinks: &[&str]) -> Route {
    Route {
        name: events.into(),
        events: vec![events.parse().unwrap()],
        sinks: sinks.iter().map(|s| (*s).into()).collect(),
        ..Route::default()
    }
}

/// One sink `ops` that takes everything.
pub(super) fn one_sink(sink: &FakeSink) -> Setup {
    Setup {
        sinks: vec![("ops", sink.clone().into_plan())],
        routes: vec![route("*", &["ops"])],
        fallback: Vec::new(),
        enricher: FakeEnricher::default(),
    }
}

impl Setup {
    pub(super) async fn start(self) -> Stage {
        let clock = TestClock::default();
        let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
        self.start_on(clock, store).await
    }

    pub(super) async fn start_on(self, clock: TestClock, store: Arc<MemoryStore>) -> Stage {
        let journal = Arc::clone(&store) as Arc<dyn Journal>;
        self.start_with(clock, store, journal).await
    }

    /// `journal` stands before `store`.
    pub(super) async fn start_with(self, clock: TestClock, store: Arc<MemoryStore>, journal: Arc<dyn Journal>) -> Stage {
        let info = SiteInfo { name: "prod".into(), links: Links::default(), time_zone: jiff::tz::TimeZone::UTC };
        let site = SitePlan { info: Arc::new(info), enricher: Some(Arc::new(self.enricher)) };
        let plan = Plan {
            sites: [("prod".into(), site)].into_iter().collect(),
            sinks: self.sinks.into_iter().map(|(name, sink)| (name.into(), sink)).collect(),
            routes: self.routes,
            fallback: self.fallback,
            budgets: Budgets::default(),
        };
        let (intake, queue) = Intake::channel();
        let health = Arc::new(Health::default());
        let policy = PrunePolicy {
            retention: Duration::from_hours(24 * 30),
            dead_retention: Duration::from_hours(24 * 90),
            max_bytes: None,
            slice: 100,
        };
        let parts = Parts {
            plan: Arc::new(plan),
            journal,
            clock: Arc::new(clock.clone()),
            health: Arc::clone(&health),
            silences: Arc::default(),
            policy,
        };
        let pipeline = Pipeline::start(parts, &intake, queue).await.unwrap();
        Stage { clock, store, intake, pipeline, health }
    }
}

impl Stage {
    pub(super) async fn submit(&self, event: NewEvent) -> Appended {
        let appended = self.intake.submit(event).await.unwrap();
        rest().await;
        appended
    }

    pub(super) async fn pass(&self, time: Duration) {
        // In steps, so that what wakes may wait again within the time.
        let step = time / 10;
        for _ in 0..10 {
            self.clock.advance(step);
            rest().await;
        }
    }

    pub(super) async fn deliveries(&self) -> Vec<DeliveryRecord> {
        let mut all = self.store.deliveries(DeliveryQuery { max: 1000, ..DeliveryQuery::default() }).await.unwrap();
        all.reverse();
        all
    }

    pub(super) async fn states(&self) -> Vec<DeliveryState> {
        self.deliveries().await.into_iter().map(|d| d.state).collect()
    }
}

/// Lets every task run until all of them wait.
pub(super) async fn rest() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
