//! Schedules: what is done at which times.

use std::fmt::Write as _;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::MethodRouter;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Routes;
use super::answer::{Fault, json, json_as_text, nothing, text};
use super::input::{Asked, Sent};
use crate::api::ApiState;
use crate::schedule::{Rules, Schedule, ScheduleError, Schedules, Startup, State as Running, Targets, is_task_id};

const ALL: &str = "/v4/schedules";
const ONE: &str = "/v4/schedules/{scheduleId}";
const STATUS: &str = "/v4/schedules/status";
const START_ALL: &str = "/v4/schedules/startall";
const STOP_ALL: &str = "/v4/schedules/stopall";
/// A script whose variable is empty asks for this one.
const NAMELESS: &str = "/v4/schedules/";

const LOOKING_UP: &str = "Failed retrieving schedule";
const ADDING: &str = "Failed adding new schedule";
const UPDATING: &str = "Failed updating schedule";
const DELETING: &str = "Failed deleting schedule";

pub(super) fn create(routes: Routes) -> Routes {
    routes.post(ALL, add)
}

pub(super) fn list(routes: Routes) -> Routes {
    routes.get(ALL, all_or_one)
}

pub(super) fn status(routes: Routes) -> Routes {
    routes.get(STATUS, which_run)
}

pub(super) fn update(mut routes: Routes) -> Routes {
    for path in [ONE, NAMELESS, STATUS] {
        routes = routes.at(&Method::PUT, path, ONE, change, None);
    }
    // Where these are switched off, they are not taken for a schedule.
    routes.router = [START_ALL, STOP_ALL].into_iter().fold(routes.router, |router, path| router.route(path, MethodRouter::new()));
    routes
}

pub(super) fn delete(routes: Routes) -> Routes {
    // A schedule may be called as these are.
    [ONE, NAMELESS, STATUS, START_ALL, STOP_ALL]
        .into_iter()
        .fold(routes, |routes, path| routes.at(&Method::DELETE, path, ONE, remove, None))
}

pub(super) fn start(routes: Routes) -> Routes {
    const PATH: &str = "/v4/schedules/{scheduleId}/start";
    let one = async |State(state): State<ApiState>, Id(id): Id| set_one(&state, &id, Running::Started).await;
    let all = async |State(state): State<ApiState>| set_all(&state, Running::Started).await;
    let routes = routes.at(&Method::PUT, PATH, PATH, one, None).at(&Method::PUT, "/v4/schedules//start", PATH, one, None);
    routes.put(START_ALL, all)
}

pub(super) fn stop(routes: Routes) -> Routes {
    const PATH: &str = "/v4/schedules/{scheduleId}/stop";
    let one = async |State(state): State<ApiState>, Id(id): Id| set_one(&state, &id, Running::Stopped).await;
    let all = async |State(state): State<ApiState>| set_all(&state, Running::Stopped).await;
    let routes = routes.at(&Method::PUT, PATH, PATH, one, None).at(&Method::PUT, "/v4/schedules//stop", PATH, one, None);
    routes.put(STOP_ALL, all)
}

/// The id in the address, in any characters: `/v4/schedules/ID[/...]`.
struct Id(String);

impl<S: Sync> FromRequestParts<S> for Id {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Fault> {
        let id = parts.uri.path().split('/').nth(3).unwrap_or_default();
        Ok(Self(percent_decode_str(id).decode_utf8_lossy().into_owned()))
    }
}

fn desk<'a>(state: &'a ApiState, failed: &'static str) -> Result<&'a Schedules, Fault> {
    state.services().schedules.as_ref().ok_or_else(|| Fault::internal(failed, &"this server was put together without schedules"))
}

/// Why a schedule is as it was. `failed` is what is said if it is our fault, `unfound` if there is no such schedule.
fn refused(error: ScheduleError, failed: &'static str, unfound: String) -> Fault {
    match error {
        ScheduleError::Unknown(_) => Fault::bad_request(unfound),
        error @ (ScheduleError::Exists(_) | ScheduleError::Store(_) | ScheduleError::BrokenOff) => Fault::internal(failed, &error),
        error => Fault::bad_request(format!("REST SCHEDULER: {error}.")),
    }
}

/// The same of what a body made of a schedule, with the times that it names.
fn refused_as(error: ScheduleError, sent: Option<String>, failed: &'static str, unfound: String) -> Fault {
    match error {
        ScheduleError::When { text, why } => {
            let given = sent.unwrap_or(text);
            tracing::info!(schedule = given, %why, "The times of a schedule can't be read.");
            Fault::bad_request(format!("REST SCHEDULER: Invalid cronSchedule \"{given}\"."))
        }
        error => refused(error, failed, unfound),
    }
}

#[derive(Debug, Deserialize)]
struct OfId {
    id: Option<String>,
}

/// What the list of all tells of one, in this order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<&'a str>,
    name: &'a str,
    cron_schedule: &'a str,
    timezone: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    qlik_sense_task_id: Option<&'a str>,
    startup_state: Startup,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a [String]>,
    last_known_state: Running,
}

impl<'a> Listed<'a> {
    fn of(schedule: &'a Schedule) -> Self {
        Self {
            id: &schedule.id,
            created: schedule.created.as_deref(),
            name: &schedule.name,
            cron_schedule: &schedule.when,
            timezone: &schedule.timezone,
            qlik_sense_task_id: schedule.task.as_deref(),
            startup_state: schedule.startup,
            tags: schedule.tags.as_deref(),
            last_known_state: schedule.state,
        }
    }
}

/// All of them declared as JSON and in brief, but one that is asked for as it is stored, in a list and declared as text: so it always was.
async fn all_or_one(State(state): State<ApiState>, Asked(OfId { id }): Asked<OfId>) -> Result<Response, Fault> {
    let schedules = desk(&state, LOOKING_UP)?;
    let Some(id) = id else {
        let all = schedules.all();
        return Ok(json(StatusCode::OK, &all.iter().map(|listed| Listed::of(&listed.schedule)).collect::<Vec<_>>()));
    };
    match schedules.get(&id) {
        Some(listed) => Ok(json_as_text(StatusCode::OK, &[&*listed.schedule])),
        None => Err(Fault::bad_request(format!("REST SCHEDULER: Schedule ID {id} not found."))),
    }
}

/// A line for each whose times are known.
async fn which_run(State(state): State<ApiState>) -> Result<Response, Fault> {
    let mut lines = "{\n".to_owned();
    for listed in desk(&state, "Failed retrieving scheduler status")?.all().iter().filter(|listed| listed.zone.is_some()) {
        let Schedule { id, when, .. } = &*listed.schedule;
        let status = if listed.schedule.is_running() { "Running" } else { "Stopped" };
        // Writing to a text does not fail.
        let _ = writeln!(lines, "'{id}': {when} status: {status} ");
    }
    lines.push('}');
    Ok(text(StatusCode::OK, lines))
}

async fn add(State(state): State<ApiState>, Sent(body): Sent<Map<String, Value>>) -> Result<Response, Fault> {
    let schedules = desk(&state, ADDING)?;
    let change = Change::read(body, &state)?;
    let sent = change.when.clone();
    let schedule = change.made_to(Schedule::new("", ""));
    let made = schedules.create(schedule).await.map_err(|error| refused_as(error, sent, ADDING, ADDING.to_owned()))?;
    warn_of_task(&made);
    Ok(json_as_text(StatusCode::CREATED, &*made))
}

async fn change(State(state): State<ApiState>, Id(id): Id, Sent(body): Sent<Map<String, Value>>) -> Result<Response, Fault> {
    let schedules = desk(&state, UPDATING)?;
    let change = Change::read(body, &state)?;
    let sent = change.when.clone();
    let settings = schedules.clone();
    let edit = move |old: Schedule| {
        let (startup, is_mute) = (old.startup, settings.settings().timetable(&old).is_err());
        let new = change.made_to(old);
        // Whoever sends back all that was shown to them wants to start or stop nothing.
        let counts = is_mute || new.startup.state() != startup.state();
        Schedule { state: if counts { new.startup.state() } else { new.state }, ..new }
    };
    let unfound = || format!("REST SCHEDULER: Update for schedule ID {id} failed.");
    let changed = schedules.edit(&id, edit).await.map_err(|error| refused_as(error, sent, UPDATING, unfound()))?;
    warn_of_task(&changed);
    Ok(json_as_text(StatusCode::OK, &*changed))
}

/// There may be no such task yet, so this is no fault.
fn warn_of_task(schedule: &Schedule) {
    if let Some(task) = schedule.task.as_deref().filter(|task| schedule.action.is_none() && !is_task_id(task)) {
        tracing::warn!(
            id = schedule.id,
            name = schedule.name,
            task,
            "A schedule names a task by what is no id of a task; it will not be started."
        );
    }
}

async fn remove(State(state): State<ApiState>, Id(id): Id) -> Result<Response, Fault> {
    let unfound = |error| refused(error, DELETING, format!("REST SCHEDULER: Delete for schedule ID {id} failed."));
    desk(&state, DELETING)?.remove(&id).await.map_err(unfound)?;
    Ok(nothing())
}

/// What starting or stopping is called when it fails, for us and for the client.
fn failing(to: Running) -> (&'static str, &'static str) {
    match to {
        Running::Started => ("Failed starting schedule", "REST SCHEDULER: Failed starting schedule ID"),
        Running::Stopped => ("Failed stopping schedule", "REST SCHEDULER: Failed stopping schedule ID"),
    }
}

async fn set_one(state: &ApiState, id: &str, to: Running) -> Result<Response, Fault> {
    let (failed, refusing) = failing(to);
    let unfit = || format!("{refusing} {id}.");
    let set = desk(state, failed)?.set_state(id, to).await.map_err(|error| match error {
        error @ ScheduleError::When { .. } => {
            tracing::info!(id, %error, "A schedule can't be started.");
            Fault::bad_request(unfit())
        }
        error => refused(error, failed, unfit()),
    })?;
    Ok(json_as_text(StatusCode::OK, &[&*set]))
}

async fn set_all(state: &ApiState, to: Running) -> Result<Response, Fault> {
    let (failed, _) = failing(to);
    let all = desk(state, failed)?.set_all(to).await.map_err(|error| refused(error, failed, failed.to_owned()))?;
    Ok(json_as_text(StatusCode::OK, &all.iter().map(|schedule| &**schedule).collect::<Vec<_>>()))
}

/// What a body says of a schedule. What it does not say is none.
#[derive(Debug)]
struct Change {
    name: Option<String>,
    when: Option<String>,
    timezone: Option<String>,
    task: Option<String>,
    startup: Option<Startup>,
    tags: Option<Vec<String>>,
    starts: Option<Targets>,
    action: Option<String>,
    rules: Option<Rules>,
    more: Map<String, Value>,
}

impl Change {
    fn read(mut body: Map<String, Value>, state: &ApiState) -> Result<Self, Fault> {
        // Whoever sends these sends back what was shown to them.
        for ours in ["id", "created", "lastKnownState", "origin"] {
            body.shift_remove(ours);
        }
        let change = Self {
            name: take(&mut body, "name")?,
            when: take(&mut body, "cronSchedule")?,
            timezone: take(&mut body, "timezone")?,
            task: take(&mut body, "qlikSenseTaskId")?,
            startup: take(&mut body, "startupState")?,
            tags: take(&mut body, "tags")?,
            starts: take(&mut body, "starts")?,
            action: take(&mut body, "action")?,
            rules: take(&mut body, "rules")?,
            more: body,
        };
        if let Some(starts) = &change.starts {
            check(starts, state)?;
        }
        Ok(change)
    }

    fn made_to(self, schedule: Schedule) -> Schedule {
        let mut more = schedule.more;
        more.extend(self.more);
        Schedule {
            name: self.name.unwrap_or(schedule.name),
            when: self.when.unwrap_or(schedule.when),
            timezone: self.timezone.unwrap_or(schedule.timezone),
            task: self.task.or(schedule.task),
            startup: self.startup.unwrap_or(schedule.startup),
            tags: self.tags.or(schedule.tags),
            starts: self.starts.unwrap_or(schedule.starts),
            action: self.action.or(schedule.action).filter(|action| !action.is_empty()),
            rules: self.rules.unwrap_or(schedule.rules),
            more,
            ..schedule
        }
    }
}

/// Takes a member out of a body; what is sent as `null` is as if it had never been set.
fn take<T: DeserializeOwned + Default>(body: &mut Map<String, Value>, name: &str) -> Result<Option<T>, Fault> {
    match body.shift_remove(name) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(T::default())),
        Some(value) => serde_json::from_value(value).map(Some).map_err(|error| unusable(name, &error)),
    }
}

fn unusable(name: &str, why: &dyn std::fmt::Display) -> Fault {
    Fault::bad_request(format!("REST SCHEDULER: `{name}` can't be used: {why}."))
}

/// Whether tasks are named as they have to be, at a site that there is.
fn check(starts: &Targets, state: &ApiState) -> Result<(), Fault> {
    if let Some(task) = starts.tasks.iter().find(|task| !is_task_id(task)) {
        return Err(unusable("starts", &format!("`{task}` is no id of a task")));
    }
    let sites = &state.plan().sites;
    match starts.site.as_deref().filter(|name| !sites.keys().any(|site| site.as_str() == *name)) {
        Some(name) => Err(unusable("starts", &format!("there is no site `{name}`"))),
        None => Ok(()),
    }
}
