//! The scheduler on a clock that moves by hand.

mod changing;
mod firing;
mod missing;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::clock::Clock;
use crate::event::NewEvent;
use crate::source::{EventSource, Intake, IntakeRequest, Stop};
use crate::store::memory::MemoryStore;
use crate::store::{Appended, Journal, RunOutcome, ScheduleRun, ScheduleStore, Store, Work, WorkEnd};
use crate::testkit::TestClock;

/// What an action is to do.
#[derive(Debug, Clone)]
enum Act {
    Succeed,
    Fail(&'static str),
    Panic,
    /// It waits until it is let go on.
    Wait,
    /// It begins something that goes on.
    Begin,
}

/// An action that does what it is told, and keeps when it was run.
#[derive(Debug, Default)]
struct Told {
    acts: Mutex<VecDeque<Act>>,
    runs: Mutex<Vec<(String, Timestamp)>>,
    recoveries: Mutex<VecDeque<Result<Option<ActionReport>, ActionError>>>,
    gate: watch::Sender<bool>,
    end: Mutex<Option<WorkEnd>>,
}

impl Told {
    fn then(&self, act: Act) {
        self.acts.lock().unwrap().push_back(act);
    }

    /// When it was run, without the ids.
    fn runs(&self) -> Vec<String> {
        self.runs.lock().unwrap().iter().map(|(_, at)| at.to_string()).collect()
    }
}

#[async_trait]
impl Action for Arc<Told> {
    async fn run(&self, context: &ActionContext) -> Result<ActionReport, ActionError> {
        self.runs.lock().unwrap().push((context.schedule.id.clone(), context.occurrence));
        let act = self.acts.lock().unwrap().pop_front().unwrap_or(Act::Succeed);
        match act {
            Act::Succeed => Ok(ActionReport::done("done")),
            Act::Fail(why) => Err(ActionError::failed(why)),
            Act::Panic => panic!("as it was told"),
            Act::Wait => {
                let mut gate = self.gate.subscribe();
                gate.wait_for(|open| *open).await.unwrap();
                Ok(ActionReport::done("done at last"))
            }
            Act::Begin => {
                let work = Work { id: "7".into(), name: "Reload sales".into(), site: None, since: context.occurrence, end: None };
                Ok(ActionReport { detail: "begun".into(), work: vec![work] })
            }
        }
    }

    async fn recover(&self, _: &ActionContext) -> Result<Option<ActionReport>, ActionError> {
        self.recoveries.lock().unwrap().pop_front().expect("nothing was to be recovered")
    }

    async fn look(&self, work: &[Work]) -> Vec<Option<WorkEnd>> {
        vec![self.end.lock().unwrap().clone(); work.len()]
    }
}

/// What outlives a process.
struct World {
    clock: TestClock,
    store: Arc<MemoryStore>,
    events: Arc<Mutex<Vec<NewEvent>>>,
    action: Arc<Told>,
    declared: Vec<Schedule>,
}

/// A process.
struct Process {
    clock: TestClock,
    schedules: Schedules,
    stop: Stop,
    task: JoinHandle<()>,
}

impl World {
    fn at(now: &str) -> Self {
        let clock = TestClock::at(now.parse().unwrap());
        let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
        Self { clock, store, events: Arc::default(), action: Arc::default(), declared: Vec::new() }
    }

    fn intake(&self) -> Intake {
        let (intake, mut queue) = Intake::channel();
        let (events, store) = (Arc::clone(&self.events), Arc::clone(&self.store));
        tokio::spawn(async move {
            loop {
                let requests = queue.take(64).await;
                if requests.is_empty() {
                    return;
                }
                for request in requests {
                    let IntakeRequest::Event(event, reply) = request else { panic!("no datagram was sent") };
                    let appended = store.append(vec![NewEvent::clone(&event)]).await.unwrap().remove(0);
                    if matches!(appended, Appended::New(_)) {
                        events.lock().unwrap().push(*event);
                    }
                    let _ = reply.send(Ok(appended));
                }
            }
        });
        intake
    }

    fn settings(&self) -> SchedulerSettings {
        SchedulerSettings {
            enabled: true,
            months: cron::Months::FromOne,
            zone: TimeZone::UTC,
            catch_up: Duration::from_hours(24),
            keep: Duration::from_hours(30 * 24),
            declared: self.declared.clone(),
            site: "prod".into(),
        }
    }

    async fn open(&self) -> Schedules {
        let actions = BTreeMap::from([("act".to_owned(), Arc::new(Arc::clone(&self.action)) as Arc<dyn Action>)]);
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        let parts = SchedulerParts { store, clock: Arc::new(self.clock.clone()), intake: self.intake(), tasks: None, actions };
        Schedules::open(self.settings(), parts).await.unwrap()
    }

    /// Starts a process, and waits until it has looked.
    async fn start(&self) -> Process {
        let schedules = self.open().await;
        let stop = Stop::new();
        let (intake, _queue) = Intake::channel();
        let open = Scheduler::new(schedules.clone()).open(intake, stop.clone()).await.unwrap();
        let task = tokio::spawn(async move { open.run.await.unwrap() });
        let process = Process { clock: self.clock.clone(), schedules, stop, task };
        process.looked().await;
        process
    }

    /// Kinds and titles of the events.
    fn told(&self) -> Vec<String> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |event: &NewEvent| match &event.body {
            crate::event::Body::Notice(notice) => format!("{}: {}", event.kind, notice.title),
            other => panic!("{other:?}"),
        };
        events.iter().map(line).collect()
    }
}

impl Process {
    /// Lets time pass, and waits until what became due is done.
    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.done().await;
    }

    async fn looked(&self) {
        loop {
            let looked = *self.schedules.inner.looked.lock().unwrap();
            if looked == Some(self.clock.now()) {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn done(&self) {
        self.looked().await;
        while self.schedules.inner.lanes.oldest().is_some() {
            tokio::task::yield_now().await;
        }
    }

    /// Goes on a few seconds at a time.
    async fn pass_slowly(&self, time: Duration) {
        const STEP: Duration = Duration::from_secs(10);
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(STEP);
            self.pass(step).await;
            left -= step;
        }
    }

    /// Ends it in order.
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    /// Kills it.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    async fn history(&self, id: &str) -> Vec<String> {
        self.schedules.history(id, 1_000).await.unwrap().iter().map(shown).collect()
    }
}

fn shown(run: &ScheduleRun) -> String {
    let what = match &run.outcome {
        RunOutcome::Done { detail, .. } => format!("done: {detail}"),
        RunOutcome::Failed { why, .. } => format!("failed: {why}"),
        RunOutcome::Missed { why } => format!("missed: {why}"),
    };
    format!("{} {what}", run.occurrence)
}

/// A schedule `s` that runs the action.
fn schedule(when: &str) -> Schedule {
    Schedule::new("Nightly", when).with_id("s").in_zone("UTC").running("act")
}

fn missed(when: &str, missed: Missed) -> Schedule {
    schedule(when).with_rules(Rules { missed, ..Rules::default() })
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
