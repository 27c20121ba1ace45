//! What is said about an event, as names with values.

use serde_json::{Map, Value, json};

use super::payload::Shape;
use crate::event::{AppFacts, Body, CustomProperty, Kind, LogLines, Notice, TaskEvent, TaskFacts, TaskOutcome, TaskType};
use crate::sink::{Rendering, UserForm, words};
use crate::template::fields;

/// The kind under which an event goes by name: a task whose type is not known, but that has an app, is most likely a reload; whoever waits for one must not miss it.
fn kind_of(rendering: &Rendering<'_>) -> Kind {
    match &rendering.event.kind {
        Kind::Task { task_type: None, outcome } if rendering.event.app_id().is_some() => {
            Kind::Task { task_type: Some(TaskType::Reload), outcome: *outcome }
        }
        kind => kind.clone(),
    }
}

/// `reloadTaskFailed` for `reload_task.failed`.
pub(super) fn stem(rendering: &Rendering<'_>) -> String {
    let kind = kind_of(rendering).to_string();
    let mut stem = String::with_capacity(kind.len());
    for word in kind.split(['.', '_']) {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if !stem.is_empty() => stem.extend(first.to_uppercase()),
            first => stem.extend(first),
        }
        stem.push_str(letters.as_str());
    }
    stem
}

/// Whether it is one of those that the original sends, and certainly so.
fn is_originals(kind: &Kind) -> bool {
    matches!(kind, Kind::Task { task_type: Some(TaskType::Reload), outcome: TaskOutcome::Failed | TaskOutcome::Aborted })
}

/// The attributes that events and logs have in common.
pub(super) fn common(shape: &Shape, rendering: &Rendering<'_>) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in &shape.fixed {
        set(&mut all, name, value.as_str());
    }
    set(&mut all, "version", env!("CARGO_PKG_VERSION"));
    match &rendering.event.body {
        Body::Task(event) => task(&mut all, event, rendering),
        Body::EngineReload(reload) => {
            set(&mut all, "qs_hostName", reload.host.as_str());
            set(&mut all, "qs_user", UserForm::Slash.apply(&format!("{}\\{}", reload.user_directory, reload.user_id)));
            set(&mut all, "qs_appName", rendering.facts.app.known().map(|app| app.name.as_str()).unwrap_or_default());
            set(&mut all, "qs_appId", reload.app_id.map(|id| id.to_string()).unwrap_or_default());
            set(&mut all, "qs_sessionId", reload.session_id.as_str());
            set(&mut all, "qs_logTimeStamp", reload.log_time.as_str());
            set(&mut all, "qs_logLevel", reload.log_level.as_str());
            set(&mut all, "qs_logMessage", reload.message.as_str());
        }
        Body::Notice(text) => notice(&mut all, text),
    }
    if !is_originals(&rendering.event.kind) {
        set(&mut all, "butler_kind", rendering.event.kind.to_string());
        set(&mut all, "butler_site", rendering.site.name.as_str());
    }
    if !rendering.missing.is_empty() {
        set(&mut all, "butler_missing", rendering.missing.join("; "));
    }
    if rendering.held_back > 0 {
        set(&mut all, "butler_heldBack", rendering.held_back);
    }
    tags(&mut all, shape, rendering);
    all
}

fn set(all: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    all.insert(name.to_owned(), value.into());
}

fn task(all: &mut Map<String, Value>, event: &TaskEvent, rendering: &Rendering<'_>) {
    let known = event.names_unsure;
    set(all, "qs_hostName", event.host.as_str());
    set(all, "qs_user", UserForm::Slash.apply(&event.user));
    set(all, "qs_taskName", if known { words::task_name(event, rendering) } else { event.task_name.clone() });
    set(all, "qs_taskId", event.task_id.to_string());
    set(all, "qs_appName", if known { words::app_name(event, rendering) } else { event.app_name.clone() });
    set(all, "qs_appId", event.app_id.map(|id| id.to_string()).unwrap_or_default());
    set(all, "qs_logTimeStamp", event.log_time.as_str());
    set(all, "qs_logLevel", event.log_level.as_str());
    set(all, "qs_executionId", event.execution_id.map(|id| id.to_string()).unwrap_or_default());
    set(all, "qs_logMessage", event.message.as_str());
}

fn notice(all: &mut Map<String, Value>, notice: &Notice) {
    // Its own fields come first, so that none of them can hide one of ours.
    for (name, value) in &notice.fields {
        set(all, &format!("qs_{name}"), value.as_str());
    }
    set(all, "qs_title", notice.title.as_str());
    set(all, "qs_text", notice.text.as_str());
    if let Some(task) = &notice.task {
        set(all, "qs_taskName", task.task_name.as_str());
        set(all, "qs_taskId", task.task_id.to_string());
        set(all, "qs_appName", task.app_name.as_str());
        set(all, "qs_appId", task.app_id.map(|id| id.to_string()).unwrap_or_default());
    }
}

/// Tags and custom properties, which there may be any number of.
fn tags(all: &mut Map<String, Value>, shape: &Shape, rendering: &Rendering<'_>) {
    let (task, app) = (rendering.facts.task.known(), rendering.facts.app.known());
    if shape.task_tags {
        task.iter().flat_map(|task| &task.tags).for_each(|tag| set(all, &format!("qs_taskTag_{tag}"), "true"));
    }
    if shape.app_tags {
        app.iter().flat_map(|app| &app.tags).for_each(|tag| set(all, &format!("qs_appTag_{tag}"), "true"));
    }
    if shape.custom_properties {
        flat(all, "qs_taskCp_", task.map_or(&[], |task| &task.custom_properties));
        flat(all, "qs_appCp_", app.map_or(&[], |app| &app.custom_properties));
    }
}

/// Each property once, with all its values.
fn flat(all: &mut Map<String, Value>, prefix: &str, properties: &[CustomProperty]) {
    for CustomProperty { name, value } in properties {
        let name = format!("{prefix}{name}");
        let value = match all.get(&name).and_then(Value::as_str) {
            Some(before) => format!("{before}, {value}"),
            None => value.clone(),
        };
        all.insert(name, value.into());
    }
}

/// What only logs can hold: lists and objects.
pub(super) fn nested(all: &mut Map<String, Value>, rendering: &Rendering<'_>) {
    let (task, app) = (rendering.facts.task.known(), rendering.facts.app.known());
    let list = |properties: &[CustomProperty]| -> Value {
        properties.iter().map(|property| json!({ "name": property.name, "value": property.value })).collect()
    };
    if let Some(app) = app {
        set(all, "qs_appCustomProperties", list(&app.custom_properties));
    }
    if let Some(task) = task {
        set(all, "qs_taskCustomProperties", list(&task.custom_properties));
    }
    if let Some(app) = app {
        set(all, "qs_appMetadata", of_app(app, rendering));
    }
    if let Some(task) = task {
        set(all, "qs_taskMetadata", of_task(task, rendering));
    }
}

/// What is known of the app, under the repository's names.
fn of_app(app: &AppFacts, rendering: &Rendering<'_>) -> Value {
    let id = rendering.event.app_id().or(rendering.facts.task.known().and_then(|task| task.app_id));
    known(json!({
        "id": id,
        "name": app.name,
        "description": app.description,
        "fileSize": app.file_size,
        "lastReloadTime": app.last_reload_time,
        "modifiedDate": app.modified_date,
        "modifiedByUserName": app.modified_by,
        "publishTime": app.publish_time,
        "published": app.published,
        "stream": app.stream.as_ref().map(|stream| json!({ "name": stream })),
        "tags": app.tags.iter().map(|tag| json!({ "name": tag })).collect::<Vec<_>>(),
    }))
}

/// What is known of the task, under the repository's names.
fn of_task(task: &TaskFacts, rendering: &Rendering<'_>) -> Value {
    known(json!({
        "id": rendering.event.task_id(),
        "name": task.name,
        "taskType": task.task_type.map(|known| TaskType::ALL.iter().position(|one| *one == known)),
        "modifiedDate": task.modified_date,
        "modifiedByUserName": task.modified_by,
        "taskSessionTimeout": task.session_timeout,
        "maxRetries": task.max_retries,
        "isManuallyTriggered": task.is_manually_triggered,
        "isPartialReload": task.is_partial_reload,
        "app": task.app_id.map(|id| json!({ "id": id, "name": task.app_name })),
        "tags": task.tags.iter().map(|tag| json!({ "name": tag })).collect::<Vec<_>>(),
        "operational": task.next_execution.as_ref().map(|next| json!({ "nextExecution": next })),
    }))
}

fn known(mut object: Value) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.retain(|_, value| !value.is_null());
    }
    object
}

/// How the execution went.
pub(super) fn execution(all: &mut Map<String, Value>, rendering: &Rendering<'_>, tail: u32) {
    let Some(result) = rendering.facts.result.known() else { return };
    let options = fields::Options { user: UserForm::Slash, script_log: LogLines { head: 0, tail } };
    let mut values = fields::of(rendering, &options);
    for (name, field) in [
        ("qs_executingNodeName", "executingNodeName"),
        ("qs_executionStartTime", "executionStartTime"),
        ("qs_executionStopTime", "executionStopTime"),
        ("qs_executionDuration", "executionDuration"),
        ("qs_executionStatusNum", "executionStatusNum"),
        // Dashboards read it by this name.
        ("qs_exeuctionStatusText", "executionStatusText"),
    ] {
        set(all, name, values[field].take());
    }
    set(all, "qs_scriptLogSize", result.script_log_size);
    set(all, "qs_scriptLogTailCount", tail);
}
