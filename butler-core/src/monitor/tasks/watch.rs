//! The source: it looks, decides, tells, and remembers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::find::{Look, find};
use super::rules::TaskWatchRules;
use super::steady::Steady;
use super::stored::{Stored, StoredError};
use super::words::{Place, event};
use crate::clock::Clock;
use crate::event::{SiteName, SourceName};
use crate::qlik::{EndedSpan, LatestExecution, RepositoryClient, TaskStanding};
use crate::source::{EventSource, Intake, IntakeError, Open, SourceError, Stop};
use crate::store::StateStore;

/// How far apart two looks may be, at the least, so that nothing counts as missed in between.
const SHORTEST_GAP: Duration = Duration::from_mins(10);

/// What ended is listed from a little before the last look: the repository's clock is another one.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);
/// And after a long time without a look no further back than this,
const LONGEST_LIST: SignedDuration = SignedDuration::from_hours(24);
/// nor if it would be more than so many executions.
const MOST_LISTED: u64 = 1_000;

/// A site whose tasks are watched.
#[derive(Debug, Clone)]
pub struct TaskWatchSite {
    /// Its repository.
    pub client: Arc<RepositoryClient>,
    /// The zone of the times that messages show.
    pub time_zone: TimeZone,
}

/// Watches the tasks of a site; see the [module](super).
#[derive(Debug, Clone)]
pub struct TaskWatch {
    name: SourceName,
    site: TaskWatchSite,
    rules: TaskWatchRules,
    store: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
}

impl TaskWatch {
    /// Watches a site. What is remembered of its tasks is kept in `store`.
    #[must_use]
    pub fn new(site: TaskWatchSite, rules: TaskWatchRules, store: Arc<dyn StateStore>, clock: Arc<dyn Clock>) -> Self {
        Self { name: "task_watch".into(), site, rules, store, clock }
    }

    /// The same under another name, where there are several.
    #[must_use]
    pub fn named(mut self, name: impl AsRef<str>) -> Self {
        self.name = name.as_ref().into();
        self
    }
}

#[async_trait]
impl EventSource for TaskWatch {
    fn name(&self) -> SourceName {
        self.name.clone()
    }

    async fn open(&self, intake: Intake, stop: Stop) -> Result<Open, SourceError> {
        let stored = Stored::load(Arc::clone(&self.store), self.site_name()).await.map_err(fault)?;
        let steady = Steady::new(self.clock.now(), self.clock.monotonic());
        let watch = Watching { steady, watch: self.clone(), intake, stored, settling: None, shown: BTreeMap::new() };
        Ok(Open { addresses: Vec::new(), run: Box::pin(watch.run(stop)) })
    }
}

impl TaskWatch {
    fn site_name(&self) -> &SiteName {
        &self.site.client.settings().site
    }

    /// How far apart two looks may be so that nothing is missed.
    fn gap(&self) -> SignedDuration {
        SignedDuration::try_from((3 * self.rules.every).max(SHORTEST_GAP)).unwrap_or(SignedDuration::MAX)
    }
}

fn fault(error: StoredError) -> SourceError {
    SourceError::Other(error.to_string())
}

/// A watch that is kept.
struct Watching {
    watch: TaskWatch,
    intake: Intake,
    stored: Stored,
    steady: Steady,
    /// Since when it has been looked without a gap, and when last; none before the first look.
    settling: Option<(Timestamp, Timestamp)>,
    /// The latest execution of each task at the last look of this process.
    shown: BTreeMap<Uuid, LatestExecution>,
}

impl Watching {
    async fn run(mut self, stop: Stop) -> Result<(), SourceError> {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                looked = self.look() => looked?,
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                () = self.watch.clock.sleep(self.watch.rules.every) => {}
            }
        }
    }

    /// Looks once. If the repository can't be asked nothing is decided, and nothing is forgotten.
    ///
    /// Cancelling it leaves what was handed in but not remembered; it is found again, and taken for the duplicate that it is.
    async fn look(&mut self) -> Result<(), SourceError> {
        // Taken first, so that what happens while the answer is on its way is not held against a task.
        let now = self.steady.now(self.watch.clock.now(), self.watch.clock.monotonic());
        let tasks = match self.watch.site.client.standings().await {
            Ok(tasks) => tasks,
            Err(error) => {
                // That the repository is down the client says itself.
                tracing::debug!(source = %self.watch.name, %error, "The tasks could not be looked at.");
                return Ok(());
            }
        };
        let look = self.moment(now);
        let between = self.between(&tasks, &look).await;
        let mut found = BTreeMap::new();
        for task in tasks {
            let before = self.stored.of(task.id);
            let between = between.get(&task.id).map_or(&[][..], Vec::as_slice);
            let (memory, findings) = find(&self.watch.rules, &task, between, &before, &look);
            for finding in findings {
                self.tell(&task, &finding, look.now).await?;
            }
            found.insert(task.id, memory);
        }
        self.stored.remember(found, look.now).await.map_err(fault)
    }

    /// The executions that ended since the look before, by their tasks, in the order of their ends. Asked for only if a task shows another execution than it did, or another state of
    /// it. What can't be had, or would be too much, is left out: then each task's latest execution has to do.
    async fn between(&mut self, tasks: &[TaskStanding], look: &Look) -> BTreeMap<Uuid, Vec<LatestExecution>> {
        let shown: BTreeMap<_, _> = tasks.iter().filter_map(|task| Some((task.id, task.last.as_ref()?.clone()))).collect();
        let is_same = |(task, last): (&Uuid, &LatestExecution)| {
            self.shown.get(task).is_some_and(|shown| (&shown.key, shown.status) == (&last.key, last.status))
        };
        let is_quiet = shown.iter().all(is_same);
        self.shown = shown;
        let Some(before) = look.before.filter(|_| !is_quiet) else { return BTreeMap::new() };
        let from = before.max(look.now.saturating_sub(LONGEST_LIST).unwrap_or(before)).saturating_sub(OVERLAP).unwrap_or(before);
        let span = EndedSpan { from, before: None, successes: true };
        let client = &self.watch.site.client;
        let listed = async {
            let count = client.count_ended(span).await?;
            if count.is_some_and(|count| count > MOST_LISTED) { Ok(Vec::new()) } else { client.ended(span).await }
        };
        let ended = listed.await.unwrap_or_else(|error| {
            tracing::debug!(source = %self.watch.name, %error, "What ended since the last look could not be listed.");
            Vec::new()
        });
        let mut by_task = BTreeMap::<_, Vec<_>>::new();
        for execution in ended {
            let Some(task) = execution.task_id else { continue };
            by_task.entry(task).or_default().push(LatestExecution::of(&execution.result));
        }
        by_task
    }

    fn moment(&mut self, now: Timestamp) -> Look {
        let gap = self.watch.gap();
        let since = match self.settling {
            Some((since, before)) if now.duration_since(before).abs() <= gap => since,
            _ => now,
        };
        self.settling = Some((since, now));
        let patience = SignedDuration::try_from(self.watch.rules.late_after).unwrap_or(SignedDuration::MAX);
        Look { now, before: self.stored.looked(), is_settled: now.duration_since(since) >= patience, gap }
    }

    async fn tell(&self, task: &TaskStanding, finding: &super::find::Finding, now: Timestamp) -> Result<(), SourceError> {
        let TaskWatch { name, site, .. } = &self.watch;
        let place = Place { site: self.watch.site_name(), source: name, zone: &site.time_zone };
        match self.intake.submit(event(place, task, finding, now)).await {
            Ok(_) => Ok(()),
            Err(IntakeError::Closed) => Err(SourceError::Other("the program ends".into())),
            Err(error) => Err(SourceError::Other(format!("an event about a task could not be journalled: {error}"))),
        }
    }
}
