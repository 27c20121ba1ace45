//! Calls of a simulated repository, by a clock that moves by hand.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;
use crate::event::{NewEvent, SourceName};
use crate::qlik::RepositoryClient;
use crate::qlik::fake::HastyClock;
use crate::simulator::site::{Outcome, Site, SiteOptions, SiteState};
use crate::source::{EventSource, Intake, IntakeRequest, SourceError, Stop};
use crate::store::memory::MemoryStore;
use crate::store::{Appended, StateStore};
use crate::testkit::TestClock;

/// A site that calls, and a source that reads once a day unless it is called.
struct World {
    site: Site,
    clock: TestClock,
    store: Arc<MemoryStore>,
    client: Arc<RepositoryClient>,
    _folder: TempDir,
}

/// A source that is running.
struct Reading {
    events: tokio::sync::mpsc::UnboundedReceiver<NewEvent>,
    stop: Stop,
    run: JoinHandle<Result<(), SourceError>>,
}

impl World {
    async fn new() -> Self {
        let (folder, clock) = (TempDir::new().unwrap(), TestClock::default());
        let mut state = SiteState::example();
        state.executions.clear();
        let site = Site::start(state, SiteOptions { clock: Arc::new(clock.clone()), ..SiteOptions::default() }).await.unwrap();
        site.write_certificates(folder.path()).unwrap();
        let client = RepositoryClient::new(site.repository_settings("prod", folder.path()), Arc::new(HastyClock::default())).unwrap();
        let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
        Self { site, clock, store, client: Arc::new(client), _folder: folder }
    }

    /// Begins to read.
    async fn read(&self) -> Reading {
        let settings = QrsPollSettings {
            site: "prod".into(),
            every: Duration::from_hours(24),
            look_back: QrsPollSettings::LOOK_BACK,
            successes: true,
            time_zone: TimeZone::UTC,
            datagrams_at: None,
            notifications: Some(Notifications { url: "http://127.0.0.1:0".into(), listen: "127.0.0.1:0".into() }),
        };
        let source = QrsPollSource::new(settings, Arc::clone(&self.client), Arc::clone(&self.store) as _, Arc::new(self.clock.clone()));
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
                    let _ = sender.send(*event);
                    let _ = reply.send(Ok(Appended::New(crate::event::EventId(uuid::Uuid::nil()))));
                }
            }
        });
        let stop = Stop::new();
        let open = source.open(intake, stop.clone()).await.unwrap();
        assert_eq!((source.name(), open.addresses.len()), (SourceName::from("qrs_poll"), 1));
        Reading { events, stop, run: tokio::spawn(open.run) }
    }

    /// Begins to read, and is told to call, after which it reads once more.
    async fn called(&self) -> Reading {
        let reading = self.read().await;
        self.settle().await;
        reading
    }

    async fn run_one(&self) {
        self.site.run(self.site.state().tasks[0].id, Outcome::FAILED).await.unwrap();
    }

    /// Waits until the repository was told so many times to call, and no more often.
    async fn posts(&self, count: usize) {
        let posts = || self.site.requests().iter().filter(|request| request.method == "POST").count();
        while posts() < count {
            tokio::task::yield_now().await;
        }
        assert_eq!(posts(), count);
    }

    /// Once it was called it waits a second for others, and reads.
    async fn settle(&self) {
        self.clock.sleepers(2).await;
        let asked = self.site.total();
        self.clock.advance(Duration::from_secs(1));
        self.site.wait_for(asked + 1).await;
        self.clock.sleepers(1).await;
    }
}

#[tokio::test]
async fn a_call_has_it_read_at_once_and_the_end_takes_the_subscription_along() {
    let world = World::new().await;
    let mut reading = world.called().await;
    assert_eq!(world.site.subscriptions(), 1);
    for _ in 0..3 {
        world.run_one().await;
    }
    world.settle().await;
    for _ in 0..3 {
        reading.events.recv().await.unwrap();
    }
    world.clock.sleepers(1).await;
    reading.stop.cancel();
    reading.run.await.unwrap().unwrap();
    assert_eq!(world.site.subscriptions(), 0);
}

#[tokio::test]
async fn a_subscription_that_is_gone_is_made_anew_once_a_round_finds_something_untold() {
    let world = World::new().await;
    let mut reading = world.called().await;
    world.site.forget_subscriptions();
    world.run_one().await;
    world.clock.advance(Duration::from_hours(24));
    reading.events.recv().await.unwrap();
    // Perhaps the call only comes later.
    world.clock.sleepers(1).await;
    assert_eq!(world.site.subscriptions(), 0);
    world.clock.advance(Duration::from_secs(1));
    world.posts(2).await;
    world.settle().await;
    assert_eq!(world.site.subscriptions(), 1);
    world.run_one().await;
    world.settle().await;
    reading.events.recv().await.unwrap();
    // A round that finds nothing says nothing about it.
    for _ in 0..2 {
        world.clock.sleepers(1).await;
        let asked = world.site.total();
        world.clock.advance(Duration::from_hours(24));
        world.site.wait_for(asked + 1).await;
    }
    world.posts(2).await;
}

#[tokio::test]
async fn the_subscription_of_a_process_that_was_killed_is_ended_by_the_next() {
    let world = World::new().await;
    let reading = world.called().await;
    reading.run.abort();
    let _ = reading.run.await;
    assert_eq!(world.site.subscriptions(), 1);
    let stored = world.store.state("qrs_notify/prod").await.unwrap().unwrap();
    let _reading = world.called().await;
    assert_eq!(world.site.subscriptions(), 1);
    assert_ne!(world.store.state("qrs_notify/prod").await.unwrap().unwrap().value, stored.value);
}

#[tokio::test]
async fn a_repository_that_does_not_take_subscriptions_is_read_all_the_same() {
    let world = World::new().await;
    world.site.fault("notification", crate::simulator::site::Fault::Page);
    let mut reading = world.read().await;
    world.clock.sleepers(1).await;
    world.run_one().await;
    world.clock.advance(Duration::from_hours(24));
    reading.events.recv().await.unwrap();
    // The first round and this one have tried; a page is no answer.
    world.posts(2).await;
    assert_eq!(world.site.subscriptions(), 0);
    reading.stop.cancel();
    reading.run.await.unwrap().unwrap();
}
