//! What runs here, and by which configuration.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ApiState;
use super::admin::{Answer, query};
use super::answers::{Problem, Version};
use super::auth::{behind, require};
use super::problem::Refusal;
use crate::config::{Scope, ShownConfig};

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    let config = OpenApiRouter::new().routes(routes!(config));
    OpenApiRouter::new().routes(routes!(version)).merge(behind(require(Scope::Admin), config))
}

/// Tell what runs here
#[utoipa::path(get, path = "/api/version", tag = "Health", responses((status = OK, body = Version, description = "Name and version.")))]
async fn version() -> Json<Version> {
    Json(Version { name: "butler".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() })
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
struct Showing {
    /// Whether it is shown to strangers.
    share: bool,
}

/// Show the configuration that holds
///
/// Value by value, with where each is written. Secrets are masked.
#[utoipa::path(
    get, path = "/api/config", tag = "Health", params(Showing),
    responses(
        (status = OK, body = ShownConfig, description = "The configuration."),
        (status = NOT_FOUND, body = Problem, description = "This Butler was put together without a configuration."),
    )
)]
async fn config(State(state): State<ApiState>, uri: Uri) -> Answer<ShownConfig> {
    let Showing { share } = query(&uri)?;
    let config =
        state.services().config.as_ref().ok_or_else(|| Refusal::not_found("this Butler was put together without a configuration"))?;
    Ok(Json(if share { config.shown_to_strangers() } else { config.shown() }))
}
