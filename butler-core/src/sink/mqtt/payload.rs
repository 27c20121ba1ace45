//! What is published.

use serde_json::{Map, Value, json};

use crate::event::{AppFacts, Body, CustomProperty, EngineReload, Kind, Notice, NoticeTask, TaskEvent, TaskFacts, TaskOutcome, TaskType};
use crate::sink::{Message, Rendering, UserForm, words};

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";
/// The longest text in a makeshift, in characters.
const MAKESHIFT: usize = 200;

type Object = Map<String, Value>;

/// The short payload: the name of the task, or what happened in one line; of services and the licence what is known of them.
pub(super) fn basic(rendering: &Rendering<'_>) -> Message {
    if let Body::Notice(notice) = &rendering.event.body {
        if let Some(object) = service(&rendering.event.kind, notice) {
            return json_message(object);
        }
        match rendering.event.kind.to_string().as_str() {
            "server_license.status" => return json_message(license(notice)),
            "server_license.expiring" | "server_license.expired" => return text_message(license_in_words(rendering, notice)),
            _ => {}
        }
    }
    text_message(name(rendering))
}

/// What the plain topic gets if nothing else can be said there.
pub(super) fn plain_basic(rendering: &Rendering<'_>, fault: &str) -> Message {
    text_message(format!("{}\n{}", cut(&words::headline(rendering)), words::makeshift(fault)))
}

/// Everything that is known.
pub(super) fn full(rendering: &Rendering<'_>) -> Message {
    json_message(object(rendering))
}

/// The same with no long text, and with what is wrong.
pub(super) fn plain_full(rendering: &Rendering<'_>, fault: &str) -> Message {
    let mut object = object(rendering);
    object.values_mut().for_each(shorten);
    object.insert("fault".to_owned(), fault.into());
    json_message(object)
}

fn object(rendering: &Rendering<'_>) -> Object {
    let mut object = match &rendering.event.body {
        Body::Task(event) => task(event, rendering),
        Body::EngineReload(reload) => engine_reload(reload, rendering),
        Body::Notice(text) => notice(text, rendering),
    };
    if !rendering.missing.is_empty() {
        object.insert("missing".to_owned(), rendering.missing.into());
    }
    if rendering.held_back > 0 {
        object.insert("heldBack".to_owned(), rendering.held_back.into());
    }
    object
}

fn json_message(object: Object) -> Message {
    Message { content_type: JSON.into(), body: Value::Object(object).to_string(), ..Message::default() }
}

fn text_message(text: String) -> Message {
    Message { content_type: TEXT.into(), body: text, ..Message::default() }
}

fn name(rendering: &Rendering<'_>) -> String {
    match &rendering.event.body {
        Body::Task(task) => match words::task_name(task, rendering) {
            name if name.is_empty() => task.task_id.to_string(),
            name => name,
        },
        _ => words::headline(rendering),
    }
}

fn task(event: &TaskEvent, rendering: &Rendering<'_>) -> Object {
    let (task, app) = (rendering.facts.task.known(), rendering.facts.app.known());
    let unsure = event.names_unsure;
    let mut object = pairs([
        ("hostName", event.host.as_str().into()),
        ("user", UserForm::Single.apply(&event.user).into()),
        ("taskName", if unsure { words::task_name(event, rendering) } else { event.task_name.clone() }.into()),
        ("taskId", event.task_id.to_string().into()),
        ("appName", if unsure { words::app_name(event, rendering) } else { event.app_name.clone() }.into()),
        ("appId", id(event.app_id)),
        ("logTimeStamp", event.log_time.as_str().into()),
        ("logLevel", event.log_level.as_str().into()),
        ("executionId", id(event.execution_id)),
        ("logMessage", event.message.as_str().into()),
    ]);
    object.extend(of_app(app));
    object.extend(pairs([
        ("qs_taskTags", task.map(|task| task.tags.as_slice()).unwrap_or_default().into()),
        ("qs_taskCustomProperties", properties(task.map(|task| task.custom_properties.as_slice()))),
        ("qs_appMetadata", app.map(|app| app_metadata(event.app_id, app)).unwrap_or_else(|| json!({}))),
        ("qs_taskMetadata", task.map(|task| task_metadata(event, task)).unwrap_or_else(|| json!({}))),
    ]));
    // These two are as they were since long ago, and name themselves by their topic.
    let is_known = matches!(
        rendering.event.kind,
        Kind::Task { task_type: Some(TaskType::Reload), outcome: TaskOutcome::Failed | TaskOutcome::Aborted }
    );
    if !is_known {
        object.extend(about(rendering));
    }
    object
}

fn engine_reload(reload: &EngineReload, rendering: &Rendering<'_>) -> Object {
    let app = rendering.facts.app.known();
    let mut object = about(rendering);
    object.extend(pairs([
        ("hostName", reload.host.as_str().into()),
        ("user", format!("{}\\{}", reload.user_directory, reload.user_id).into()),
        ("appName", app.map(|app| app.name.as_str()).unwrap_or_default().into()),
        ("appId", id(reload.app_id)),
        ("sessionId", reload.session_id.as_str().into()),
        ("logTimeStamp", reload.log_time.as_str().into()),
        ("logLevel", reload.log_level.as_str().into()),
        ("logMessage", reload.message.as_str().into()),
    ]));
    object.extend(of_app(app));
    object
}

fn notice(notice: &Notice, rendering: &Rendering<'_>) -> Object {
    let mut object = about(rendering);
    object.extend(pairs([
        ("time", rendering.event.at.to_string().into()),
        ("title", notice.title.as_str().into()),
        ("text", notice.text.as_str().into()),
    ]));
    if let Some(NoticeTask { task_id, task_name, app_id, app_name }) = &notice.task {
        object.extend(pairs([
            ("taskName", task_name.as_str().into()),
            ("taskId", task_id.to_string().into()),
            ("appName", app_name.as_str().into()),
            ("appId", id(*app_id)),
        ]));
    }
    object.insert("fields".to_owned(), json!(notice.fields));
    object
}

/// What it is, and where.
fn about(rendering: &Rendering<'_>) -> Object {
    pairs([("kind", rendering.event.kind.to_string().into()), ("site", rendering.site.name.as_str().into())])
}

fn of_app(app: Option<&AppFacts>) -> Object {
    pairs([
        ("qs_appTags", app.map(|app| app.tags.as_slice()).unwrap_or_default().into()),
        ("qs_appCustomProperties", properties(app.map(|app| app.custom_properties.as_slice()))),
    ])
}

/// The task with the repository's own names.
fn task_metadata(event: &TaskEvent, task: &TaskFacts) -> Value {
    let app = task.app_id.map(|app| json!({ "id": app, "name": task.app_name }));
    json!({
        "id": event.task_id,
        "name": task.name,
        "taskType": task.task_type.and_then(|known| TaskType::ALL.iter().position(|one| *one == known)),
        "app": app,
        "isManuallyTriggered": task.is_manually_triggered,
        "isPartialReload": task.is_partial_reload,
        "maxRetries": task.max_retries,
        "taskSessionTimeout": task.session_timeout,
        "modifiedDate": task.modified_date,
        "modifiedByUserName": task.modified_by,
        "operational": { "nextExecution": task.next_execution },
        "tags": tags(&task.tags),
        "customProperties": definitions(&task.custom_properties),
    })
}

/// The app with the repository's own names.
fn app_metadata(app_id: Option<uuid::Uuid>, app: &AppFacts) -> Value {
    json!({
        "id": app_id,
        "name": app.name,
        "description": app.description,
        "fileSize": app.file_size,
        "lastReloadTime": app.last_reload_time,
        "modifiedDate": app.modified_date,
        "modifiedByUserName": app.modified_by,
        "publishTime": app.publish_time,
        "published": app.published,
        "stream": app.stream.as_ref().map(|name| json!({ "name": name })),
        "owner": app.owner_id.map(|id| json!({ "id": id })),
        "tags": tags(&app.tags),
        "customProperties": definitions(&app.custom_properties),
    })
}

fn tags(names: &[String]) -> Value {
    names.iter().map(|name| json!({ "name": name })).collect()
}

fn definitions(properties: &[CustomProperty]) -> Value {
    properties.iter().map(|property| json!({ "value": property.value, "definition": { "name": property.name } })).collect()
}

fn properties(properties: Option<&[CustomProperty]>) -> Value {
    properties.unwrap_or_default().iter().map(|property| json!({ "name": property.name, "value": property.value })).collect()
}

/// A service, if the notice says which.
fn service(kind: &Kind, notice: &Notice) -> Option<Object> {
    let kind = kind.to_string();
    let change = kind.strip_prefix("service.")?;
    let field = |key: &str| notice.fields.get(key).map(String::as_str).unwrap_or_default();
    notice.fields.get("host").zip(notice.fields.get("service"))?;
    let (friendly, display) = (("serviceFriendlyName", field("friendly_name")), ("serviceDisplayName", field("display_name")));
    // The order differs since long ago.
    let names = if change == "stopped" { [friendly, display] } else { [display, friendly] };
    let dependencies: Vec<&str> = field("dependencies").lines().filter(|line| !line.is_empty()).collect();
    let mut object = pairs([("serviceHost", field("host").into()), ("serviceName", field("service").into())]);
    object.extend(pairs(names.map(|(key, name)| (key, name.into()))));
    object.extend(pairs([
        ("serviceDependencies", dependencies.into()),
        ("serviceStartType", field("start_type").into()),
        ("serviceExePath", field("exe_path").into()),
        ("serviceStatus", field("status").to_uppercase().into()),
    ]));
    if change != "status" {
        object
            .extend(pairs([("servicePrevStatus", field("previous_status").to_uppercase().into()), ("serviceStatusChanged", true.into())]));
    }
    Some(object)
}

fn license(notice: &Notice) -> Object {
    let field = |key: &str| notice.fields.get(key).map(String::as_str);
    let days = field("days_until_expiry").and_then(|days| days.parse::<i64>().ok());
    pairs([
        ("licenseExpired", (field("expired") == Some("true")).into()),
        ("expiryDateStr", field("expiry_date").into()),
        ("daysUntilExpiry", days.into()),
    ])
}

fn license_in_words(rendering: &Rendering<'_>, notice: &Notice) -> String {
    let field = |key: &str| notice.fields.get(key).map(String::as_str);
    let has_expired = field("expired") == Some("true");
    match (field("expiry_date"), field("days_until_expiry")) {
        (Some(date), _) if has_expired => format!("Qlik Sense server license expired on {date}"),
        (Some(date), Some(days)) => format!("Qlik Sense server license is about to expire in {days} days, on {date}"),
        _ => words::headline(rendering),
    }
}

fn pairs<const N: usize>(pairs: [(&str, Value); N]) -> Object {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn id(id: Option<uuid::Uuid>) -> Value {
    id.map(|id| id.to_string()).unwrap_or_default().into()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAKESHIFT) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn shorten(value: &mut Value) {
    match value {
        Value::String(text) => *text = cut(text),
        Value::Array(values) => values.iter_mut().for_each(shorten),
        Value::Object(object) => object.values_mut().for_each(shorten),
        _ => {}
    }
}
