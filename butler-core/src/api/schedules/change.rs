//! Making, changing and running schedules.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{NewSchedule, OfSchedule, ShownSchedule, schedules, shown};
use crate::api::ApiState;
use crate::api::admin::{Answer, body, query};
use crate::api::answers::Problem;
use crate::api::problem::Refusal;
use crate::schedule::{Schedule, State as Runs};
use crate::store::RunOutcome;

/// The longest body; there may be a list of tasks in it.
const LONGEST_BODY: usize = 64 << 10;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(replace, remove))
        .routes(routes!(enable))
        .routes(routes!(disable))
        .routes(routes!(start))
        .routes(routes!(stop))
}

/// What takes as long as the tasks do.
pub(super) fn run_routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(run))
}

/// Nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Make a schedule
#[utoipa::path(
    post, path = "/api/schedules", tag = "Schedules", request_body = NewSchedule,
    responses(
        (status = CREATED, body = ShownSchedule, description = "It is there, and counts from now on."),
        (status = BAD_REQUEST, body = Problem, description = "Nobody can tell when it is due, or there is nothing that it could do."),
        (status = NOT_FOUND, body = Problem, description = "This Butler was put together without schedules."),
        (status = CONFLICT, body = Problem, description = "There is one with this id already, or the scheduler is switched off."),
    )
)]
async fn create(State(state): State<ApiState>, request: Request) -> Result<(StatusCode, Json<ShownSchedule>), Refusal> {
    let new: NewSchedule = body(request, LONGEST_BODY).await?;
    let schedules = schedules(&state)?;
    let made = schedules.create(new.schedule(&state)?).await?;
    tracing::info!(id = made.id, name = made.name, schedule = made.when, "A schedule was made on somebody's word.");
    Ok((StatusCode::CREATED, shown(schedules, &made.id)?))
}

/// Change a schedule
///
/// The one that is sent takes its place, as a whole.
#[utoipa::path(
    put, path = "/api/schedule", tag = "Schedules", params(OfSchedule), request_body = NewSchedule,
    responses(
        (status = OK, body = ShownSchedule, description = "It counts from now on."),
        (status = BAD_REQUEST, body = Problem, description = "Nobody can tell when it is due, or there is nothing that it could do."),
        (status = NOT_FOUND, body = Problem, description = "There is no such schedule."),
        (status = CONFLICT, body = Problem, description = "It stands in the configuration, or the scheduler is switched off."),
    )
)]
async fn replace(State(state): State<ApiState>, uri: Uri, request: Request) -> Answer<ShownSchedule> {
    let OfSchedule { id } = query(&uri)?;
    let new: NewSchedule = body(request, LONGEST_BODY).await?;
    if new.id.as_ref().is_some_and(|other| *other != id) {
        return Err(Refusal::bad_request("the id of a schedule can't be changed").remedy("Leave `id` out of the body."));
    }
    let schedules = schedules(&state)?;
    let new = new.schedule(&state)?;
    // Members that only others know stay.
    schedules.edit(&id, move |old| Schedule { more: old.more, ..new }).await?;
    tracing::info!(id, "A schedule was changed on somebody's word.");
    shown(schedules, &id)
}

/// Remove a schedule, with its history
#[utoipa::path(
    delete, path = "/api/schedule", tag = "Schedules", params(OfSchedule),
    responses(
        (status = NO_CONTENT, description = "It is gone."),
        (status = NOT_FOUND, body = Problem, description = "There is no such schedule."),
        (status = CONFLICT, body = Problem, description = "It stands in the configuration, or the scheduler is switched off."),
    )
)]
async fn remove(State(state): State<ApiState>, uri: Uri) -> Result<StatusCode, Refusal> {
    let OfSchedule { id } = query(&uri)?;
    schedules(&state)?.remove(&id).await?;
    tracing::info!(id, "A schedule was removed on somebody's word.");
    Ok(StatusCode::NO_CONTENT)
}

/// Let a schedule run, now and whenever Butler starts
#[utoipa::path(
    post, path = "/api/schedule/enable", tag = "Schedules", params(OfSchedule),
    request_body(content = inline(Nothing), description = "An empty object, or nothing at all."),
    responses(
        (status = OK, body = ShownSchedule, description = "It runs."),
        (status = NOT_FOUND, body = Problem, description = "There is no such schedule."),
        (status = CONFLICT, body = Problem, description = "It stands in the configuration, or the scheduler is switched off."),
    )
)]
async fn enable(State(state): State<ApiState>, uri: Uri, request: Request) -> Answer<ShownSchedule> {
    set_enabled(&state, &uri, request, true).await
}

/// Let a schedule no longer run, neither now nor when Butler starts
#[utoipa::path(
    post, path = "/api/schedule/disable", tag = "Schedules", params(OfSchedule),
    request_body(content = inline(Nothing), description = "An empty object, or nothing at all."),
    responses(
        (status = OK, body = ShownSchedule, description = "It does not run."),
        (status = NOT_FOUND, body = Problem, description = "There is no such schedule."),
        (status = CONFLICT, body = Problem, description = "It stands in the configuration, or the scheduler is switched off."),
    )
)]
async fn disable(State(state): State<ApiState>, uri: Uri, request: Request) -> Answer<ShownSchedule> {
    set_enabled(&state, &uri, request, false).await
}

/// Let a schedule run, until Butler is started again
#[utoipa::path(
    post, path = "/api/schedule/start", tag = "Schedules", params(OfSchedule),
    request_body(content = inline(Nothing), description = "An empty object, or nothing at all."),
    responses(
        (status = OK, body = ShownSchedule, description = "It runs."),
        (status = NOT_FOUND, body = Problem, description = "There is no such schedule."),
        (status = CONFLICT, body = Problem, description = "The scheduler is switched off."),
    )
)]
async fn start(State(state): State<ApiState>, uri: Uri, request: Request) -> Answer<ShownSchedule> {
    set_state(&state, &uri, request, Runs::Started).await
}

/// Let a schedule no longer run, until Butler is started again
#[utoipa::path(
    post, path = "/api/schedule/stop", tag = "Schedules", params(OfSchedule),
    request_body(content = inline(Nothing), description = "An empty object, or nothing at all."),
    responses(
        (status = OK, body = ShownSchedule, description = "It does not run."),
        (status = NOT_FOUND, body = Problem, description = "There is no such schedule."),
        (status = CONFLICT, body = Problem, description = "The scheduler is switched off."),
    )
)]
async fn stop(State(state): State<ApiState>, uri: Uri, request: Request) -> Answer<ShownSchedule> {
    set_state(&state, &uri, request, Runs::Stopped).await
}

/// Run a schedule now
///
/// Beside its occurrences, and whether or not it runs. It is waited for what becomes of that: while the repository can't be reached, the start of a task is tried again for `retry_for`.
#[utoipa::path(
    post, path = "/api/schedule/run", tag = "Schedules", params(OfSchedule),
    request_body(content = inline(Nothing), description = "An empty object, or nothing at all."),
    responses(
        (status = OK, body = RunOutcome, description = "What became of it."),
        (status = NOT_FOUND, body = Problem, description = "There is no such schedule."),
        (status = CONFLICT, body = Problem, description = "The scheduler is switched off."),
    )
)]
async fn run(State(state): State<ApiState>, uri: Uri, request: Request) -> Answer<RunOutcome> {
    let OfSchedule { id } = query(&uri)?;
    let Nothing {} = body(request, LONGEST_BODY).await?;
    tracing::info!(id, "A schedule is run on somebody's word.");
    Ok(Json(schedules(&state)?.run_now(&id).await?))
}

async fn set_enabled(state: &ApiState, uri: &Uri, request: Request, enabled: bool) -> Answer<ShownSchedule> {
    let OfSchedule { id } = query(uri)?;
    let Nothing {} = body(request, LONGEST_BODY).await?;
    let schedules = schedules(state)?;
    schedules.set_enabled(&id, enabled).await?;
    tracing::info!(id, enabled, "A schedule was switched on or off on somebody's word.");
    shown(schedules, &id)
}

async fn set_state(state: &ApiState, uri: &Uri, request: Request, runs: Runs) -> Answer<ShownSchedule> {
    let OfSchedule { id } = query(uri)?;
    let Nothing {} = body(request, LONGEST_BODY).await?;
    let schedules = schedules(state)?;
    schedules.set_state(&id, runs).await?;
    tracing::info!(id, state = ?runs, "A schedule was started or stopped on somebody's word.");
    shown(schedules, &id)
}
