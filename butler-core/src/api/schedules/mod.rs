//! `/api/schedules`: what is to be done at which times, and what became of it.
//!
//! The id of a schedule is told in the query and not in the path: it may be of any characters, and a path would not bring all of them (`.`, `..`) through clients and proxies unchanged.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /api/schedules` | all of them, each with its zone and when it is due next ([`ShownSchedule`]) |
//! | `POST /api/schedules` | makes one: [`NewSchedule`] in |
//! | `GET /api/schedule?id=` | one |
//! | `PUT /api/schedule?id=` | puts another in its place: [`NewSchedule`] in, without an id |
//! | `DELETE /api/schedule?id=` | removes it, with its history |
//! | `GET /api/schedule/next?id=&count=` | when it is due next, or would be if it ran ([`NextRuns`]) |
//! | `GET /api/schedule/history?id=&max=` | what became of its occurrences, newest first ([`ScheduleRun`]) |
//! | `POST /api/schedule/enable?id=`, `.../disable?id=` | lets it run or not, now and whenever Butler starts |
//! | `POST /api/schedule/start?id=`, `.../stop?id=` | lets it run or not, until Butler is started again |
//! | `POST /api/schedule/run?id=` | runs it now, and tells what became of that ([`RunOutcome`](crate::store::RunOutcome)) |
//! | `GET /api/schedules/export` | all as a schedule file of the original (`application/yaml`) |
//! | `POST /api/schedules/import?time_zone=&original_zone=&replace=&dry_run=` | makes those of such a file (`application/yaml`), once ([`ImportReport`](crate::schedule::yaml::ImportReport)) |
//!
//! What stands in the configuration can be started, stopped and run, but is changed there. A run lasts as long as it is tried to start the tasks; it goes on if nobody waits for it any more.

mod change;
mod new;
mod refusal;
mod shown;
#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;
mod transfer;

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use tower_http::timeout::TimeoutLayer;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ApiState;
use super::admin::{Answer, query};
use super::answers::Problem;
use super::auth::{behind, require, require_any};
use super::problem::Refusal;
use crate::config::Scope;
use crate::schedule::{ListedSchedule, ScheduleError, Schedules};
use crate::store::ScheduleRun;

pub use new::NewSchedule;
pub use shown::{NextRuns, ShownSchedule};

/// How long a request may take, but for a run and an import.
const TIMEOUT: Duration = Duration::from_secs(30);
/// So many times are told at once at most.
const MOST_TIMES: usize = 1000;
/// So many occurrences are listed at once at most.
const LONGEST_PAGE: usize = 1000;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    let see = OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(next))
        .routes(routes!(history))
        .merge(transfer::see_routes());
    let see = behind(require_any(&[Scope::Read, Scope::Schedules]), see);
    let change = behind(require(Scope::Schedules), change::routes());
    let run = behind(require(Scope::Schedules), change::run_routes().merge(transfer::change_routes()));
    see.merge(change).route_layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT)).merge(run)
}

/// Which schedule is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct OfSchedule {
    /// Its id.
    id: String,
}

/// List schedules
#[utoipa::path(
    get, path = "/api/schedules", tag = "Schedules",
    responses(
        (status = OK, body = Vec<ShownSchedule>, description = "All of them, in the order in which they were made."),
        (status = NOT_FOUND, body = Problem, description = "This Butler was put together without schedules."),
    )
)]
async fn list(State(state): State<ApiState>) -> Answer<Vec<ShownSchedule>> {
    let schedules = schedules(&state)?;
    Ok(Json(schedules.all().iter().map(|listed| ShownSchedule::of(listed, schedules.settings())).collect()))
}

/// Show a schedule
#[utoipa::path(
    get, path = "/api/schedule", tag = "Schedules", params(OfSchedule),
    responses(
        (status = OK, body = ShownSchedule, description = "What it is, and when it is due next."),
        (status = NOT_FOUND, body = Problem, description = "There is no such schedule."),
    )
)]
async fn show(State(state): State<ApiState>, uri: Uri) -> Answer<ShownSchedule> {
    let OfSchedule { id } = query(&uri)?;
    shown(schedules(&state)?, &id)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct OfTimes {
    /// Its id.
    id: String,
    /// How many times, and never more than 1000.
    #[serde(default = "usual_times")]
    count: usize,
}

fn usual_times() -> usize {
    5
}

/// Tell when a schedule is due next
///
/// Or would be, if it does not run. An occurrence may begin later by as much as `jitter` allows.
#[utoipa::path(
    get, path = "/api/schedule/next", tag = "Schedules", params(OfTimes),
    responses(
        (status = OK, body = NextRuns, description = "The times, the nearest first; fewer if there are no more."),
        (status = BAD_REQUEST, body = Problem, description = "Nobody can tell when it is due."),
        (status = NOT_FOUND, body = Problem, description = "There is no such schedule."),
    )
)]
async fn next(State(state): State<ApiState>, uri: Uri) -> Answer<NextRuns> {
    let OfTimes { id, count } = query(&uri)?;
    let schedules = schedules(&state)?;
    let times = schedules.next(&id, count.min(MOST_TIMES))?;
    Ok(Json(NextRuns::of(&known(schedules, &id)?, times)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct OfPast {
    /// Its id.
    id: String,
    /// At most so many, and never more than 1000.
    #[serde(default = "usual_page")]
    max: usize,
}

fn usual_page() -> usize {
    100
}

/// Tell what became of a schedule's occurrences
///
/// Those that were missed are among them. A task that was started has an `end` once it is known how it ended.
#[utoipa::path(
    get, path = "/api/schedule/history", tag = "Schedules", params(OfPast),
    responses(
        (status = OK, body = Vec<ScheduleRun>, description = "The latest of them, newest first."),
        (status = NOT_FOUND, body = Problem, description = "There is no such schedule."),
    )
)]
async fn history(State(state): State<ApiState>, uri: Uri) -> Answer<Vec<ScheduleRun>> {
    let OfPast { id, max } = query(&uri)?;
    Ok(Json(schedules(&state)?.history(&id, max.min(LONGEST_PAGE)).await?))
}

fn schedules(state: &ApiState) -> Result<&Schedules, Refusal> {
    state.services().schedules.as_ref().ok_or_else(|| Refusal::not_found("this Butler was put together without schedules"))
}

fn known(schedules: &Schedules, id: &str) -> Result<ListedSchedule, Refusal> {
    Ok(schedules.get(id).ok_or_else(|| ScheduleError::Unknown(id.to_owned()))?)
}

fn shown(schedules: &Schedules, id: &str) -> Answer<ShownSchedule> {
    Ok(Json(ShownSchedule::of(&known(schedules, id)?, schedules.settings())))
}
