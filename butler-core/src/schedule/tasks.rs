//! Starting tasks of Qlik Sense.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::action::{Action, ActionContext, ActionError, ActionReport};
use super::targets::{PropertyTarget, Targets};
use crate::clock::Clock;
use crate::event::SiteName;
use crate::qlik::start::{PropertyValue, Selection, Selector, StartError, StartOutcome, StartReport, StartRequest, Starter, TaskReport};
use crate::qlik::{LatestExecution, TaskStanding};
use crate::store::{Work, WorkEnd};

/// By how much the repository's clock may be behind ours.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(60);

/// Starts the tasks that a schedule names, and sees how they end.
///
/// The starter should have no filter: whoever may make schedules may start tasks.
#[derive(Debug)]
pub struct StartTasks {
    starter: Arc<Starter>,
    clock: Arc<dyn Clock>,
}

impl StartTasks {
    /// By this starter, which is told again while the repository can't be reached.
    #[must_use]
    pub fn new(starter: Arc<Starter>, clock: Arc<dyn Clock>) -> Self {
        Self { starter, clock }
    }
}

#[async_trait]
impl Action for StartTasks {
    async fn run(&self, context: &ActionContext) -> Result<ActionReport, ActionError> {
        let skip_running = context.schedule.rules.skip_running;
        let request = StartRequest { skip_running, ..request(&context.schedule.targets()) };
        let report = self.starter.start(request).await.map_err(|error| ActionError::failed(error.to_string()))?;
        told(&report, self.clock.now())
    }

    /// Tasks that have started since the occurrence are taken for those of the run that never came back.
    async fn recover(&self, context: &ActionContext) -> Result<Option<ActionReport>, ActionError> {
        let unknown = |error: StartError| {
            ActionError::skipped(format!("Butler ended while it was under way, and whether a task was started is not known: {error}"))
        };
        let since = context.occurrence.saturating_sub(CLOCKS_DIFFER).unwrap_or(context.occurrence);
        let found = self.starter.standings(&request(&context.schedule.targets())).await.map_err(unknown)?;
        let started = |standing: &TaskStanding| standing.last.as_ref().and_then(|last| last.start).filter(|start| *start >= since);
        let work: Vec<_> = found
            .tasks
            .iter()
            .filter_map(|standing| {
                let (name, site) = (standing.name.clone(), Some(found.site.to_string()));
                Some(Work { id: standing.id.to_string(), name, site, since: started(standing)?, end: None })
            })
            .collect();
        if work.is_empty() {
            return Ok(None);
        }
        let names: Vec<_> = work.iter().map(|work| work.name.as_str()).collect();
        let detail = format!("started {}, as the repository shows; Butler ended before it was told", names.join(", "));
        if work.len() < found.tasks.len() {
            let left = found.tasks.len() - work.len();
            return Err(ActionError::Failed { why: format!("{detail}; {left} more of its tasks were not started"), work });
        }
        Ok(Some(ActionReport { detail, work }))
    }

    async fn look(&self, work: &[Work]) -> Vec<Option<WorkEnd>> {
        let mut by_site = BTreeMap::new();
        for site in work.iter().filter_map(|work| work.site.as_deref()) {
            if !by_site.contains_key(site) {
                let standings = self.starter.all_standings(&SiteName::from(site)).await.unwrap_or_else(|error| {
                    tracing::debug!(site, %error, "It can't be looked how tasks go that schedules have started.");
                    Vec::new()
                });
                by_site.insert(site, standings.into_iter().map(|task| (task.id, task)).collect::<BTreeMap<Uuid, _>>());
            }
        }
        let end = |work: &Work| {
            let task = by_site.get(work.site.as_deref()?)?.get(&work.id.parse().ok()?)?;
            ended(task.last.as_ref()?, work.since)
        };
        work.iter().map(end).collect()
    }
}

/// How a task's latest execution ended, if it is one that began since.
fn ended(last: &LatestExecution, since: Timestamp) -> Option<WorkEnd> {
    let since = since.saturating_sub(CLOCKS_DIFFER).unwrap_or(since);
    let began = last.start.or(last.stop)?;
    let is_over = began >= since && !last.status.is_under_way();
    is_over.then(|| WorkEnd { at: last.stop.unwrap_or(began), how: last.status.text() })
}

fn request(targets: &Targets) -> StartRequest {
    let property = |PropertyTarget { name, value }: &PropertyTarget| PropertyValue { name: name.clone(), value: value.clone() };
    StartRequest {
        site: targets.site.as_deref().map(SiteName::from),
        tasks: targets.tasks.clone(),
        tags: targets.tags.clone(),
        custom_properties: targets.custom_properties.iter().map(property).collect(),
        ..StartRequest::default()
    }
}

/// What a report comes to: a failure if any task could not be started, or if none was meant.
fn told(report: &StartReport, now: Timestamp) -> Result<ActionReport, ActionError> {
    let (mut work, mut faults, mut running) = (Vec::<Work>::new(), Vec::new(), Vec::new());
    for Selection { by, error, tasks, .. } in &report.selections {
        if let Some(error) = error {
            faults.push(format!("{}: {error}", chosen_by(by)));
        } else if tasks.is_empty() {
            faults.push(format!("there is no task with {}", chosen_by(by)));
        }
        for task in tasks {
            let name = task.name.clone().unwrap_or_else(|| task.id.clone());
            match &task.outcome {
                StartOutcome::Started { .. } if work.iter().any(|work| work.id == task.id) => {}
                StartOutcome::Started { .. } => {
                    work.push(Work { id: task.id.clone(), name, site: Some(report.site.to_string()), since: now, end: None });
                }
                StartOutcome::Running => running.push(name),
                _ => faults.push(fault(&name, task)),
            }
        }
    }
    let names: Vec<_> = work.iter().map(|work| work.name.as_str()).collect();
    if !faults.is_empty() {
        let more = if names.is_empty() { String::new() } else { format!("; started nonetheless: {}", names.join(", ")) };
        return Err(ActionError::Failed { why: format!("{}{more}", faults.join("; ")), work });
    }
    let runs_still = (!running.is_empty()).then(|| format!("still running: {}", running.join(", ")));
    match (names.is_empty(), runs_still) {
        (true, Some(running)) => Err(ActionError::skipped(running)),
        (true, None) => Err(ActionError::failed("it names no task")),
        (false, running) => {
            let more = running.map_or_else(String::new, |running| format!("; {running}"));
            Ok(ActionReport { detail: format!("started {}{more}", names.join(", ")), work })
        }
    }
}

fn fault(name: &str, task: &TaskReport) -> String {
    match &task.outcome {
        StartOutcome::InvalidId => format!("`{name}` is no id of a task"),
        StartOutcome::NotFound => format!("there is no task `{name}`"),
        StartOutcome::Failed { why, may_run: true } => format!("{name} may or may not have been started: {why}"),
        StartOutcome::Failed { why, .. } => format!("{name} could not be started: {why}"),
        _ => format!("{name} may not be started"),
    }
}

fn chosen_by(by: &Selector) -> String {
    match by {
        Selector::Task(id) => format!("the id {id}"),
        Selector::Tag(tag) => format!("the tag {tag}"),
        Selector::CustomProperty(PropertyValue { name, value }) => format!("{name} = {value}"),
    }
}
