//! From the repository's replies to facts: pure, and tolerant of what releases do differently.
//!
//! Members may be null, missing or unknown; an enumeration may be a number or its name; a number may be a text. What must be there is only what
//! shows that the reply is about the object that was asked for: everything else has an empty value.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::executions::EndedExecution;
use crate::event::{AppFacts, CustomProperty, Detail, ExecutionResult, ExecutionStatus, Owner, TaskFacts, TaskType};

/// The date that the repository writes where there is none.
pub(super) const NO_DATE: &str = "1753-01-01T00:00:00.000Z";

/// The object `id` of a reply that lists what fits an id: none, or one.
pub(super) fn single(reply: &Value, id: Uuid, what: &str) -> Result<Option<Value>, String> {
    let Some(list) = reply.as_array() else { return Err(format!("expected a list of {what}s, got {}", kind(reply))) };
    match list.iter().find(|item| identifier(item, "id") == Some(id)) {
        Some(found) => Ok(Some(found.clone())),
        None if list.is_empty() => Ok(None),
        None => Err(format!("none of the {} listed {what}s has the id {id}", list.len())),
    }
}

/// A reply that is one object, about `id` if it names an id at all.
pub(super) fn object(reply: Value, id: Uuid, what: &str) -> Result<Value, String> {
    match identifier(&reply, "id") {
        _ if !reply.is_object() => Err(format!("expected a {what}, got {}", kind(&reply))),
        Some(other) if other != id => Err(format!("expected the {what} {id}, got {other}")),
        _ => Ok(reply),
    }
}

/// A task of any type.
pub(super) fn task(task: &Value) -> TaskFacts {
    let app = &task["app"];
    TaskFacts {
        name: text(task, "name").unwrap_or_default(),
        task_type: task_type(task),
        app_id: identifier(app, "id").filter(|id| !id.is_nil()),
        app_name: text(app, "name"),
        tags: tags(task),
        custom_properties: custom_properties(task),
        is_manually_triggered: flag(task, "isManuallyTriggered"),
        is_partial_reload: flag(task, "isPartialReload"),
        max_retries: integer(task, "maxRetries"),
        modified_by: text(task, "modifiedByUserName"),
        modified_date: text(task, "modifiedDate"),
        session_timeout: integer(task, "taskSessionTimeout"),
        next_execution: text(&task["operational"], "nextExecution"),
    }
}

/// Whether a task is started at all; so it is unless the repository says that it is not.
pub(super) fn is_enabled(task: &Value) -> bool {
    flag(task, "enabled").unwrap_or(true)
}

/// An app.
pub(super) fn app(app: &Value) -> AppFacts {
    AppFacts {
        name: text(app, "name").unwrap_or_default(),
        description: text(app, "description"),
        file_size: integer(app, "fileSize"),
        last_reload_time: text(app, "lastReloadTime"),
        modified_date: text(app, "modifiedDate"),
        modified_by: text(app, "modifiedByUserName"),
        publish_time: text(app, "publishTime"),
        published: flag(app, "published"),
        stream: text(&app["stream"], "name"),
        tags: tags(app),
        custom_properties: custom_properties(app),
        owner_id: identifier(&app["owner"], "id").filter(|id| !id.is_nil()),
    }
}

/// A user, with every email address that the repository knows, in its order.
pub(super) fn owner(user: &Value) -> Owner {
    let is_email = |entry: &&Value| text(entry, "attributeType").is_some_and(|kind| kind.eq_ignore_ascii_case("email"));
    let emails = list(user, "attributes").iter().filter(is_email);
    Owner {
        name: text(user, "name").unwrap_or_default(),
        user_id: text(user, "userId").unwrap_or_default(),
        directory: text(user, "userDirectory").unwrap_or_default(),
        emails: emails.filter_map(|entry| text(entry, "attributeValue")).filter(|address| !address.trim().is_empty()).collect(),
    }
}

/// The last execution of a task; none for a task that never ran.
pub(super) fn last_result(task: &Value) -> Option<ExecutionResult> {
    let result = &task["operational"]["lastExecutionResult"];
    let result = result.is_object().then(|| execution_result(result))?;
    let never_ran = result.status == ExecutionStatus(0) && is_no_date(&result.start_time) && result.details.is_empty();
    (!never_ran).then_some(result)
}

/// An execution, of which nobody knows yet whether it is the wanted one.
pub(super) fn execution_result(result: &Value) -> ExecutionResult {
    let mut details: Vec<_> = list(result, "details").iter().filter(|step| step.is_object()).map(detail).collect();
    details.sort_by(|a, b| a.at.cmp(&b.at));
    ExecutionResult {
        id: identifier(result, "id"),
        execution_id: identifier(result, "executionID").or_else(|| identifier(result, "executionId")).filter(|id| !id.is_nil()),
        executing_node: text(result, "executingNodeName").unwrap_or_default(),
        status: status(&result["status"]),
        start_time: text(result, "startTime").unwrap_or_else(|| NO_DATE.to_owned()),
        stop_time: text(result, "stopTime").unwrap_or_else(|| NO_DATE.to_owned()),
        duration_ms: integer(result, "duration").unwrap_or_default(),
        file_reference: identifier(result, "fileReferenceID").or_else(|| identifier(result, "fileReferenceId")),
        script_log_size: integer(result, "scriptLogSize").unwrap_or_default(),
        details,
        certain: false,
    }
}

/// An execution of a list of those that have ended; none if it is nothing of the sort.
pub(super) fn ended_execution(result: &Value) -> Option<EndedExecution> {
    let stopped = moment(result["stopTime"].as_str()?)?;
    let named = |members: [&str; 2]| members.into_iter().find_map(|member| identifier(result, member)).filter(|id| !id.is_nil());
    let (task_id, app_id) = (named(["taskID", "taskId"]), named(["appID", "appId"]));
    Some(EndedExecution { task_id, app_id, stopped, result: execution_result(result) })
}

/// The moment of a date of the repository; none for the one that stands for no date.
pub(crate) fn moment(date: &str) -> Option<Timestamp> {
    if is_no_date(date) { None } else { date.parse().ok() }
}

fn is_no_date(date: &str) -> bool {
    date.is_empty() || date.starts_with("1753")
}

fn detail(step: &Value) -> Detail {
    Detail {
        at: text(step, "detailCreatedDate").unwrap_or_default(),
        message: text(step, "message").unwrap_or_default(),
        details_type: integer(step, "detailsType").unwrap_or_default(),
    }
}

fn task_type(task: &Value) -> Option<TaskType> {
    const NAMES: [&str; 5] = ["reload", "externalprogram", "usersync", "distribute", "preload"];
    let named = |name: &str| {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix("task").unwrap_or(&name);
        NAMES.iter().position(|known| *known == name).and_then(|code| TaskType::ALL.get(code)).copied()
    };
    if let Some(code) = integer(task, "taskType") {
        return TaskType::from_code(code);
    }
    match text(task, "taskType") {
        Some(name) => named(&name),
        // Without the member the object's own name tells; reload tasks share theirs with types that newer releases added.
        None => text(task, "schemaPath").map_or(Some(TaskType::Reload), |schema| named(&schema)),
    }
}

fn status(value: &Value) -> ExecutionStatus {
    let named = value.as_str().and_then(ExecutionStatus::from_name);
    named.or_else(|| number(value).map(ExecutionStatus)).unwrap_or(ExecutionStatus(-1))
}

fn tags(object: &Value) -> Vec<String> {
    list(object, "tags").iter().filter_map(|tag| text(tag, "name")).collect()
}

fn custom_properties(object: &Value) -> Vec<CustomProperty> {
    let entries = list(object, "customProperties").iter();
    entries.filter_map(|entry| Some(CustomProperty { name: text(&entry["definition"], "name")?, value: text(entry, "value")? })).collect()
}

fn list<'a>(object: &'a Value, member: &str) -> &'a [Value] {
    object[member].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(object: &Value, member: &str) -> Option<String> {
    object[member].as_str().map(str::to_owned)
}

fn flag(object: &Value, member: &str) -> Option<bool> {
    match &object[member] {
        Value::Bool(flag) => Some(*flag),
        Value::String(word) => word.to_ascii_lowercase().parse().ok(),
        _ => None,
    }
}

fn integer(object: &Value, member: &str) -> Option<i64> {
    number(&object[member])
}

fn number(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the repository's numbers are small; one that is not saturates")]
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)),
        Value::String(digits) => digits.trim().parse().ok(),
        _ => None,
    }
}

fn identifier(object: &Value, member: &str) -> Option<Uuid> {
    object[member].as_str().and_then(|id| id.trim().parse().ok())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
