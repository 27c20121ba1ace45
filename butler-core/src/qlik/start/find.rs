//! Which tasks are meant, and which of them may be started.

use std::collections::HashSet;
use std::time::Duration;

use uuid::Uuid;

use super::super::client::RepositoryClient;
use super::super::error::QlikError;
use super::super::standing::TaskStanding;
use super::error::StartError;
use super::filter::StartFilter;
use super::report::StartOutcome;
use super::request::{PropertyValue, Selector, task_id};
use crate::clock::{Clock, Deadline};
use crate::event::TaskFacts;

/// How long is waited before a repository that can't be reached is asked again. How often it is really tried is up to its client.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// What one choice came to, before anything is started.
pub(super) struct Found {
    pub(super) by: Selector,
    pub(super) denied: bool,
    pub(super) error: Option<String>,
    pub(super) tasks: Vec<FoundTask>,
}

pub(super) struct FoundTask {
    pub(super) id: String,
    pub(super) name: Option<String>,
    /// The task to start, or why it is not started.
    pub(super) verdict: Result<Uuid, StartOutcome>,
}

/// Finds out which tasks a choice means, and which of them may be started.
pub(super) struct Finder<'a> {
    pub(super) client: &'a RepositoryClient,
    pub(super) filter: Option<&'a StartFilter>,
    pub(super) clock: &'a dyn Clock,
    /// Until when it is asked again.
    pub(super) until: Deadline,
}

/// What the repository is asked for.
#[derive(Debug, Clone, Copy)]
enum Look<'a> {
    Id(Uuid),
    Tag(&'a str),
    Property(&'a PropertyValue),
}

type Tasks = Vec<(Uuid, TaskFacts)>;

impl Look<'_> {
    async fn at(self, client: &RepositoryClient) -> Result<Tasks, QlikError> {
        match self {
            Self::Id(id) => Ok(client.task_now(id).await?.map(|task| (id, task)).into_iter().collect()),
            Self::Tag(tag) => client.tasks_with_tag(tag).await,
            Self::Property(property) => client.tasks_with_property(&property.name, &property.value).await,
        }
    }
}

impl Finder<'_> {
    pub(super) async fn find(&self, by: Selector) -> Result<Found, StartError> {
        let (denied, error, tasks) = match &by {
            Selector::Task(text) => {
                let task = self.one(text).await?;
                (task.verdict == Err(StartOutcome::Denied), None, vec![task])
            }
            Selector::Tag(tag) => {
                let is_listed = self.filter.is_none_or(|filter| filter.lists_tag(tag));
                self.several((!tag.is_empty()).then_some(Look::Tag(tag)), is_listed).await?
            }
            Selector::CustomProperty(property) => {
                let is_listed = self.filter.is_none_or(|filter| filter.lists_property(property));
                let is_whole = !property.name.is_empty() && !property.value.is_empty();
                self.several(is_whole.then_some(Look::Property(property)), is_listed).await?
            }
        };
        Ok(Found { by, denied, error, tasks })
    }

    async fn one(&self, text: &str) -> Result<FoundTask, StartError> {
        let as_given = |outcome| FoundTask { id: text.to_owned(), name: None, verdict: Err(outcome) };
        let Some(id) = task_id(text) else { return Ok(as_given(StartOutcome::InvalidId)) };
        let is_listed = self.filter.is_none_or(|filter| filter.lists(id));
        if !is_listed && !self.filter.is_some_and(StartFilter::depends_on_task) {
            return Ok(as_given(StartOutcome::Denied));
        }
        Ok(match self.ask(Look::Id(id)).await? {
            Ok(tasks) => match tasks.first() {
                Some((id, task)) if self.allows(*id, task) => FoundTask::start(*id, task),
                // Whoever may not start a task is not told either whether there is one.
                _ if !is_listed => as_given(StartOutcome::Denied),
                _ => as_given(StartOutcome::NotFound),
            },
            Err(error) => as_given(StartOutcome::Failed { why: error.brief(), may_run: false }),
        })
    }

    /// Whether anything is denied, what went wrong, and the tasks.
    async fn several(&self, look: Option<Look<'_>>, is_listed: bool) -> Result<(bool, Option<String>, Vec<FoundTask>), StartError> {
        let Some(look) = look.filter(|_| !self.filter.is_some_and(StartFilter::is_empty)) else {
            return Ok((!is_listed, None, Vec::new()));
        };
        let found = match self.ask(look).await? {
            Ok(found) => found,
            Err(error) => return Ok((!is_listed, Some(error.brief()), Vec::new())),
        };
        let verdict = |(id, task): &(Uuid, TaskFacts)| match self.allows(*id, task) {
            true => FoundTask::start(*id, task),
            false => FoundTask { verdict: Err(StartOutcome::Denied), ..FoundTask::start(*id, task) },
        };
        let tasks: Vec<_> = found.iter().map(verdict).collect();
        let denied = tasks.iter().any(|task| task.verdict.is_err()) || (tasks.is_empty() && !is_listed);
        Ok((denied, None, tasks))
    }

    fn allows(&self, id: Uuid, task: &TaskFacts) -> bool {
        self.filter.is_none_or(|filter| filter.allows(id, task))
    }

    /// Holds those tasks back that run, or wait for their start.
    pub(super) async fn hold_running(&self, found: &mut [Found]) -> Result<(), StartError> {
        let is_running = |task: &TaskStanding| task.last.as_ref().is_some_and(|last| last.status.is_under_way());
        let running: HashSet<_> = self.standings().await?.iter().filter(|task| is_running(task)).map(|task| task.id).collect();
        for task in found.iter_mut().flat_map(|found| &mut found.tasks) {
            if task.verdict.as_ref().is_ok_and(|id| running.contains(id)) {
                task.verdict = Err(StartOutcome::Running);
            }
        }
        Ok(())
    }

    /// How all tasks stand.
    pub(super) async fn standings(&self) -> Result<Vec<TaskStanding>, StartError> {
        self.insist(|| self.client.standings()).await?.map_err(|error| unavailable(self.client, &error))
    }

    async fn ask(&self, look: Look<'_>) -> Result<Result<Tasks, QlikError>, StartError> {
        self.insist(|| look.at(self.client)).await
    }

    /// Asks until the repository answers or the time is up; what it answered, be it an error.
    async fn insist<T, F>(&self, ask: impl Fn() -> F) -> Result<Result<T, QlikError>, StartError>
    where
        F: Future<Output = Result<T, QlikError>>,
    {
        let (client, began) = (self.client, self.clock.monotonic());
        let asking = async {
            loop {
                match ask().await {
                    Err(error) if is_outage(&error) => {
                        if self.until.left(self.clock) < AGAIN {
                            return Err(unavailable(client, &error));
                        }
                        self.clock.sleep(AGAIN).await;
                    }
                    answer => return Ok(answer),
                }
            }
        };
        // A repository that hangs is not asked as often as its client would; but one request may take its time.
        let longest = self.until.left(self.clock).max(client.settings().timeout);
        tokio::select! {
            biased;
            answer = asking => answer,
            () = self.clock.sleep(longest) => {
                let known = client.failure_since(began);
                let why = known.unwrap_or_else(|| format!("no answer within {}", humantime::format_duration(longest)));
                let why = format!("the repository at {} does not answer ({why})", client.address());
                Err(StartError::Unavailable { site: client.settings().site.clone(), why })
            }
        }
    }
}

impl FoundTask {
    fn start(id: Uuid, task: &TaskFacts) -> Self {
        Self { id: id.to_string(), name: Some(task.name.clone()), verdict: Ok(id) }
    }
}

/// Holds all tasks back that were chosen by their ids, if one of these ids is no task.
pub(super) fn hold_back(found: &mut [Found]) {
    let is_no_task = |task: &FoundTask| task.verdict.as_ref().is_err_and(|outcome| *outcome != StartOutcome::Denied);
    let by_id = |found: &&mut Found| matches!(found.by, Selector::Task(_));
    if found.iter_mut().filter(by_id).any(|found| found.tasks.iter().any(is_no_task)) {
        for task in found.iter_mut().filter(by_id).flat_map(|found| &mut found.tasks).filter(|task| task.verdict.is_ok()) {
            task.verdict = Err(StartOutcome::HeldBack);
        }
    }
}

/// Whether the repository may well answer a little later.
pub(super) fn is_outage(error: &QlikError) -> bool {
    error.is_outage() || matches!(error, QlikError::Down { .. })
}

pub(super) fn unavailable(client: &RepositoryClient, error: &QlikError) -> StartError {
    StartError::Unavailable { site: client.settings().site.clone(), why: error.to_string() }
}
