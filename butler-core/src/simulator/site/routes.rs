//! What the repository knows, and where it is asked for.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::collection::{Collection, Pick};
use super::execution::Run;
use super::filter::{Filter, fits, makes_sense};
use super::objects::View;
use super::reply::Reply;
use super::requests::SiteRequest;
use super::run::begin;
use super::script_log::with_crlf;
use super::shared::Shared;
use super::state::{ExecutionRecord, ScriptLogApi};
use super::subscriptions;

/// Whether the answer is about what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    Told,
    /// It is about something else of the same sort.
    Lie,
}

/// The answer to a request that has passed all checks.
pub(super) fn reply(shared: &Arc<Shared>, asked: &SiteRequest, truth: Truth) -> Reply {
    let parts: Vec<_> = asked.path.split('/').collect();
    if asked.method == "POST" {
        return match parts[..] {
            ["notification"] => subscriptions::add(shared, asked),
            ["task", id, "start"] => with_id(id, |id| start(shared, id).map_or_else(|refusal| refusal, |_| Reply::no_content())),
            ["task", id, "start", "synchronous"] => with_id(id, |id| start(shared, id).map_or_else(|refusal| refusal, session)),
            _ => Reply::not_found(),
        };
    }
    if asked.method == "DELETE" && parts[..] == ["notification"] {
        return subscriptions::remove(shared, asked);
    }
    if asked.method != "GET" {
        return Reply::not_found();
    }
    let now = shared.clock.now();
    let state = shared.state();
    let view = View { state: &state, now };
    match parts[..] {
        ["about"] => Reply::json(&view.about()),
        ["download", "reloadtask", ticket, "scriptlog.txt"] => with_id(ticket, |ticket| download(view, ticket, truth)),
        ["reloadtask", id, "scriptlog"] => with_id(id, |id| script_log_old(view, id, asked)),
        ["reloadtask", id, "scriptlogfile"] => with_id(id, |id| script_log_new(view, id, asked)),
        [name] => list(shared, view, name, asked, truth, Collection::condensed),
        [name, "full"] => list(shared, view, name, asked, truth, |_, _, whole| whole),
        [name, "count"] => count(shared, view, name, asked),
        // Real repositories know no single task of any type; each type has its own place.
        ["task", _] => Reply::not_found(),
        [name, id] => with_id(id, |id| single(view, name, id, truth)),
        _ => Reply::not_found(),
    }
}

fn with_id(text: &str, answer: impl FnOnce(Uuid) -> Reply) -> Reply {
    let id = text.parse().ok().filter(|_| text.len() == 36);
    id.map_or_else(|| Reply::text(400, format!("`{text}` is not a valid id")), answer)
}

fn single(view: View<'_>, name: &str, id: Uuid, truth: Truth) -> Reply {
    let Some(collection) = Collection::read(name) else { return Reply::not_found() };
    let found = match truth {
        Truth::Told => collection.objects(view, Pick::id(id)).pop(),
        Truth::Lie => collection.objects(view, Pick::ALL).into_iter().find(|object| object["id"] != json!(id)),
    };
    found.map_or_else(Reply::not_found, |object| Reply::json(&object))
}

fn list(
    shared: &Shared,
    view: View<'_>,
    name: &str,
    asked: &SiteRequest,
    truth: Truth,
    show: impl Fn(Collection, View<'_>, Value) -> Value,
) -> Reply {
    let Some(collection) = Collection::read(name) else { return Reply::not_found() };
    let shown = |objects: Vec<Value>| Reply::json(&objects.into_iter().map(|object| show(collection, view, object)).collect());
    match (wanted(shared, collection, asked), truth) {
        (Err(refusal), _) => refusal,
        (Ok(None), _) => shown(collection.objects(view, Pick::ALL)),
        (Ok(Some(filter)), Truth::Told) => shown(fitting(view, collection, &filter)),
        (Ok(Some(filter)), Truth::Lie) => {
            let other = collection.objects(view, Pick::ALL).into_iter().find(|object| !fits(&filter, object));
            shown(other.into_iter().collect())
        }
    }
}

/// How many objects fit.
fn count(shared: &Shared, view: View<'_>, name: &str, asked: &SiteRequest) -> Reply {
    let Some(collection) = Collection::read(name) else { return Reply::not_found() };
    let count = match wanted(shared, collection, asked) {
        Err(refusal) => return refusal,
        Ok(None) => collection.objects(view, Pick::ALL).len(),
        Ok(Some(filter)) => fitting(view, collection, &filter).len(),
    };
    Reply::json(&json!({ "value": count }))
}

/// The filter of a request, if it has one.
fn wanted(shared: &Shared, collection: Collection, asked: &SiteRequest) -> Result<Option<Filter>, Reply> {
    let Some(text) = asked.parameter("filter") else { return Ok(None) };
    let parsed = text.parse::<Filter>().ok().filter(|filter| makes_sense(filter, shared.shapes.of(collection)));
    parsed.map(Some).ok_or_else(|| Reply::text(400, format!("Cannot parse the expression: {text}")))
}

fn fitting(view: View<'_>, collection: Collection, filter: &Filter) -> Vec<Value> {
    let pick = Pick { id: filter.pinned("id"), execution: filter.pinned("executionID"), stopped: filter.range("stopTime") };
    collection.objects(view, pick).into_iter().filter(|object| fits(filter, object)).collect()
}

/// The answer to whoever wants to know which execution was started.
fn session(execution: Uuid) -> Reply {
    Reply { status: 201, ..Reply::json(&json!({ "value": execution })) }
}

/// The ticket for an execution's script log.
fn ticket(execution: &ExecutionRecord) -> Uuid {
    Uuid::new_v5(&execution.id, b"script log")
}

fn script_log_old(view: View<'_>, task: Uuid, asked: &SiteRequest) -> Reply {
    if view.state.script_log_api == ScriptLogApi::New {
        return Reply::not_found();
    }
    let Some(reference) = asked.parameter("fileReferenceId") else { return Reply::text(400, "Missing parameter value(s)") };
    with_id(reference, |reference| {
        let is_it = |execution: &&ExecutionRecord| view.named_log(execution).is_some_and(|log| log.reference == reference);
        issue(view, task, is_it)
    })
}

fn script_log_new(view: View<'_>, task: Uuid, asked: &SiteRequest) -> Reply {
    if view.state.script_log_api == ScriptLogApi::Old {
        return Reply::not_found();
    }
    let Some(result) = asked.parameter("executionResultId") else { return Reply::text(400, "Missing parameter value(s)") };
    with_id(result, |result| issue(view, task, |execution| execution.id == result && view.named_log(execution).is_some()))
}

fn issue(view: View<'_>, task: Uuid, is_it: impl Fn(&&ExecutionRecord) -> bool) -> Reply {
    let execution = view.state.executions.iter().filter(|execution| execution.task == task).find(is_it);
    execution.map_or_else(Reply::not_found, |execution| Reply::json(&json!({"value": ticket(execution), "schemaPath": "SelectionFile"})))
}

fn download(view: View<'_>, asked: Uuid, truth: Truth) -> Reply {
    let is_ready = |now: Timestamp| move |execution: &&ExecutionRecord| execution.script_log.as_ref().is_some_and(|log| log.ready <= now);
    let mut ready = view.state.executions.iter().filter(is_ready(view.now));
    let found = match truth {
        Truth::Told => ready.find(|execution| ticket(execution) == asked),
        Truth::Lie => ready.find(|execution| ticket(execution) != asked),
    };
    let log = found.and_then(|execution| execution.script_log.as_ref());
    log.map_or_else(Reply::not_found, |log| Reply::text(200, with_crlf(&log.text)))
}

/// Starts a task, which then runs by itself; one that runs already goes on running. The scheduler's id of the execution, or why there is none.
fn start(shared: &Arc<Shared>, id: Uuid) -> Result<Uuid, Reply> {
    let outcome = {
        let state = shared.state();
        let task = state.task(id).ok_or_else(Reply::not_found)?;
        if !task.enabled {
            return Err(Reply::text(400, "The task is disabled and can't be started."));
        }
        if let Some(running) = state.last_execution(id).filter(|execution| execution.stop.is_none()) {
            return Ok(running.execution_id);
        }
        task.when_started
    };
    let running = begin(shared, Run::new(id, outcome)).map_err(|_| Reply::not_found())?;
    let execution = running.execution();
    shared.in_background(async move {
        if let Err(error) = running.finish().await {
            tracing::warn!(task = %id, %error, "A task of the simulated site did not run as it should.");
        }
    });
    Ok(execution)
}
