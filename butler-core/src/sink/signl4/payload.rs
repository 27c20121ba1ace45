//! The bodies of alerts.

use serde_json::{Value, json};

use super::Ranking;
use crate::event::{Body, Kind, TaskEvent, TaskOutcome, TaskType};
use crate::sink::{Rendering, words};

/// The longest title, and the longest message, in characters; a pager shows no more.
const LONGEST: (usize, usize) = (250, 4000);
/// The same in a makeshift.
const MAKESHIFT: (usize, usize) = (100, 1000);

pub(super) fn of(rendering: &Rendering<'_>, ranking: &Ranking, fault: Option<&str>) -> Value {
    let event = rendering.event;
    let (title, mut message) = match &event.body {
        Body::Task(task) => (title(&event.kind, task), format!("Task: {}", task_name(task, rendering))),
        Body::EngineReload(reload) => {
            let name = rendering.facts.app.known().map(|app| app.name.clone()).filter(|name| !name.is_empty());
            let app = name.or_else(|| reload.app_id.map(|id| id.to_string())).unwrap_or_else(|| "not named".to_owned());
            ("Qlik Sense engine reload failed".to_owned(), format!("App: {app}"))
        }
        Body::Notice(notice) if notice.title.is_empty() => (event.kind.to_string(), notice.text.clone()),
        Body::Notice(notice) => (notice.title.clone(), notice.text.clone()),
    };
    let (longest_title, longest_message) = if fault.is_some() { MAKESHIFT } else { LONGEST };
    message = words::shortened(&message, longest_message);
    // Cut each by itself: however long the one is, the other is there.
    for note in words::notes(rendering).into_iter().chain(fault.map(makeshift)) {
        message.push('\n');
        message.push_str(&words::shortened(&note, MAKESHIFT.1));
    }
    let object = event.task_id().or_else(|| event.app_id()).unwrap_or(event.id.0);
    json!({
        "Title": words::shortened(&words::one_line(&title), longest_title),
        "Message": message,
        "Severity": ranking.severity,
        "X-S4-Service": ranking.service,
        "X-S4-ExternalID": object.to_string(),
        "X-S4-Status": if is_all_clear(&event.kind) { "resolved" } else { "new" },
    })
}

fn makeshift(fault: &str) -> String {
    format!("This is a makeshift: {}", words::one_line(fault))
}

fn is_all_clear(kind: &Kind) -> bool {
    match kind {
        Kind::Task { outcome, .. } => *outcome == TaskOutcome::Success,
        kind => kind.to_string().ends_with(".recovered"),
    }
}

fn title(kind: &Kind, task: &TaskEvent) -> String {
    use TaskOutcome::{Aborted, Failed};
    // A task whose type could not be found out, but that has an app, is most likely a reload.
    let kind = match kind {
        Kind::Task { task_type: None, outcome } if task.app_id.is_some() => {
            Kind::Task { task_type: Some(TaskType::Reload), outcome: *outcome }
        }
        kind => kind.clone(),
    };
    match kind {
        Kind::Task { task_type: Some(TaskType::Reload), outcome: Failed } => "Qlik Sense reload task failed".to_owned(),
        // Filters at the other side count on these words.
        Kind::Task { task_type: Some(TaskType::Reload), outcome: Aborted } => "Qlik Sense task aborted".to_owned(),
        kind => format!("Qlik Sense {} {}", lower_first(words::task_type(&kind)), kind.outcome().map_or("ended", words::outcome)),
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect()
}

fn task_name(task: &TaskEvent, rendering: &Rendering<'_>) -> String {
    let name = words::task_name(task, rendering);
    if name.is_empty() { task.task_id.to_string() } else { words::one_line(&name) }
}
