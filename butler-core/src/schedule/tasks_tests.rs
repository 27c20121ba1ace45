//! Tasks of schedules, at a simulated site.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use uuid::{Uuid, uuid};

use super::tasks::StartTasks;
use super::*;
use crate::clock::Clock;
use crate::event::{ExecutionStatus, SiteName};
use crate::qlik::RepositoryClient;
use crate::qlik::fake::HastyClock;
use crate::qlik::start::{StartSettings, Starter};
use crate::simulator::site::{ExecutionRecord, Fault, On, Site, SiteOptions, SiteState};
use crate::store::Work;
use crate::store::memory::MemoryStore;

const SALES: Uuid = uuid!("e959f40a-67be-4a5b-ae83-a292f96ba078");
const HR: Uuid = uuid!("0d815a99-1ca3-4131-a398-6878bd735fd8");

struct World {
    site: Site,
    clock: HastyClock,
    action: StartTasks,
    _folder: TempDir,
}

impl World {
    /// A site on which nothing has run yet.
    async fn new() -> Self {
        let (folder, clock) = (TempDir::new().unwrap(), HastyClock::default());
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let mut state = SiteState::example();
        state.executions.clear();
        let site = Site::start(state, SiteOptions { clock: Arc::clone(&shared), ..SiteOptions::default() }).await.unwrap();
        site.write_certificates(folder.path()).unwrap();
        let client = RepositoryClient::new(site.repository_settings("prod", folder.path()), Arc::clone(&shared)).unwrap();
        let settings = StartSettings { retry_for: Duration::from_mins(1), ..StartSettings::default() };
        let sites = BTreeMap::from([(SiteName::from("prod"), Arc::new(client))]);
        let starter = Starter::new(sites, settings, Arc::new(MemoryStore::new(Arc::clone(&shared))), Arc::clone(&shared));
        let action = StartTasks::new(Arc::new(starter), shared);
        Self { site, clock, action, _folder: folder }
    }

    /// The next occurrence of a schedule.
    fn context(&self, schedule: Schedule) -> ActionContext {
        ActionContext { schedule: Arc::new(schedule), occurrence: self.clock.now() }
    }

    async fn run(&self, schedule: Schedule) -> Result<ActionReport, ActionError> {
        self.action.run(&self.context(schedule)).await
    }

    fn starts(&self, task: Uuid) -> usize {
        self.site.count(&format!("task/{task}/start"))
    }

    /// An execution of a task that began at this time and has this status.
    fn execution(&self, task: Uuid, status: i64, start: Timestamp, stop: Option<Timestamp>) {
        let record = ExecutionRecord {
            id: Uuid::new_v4(),
            execution_id: Uuid::new_v4(),
            task,
            status: ExecutionStatus(status),
            start: Some(start),
            stop,
            steps: Vec::new(),
            script_log: None,
        };
        self.site.change(|state| state.executions.push(record));
    }
}

fn starting(task: impl ToString) -> Schedule {
    Schedule::new("Nightly", "0 2 * * *").starting(task.to_string())
}

fn names(work: &[Work]) -> Vec<&str> {
    work.iter().map(|work| work.name.as_str()).collect()
}

#[tokio::test]
async fn tasks_are_started_by_id_tag_and_property_each_once() {
    let world = World::new().await;
    let mut schedule = starting(SALES.to_string().to_uppercase());
    schedule.starts.tasks = vec![SALES.to_string()];
    schedule.starts.tags = vec!["hr".into()];
    let report = world.run(schedule).await.unwrap();
    assert_eq!(names(&report.work), ["Reload sales", "Reload HR"]);
    assert_eq!(report.detail, "started Reload sales, Reload HR");
    assert_eq!((world.starts(SALES), world.starts(HR)), (1, 1));
    assert!(report.work.iter().all(|work| work.site.as_deref() == Some("prod") && work.end.is_none()));
}

#[tokio::test]
async fn what_can_not_be_started_is_a_failure_that_says_what_was() {
    let world = World::new().await;
    let why = |outcome: Result<ActionReport, ActionError>| match outcome {
        Err(ActionError::Failed { why, work }) => (why, names(&work).join(",")),
        other => panic!("{other:?}"),
    };
    assert_eq!(why(world.run(starting("Reload sales")).await).0, "`Reload sales` is no id of a task");
    let nowhere = uuid!("00000000-1680-44ef-8dc2-e2bfb180af87");
    assert_eq!(why(world.run(starting(nowhere)).await).0, format!("there is no task `{nowhere}`"));
    let mut schedule = starting(SALES);
    schedule.starts.tags = vec!["no such tag".into()];
    let (said, started) = why(world.run(schedule).await);
    assert_eq!(said, "there is no task with the tag no such tag; started nonetheless: Reload sales");
    assert_eq!(started, "Reload sales");
    let mut elsewhere = starting(SALES);
    elsewhere.starts.site = Some("test".into());
    assert!(why(world.run(elsewhere).await).0.contains("there is no site `test`"));
}

#[tokio::test]
async fn a_repository_that_can_not_be_reached_is_asked_again_for_a_while() {
    let world = World::new().await;
    world.site.fault(On::all(), Fault::Status(503));
    let Err(ActionError::Failed { why, .. }) = world.run(starting(SALES)).await else { panic!("it was started") };
    assert!(why.contains("503") || why.contains("does not answer"), "{why}");
    assert!(world.clock.slept().iter().sum::<Duration>() >= Duration::from_secs(50));
}

#[tokio::test]
async fn a_task_that_runs_is_left_alone_if_that_is_asked() {
    let world = World::new().await;
    let rules = Rules { skip_running: true, ..Rules::default() };
    for status in [1, 2, 3] {
        world.site.change(|state| state.executions.clear());
        world.execution(SALES, status, world.clock.now(), None);
        assert_eq!(world.run(starting(SALES).with_rules(rules.clone())).await, Err(ActionError::skipped("still running: Reload sales")));
        let mut both = starting(SALES).with_rules(rules.clone());
        both.starts.tasks = vec![HR.to_string()];
        assert_eq!(world.run(both).await.unwrap().detail, "started Reload HR; still running: Reload sales");
    }
    assert_eq!(world.starts(SALES), 0);
    world.run(starting(SALES)).await.unwrap();
    assert_eq!(world.starts(SALES), 1, "unless it is asked");
    world.site.change(|state| state.executions.clear());
    world.execution(SALES, 7, world.clock.now(), Some(world.clock.now()));
    world.run(starting(SALES).with_rules(rules)).await.unwrap();
}

#[tokio::test]
async fn what_the_repository_shows_to_have_started_is_not_started_again() {
    let world = World::new().await;
    let context = world.context(starting(SALES));
    assert_eq!(world.action.recover(&context).await, Ok(None));
    world.execution(SALES, 7, context.occurrence - SignedDuration::from_hours(1), Some(context.occurrence));
    assert_eq!(world.action.recover(&context).await, Ok(None), "that was the one before");
    world.execution(SALES, 2, context.occurrence + SignedDuration::from_secs(1), None);
    let found = world.action.recover(&context).await.unwrap().unwrap();
    assert_eq!(names(&found.work), ["Reload sales"]);
    let mut both = starting(SALES);
    both.starts.tasks = vec![HR.to_string()];
    let partly = world.action.recover(&world.context(both)).await.unwrap_err();
    assert!(partly.to_string().contains("1 more of its tasks were not started"), "{partly}");
    world.site.fault(On::all(), Fault::Status(503));
    let unknown = world.action.recover(&context).await.unwrap_err();
    assert!(matches!(&unknown, ActionError::Skipped { why } if why.contains("is not known")), "{unknown:?}");
    assert_eq!(world.starts(SALES), 0);
}

#[tokio::test]
async fn how_a_task_ended_is_seen() {
    let world = World::new().await;
    let since = world.clock.now();
    let work = [SALES, HR].map(|task| Work { id: task.to_string(), name: String::new(), site: Some("prod".into()), since, end: None });
    assert_eq!(world.action.look(&work).await, [None, None]);
    world.execution(SALES, 7, since - SignedDuration::from_hours(1), Some(since - SignedDuration::from_mins(30)));
    world.execution(HR, 2, since, None);
    assert_eq!(world.action.look(&work).await, [None, None], "the one ended before, the other runs");
    let stop = since + SignedDuration::from_mins(5);
    world.execution(SALES, 8, since + SignedDuration::from_secs(5), Some(stop));
    let seen = world.action.look(&work).await;
    assert_eq!(seen[0].as_ref().map(|end| (end.at, end.how.as_str())), Some((stop, "FinishedFail")));
    assert_eq!(seen[1], None);
}
