//! `tasks`: which tasks a running Butler could start, and starting them.

use butler_core::qlik::start::{ListedTask, Pair, PropertyValue, Selection, Selector, StartOutcome, StartReport, StartRequest, TaskReport};
use jiff::tz::TimeZone;
use serde_json::json;

use crate::args::{Format, Global, StartTasks, Tasks, TasksWhat};
use crate::client::Client;
use crate::table::table;
use crate::{Exit, output, story};

pub(crate) async fn run(global: &Global, tasks: &Tasks) -> Result<(), Exit> {
    let client = Client::new(global, &tasks.server)?.patient();
    match &tasks.what {
        TasksWhat::List { site } => {
            let query: Vec<_> = site.iter().map(|site| ("site", site.clone())).collect();
            let listed: Vec<ListedTask> = client.get("/api/tasks", &query).await?;
            match global.output {
                Format::Json => output::json(&listed),
                Format::Text => {
                    output::foreign(&list(&listed, &TimeZone::system()));
                    Ok(())
                }
            }
        }
        TasksWhat::Start(start) => {
            let report: StartReport = client.post("/api/tasks/start", &json!(request(start))).await?;
            match global.output {
                Format::Json => output::json(&report)?,
                Format::Text => output::foreign(&outcomes(&report)),
            }
            verdict(&report)
        }
    }
}

fn request(start: &StartTasks) -> StartRequest {
    let ttl_ms = start.ttl.and_then(|ttl| u64::try_from(ttl.as_millis()).ok());
    let pair = |(namespace, key, value): &(String, String, String)| Pair {
        namespace: namespace.clone(),
        key: key.clone(),
        value: value.clone(),
        ttl_ms,
    };
    StartRequest {
        site: start.site.as_deref().map(Into::into),
        tasks: start.ids.clone(),
        tags: start.tags.clone(),
        custom_properties: start
            .properties
            .iter()
            .map(|(name, value)| PropertyValue { name: name.clone(), value: value.clone() })
            .collect(),
        all_ids_must_exist: start.all_ids_must_exist,
        skip_running: start.skip_running,
        pairs: start.pairs.iter().map(pair).collect(),
    }
}

/// Whether all that was asked for was started; a script has to hear of it.
fn verdict(report: &StartReport) -> Result<(), Exit> {
    let missed = report.tasks().filter(|task| !task.outcome.is_started() && task.outcome != StartOutcome::Running).count();
    let failed = |task: &TaskReport| matches!(task.outcome, StartOutcome::Failed { .. });
    let (unanswered, empty) = (report.selections.iter().any(|s| s.error.is_some()), report.selections.iter().any(|s| s.tasks.is_empty()));
    let all = report.tasks().count();
    let message = match (missed, all) {
        (0, _) if !empty => return Ok(()),
        (0, _) => "not everything that was asked for came to a task".to_owned(),
        (missed, all) if report.tasks().any(|task| matches!(task.outcome, StartOutcome::Failed { may_run: true, .. })) => {
            format!("{missed} of {all} tasks are not known to have been started")
        }
        (missed, all) => format!("{missed} of {all} tasks were not started"),
    };
    if unanswered || report.tasks().any(failed) { Err(Exit::unavailable(message)) } else { Err(Exit::usage(message)) }
}

fn outcomes(report: &StartReport) -> String {
    let mut rows = Vec::new();
    for selection in &report.selections {
        let by = chosen_by(&selection.by);
        if selection.tasks.is_empty() {
            rows.push(vec![String::new(), String::new(), by.clone(), no_task(selection)]);
        }
        for TaskReport { id, name, outcome } in &selection.tasks {
            rows.push(vec![id.clone(), name.clone().unwrap_or_default(), by.clone(), words(outcome)]);
        }
    }
    table(&["TASK", "NAME", "CHOSEN BY", "OUTCOME"], &rows, 400)
}

fn chosen_by(by: &Selector) -> String {
    match by {
        Selector::Task(_) => "id".to_owned(),
        Selector::Tag(tag) => format!("tag {tag}"),
        Selector::CustomProperty(PropertyValue { name, value }) => format!("property {name}={value}"),
    }
}

/// Why a choice came to no task.
fn no_task(Selection { denied, error, .. }: &Selection) -> String {
    match (error, denied) {
        (Some(error), _) => format!("FAILED: {error}"),
        (None, true) => "denied by the filter".to_owned(),
        (None, false) => "no task".to_owned(),
    }
}

fn words(outcome: &StartOutcome) -> String {
    match outcome {
        StartOutcome::Started { execution: None } => "started".to_owned(),
        StartOutcome::Started { execution: Some(execution) } => format!("started as execution {execution}"),
        StartOutcome::Denied => "denied by the filter".to_owned(),
        StartOutcome::InvalidId => "this is no id of a task".to_owned(),
        StartOutcome::NotFound => "there is no such task".to_owned(),
        StartOutcome::HeldBack => "held back, for not all ids are tasks".to_owned(),
        StartOutcome::Running => "left alone, for it runs".to_owned(),
        StartOutcome::Failed { why, may_run: false } => format!("FAILED: {why}"),
        StartOutcome::Failed { why, may_run: true } => format!("UNCERTAIN, it may run: {why}"),
    }
}

fn list(tasks: &[ListedTask], zone: &TimeZone) -> String {
    if tasks.is_empty() {
        return "no tasks\n".to_owned();
    }
    let time = |at: Option<jiff::Timestamp>| at.map(|at| story::time(at, zone)).unwrap_or_default();
    let rows: Vec<Vec<String>> = tasks
        .iter()
        .map(|task| {
            let may = match (task.allowed, task.enabled) {
                (false, _) => "no, denied by the filter",
                (true, false) => "no, disabled",
                (true, true) => "yes",
            };
            let last = task.status.as_ref().map(|status| format!("{status} {}", time(task.stopped.or(task.started))));
            vec![
                task.id.to_string(),
                task.site.to_string(),
                may.to_owned(),
                last.unwrap_or_default().trim_end().to_owned(),
                time(task.next),
                task.name.clone(),
                task.tags.join(", "),
            ]
        })
        .collect();
    table(&["TASK", "SITE", "CAN BE STARTED", "LATEST EXECUTION", "NEXT", "NAME", "TAGS"], &rows, 220)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: &[StartOutcome]) -> StartReport {
        let task = |outcome: &StartOutcome| TaskReport { id: "7".into(), name: None, outcome: outcome.clone() };
        let by = |outcome| Selection { by: Selector::Task("7".into()), denied: false, error: None, tasks: vec![task(outcome)] };
        StartReport { site: "prod".into(), selections: outcomes.iter().map(by).collect() }
    }

    #[test]
    fn a_script_hears_of_everything_that_was_not_started() {
        let started = StartOutcome::Started { execution: None };
        let failed = StartOutcome::Failed { why: "no answer".into(), may_run: true };
        let code = |report: &StartReport| verdict(report).map_err(|exit| format!("{} {}", exit.code(), exit.message()));
        assert_eq!(code(&report(&[started.clone(), started.clone()])), Ok(()));
        let denied = report(&[started.clone(), StartOutcome::Denied]);
        assert_eq!(code(&denied), Err("64 1 of 2 tasks were not started".into()));
        assert_eq!(code(&report(&[StartOutcome::NotFound, failed])), Err("69 2 of 2 tasks are not known to have been started".into()));
        let empty = Selection { by: Selector::Tag("x".into()), denied: false, error: None, tasks: vec![] };
        let mut nothing = report(&[started]);
        nothing.selections.push(empty);
        assert_eq!(code(&nothing), Err("64 not everything that was asked for came to a task".into()));
        nothing.selections[1].error = Some("refused".into());
        assert_eq!(code(&nothing), Err("69 not everything that was asked for came to a task".into()));
    }
}
