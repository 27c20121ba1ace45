//! Apps: which there are, what is in one, and reloading one.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ApiState;
use super::admin::{Answer, body, query};
use super::answers::Problem;
use super::auth::{behind, require};
use super::problem::Refusal;
use crate::config::Scope;
use crate::event::SiteName;
use crate::qlik::engine::{AppSummary, Apps, AppsError, ReloadRequest};

/// The longest body.
const LONGEST_BODY: usize = 1 << 16;

/// There is no time limit here: how long the engine may take is configured with its site.
pub(super) fn routes() -> OpenApiRouter<ApiState> {
    let list = behind(require(Scope::Read), OpenApiRouter::new().routes(routes!(list)));
    let dump = behind(require(Scope::AppsDump), OpenApiRouter::new().routes(routes!(dump)));
    let change = behind(require(Scope::TasksStart), OpenApiRouter::new().routes(routes!(reload)));
    list.merge(dump).merge(change)
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
struct Of {
    /// At this site; needed where there are several and `[tasks] site` names none.
    #[param(inline)]
    site: Option<SiteName>,
}

/// List apps
#[utoipa::path(
    get, path = "/api/apps", tag = "Apps", params(Of),
    responses(
        (status = OK, body = Vec<AppSummary>, description = "The apps, in the order of the engine."),
        (status = CONFLICT, body = Problem, description = "No site is configured whose engine could be asked."),
        (status = BAD_GATEWAY, body = Problem, description = "The engine does not answer, or refuses."),
    )
)]
async fn list(State(state): State<ApiState>, uri: Uri) -> Answer<Vec<AppSummary>> {
    let Of { site } = query(&uri)?;
    Ok(Json(apps(&state)?.list(site.as_ref()).await?))
}

/// What is in an app
///
/// Its script, connections, sheets, measures, dimensions, variables and so on, without its data. Two are made at a time, and the others wait for them.
#[utoipa::path(
    get, path = "/api/apps/{id}/dump", tag = "Apps", params(("id" = String, Path, description = "Id of the app."), Of),
    responses(
        (status = OK, body = serde_json::Map<String, Value>, description = "All that the engine tells of it."),
        (status = NOT_FOUND, body = Problem, description = "There is no such app."),
        (status = CONFLICT, body = Problem, description = "No site is configured whose engine could be asked."),
        (status = BAD_GATEWAY, body = Problem, description = "The engine does not answer, or refuses."),
    )
)]
async fn dump(State(state): State<ApiState>, Path(id): Path<String>, uri: Uri) -> Answer<Map<String, Value>> {
    let Of { site } = query(&uri)?;
    Ok(Json(apps(&state)?.dump(site.as_ref(), &id).await?))
}

/// A reload that has begun.
#[derive(Debug, Serialize, ToSchema)]
struct Begun {
    /// Id of the app.
    app: String,
}

/// Reload an app
///
/// The answer says no more than that the app is open and its reload begins; how it ends is told in the log, and by the tasks that are started then. If `[tasks.start_filter]` does not
/// allow all of these, nothing is begun.
#[utoipa::path(
    post, path = "/api/apps/reload", tag = "Apps", request_body = ReloadRequest,
    responses(
        (status = ACCEPTED, body = Begun, description = "The app is open, and its reload begins."),
        (status = FORBIDDEN, body = Problem, description = "Tasks that are to follow may not be started."),
        (status = NOT_FOUND, body = Problem, description = "There is no such app."),
        (status = CONFLICT, body = Problem, description = "No site is configured whose engine could be asked."),
        (status = BAD_GATEWAY, body = Problem, description = "The engine does not answer, or refuses."),
        (status = SERVICE_UNAVAILABLE, body = Problem, description = "As many reloads as may be are under way already, or it can't be found out whether the tasks may be started."),
    )
)]
async fn reload(State(state): State<ApiState>, request: Request) -> Result<(StatusCode, Json<Begun>), Refusal> {
    let order: ReloadRequest = body(request, LONGEST_BODY).await?;
    let app = order.app.clone();
    apps(&state)?.reload(order).await?;
    Ok((StatusCode::ACCEPTED, Json(Begun { app })))
}

fn apps(state: &ApiState) -> Result<&Apps, Refusal> {
    state.apps().ok_or_else(|| Refusal::from(AppsError::NoSite))
}

impl From<AppsError> for Refusal {
    fn from(error: AppsError) -> Self {
        let status = match &error {
            AppsError::WhichSite { .. } | AppsError::UnknownSite { .. } | AppsError::NoApp | AppsError::TooManyTasks { .. } => {
                StatusCode::BAD_REQUEST
            }
            AppsError::Denied { .. } => StatusCode::FORBIDDEN,
            AppsError::NoSite => StatusCode::CONFLICT,
            AppsError::Busy { .. } | AppsError::Ending | AppsError::Tasks(_) => StatusCode::SERVICE_UNAVAILABLE,
            AppsError::Engine(error) if error.is_unknown_app() => StatusCode::NOT_FOUND,
            AppsError::Engine(_) => StatusCode::BAD_GATEWAY,
        };
        tracing::warn!(%error, "A request about apps was not carried out.");
        Self::new(status, error.to_string())
    }
}
