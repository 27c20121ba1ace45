//! Starting tasks: by the id in the address, and by what the body names, after the pairs in it were stored.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Routes;
use super::answer::{Fault, text};
use super::input::{Asked, Sent};
use super::schema::text_of;
use crate::api::ApiState;
use crate::api::auth::{Caller, check};
use crate::config::{Endpoint, Scope};
use crate::event::TaskFacts;
use crate::kv::{Condition, KvError};
use crate::qlik::start::{PropertyValue, Selector, StartError, StartOutcome, StartReport, StartRequest, task_id};

const FAILED: &str = "Failed starting task";
/// In place of an id: only the body counts.
const BODY_ONLY: &str = "-";

pub(super) fn routes(routes: Routes) -> Routes {
    let no_items: fn() -> Value = || json!([]);
    let path = "/v4/reloadtask/{taskId}/start";
    type Who = Extension<Caller>;
    let named = async |State(state): State<ApiState>, who: Who, Path(id): Path<String>, asked: Asked<Query>, sent: Sent<Vec<Item>>| {
        start(&state, &who, id, asked.0, sent.0).await
    };
    let nameless = async |State(state): State<ApiState>, who: Who, asked: Asked<Query>, sent: Sent<Vec<Item>>| {
        let missing = "Required parameter (task ID) missing. Should be a task ID or \"-\" if task info is passed in body";
        match sent.0.is_empty() {
            true => Err(Fault::bad_request(missing)),
            false => start(&state, &who, BODY_ONLY.to_owned(), asked.0, sent.0).await,
        }
    };
    // A script whose variable is empty asks for the second.
    [Method::PUT, Method::POST].iter().fold(routes, |routes, method| {
        let routes = routes.at(method, path, path, named, Some(no_items));
        routes.at(method, "/v4/reloadtask//start", path, nameless, Some(no_items))
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Query {
    all_task_ids_must_exist: bool,
}

/// An item of the body. What its payload holds is not looked at by the schema.
#[derive(Debug, Deserialize)]
struct Item {
    r#type: Option<String>,
    payload: Option<Map<String, Value>>,
}

async fn start(state: &ApiState, caller: &Caller, id: String, query: Query, items: Vec<Item>) -> Result<Response, Fault> {
    let unfit = |(_, item): &(usize, &Item)| item.r#type.is_some() && item.payload.is_none();
    if let Some((index, _)) = items.iter().enumerate().find(unfit) {
        return Err(Fault::validation(format!("body/{index} must have required property 'payload'")));
    }
    let mut request = StartRequest { all_ids_must_exist: query.all_task_ids_must_exist, ..StartRequest::default() };
    request.tasks.extend((id != BODY_ONLY).then_some(id));
    let mut pairs = Vec::new();
    for Item { r#type, payload } in items {
        let (Some(kind), Some(payload)) = (r#type, payload) else { continue };
        let member = |name: &str| payload.get(name).map_or_else(String::new, words);
        match kind.as_str() {
            "starttaskid" => request.tasks.push(member("taskId")),
            "starttasktag" => request.tags.push(member("tag")),
            "starttaskcustomproperty" => {
                request.custom_properties.push(PropertyValue { name: member("customPropertyName"), value: member("customPropertyValue") });
            }
            _ => pairs.extend(pair(state, &payload)),
        }
    }
    if !pairs.is_empty()
        && let Err(denial) = check(caller, Scope::KvWrite.alone())
    {
        return Ok(denial.for_script());
    }
    for pair in pairs {
        store(state, pair).await?;
    }
    let starter = state.starter().ok_or_else(|| Fault::internal(FAILED, &"no site is configured"))?;
    let answer = match starter.start(request.clone()).await {
        Ok(report) => Answer::of(report),
        // Ids that nobody can look up are no tasks as far as anybody knows; of tags and properties nothing can be said.
        Err(error @ (StartError::Unavailable { .. } | StartError::NoSite))
            if request.tags.is_empty() && request.custom_properties.is_empty() =>
        {
            tracing::warn!(%error, "No task can be started.");
            Answer::unknown(request.tasks, starter)
        }
        Err(error) => return Err(Fault::internal(FAILED, &error)),
    };
    let answer = serde_json::to_string_pretty(&answer.into_json()).map_err(|error| Fault::internal(FAILED, &error))?;
    Ok(text(StatusCode::OK, answer))
}

/// A value of a payload as text.
fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) => text_of(number),
        other => other.to_string(),
    }
}

/// What is to be stored before a task starts.
struct Pair {
    namespace: String,
    key: String,
    value: String,
    expires: Option<Timestamp>,
}

/// The pair in a payload, if it is one and the store may be used.
fn pair(state: &ApiState, payload: &Map<String, Value>) -> Option<Pair> {
    let is_something = |value: &&Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        _ => true,
    };
    let member = |name: &str| payload.get(name).filter(is_something).map(words);
    let (Some(namespace), Some(key), Some(value)) = (member("namespace"), member("key"), member("value")) else {
        tracing::warn!("A pair that was to be stored before a task starts has no namespace, key or value, and is left out.");
        return None;
    };
    if !state.services().endpoints.has(Endpoint::KeyValueStore) {
        tracing::warn!(
            namespace,
            key,
            "A pair was to be stored before a task starts, but the key-value store is switched off in `[api.endpoints]`."
        );
        return None;
    }
    let expires = payload.get("ttl").and_then(ttl).and_then(|ttl| state.now().checked_add(ttl).ok()).map(|at| at.min(Timestamp::MAX));
    Some(Pair { namespace, key, value, expires })
}

async fn store(state: &ApiState, pair: Pair) -> Result<(), Fault> {
    let Pair { namespace, key, value, expires } = pair;
    match state.pairs().put_until(&namespace, &key, &value, expires, &Condition::Always).await {
        Ok(_) => Ok(()),
        Err(KvError::Full { namespace, limit }) => {
            Err(Fault::bad_request(format!("Max number of keys ({limit}) reached in namespace: {namespace}")))
        }
        Err(error @ KvError::TooLong { .. }) => Err(Fault::bad_request(error.to_string())),
        Err(error) => Err(Fault::internal(FAILED, &error)),
    }
}

/// How long a pair is kept: of a text its leading digits count, in milliseconds.
fn ttl(value: &Value) -> Option<SignedDuration> {
    let millis = match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|float| float as i64))?,
        Value::String(text) => {
            let text = text.trim_start();
            let digits = text.find(|c: char| !c.is_ascii_digit()).map_or(text, |end| &text[..end]);
            digits.parse().ok()?
        }
        _ => return None,
    };
    (millis > 0).then(|| SignedDuration::from_millis(millis))
}

/// What became of it all.
#[derive(Debug, Default)]
struct Answer {
    started: Vec<Value>,
    invalid: Vec<Value>,
    denied: Vec<Value>,
    by_tag: Vec<Value>,
    tags_denied: Vec<Value>,
    by_property: Vec<Value>,
    properties_denied: Vec<Value>,
    /// Tasks that were to be started, and could not be.
    failed: Vec<Value>,
}

impl Answer {
    fn of(report: StartReport) -> Self {
        let mut answer = Self::default();
        let mut held_back = Vec::new();
        for selection in report.selections {
            let by_id = matches!(selection.by, Selector::Task(_));
            for task in selection.tasks {
                let id = json!({ "taskId": task.id });
                match (task.outcome, task.name) {
                    (StartOutcome::Started { .. }, name) => {
                        let started = match selection.by {
                            Selector::Task(_) => &mut answer.started,
                            Selector::Tag(_) => &mut answer.by_tag,
                            Selector::CustomProperty(_) => &mut answer.by_property,
                        };
                        started.push(json!({ "taskId": task.id, "taskName": name }));
                    }
                    (StartOutcome::Failed { why, may_run }, Some(name)) => {
                        answer.failed.push(json!({ "taskId": task.id, "taskName": name, "message": why, "mayRun": may_run }));
                    }
                    (StartOutcome::Denied, _) if by_id => answer.denied.push(id),
                    (StartOutcome::HeldBack, _) => held_back.push(id),
                    (StartOutcome::Denied, _) => {}
                    _ if by_id => answer.invalid.push(id),
                    _ => {}
                }
            }
            match selection.by {
                Selector::Tag(tag) if selection.denied => answer.tags_denied.push(json!({ "tag": tag })),
                Selector::CustomProperty(PropertyValue { name, value }) if selection.denied => {
                    answer.properties_denied.push(json!({ "name": name, "value": value }));
                }
                _ => {}
            }
        }
        answer.denied.append(&mut held_back);
        answer
    }

    /// Of ids that nobody can look up.
    fn unknown(ids: Vec<String>, starter: &crate::qlik::start::Starter) -> Self {
        let filter = starter.settings().filter.as_ref();
        let is_denied = |id: &String| {
            let Some(id) = task_id(id) else { return false };
            filter.is_some_and(|filter| !filter.allows(id, &TaskFacts::default()))
        };
        let (denied, invalid): (Vec<_>, Vec<_>) = ids.into_iter().partition(is_denied);
        let listed = |ids: Vec<String>| ids.into_iter().map(|id| json!({ "taskId": id })).collect();
        Self { denied: listed(denied), invalid: listed(invalid), ..Self::default() }
    }

    fn into_json(self) -> Value {
        let mut answer = json!({
            "tasksId": { "started": self.started, "invalid": self.invalid, "denied": self.denied },
            "tasksTag": self.by_tag,
            "tasksTagDenied": self.tags_denied,
            "tasksCP": self.by_property,
            "tasksCPDenied": self.properties_denied,
        });
        // Of old there was nothing to see of these; who does not know the member overlooks it.
        if !self.failed.is_empty() {
            answer["tasksFailed"] = self.failed.into();
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_pair_is_kept() {
        let millis = |value: Value| ttl(&value).map(|ttl| ttl.as_millis());
        for (value, kept) in [
            (json!(5000), Some(5000)),
            (json!(1500.9), Some(1500)),
            (json!("5000"), Some(5000)),
            (json!(" 20s"), Some(20)),
            (json!(0), None),
            (json!(-1), None),
            (json!("-5"), None),
            (json!(""), None),
            (json!("soon"), None),
            (json!(null), None),
            (json!([5]), None),
        ] {
            assert_eq!(millis(value.clone()), kept, "{value}");
        }
    }
}
