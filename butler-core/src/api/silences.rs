//! Silences: which there are, and making and ending them.

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ApiState;
use super::admin::{Answer, body, query};
use super::answers::Problem;
use super::auth::{Caller, behind, require};
use super::problem::Refusal;
use crate::config::Scope;
use crate::config::kinds::nearly;
use crate::pipeline::{NewSilence, Silence, SilenceDesk, SilenceError};

/// The longest body; there may be a list of tasks in it.
const LONGEST_BODY: usize = 64 << 10;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    let see = behind(require(Scope::Read), OpenApiRouter::new().routes(routes!(list)));
    let change = OpenApiRouter::new().routes(routes!(add)).routes(routes!(end));
    see.merge(behind(require(Scope::Admin), change))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
struct Listing {
    /// Whether those that are over are listed as well.
    ended: bool,
}

/// List silences
#[utoipa::path(
    get, path = "/api/silences", tag = "Silences", params(Listing),
    responses(
        (status = OK, body = Vec<Silence>, description = "The silences, the oldest first."),
        (status = NOT_FOUND, body = Problem, description = "This Butler was put together without silences."),
    )
)]
async fn list(State(state): State<ApiState>, uri: Uri) -> Answer<Vec<Silence>> {
    let Listing { ended } = query(&uri)?;
    let all = desk(&state)?.silences().all();
    let now = state.now();
    Ok(Json(all.iter().filter(|silence| ended || silence.until > now).cloned().collect()))
}

/// Ask for silence
///
/// What fits it is told to nobody between two moments; it is listed as suppressed, and can be sent after all.
#[utoipa::path(
    post, path = "/api/silences", tag = "Silences", request_body = NewSilence,
    responses(
        (status = CREATED, body = Silence, description = "The silence."),
        (status = NOT_FOUND, body = Problem, description = "This Butler was put together without silences."),
    )
)]
async fn add(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Json<Silence>), Refusal> {
    let new: NewSilence = body(request, LONGEST_BODY).await?;
    if let Some(unknown) = new.sinks.iter().find(|sink| !state.plan().sinks.contains_key(*sink)) {
        let known: Vec<_> = state.plan().sinks.keys().map(|sink| sink.as_str()).collect();
        let remedy = format!("Known: {}.", known.join(", "));
        return Err(Refusal::bad_request(format!("there is no sink `{unknown}`")).remedy(remedy));
    }
    if let Some((wrong, near)) = new.events.iter().find_map(|pattern| Some((pattern, nearly(pattern)?))) {
        return Err(Refusal::bad_request(format!("there is no event kind `{wrong}`")).remedy(format!("Did you mean `{near}`?")));
    }
    if let Some(key) = new.when.with_empty_texts().next() {
        return Err(Refusal::bad_request(format!("`when.{key}`: an empty text fits nothing")).remedy("Leave it out if anything may fit."));
    }
    Ok((StatusCode::CREATED, Json(desk(&state)?.add(new, &caller.who.to_string()).await?)))
}

/// End a silence
#[utoipa::path(
    delete, path = "/api/silences/{id}", tag = "Silences",
    params(("id" = String, Path, description = "Its id.")),
    responses(
        (status = OK, body = Silence, description = "It is over."),
        (status = NOT_FOUND, body = Problem, description = "There is no such silence."),
    )
)]
async fn end(State(state): State<ApiState>, Path(id): Path<String>) -> Answer<Silence> {
    let ended = desk(&state)?.end(&id).await?;
    ended.map(Json).ok_or_else(|| Refusal::not_found(format!("there is no silence `{id}`")))
}

fn desk(state: &ApiState) -> Result<&SilenceDesk, Refusal> {
    state.services().silences.as_deref().ok_or_else(|| Refusal::not_found("this Butler was put together without silences"))
}

impl From<SilenceError> for Refusal {
    fn from(error: SilenceError) -> Self {
        match error {
            SilenceError::Store(error) => error.into(),
            error => Self::bad_request(error.to_string()),
        }
    }
}
