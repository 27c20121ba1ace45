//! The watch against a simulated site, by a clock that moves by hand.

use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::event::{Body, NewEvent};
use crate::monitor::tasks::{TaskWatch, TaskWatchSite};
use crate::qlik::RepositoryClient;
use crate::qlik::fake::HastyClock;
use crate::simulator::site::{Outcome, Site, SiteOptions, SiteState};
use crate::source::{EventSource, Intake, IntakeRequest, Stop};
use crate::store::memory::MemoryStore;
use crate::store::{Appended, StateStore};
use crate::testkit::TestClock;
use jiff::tz::TimeZone;

/// A site, a watch of it, and what it has told.
struct World {
    site: Site,
    /// The clock of the site and of the watch; the client has its own, so that no request runs into its timeout.
    clock: TestClock,
    of_client: HastyClock,
    store: Arc<MemoryStore>,
    client: Arc<RepositoryClient>,
    task: Uuid,
    _folder: TempDir,
}

/// A watch that is running.
struct Watched {
    events: tokio::sync::mpsc::UnboundedReceiver<NewEvent>,
    stop: Stop,
    run: tokio::task::JoinHandle<Result<(), crate::source::SourceError>>,
}

impl World {
    async fn new() -> Self {
        let (folder, clock) = (TempDir::new().unwrap(), TestClock::at(SIX));
        let mut state = SiteState::example();
        let task = state.tasks[0].id;
        state.tasks.truncate(1);
        state.executions.clear();
        state.tasks[0].next_execution = None;
        let of_client = HastyClock::default();
        let options = SiteOptions { clock: Arc::new(clock.clone()), ..SiteOptions::default() };
        let site = Site::start(state, options).await.unwrap();
        site.write_certificates(folder.path()).unwrap();
        let client = RepositoryClient::new(site.repository_settings("prod", folder.path()), Arc::new(of_client.clone())).unwrap();
        let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
        Self { site, clock, of_client, store, client: Arc::new(client), task, _folder: folder }
    }

    /// Begins to watch; the first look is over when this returns.
    async fn watch(&self) -> Watched {
        let site = TaskWatchSite { client: Arc::clone(&self.client), time_zone: TimeZone::get("Europe/Stockholm").unwrap() };
        let rules = TaskWatchRules { remind: Some(minutes(240)), ..TaskWatchRules::default() };
        let watch = TaskWatch::new(site, rules, Arc::clone(&self.store) as _, Arc::new(self.clock.clone()));
        let (intake, mut queue) = Intake::channel();
        let (sender, events) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let requests = queue.take(10).await;
                if requests.is_empty() {
                    return;
                }
                for request in requests {
                    let IntakeRequest::Event(event, reply) = request else { panic!("a datagram") };
                    sender.send(*event).unwrap();
                    let _ = reply.send(Ok(Appended::New(crate::event::EventId(Uuid::nil()))));
                }
            }
        });
        let stop = Stop::new();
        let open = watch.open(intake, stop.clone()).await.unwrap();
        let watched = Watched { events, stop, run: tokio::spawn(open.run) };
        self.clock.sleepers(1).await;
        watched
    }

    /// Lets time pass, looking every minute.
    async fn pass(&self, minutes: u32) {
        for _ in 0..minutes {
            let asked = self.site.total();
            self.of_client.inner.advance(Duration::from_mins(1));
            self.clock.advance(Duration::from_mins(1));
            self.site.wait_for(asked + 1).await;
            self.clock.sleepers(1).await;
        }
    }

    fn plan(&self, minute: i64) {
        let task = self.task;
        self.site.change(|state| state.task_mut(task).unwrap().next_execution = Some(at(minute)));
    }
}

impl Watched {
    fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            let Body::Notice(notice) = &event.body else { panic!("{event:?}") };
            told.push(format!("{}: {}", event.kind, notice.title));
        }
        told
    }

    async fn end(self) {
        self.stop.cancel();
        self.run.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_task_that_does_not_start_is_late_once_also_across_a_restart() {
    let world = World::new().await;
    world.plan(10);
    let mut watched = world.watch().await;
    world.pass(15).await;
    assert_eq!(watched.told(), Vec::<String>::new());
    world.pass(1).await;
    assert_eq!(watched.told(), ["task.late: Not started: Reload sales, due at 08:10"]);
    world.pass(5).await;
    watched.end().await;
    let mut watched = world.watch().await;
    world.pass(10).await;
    assert_eq!(watched.told(), Vec::<String>::new());
    // It starts after all, and is late another day.
    world.site.run(world.task, Outcome::Success).await.unwrap();
    world.plan(60);
    world.pass(40).await;
    assert_eq!(watched.told(), ["task.late: Not started: Reload sales, due at 09:00"]);
}

#[tokio::test]
async fn an_outage_of_the_repository_makes_nothing_late() {
    let world = World::new().await;
    world.plan(10);
    let mut watched = world.watch().await;
    world.pass(5).await;
    world.site.set_down(true);
    world.of_client.inner.advance(Duration::from_hours(1));
    world.clock.advance(Duration::from_hours(1));
    while world.client.down_since().is_none() {
        tokio::task::yield_now().await;
    }
    world.clock.sleepers(1).await;
    world.site.run(world.task, Outcome::Success).await.unwrap();
    world.plan(1440);
    world.site.set_down(false);
    world.pass(20).await;
    assert_eq!(watched.told(), Vec::<String>::new());
}

#[tokio::test]
async fn a_clock_that_jumps_makes_nothing_late_and_hides_nothing() {
    let world = World::new().await;
    world.plan(120);
    let mut watched = world.watch().await;
    world.pass(2).await;
    world.clock.jump(SignedDuration::from_hours(12));
    world.pass(8).await;
    world.clock.jump(-SignedDuration::from_hours(12));
    world.pass(116).await;
    assert_eq!(world.clock.now(), at(126));
    assert_eq!(watched.told(), ["task.late: Not started: Reload sales, due at 10:00"]);
    world.clock.jump(-SignedDuration::from_hours(1));
    world.pass(30).await;
    world.clock.jump(SignedDuration::from_hours(1));
    world.pass(30).await;
    assert_eq!(watched.told(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_usual_is_learned_and_what_hangs_is_told_of_once() {
    let world = World::new().await;
    let mut watched = world.watch().await;
    for _ in 0..5 {
        world.site.run(world.task, Outcome::Success).await.unwrap();
        world.pass(2).await;
    }
    world.site.hang(world.task).unwrap();
    world.pass(10).await;
    assert_eq!(watched.told(), Vec::<String>::new());
    world.pass(1).await;
    assert_eq!(watched.told(), ["task.stuck: Stuck: Reload sales, running for 11 min 0 s"]);
    watched.end().await;
    let mut watched = world.watch().await;
    world.pass(30).await;
    assert_eq!(watched.told(), Vec::<String>::new());
}

#[tokio::test]
async fn a_task_that_fails_is_reminded_of_until_it_recovers() {
    let world = World::new().await;
    let mut watched = world.watch().await;
    for _ in 0..3 {
        world.site.run(world.task, Outcome::FAILED).await.unwrap();
        world.pass(1).await;
    }
    world.pass(240).await;
    assert_eq!(watched.told(), ["task.failing: Still failing: Reload sales, 3 failures"]);
    watched.end().await;
    let mut watched = world.watch().await;
    world.site.run(world.task, Outcome::Success).await.unwrap();
    world.pass(1).await;
    let event = watched.events.try_recv().unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&event.body).unwrap());
    assert_eq!((event.kind.to_string().as_str(), event.keys.len()), ("task.recovered", 1));
}

#[tokio::test]
async fn what_ended_between_two_looks_is_counted_too() {
    let world = World::new().await;
    let mut watched = world.watch().await;
    world.pass(1).await;
    let asked = world.site.total();
    world.pass(3).await;
    assert_eq!(world.site.total() - asked, 3, "where nothing ends there is nothing to list");
    for _ in 0..2 {
        world.site.run(world.task, Outcome::FAILED).await.unwrap();
    }
    world.site.run(world.task, Outcome::Success).await.unwrap();
    world.pass(1).await;
    assert_eq!(watched.told(), ["task.recovered: Recovered: Reload sales, after 2 failures"]);
    // Nor is it counted twice, by another process, or while the next execution is under way.
    world.site.run(world.task, Outcome::FAILED).await.unwrap();
    world.site.hang(world.task).unwrap();
    world.pass(1).await;
    watched.end().await;
    let mut watched = world.watch().await;
    world.pass(2).await;
    world.site.change(|state| state.executions.retain(|execution| execution.stop.is_some()));
    world.site.run(world.task, Outcome::Success).await.unwrap();
    world.pass(1).await;
    assert_eq!(watched.told(), ["task.recovered: Recovered: Reload sales, after 1 failure"]);
}

#[tokio::test]
async fn a_task_that_is_gone_is_forgotten() {
    let world = World::new().await;
    world.site.run(world.task, Outcome::FAILED).await.unwrap();
    let _watched = world.watch().await;
    let names = async || world.store.states("task_watch|prod").await.unwrap().into_iter().map(|entry| entry.name).collect::<Vec<_>>();
    assert_eq!(names().await, ["task_watch|prod".to_owned(), format!("task_watch|prod|{}", world.task)]);
    world.site.change(|state| {
        state.tasks.clear();
        state.executions.clear();
    });
    world.pass(1).await;
    assert_eq!(names().await, ["task_watch|prod"]);
}
