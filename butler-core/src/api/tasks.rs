//! Tasks: which there are, and starting them.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use tower_http::timeout::TimeoutLayer;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ApiState;
use super::admin::{Answer, body, query};
use super::answers::Problem;
use super::auth::{Caller, behind, check, require, require_any};
use super::problem::Refusal;
use crate::config::Scope;
use crate::event::SiteName;
use crate::qlik::start::{ListedTask, StartError, StartReport, StartRequest, Starter};

/// How long these may take: the repository may be slow, and whoever starts a task has to hear what became of it.
const TIMEOUT: Duration = Duration::from_mins(3);
/// The longest body of a start; there may be many pairs in it.
const LONGEST_BODY: usize = 1 << 20;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    let list = behind(require_any(&[Scope::Read, Scope::TasksStart]), OpenApiRouter::new().routes(routes!(list)));
    let start = behind(require(Scope::TasksStart), OpenApiRouter::new().routes(routes!(start)));
    list.merge(start).route_layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
struct Listing {
    /// Of this site alone.
    #[param(inline)]
    site: Option<SiteName>,
}

/// List tasks, and whether they may be started
#[utoipa::path(
    get, path = "/api/tasks", tag = "Tasks", params(Listing),
    responses(
        (status = OK, body = Vec<ListedTask>, description = "All tasks of the site, or of all sites."),
        (status = CONFLICT, body = Problem, description = "No site is configured whose repository could be asked."),
    )
)]
async fn list(State(state): State<ApiState>, uri: Uri) -> Answer<Vec<ListedTask>> {
    let Listing { site } = query(&uri)?;
    Ok(Json(starter(&state)?.tasks(site.as_ref()).await?))
}

/// Start tasks
///
/// Tasks are chosen by id, by tag and by custom property; pairs for the key-value store are stored before, which takes the scope `kv:write` as well. What became of each task is told
/// one by one, and some may have been started where others were not.
#[utoipa::path(
    post, path = "/api/tasks/start", tag = "Tasks", request_body = StartRequest,
    responses(
        (status = OK, body = StartReport, description = "What became of each task."),
        (status = CONFLICT, body = Problem, description = "No site is configured whose repository could be asked, or a namespace can't hold the pairs."),
    )
)]
async fn start(State(state): State<ApiState>, Extension(caller): Extension<Caller>, request: Request) -> Result<Response, Refusal> {
    let order: StartRequest = body(request, LONGEST_BODY).await?;
    if !order.pairs.is_empty()
        && let Err(denial) = check(&caller, Scope::KvWrite.alone())
    {
        return Ok(denial.into_response());
    }
    Ok(Json(starter(&state)?.start(order).await?).into_response())
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
