//! Facts from a site's repository.
//!
//! What belongs together is asked in its order (the app's owner after the app, the script log after the result), what does not at the same
//! time. The task is asked at most once, whoever needs it first. A reason why a fact is missing is written as soon as there is one, so that a look-up that is
//! cut short leaves a word that is true: "the execution is still `Started`" rather than "no answer".

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use jiff::SignedDuration;
use uuid::Uuid;

use super::Enricher;
use super::which::{Fit, agrees, fit};
use crate::clock::{Clock, Deadline, in_words};
use crate::event::{
    AppFacts, Body, Event, ExecutionResult, Fact, FactSheet, Facts, LogLines, Needs, Notice, ScriptLog, TaskEvent, TaskFacts, TaskOutcome,
    TaskType,
};
use crate::qlik::map::moment;
use crate::qlik::{QlikError, RepositoryClient};

/// How often it is looked whether an execution has ended by now.
const RESULT_POLLS: usize = 5;
/// How long it is waited in between.
const RESULT_POLL_EVERY: Duration = Duration::from_secs(1);
/// A result that ended so long before the event was received is of an earlier execution; the clocks of two machines are not that far apart.
const STALE_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// How often a script log is tried to be had.
const LOG_ATTEMPTS: usize = 3;
/// How long it is waited in between.
const LOG_RETRY_AFTER: Duration = Duration::from_secs(2);

/// Finds facts about task and reload events in a site's repository.
#[derive(Debug, Clone)]
pub struct QlikEnricher {
    client: Arc<RepositoryClient>,
}

/// Why there is no fact.
#[derive(Debug, Clone)]
struct Gap {
    why: String,
    sort: Sort,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// It may be found another time.
    ForNow,
    /// It is gone.
    ForGood,
    /// There never was such a thing.
    Absent,
}

impl Gap {
    fn for_good(why: impl Into<String>) -> Self {
        Self { why: why.into(), sort: Sort::ForGood }
    }

    fn for_now(why: impl Into<String>) -> Self {
        Self { why: why.into(), sort: Sort::ForNow }
    }

    fn absent(why: impl Into<String>) -> Self {
        Self { why: why.into(), sort: Sort::Absent }
    }

    fn fact<T>(self) -> Fact<T> {
        let why = self.why;
        match self.sort {
            Sort::ForNow => Fact::Missing { why, is_final: false },
            Sort::ForGood => Fact::Missing { why, is_final: true },
            Sort::Absent => Fact::Absent { why },
        }
    }

    /// What an earlier run knew for good.
    fn known_of<T>(fact: &Fact<T>) -> Option<Self> {
        match fact {
            Fact::Missing { why, is_final: true } => Some(Self::for_good(why.clone())),
            Fact::Absent { why } => Some(Self::absent(why.clone())),
            _ => None,
        }
    }
}

impl From<QlikError> for Gap {
    fn from(error: QlikError) -> Self {
        match error {
            // It was told when it went down; a burst of events would repeat it by the thousand.
            QlikError::Down { .. } => tracing::debug!(%error, "The repository was not asked."),
            _ => tracing::warn!(%error, "The repository gave no answer that could be used."),
        }
        Self::for_now(error.brief())
    }
}

type TaskAnswer = Result<Arc<TaskFacts>, Gap>;
type TaskLookup<'a> = Shared<BoxFuture<'a, TaskAnswer>>;

impl QlikEnricher {
    /// An enricher that asks by `client`.
    #[must_use]
    pub fn new(client: Arc<RepositoryClient>) -> Self {
        Self { client }
    }

    fn clock(&self) -> &dyn Clock {
        &**self.client.clock()
    }
}

#[async_trait]
impl Enricher for QlikEnricher {
    async fn enrich(&self, event: &Event, needs: Needs, sheet: &FactSheet, deadline: Deadline) {
        let before = sheet.snapshot();
        let needs = needs.open_in(&before);
        if needs.is_none() {
            return;
        }
        let began = self.clock().monotonic();
        let budget = deadline.left(self.clock());
        let run = Run { client: &self.client, event, needs, sheet, before: &before };
        tokio::select! {
            biased;
            () = run.all() => {}
            () = self.clock().sleep(budget) => {
                let address = self.client.address();
                let within = in_words(budget);
                let why = match self.client.failure_since(began) {
                    Some(why) => format!("the repository at {address} gave no answer within {within}: {why}"),
                    None => format!("the repository at {address} did not answer within {within}"),
                };
                run.close(&Gap::for_now(why));
            }
        }
    }
}

/// One event's look-ups.
struct Run<'a> {
    client: &'a RepositoryClient,
    event: &'a Event,
    needs: Needs,
    sheet: &'a FactSheet,
    /// What the sheet said at the start.
    before: &'a Facts,
}

impl Run<'_> {
    async fn all(&self) {
        match &self.event.body {
            Body::Task(told) => {
                let task = self.task(told.task_id).boxed().shared();
                let on_its_own = async {
                    if self.needs.task {
                        // Written by the look-up itself.
                        let _ = task.clone().await;
                    }
                };
                tokio::join!(on_its_own, self.app_and_owner(told.app_id, Some(task.clone())), self.result_and_log(told, task.clone()));
            }
            Body::EngineReload(reload) => {
                self.no_task("a reload in the engine belongs to no task");
                self.app_and_owner(reload.app_id, None).await;
            }
            Body::Notice(Notice { task: Some(told), .. }) => {
                let task = self.task(told.task_id).boxed().shared();
                let on_its_own = async {
                    if self.needs.task {
                        // Written by the look-up itself.
                        let _ = task.clone().await;
                    }
                };
                self.no_execution("the event is about a task, and about none of its executions");
                tokio::join!(on_its_own, self.app_and_owner(told.app_id, Some(task.clone())));
            }
            Body::Notice(_) => {
                self.no_task("the event is about no task");
                self.close(&Gap::absent("the event is about no app"));
            }
        }
    }

    async fn task(&self, id: Uuid) -> TaskAnswer {
        if let Fact::Known(known) = &self.before.task {
            return Ok(Arc::new(known.clone()));
        }
        Gap::known_of(&self.before.task).map_or(Ok(()), Err)?;
        let answer = match self.client.task(id).await {
            Ok(Some(task)) => Ok(task),
            Ok(None) => Err(Gap::for_good(format!("the repository knows no task {id}; it may have been deleted"))),
            Err(error) => Err(Gap::from(error)),
        };
        // Found on the way to another fact, it is as good as asked for.
        let fact = answer.clone().map_or_else(Gap::fact, |task| Fact::Known(Arc::unwrap_or_clone(task)));
        if self.needs.task || fact.known().is_some() {
            self.sheet.update(|facts| facts.task = fact);
        }
        answer
    }

    async fn app_and_owner(&self, told: Option<Uuid>, task: Option<TaskLookup<'_>>) {
        if !self.needs.app && !self.needs.owner {
            return;
        }
        let app = self.app(told, task).await;
        let fact = app.clone().map_or_else(Gap::fact, |app| Fact::Known(Arc::unwrap_or_clone(app)));
        if self.before.app.is_open() && (self.needs.app || fact.known().is_some()) {
            self.sheet.update(|facts| facts.app = fact);
        }
        if self.needs.owner {
            let owner = match app {
                Ok(app) => self.owner(app.owner_id).await,
                Err(gap) => gap.fact(),
            };
            self.sheet.update(|facts| facts.owner = owner);
        }
    }

    async fn app(&self, told: Option<Uuid>, task: Option<TaskLookup<'_>>) -> Result<Arc<AppFacts>, Gap> {
        if let Fact::Known(known) = &self.before.app {
            return Ok(Arc::new(known.clone()));
        }
        Gap::known_of(&self.before.app).map_or(Ok(()), Err)?;
        let id = match (told, task) {
            (Some(id), _) => id,
            (None, Some(task)) => task.await?.app_id.ok_or_else(|| Gap::absent("the task has no app"))?,
            (None, None) => return Err(Gap::for_good("the event names no app")),
        };
        let app = self.client.app(id).await?;
        app.ok_or_else(|| Gap::for_good(format!("the repository knows no app {id}; it may have been deleted")))
    }

    async fn owner(&self, id: Option<Uuid>) -> Fact<crate::event::Owner> {
        let Some(id) = id else { return Gap::for_good("the repository names no owner of the app").fact() };
        match self.client.user(id).await {
            Ok(Some(owner)) => Fact::Known(Arc::unwrap_or_clone(owner)),
            Ok(None) => Gap::for_good(format!("the repository knows no user {id}; it may have been deleted")).fact(),
            Err(error) => Gap::from(error).fact(),
        }
    }

    async fn result_and_log(&self, told: &TaskEvent, task: TaskLookup<'_>) {
        if !self.needs.result && self.needs.script_log.is_none() {
            return;
        }
        let (task_type, result) = match self.result(told, task).await {
            Ok(found) => found,
            Err(gap) => {
                if self.needs.result {
                    self.sheet.update(|facts| facts.result = gap.clone().fact());
                }
                if self.needs.script_log.is_some() {
                    self.sheet.update(|facts| facts.script_log = gap.fact());
                }
                return;
            }
        };
        if self.before.result.is_open() {
            let fact = Fact::Known(result.clone());
            self.sheet.update(|facts| facts.result = fact);
        }
        if let Some(lines) = self.needs.script_log {
            let log = match self.log(told, task_type, result, lines).await {
                Ok(log) => Fact::Known(log),
                Err(gap) => gap.fact(),
            };
            self.sheet.update(|facts| facts.script_log = log);
        }
    }

    /// The result of this very execution, after it has ended if that comes in time.
    async fn result(&self, told: &TaskEvent, task: TaskLookup<'_>) -> Result<(Option<TaskType>, ExecutionResult), Gap> {
        let task_type = match task.await {
            Ok(task) => task.task_type,
            Err(gap) if gap.sort != Sort::ForNow => return Err(gap),
            // Where to look is known from the event, or the task's own list tells.
            Err(gap) => match self.event.kind {
                crate::event::Kind::Task { task_type: Some(known), .. } => Some(known),
                _ => return Err(gap),
            },
        };
        if let Fact::Known(known) = &self.before.result {
            return Ok((task_type, known.clone()));
        }
        Gap::known_of(&self.before.result).map_or(Ok(()), Err)?;
        let mut polls = 0;
        loop {
            let (found, gap) = match self.this_result(told, task_type).await {
                Ok(Some(result)) if self.is_settled(&result) => return Ok((task_type, result)),
                Ok(Some(result)) => {
                    let gap = Self::not_yet(&result);
                    (Some(result), gap)
                }
                Ok(None) => (None, Gap::for_now("the repository has no result of this execution")),
                Err(error @ QlikError::Malformed { .. }) => (None, error.into()),
                Err(error) => return Err(error.into()),
            };
            if polls == RESULT_POLLS {
                // What is known of an execution that ended is better than nothing; of one that may go on it would be taken for the end.
                return match found {
                    Some(result) if self.event.kind.outcome() != Some(TaskOutcome::Unsettled) => Ok((task_type, result)),
                    _ => Err(gap),
                };
            }
            polls += 1;
            if self.needs.result {
                self.sheet.update(|facts| facts.result = gap.clone().fact());
            }
            if self.needs.script_log.is_some() {
                self.sheet.update(|facts| facts.script_log = gap.fact());
            }
            self.client.clock().sleep(RESULT_POLL_EVERY).await;
        }
    }

    /// Whether there is no better result to wait for: the execution ended, and nothing speaks against its being the one.
    fn is_settled(&self, result: &ExecutionResult) -> bool {
        let Some(ended) = result.status.outcome() else { return false };
        result.certain || (agrees(ended, self.event.kind.outcome()) && !self.is_stale(result))
    }

    /// Whether it ended long before the event was told: the repository has not heard of the event's execution yet.
    fn is_stale(&self, result: &ExecutionResult) -> bool {
        moment(&result.stop_time).is_some_and(|stop| self.event.received.duration_since(stop) > STALE_AFTER)
    }

    fn not_yet(result: &ExecutionResult) -> Gap {
        Gap::for_now(match result.status.outcome() {
            Some(_) => "the repository shows only another execution of the task".into(),
            None => format!("the repository says that the execution is still `{}`", result.status.text()),
        })
    }

    /// The result that fits the event best as of now; `certain` if it is the event's own.
    async fn this_result(&self, told: &TaskEvent, task_type: Option<TaskType>) -> Result<Option<ExecutionResult>, QlikError> {
        let latest = self.client.last_result(told.task_id, task_type).await?;
        let of_latest = latest.as_ref().map(|latest| fit(latest, told, self.event.kind.outcome()));
        if of_latest == Some(Fit::SameId) {
            return Ok(latest.map(certain));
        }
        // That this can't be asked is no reason to do without the latest.
        if let Some(id) = told.execution_id
            && let Ok(Some(own)) = self.client.execution(id).await
        {
            // The latest has more members than a result that was looked up by itself may have.
            let whole = latest.filter(|latest| latest.id.is_some() && latest.id == own.id);
            let whole = whole.map(|latest| ExecutionResult { execution_id: own.execution_id, ..latest });
            return Ok(Some(certain(whole.unwrap_or(own))));
        }
        Ok(match of_latest {
            Some(Fit::SameTime) => latest.map(certain),
            _ => latest,
        })
    }

    async fn log(
        &self,
        told: &TaskEvent,
        task_type: Option<TaskType>,
        mut result: ExecutionResult,
        lines: LogLines,
    ) -> Result<ScriptLog, Gap> {
        if !matches!(task_type, Some(TaskType::Reload) | None) {
            return Err(Gap::absent("only reload tasks have a script log"));
        }
        let mut attempts = 1;
        loop {
            let gap = match self.client.script_log(told.task_id, &result, lines).await {
                Ok(Some(log)) => return Ok(log),
                Ok(None) => Gap::for_now("the repository has no script log of this execution"),
                Err(error @ QlikError::Down { .. }) => return Err(error.into()),
                Err(error) => Gap::from(error),
            };
            if attempts == LOG_ATTEMPTS {
                return Err(gap);
            }
            attempts += 1;
            self.sheet.update(|facts| facts.script_log = gap.fact());
            self.client.clock().sleep(LOG_RETRY_AFTER).await;
            // The reference of the log comes a while after the end of the execution.
            if let Ok(Some(again)) = self.this_result(told, task_type).await
                && (again.id == result.id || !result.certain)
            {
                result = again;
            }
        }
    }

    fn no_task(&self, why: &str) {
        self.sheet.update(|facts| {
            if self.needs.task {
                facts.task = Gap::absent(why).fact();
            }
        });
        self.no_execution(why);
    }

    fn no_execution(&self, why: &str) {
        self.sheet.update(|facts| {
            if self.needs.result {
                facts.result = Gap::absent(why).fact();
            }
            if self.needs.script_log.is_some() {
                facts.script_log = Gap::absent(why).fact();
            }
        });
    }

    /// Writes `gap` wherever nothing was written by this run.
    fn close(&self, gap: &Gap) {
        fn close<T: PartialEq>(needed: bool, before: &Fact<T>, now: &mut Fact<T>, gap: &Gap) {
            if needed && now.is_open() && now == before {
                *now = gap.clone().fact();
            }
        }
        let Self { needs, before, .. } = self;
        self.sheet.update(|facts| {
            close(needs.task, &before.task, &mut facts.task, gap);
            close(needs.app, &before.app, &mut facts.app, gap);
            close(needs.owner, &before.owner, &mut facts.owner, gap);
            close(needs.result, &before.result, &mut facts.result, gap);
            close(needs.script_log.is_some(), &before.script_log, &mut facts.script_log, gap);
        });
    }
}

fn certain(result: ExecutionResult) -> ExecutionResult {
    ExecutionResult { certain: true, ..result }
}

#[cfg(all(test, feature = "testkit"))]
mod tests;
