//! The source: it looks, decides, tells, and remembers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::find::{Look, find};
use super::rules::TaskWatchRules;
use super::steady::Steady;
use super::stored::{Stored, StoredError};
use super::words::{Place, event};
use crate::clock::Clock;
use crate::event::{SiteName, SourceName};
use crate::qlik::{RepositoryClient, TaskStanding};
use crate::source::{EventSource, Intake, IntakeError, Open, SourceError, Stop};
use crate::store::StateStore;

/// How far apart two looks may be, at the least, so that nothing counts as missed in between.
const SHORTEST_GAP: Duration = Duration::from_mins(10);

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
        let watch =
            Watching { steady: Steady::new(self.clock.now(), self.clock.monotonic()), watch: self.clone(), intake, stored, settling: None };
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
        let mut found = BTreeMap::new();
        for task in tasks {
            let before = self.stored.of(task.id);
            let (memory, findings) = find(&self.watch.rules, &task, &before, &look);
            for finding in findings {
                self.tell(&task, &finding, look.now).await?;
            }
            found.insert(task.id, memory);
        }
        self.stored.remember(found, look.now).await.map_err(fault)
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
