//! Rounds against a simulated site, with a journal in memory.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use uuid::Uuid;

use super::pages::PAGE;
use super::round::{DATAGRAMS_TAKE, Poll, RoundError};
use super::*;
use crate::clock::Clock;
use crate::event::{Event, EventId, ExecutionStatus};
use crate::qlik::RepositoryClient;
use crate::qlik::fake::HastyClock;
use crate::simulator::site::{ExecutionIds, ExecutionRecord, Outcome, Site, SiteOptions, SiteState};
use crate::source::{Datagram, Intake, IntakeError, IntakeRequest, Stop, decode};
use crate::store::memory::MemoryStore;
use crate::store::{Appended, EventQuery, EventRecord, Journal, StoreError};

const WEEK: Duration = QrsPollSettings::LOOK_BACK;

/// A site, a store, and somebody who reads from the one into the other.
struct World {
    site: Site,
    folder: TempDir,
    clock: HastyClock,
    store: Arc<MemoryStore>,
    settings: QrsPollSettings,
    poll: Poll,
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// Takes from the queue in place of the pipeline.
fn feed(store: &Arc<MemoryStore>) -> Intake {
    let (intake, mut queue) = Intake::channel();
    let (store, counters) = (Arc::clone(store), Arc::clone(intake.counters()));
    tokio::spawn(async move {
        loop {
            let requests = queue.take(1024).await;
            if requests.is_empty() {
                return;
            }
            for request in requests {
                match request {
                    IntakeRequest::Event(event, reply) => drop(reply.send(Ok(store.append(vec![*event]).await.unwrap()[0]))),
                    IntakeRequest::Datagram(datagram) => {
                        let event = decode::to_event(&datagram).unwrap();
                        counters.count_heard(&event.site);
                        store.append(vec![event]).await.unwrap();
                    }
                }
            }
        }
    });
    intake
}

impl World {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut QrsPollSettings)) -> Self {
        let (folder, clock) = (TempDir::new().unwrap(), HastyClock::default());
        let options = SiteOptions { clock: Arc::new(clock.clone()), ..SiteOptions::default() };
        let mut state = SiteState::example();
        state.executions.clear();
        let site = Site::start(state, options).await.unwrap();
        site.write_certificates(folder.path()).unwrap();
        let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
        let mut settings = QrsPollSettings {
            site: "prod".into(),
            every: QrsPollSettings::EVERY,
            look_back: WEEK,
            successes: false,
            time_zone: jiff::tz::TimeZone::UTC,
            datagrams_at: Some("0.0.0.0:9998".to_owned()),
            notifications: None,
        };
        change(&mut settings);
        let poll = poll(&site, &folder, &clock, &store, &settings, feed(&store));
        Self { site, folder, clock, store, settings, poll }
    }

    /// The same after a restart.
    fn restart(&mut self) {
        self.poll = poll(&self.site, &self.folder, &self.clock, &self.store, &self.settings, feed(&self.store));
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn pass(&self, time: SignedDuration) {
        self.clock.inner.advance(time.unsigned_abs());
    }

    /// An execution ended at this time.
    fn ended(&self, number: u128, status: i64, stopped: Timestamp) {
        let task = self.site.state().tasks[0].id;
        self.site.change(|state| state.executions.push(record(number, task, status, stopped)));
    }

    /// How many events the round found that nobody had told of.
    async fn new_ones(&mut self) -> usize {
        self.poll.round().await.unwrap().new
    }

    async fn records(&self) -> Vec<EventRecord> {
        self.store.events(EventQuery { max: 1_000, ..EventQuery::default() }).await.unwrap()
    }

    async fn events(&self) -> Vec<Event> {
        self.records().await.into_iter().map(|record| record.event).collect()
    }
}

fn record(number: u128, task: Uuid, status: i64, stopped: Timestamp) -> ExecutionRecord {
    ExecutionRecord {
        id: Uuid::from_u128(number),
        execution_id: Uuid::from_u128(number + (1 << 64)),
        task,
        status: ExecutionStatus(status),
        start: Some(stopped - minutes(1)),
        stop: Some(stopped),
        steps: Vec::new(),
        script_log: None,
    }
}

fn poll(site: &Site, folder: &TempDir, clock: &HastyClock, store: &Arc<MemoryStore>, settings: &QrsPollSettings, intake: Intake) -> Poll {
    let client = RepositoryClient::new(site.repository_settings("prod", folder.path()), Arc::new(clock.clone())).unwrap();
    let named = (settings.clone(), "qrs_poll".into());
    Poll::new(named, Arc::new(client), Arc::clone(store) as _, Arc::new(clock.clone()), intake, Stop::new())
}

#[tokio::test]
async fn what_ended_badly_since_the_first_start_is_found_once() {
    let mut world = World::new().await;
    world.ended(1, 8, world.now() - minutes(60));
    assert_eq!(world.new_ones().await, 0);
    world.pass(minutes(1));
    for (number, status) in [(2, 8), (3, 6), (4, 11), (5, 7), (6, 9)] {
        world.ended(number, status, world.now());
    }
    assert_eq!(world.new_ones().await, 3);
    world.pass(minutes(1));
    assert_eq!(world.new_ones().await, 0);
    // Nothing is handed in again, so nobody counts as having told twice.
    let sightings: Vec<_> = world.records().await.iter().map(|record| record.sightings).collect();
    assert_eq!(sightings, [1, 1, 1]);
    let event = world.events().await.pop().unwrap();
    let task = world.site.state().tasks[0].clone();
    assert_eq!((event.kind.to_string(), event.source.as_str()), ("reload_task.failed".to_owned(), "qrs_poll"));
    assert!(matches!(event.body, crate::event::Body::Task(told) if told.task_name == task.name && told.app_name == "Sales"));
}

#[tokio::test]
async fn successes_are_read_where_somebody_wants_them() {
    let mut world = World::with(|settings| settings.successes = true).await;
    world.ended(1, 7, world.now());
    world.ended(2, 8, world.now());
    assert_eq!(world.new_ones().await, 2);
}

#[tokio::test]
async fn what_a_datagram_told_is_not_new() {
    for (ids, seed) in [(ExecutionIds::Separate, 1), (ExecutionIds::Same, 2)] {
        let mut world = World::new().await;
        world.site.change(|state| state.execution_ids = ids);
        let tasks: Vec<_> = world.site.state().tasks.iter().filter(|task| task.enabled).map(|task| task.id).collect();
        world.site.lose_datagrams(0.5, seed);
        assert_eq!(world.new_ones().await, 0);
        let mut lost = 0;
        for (number, task) in tasks.iter().cycle().take(40).enumerate() {
            let outcome = if number % 3 == 0 { Outcome::Aborted } else { Outcome::FAILED };
            let execution = world.site.run(*task, outcome).await.unwrap();
            lost += usize::from(execution.lost);
            if !execution.lost {
                let (site, source, received) = ("prod".into(), "udp".into(), world.now());
                let datagram = Datagram { bytes: execution.datagram.into(), from: None, site, source, received };
                world.store.append(vec![decode::to_event(&datagram).unwrap()]).await.unwrap();
            }
            world.pass(minutes(1));
        }
        assert!((5..35).contains(&lost));
        assert_eq!(world.new_ones().await, lost);
        assert_eq!(world.events().await.iter().filter(|event| event.task_id().is_some()).count(), 40);
    }
}

#[tokio::test]
async fn what_ended_just_now_waits_for_its_datagram() {
    for (datagrams_at, waits) in [(Some("0.0.0.0:9998".to_owned()), true), (None, false)] {
        let mut world = World::with(|settings| settings.datagrams_at = datagrams_at).await;
        assert_eq!(world.new_ones().await, 0);
        world.pass(minutes(1));
        world.ended(1, 8, world.now() - SignedDuration::from_secs(30));
        assert_eq!(world.new_ones().await, 1);
        assert!(!world.clock.slept().contains(&DATAGRAMS_TAKE));
        world.ended(2, 8, world.now());
        assert_eq!(world.new_ones().await, 1);
        assert_eq!(world.clock.slept().contains(&DATAGRAMS_TAKE), waits, "{:?}", world.clock.slept());
    }
}

#[tokio::test]
async fn what_becomes_visible_late_is_found() {
    let mut world = World::new().await;
    let start = world.now();
    world.new_ones().await;
    world.pass(minutes(200));
    world.ended(1, 8, world.now());
    assert_eq!(world.new_ones().await, 1);
    world.ended(2, 8, world.now() - minutes(4));
    assert_eq!(world.new_ones().await, 1);
    // Another node's clock is behind by more than that.
    world.ended(3, 8, world.now() - minutes(100));
    let mut found = 0;
    for _ in 0..20 {
        found += world.new_ones().await;
    }
    assert_eq!(found, 1);
    // Or it is ahead.
    world.ended(4, 8, world.now() + minutes(30));
    assert_eq!((world.new_ones().await, world.new_ones().await), (1, 0));
    world.ended(5, 8, world.now());
    assert_eq!(world.new_ones().await, 1);
    assert!(world.events().await.iter().all(|event| event.at > start));
}

#[tokio::test]
async fn a_jump_of_the_clock_neither_repeats_nor_loses() {
    let mut world = World::new().await;
    // What happens goes on in the site's own time.
    let mut real = world.now();
    let mut number = 0;
    for jump in [0, 60, 14 * 24 * 60, 0, -14 * 24 * 60, -60, -45, 0, 45, 0, -40 * 24 * 60, 0, 40 * 24 * 60, 0] {
        world.clock.inner.jump(minutes(jump));
        world.pass(minutes(1));
        real += minutes(1);
        number += 1;
        world.ended(number, 8, real);
        assert_eq!(world.new_ones().await, 1, "after a jump of {jump} minutes");
    }
    world.restart();
    assert_eq!(world.new_ones().await, 0);
}

#[tokio::test]
async fn the_hour_that_comes_twice_in_autumn_neither_repeats_nor_loses() {
    let zone = jiff::tz::TimeZone::get("Europe/Stockholm").unwrap();
    let mut world = World::with(|settings| settings.time_zone = zone).await;
    // At one o'clock UTC the clocks go back from three to two.
    world.pass("2024-10-26T23:30:00Z".parse::<Timestamp>().unwrap().duration_since(world.now()));
    world.new_ones().await;
    for number in 0..18 {
        // Every other one is told by a datagram too, which has the local time in it.
        if number % 2 == 0 {
            let run = world.site.run(world.site.state().tasks[0].id, Outcome::FAILED).await.unwrap();
            let (site, source, received) = ("prod".into(), "udp".into(), world.now());
            assert!(world.poll.intake.offer(Datagram { bytes: run.datagram.into(), from: None, site, source, received }));
        } else {
            world.ended(number, 8, world.now());
        }
        world.pass(minutes(10));
        if number % 3 == 0 {
            world.poll.round().await.unwrap();
        }
    }
    world.poll.round().await.unwrap();
    let records = world.records().await;
    assert_eq!(records.len(), 18);
    let local = |record: &EventRecord| match &record.event.body {
        crate::event::Body::Task(task) => task.log_time.get(11..16).map(str::to_owned),
        _ => None,
    };
    let mut read: Vec<_> = records.iter().filter(|record| record.event.source.as_str() == "qrs_poll").collect();
    read.sort_by_key(|record| record.event.at);
    let times: Vec<_> = read.into_iter().filter_map(local).collect();
    assert_eq!(times, ["01:40", "02:00", "02:20", "02:40", "02:00", "02:20", "02:40", "03:00", "03:20"]);
}

#[tokio::test]
async fn after_a_restart_it_goes_on_where_it_was_but_not_further_back_than_it_should() {
    let mut world = World::new().await;
    assert_eq!(world.new_ones().await, 0);
    let day = minutes(24 * 60);
    world.ended(1, 8, world.now() + day);
    world.ended(2, 8, world.now() + day * 2);
    world.ended(3, 8, world.now() + day * 6);
    world.pass(day * 8 + minutes(60));
    world.restart();
    assert_eq!(world.new_ones().await, 2);
    world.restart();
    assert_eq!(world.new_ones().await, 0);
}

#[tokio::test]
async fn a_repository_that_was_down_is_asked_gently_and_nothing_is_lost() {
    let mut world = World::new().await;
    assert_eq!(world.new_ones().await, 0);
    world.site.set_down(true);
    for number in 0..120 {
        world.ended(number, 8, world.now());
        world.pass(SignedDuration::from_secs(30));
        assert!(
            matches!(world.poll.round().await, Err(RoundError::Repository(error)) if error.is_outage() || error.to_string().contains("down"))
        );
    }
    world.site.set_down(false);
    world.pass(SignedDuration::from_secs(30));
    let before = world.site.total();
    assert_eq!(world.new_ones().await, 120);
    assert!(world.site.total() - before <= 5, "{:?}", world.site.requests());
}

#[tokio::test]
async fn the_cursor_stays_until_the_journal_has_it() {
    let mut world = World::new().await;
    world.new_ones().await;
    world.ended(1, 8, world.now());
    let (refusing, mut queue) = Intake::channel();
    tokio::spawn(async move {
        for request in queue.take(10).await {
            let IntakeRequest::Event(_, reply) = request else { continue };
            let _ = reply.send(Err(IntakeError::Store(Arc::new(StoreError::Full("no room".into())))));
        }
        queue
    });
    world.poll.intake = refusing;
    assert!(matches!(world.poll.round().await, Err(RoundError::Intake(_))));
    world.poll.intake = feed(&world.store);
    assert_eq!(world.new_ones().await, 1);
}

#[tokio::test]
async fn a_year_of_results_is_read_page_by_page() {
    // Of a large site that would be 500 a day: YEAR_RESULTS=180000.
    let results: u128 = std::env::var("YEAR_RESULTS").map_or(20_000, |results| results.parse().unwrap());
    let year = Duration::from_hours(366 * 24);
    let mut world = World::with(|settings| (settings.successes, settings.look_back) = (true, year)).await;
    world.new_ones().await;
    let (start, task) = (world.now(), world.site.state().tasks[0].id);
    let step = SignedDuration::from_hours(365 * 24) / i32::try_from(results).unwrap();
    world.site.change(|state| {
        // Every tenth at the same time as 400 others: the end of a night's chain.
        let stopped =
            |number: u128| start + step * i32::try_from(if number.is_multiple_of(10) { number - number % 4_000 } else { number }).unwrap();
        state.executions = (1..=results).map(|number| record(number, task, 7, stopped(number))).collect();
    });
    world.pass(minutes(365 * 24 * 60));
    // Whoever takes so many need not keep them.
    let (taking, mut queue) = Intake::channel();
    tokio::spawn(async move {
        loop {
            let requests = queue.take(1024).await;
            if requests.is_empty() {
                return;
            }
            for request in requests {
                if let IntakeRequest::Event(_, reply) = request {
                    let _ = reply.send(Ok(Appended::New(EventId(Uuid::new_v4()))));
                }
            }
        }
    });
    world.restart();
    world.poll.intake = taking;
    let summary = world.poll.round().await.unwrap();
    assert_eq!(summary.new, usize::try_from(results).unwrap());
    // No more at once than a page, but where a single second holds more.
    let page = usize::try_from(PAGE).unwrap();
    assert!(summary.largest <= 2 * page + 1, "{summary:?}");
    assert!(world.site.total() < 6 * summary.pages, "{summary:?}");
}

#[tokio::test]
async fn a_source_gone_silent_is_told_once_and_a_datagram_ends_it() {
    let mut world = World::new().await;
    let silent = async |world: &World| world.events().await.iter().filter(|event| event.kind.to_string() == "butler.source_silent").count();
    let mut number = 0;
    let mut fail = async |world: &mut World, times: usize| {
        for _ in 0..times {
            number += 1;
            world.ended(number, 8, world.now());
            world.poll.round().await.unwrap();
            world.pass(minutes(4));
        }
    };
    fail(&mut world, 3).await;
    assert_eq!(silent(&world).await, 0);
    fail(&mut world, 3).await;
    assert_eq!(silent(&world).await, 1);
    world.restart();
    fail(&mut world, 6).await;
    assert_eq!(silent(&world).await, 1);
    let run = world.site.run(world.site.state().tasks[0].id, Outcome::FAILED).await.unwrap();
    let (site, source, received) = ("prod".into(), "udp".into(), world.now());
    assert!(world.poll.intake.offer(Datagram { bytes: run.datagram.into(), from: None, site, source, received }));
    // The queue is in order: once this has an answer, the datagram was taken.
    fail(&mut world, 1).await;
    world.poll.round().await.unwrap();
    fail(&mut world, 6).await;
    assert_eq!(silent(&world).await, 2);
}
