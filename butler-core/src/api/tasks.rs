//! Tasks: which there are, and starting them.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tower_http::timeout::TimeoutLayer;

use super::ApiState;
use super::admin::{Answer, body, query};
use super::auth::{require, require_any};
use super::problem::Refusal;
use crate::config::Scope;
use crate::event::SiteName;
use crate::qlik::start::{ListedTask, StartError, StartReport, StartRequest, Starter};

/// How long these may take: the repository may be slow, and whoever starts a task has to hear what became of it.
const TIMEOUT: Duration = Duration::from_mins(3);
/// The longest body of a start; there may be many pairs in it.
const LONGEST_BODY: usize = 1 << 20;

pub(super) fn routes() -> Router<ApiState> {
    let list = Router::new().route("/api/tasks", get(list)).route_layer(require_any(&[Scope::Read, Scope::TasksStart]));
    let start = Router::new().route("/api/tasks/start", post(start)).route_layer(require(Scope::TasksStart));
    list.merge(start).route_layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Listing {
    site: Option<SiteName>,
}

async fn list(State(state): State<ApiState>, uri: Uri) -> Answer<Vec<ListedTask>> {
    let Listing { site } = query(&uri)?;
    Ok(Json(starter(&state)?.tasks(site.as_ref()).await?))
}

async fn start(State(state): State<ApiState>, request: Request) -> Answer<StartReport> {
    let order: StartRequest = body(request, LONGEST_BODY).await?;
    Ok(Json(starter(&state)?.start(order).await?))
}

fn starter(state: &ApiState) -> Result<&Starter, Refusal> {
    state.starter().ok_or_else(|| Refusal::from(StartError::NoSite))
}

impl From<StartError> for Refusal {
    fn from(error: StartError) -> Self {
        let status = match error {
            StartError::Store(error) => return error.into(),
            StartError::WhichSite { .. } | StartError::UnknownSite { .. } | StartError::NamelessPair { .. } => StatusCode::BAD_REQUEST,
            StartError::NoSite | StartError::NamespaceFull { .. } => StatusCode::CONFLICT,
            StartError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            StartError::BrokenOff => StatusCode::INTERNAL_SERVER_ERROR,
        };
        tracing::warn!(%error, "A request about tasks was not carried out.");
        Self::new(status, error.to_string())
    }
}
