//! The bodies of webhooks.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::event::{Body, EngineReload, Kind, Notice, TaskEvent, TaskOutcome, TaskType};
use crate::sink::{Rendering, UserForm, words};

pub(super) const JSON: &str = "application/json";
/// Keys whose values are worth nothing unless they are whole.
const WHOLE: [&str; 6] = ["event", "taskId", "appId", "executionId", "kind", "fault"];
/// The longest text in a makeshift, in characters.
const MAKESHIFT: usize = 200;
pub(super) const QUERY: &str = "application/x-www-form-urlencoded";

/// Keys with their values, in order. A key without a value is left out of JSON, and stands empty in a query.
#[derive(Debug, Default)]
pub(super) struct Payload(Vec<(String, Option<Value>)>);

impl Payload {
    fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.0.push((key.to_owned(), Some(value.into())));
    }

    fn set_if_known(&mut self, key: &str, value: Option<&str>) {
        self.0.push((key.to_owned(), value.map(Value::from)));
    }

    pub(super) fn into_json(self) -> String {
        let object: Map<_, _> = self.0.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        Value::Object(object).to_string()
    }

    /// The same with no text longer than this, for a remote to which it was too long.
    pub(super) fn shortened(mut self, longest: usize) -> Self {
        for (_, value) in &mut self.0 {
            match value {
                Some(Value::String(text)) => *text = cut(text, longest).into_owned(),
                Some(Value::Array(lines)) => {
                    lines.iter_mut().for_each(|line| *line = cut(line.as_str().unwrap_or_default(), longest).into())
                }
                Some(Value::Object(fields)) => {
                    fields.values_mut().for_each(|text| *text = cut(text.as_str().unwrap_or_default(), longest).into())
                }
                _ => {}
            }
        }
        self
    }

    /// The query, its values shortened if it is longer than `most`: cut values are better than none.
    pub(super) fn into_query(self, most: usize) -> String {
        let pairs = self.into_pairs();
        let lengths = [usize::MAX, 1000, 300, 100, 30, 10];
        let mut query = String::new();
        for longest in lengths {
            let mut serializer = form_urlencoded::Serializer::new(String::new());
            for (key, value) in &pairs {
                let longest = if WHOLE.contains(&key.as_str()) { usize::MAX } else { longest };
                serializer.append_pair(key, &cut(value, longest));
            }
            query = serializer.finish();
            if query.len() <= most {
                break;
            }
        }
        query
    }

    fn into_pairs(self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        for (key, value) in self.0 {
            match value {
                Some(Value::Object(fields)) => {
                    pairs.extend(fields.into_iter().map(|(key, value)| (key, value.as_str().unwrap_or_default().to_owned())));
                }
                Some(Value::Array(lines)) => pairs.push((key, lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "))),
                Some(Value::String(text)) => pairs.push((key, text)),
                Some(other) => pairs.push((key, other.to_string())),
                None => pairs.push((key, String::new())),
            }
        }
        pairs
    }
}

fn cut(text: &str, longest: usize) -> Cow<'_, str> {
    match text.char_indices().nth(longest) {
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

pub(super) fn of(rendering: &Rendering<'_>, fault: Option<&str>) -> Payload {
    let mut payload = Payload::default();
    match &rendering.event.body {
        Body::Task(event) => task(&mut payload, event, rendering),
        Body::EngineReload(reload) => engine_reload(&mut payload, reload, rendering),
        Body::Notice(text) => notice(&mut payload, text, rendering),
    }
    if !rendering.missing.is_empty() {
        payload.set("missing", rendering.missing);
    }
    if rendering.held_back > 0 {
        payload.set("heldBack", rendering.held_back);
    }
    match fault {
        Some(fault) => {
            let mut payload = payload.shortened(MAKESHIFT);
            payload.set("fault", fault);
            payload
        }
        None => payload,
    }
}

fn task(payload: &mut Payload, event: &TaskEvent, rendering: &Rendering<'_>) {
    use TaskOutcome::{Aborted, Failed};
    let kind = &rendering.event.kind;
    // A task whose type could not be found out, but that has an app, is most likely a reload; whoever waits for one must not miss it.
    let (is_reload, is_certain) = match kind {
        Kind::Task { task_type: Some(TaskType::Reload), .. } => (true, true),
        Kind::Task { task_type: None, .. } => (event.app_id.is_some(), false),
        _ => (false, true),
    };
    let title = match (is_reload, kind.outcome()) {
        (true, Some(Failed)) => "Qlik Sense reload failed".to_owned(),
        (true, Some(Aborted)) => "Qlik Sense reload aborted".to_owned(),
        (_, outcome) => {
            let what = words::task_type(kind).to_lowercase();
            format!("Qlik Sense {what} {}", outcome.map_or("ended", words::outcome))
        }
    };
    payload.set("event", title);
    payload.set("hostName", event.host.as_str());
    payload.set("user", user_form(kind).apply(&event.user));
    payload.set("taskName", if event.names_unsure { words::task_name(event, rendering) } else { event.task_name.clone() });
    payload.set("taskId", event.task_id.to_string());
    payload.set("appName", if event.names_unsure { words::app_name(event, rendering) } else { event.app_name.clone() });
    payload.set("appId", event.app_id.map(|id| id.to_string()).unwrap_or_default());
    owner(payload, rendering);
    payload.set("logTimeStamp", event.log_time.as_str());
    payload.set("logLevel", event.log_level.as_str());
    payload.set("executionId", event.execution_id.map(|id| id.to_string()).unwrap_or_default());
    payload.set("logMessage", event.message.as_str());
    if !(is_reload && is_certain && matches!(kind.outcome(), Some(Failed | Aborted))) {
        payload.set("kind", kind.to_string());
        payload.set("site", rendering.site.name.as_str());
    }
}

/// How the user is written, as it was since long ago.
fn user_form(kind: &Kind) -> UserForm {
    match kind.outcome() {
        Some(TaskOutcome::Aborted) => UserForm::AsReceived,
        _ => UserForm::Single,
    }
}

fn owner(payload: &mut Payload, rendering: &Rendering<'_>) {
    let owner = rendering.facts.owner.known();
    payload.set_if_known("appOwnerName", owner.map(|owner| owner.name.as_str()));
    payload.set_if_known("appOwnerUserDirectory", owner.map(|owner| owner.directory.as_str()));
    payload.set_if_known("appOwnerUserId", owner.map(|owner| owner.user_id.as_str()));
    payload.set("appOwnerEmail", owner.and_then(|owner| owner.emails.first()).map(String::as_str).unwrap_or_default());
}

fn engine_reload(payload: &mut Payload, reload: &EngineReload, rendering: &Rendering<'_>) {
    payload.set("event", "Qlik Sense engine reload failed");
    payload.set("kind", rendering.event.kind.to_string());
    payload.set("site", rendering.site.name.as_str());
    payload.set("hostName", reload.host.as_str());
    payload.set("user", format!("{}\\{}", reload.user_directory, reload.user_id));
    payload.set("appName", rendering.facts.app.known().map(|app| app.name.as_str()).unwrap_or_default());
    payload.set("appId", reload.app_id.map(|id| id.to_string()).unwrap_or_default());
    owner(payload, rendering);
    payload.set("sessionId", reload.session_id.as_str());
    payload.set("logTimeStamp", reload.log_time.as_str());
    payload.set("logLevel", reload.log_level.as_str());
    payload.set("logMessage", reload.message.as_str());
}

fn notice(payload: &mut Payload, notice: &Notice, rendering: &Rendering<'_>) {
    payload.set("event", if notice.title.is_empty() { rendering.event.kind.to_string() } else { notice.title.clone() });
    payload.set("kind", rendering.event.kind.to_string());
    payload.set("site", rendering.site.name.as_str());
    payload.set("time", rendering.event.at.to_string());
    payload.set("text", notice.text.as_str());
    if let Some(task) = &notice.task {
        payload.set("taskName", task.task_name.as_str());
        payload.set("taskId", task.task_id.to_string());
        payload.set("appName", task.app_name.as_str());
        payload.set("appId", task.app_id.map(|id| id.to_string()).unwrap_or_default());
    }
    payload.set("fields", json!(notice.fields));
}
