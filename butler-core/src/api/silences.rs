//! Silences: which there are, and making and ending them.

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;

use super::ApiState;
use super::admin::{Answer, body, query};
use super::auth::require;
use super::problem::Refusal;
use crate::config::Scope;
use crate::pipeline::{NewSilence, Silence, SilenceDesk, SilenceError};

/// The longest body; there may be a list of tasks in it.
const LONGEST_BODY: usize = 64 << 10;

pub(super) fn routes() -> Router<ApiState> {
    let see = get(list).route_layer(require(Scope::Read));
    let change = post(add).route_layer(require(Scope::Admin));
    Router::new().route("/api/silences", see.merge(change)).route("/api/silences/{id}", delete(end).route_layer(require(Scope::Admin)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Listing {
    /// Whether those that are over are listed as well.
    ended: bool,
}

async fn list(State(state): State<ApiState>, uri: Uri) -> Answer<Vec<Silence>> {
    let Listing { ended } = query(&uri)?;
    let all = desk(&state)?.silences().all();
    let now = state.now();
    Ok(Json(all.iter().filter(|silence| ended || silence.until > now).cloned().collect()))
}

async fn add(State(state): State<ApiState>, request: Request) -> Result<(StatusCode, Json<Silence>), Refusal> {
    let new: NewSilence = body(request, LONGEST_BODY).await?;
    if let Some(unknown) = new.sinks.iter().find(|sink| !state.plan().sinks.contains_key(*sink)) {
        let known: Vec<_> = state.plan().sinks.keys().map(|sink| sink.as_str()).collect();
        let remedy = format!("Known: {}.", known.join(", "));
        return Err(Refusal::bad_request(format!("there is no sink `{unknown}`")).remedy(remedy));
    }
    Ok((StatusCode::CREATED, Json(desk(&state)?.add(new, "over the API").await?)))
}

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
