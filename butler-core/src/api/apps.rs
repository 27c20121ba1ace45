//! Apps: which there are, what is in one, and reloading one.

use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tower_http::timeout::TimeoutLayer;

use super::ApiState;
use super::admin::{Answer, body, query};
use super::auth::require;
use super::problem::Refusal;
use crate::config::Scope;
use crate::event::SiteName;
use crate::qlik::engine::{AppSummary, Apps, AppsError, ReloadRequest};

/// How long these may take: the engine may be slow to open a large app.
const TIMEOUT: Duration = Duration::from_mins(3);
/// The longest body.
const LONGEST_BODY: usize = 1 << 16;

pub(super) fn routes() -> Router<ApiState> {
    let see = Router::new().route("/api/apps", get(list)).route("/api/apps/{id}/dump", get(dump)).route_layer(require(Scope::Read));
    let change = Router::new().route("/api/apps/reload", post(reload)).route_layer(require(Scope::TasksStart));
    see.merge(change).route_layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Of {
    site: Option<SiteName>,
}

async fn list(State(state): State<ApiState>, uri: Uri) -> Answer<Vec<AppSummary>> {
    let Of { site } = query(&uri)?;
    Ok(Json(apps(&state)?.list(site.as_ref()).await?))
}

async fn dump(State(state): State<ApiState>, Path(id): Path<String>, uri: Uri) -> Answer<Map<String, Value>> {
    let Of { site } = query(&uri)?;
    Ok(Json(apps(&state)?.dump(site.as_ref(), &id).await?))
}

/// Says no more than that the app is open; how the reload goes is told in the log.
async fn reload(State(state): State<ApiState>, request: Request) -> Result<(StatusCode, Json<Value>), Refusal> {
    let order: ReloadRequest = body(request, LONGEST_BODY).await?;
    let app = order.app.clone();
    apps(&state)?.reload(order).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "app": app }))))
}

fn apps(state: &ApiState) -> Result<&Apps, Refusal> {
    state.apps().ok_or_else(|| Refusal::from(AppsError::NoSite))
}

impl From<AppsError> for Refusal {
    fn from(error: AppsError) -> Self {
        let status = match &error {
            AppsError::WhichSite { .. } | AppsError::UnknownSite { .. } => StatusCode::BAD_REQUEST,
            AppsError::NoSite => StatusCode::CONFLICT,
            AppsError::Busy { .. } | AppsError::Ending => StatusCode::SERVICE_UNAVAILABLE,
            AppsError::Engine(error) if error.is_unknown_app() => StatusCode::NOT_FOUND,
            AppsError::Engine(_) => StatusCode::BAD_GATEWAY,
        };
        tracing::warn!(%error, "A request about apps was not carried out.");
        Self::new(status, error.to_string())
    }
}
