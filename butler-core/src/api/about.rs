//! What runs here, and by which configuration.

use axum::extract::State;
use axum::http::Uri;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use super::ApiState;
use super::admin::{Answer, query};
use super::answers::Version;
use super::auth::require;
use super::problem::Refusal;
use crate::config::{Scope, ShownConfig};

pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/api/version", get(version)).route("/api/config", get(config).route_layer(require(Scope::Admin)))
}

async fn version() -> Json<Version> {
    Json(Version { name: "butler".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Showing {
    /// Whether it is shown to strangers.
    share: bool,
}

async fn config(State(state): State<ApiState>, uri: Uri) -> Answer<ShownConfig> {
    let Showing { share } = query(&uri)?;
    let config =
        state.services().config.as_ref().ok_or_else(|| Refusal::not_found("this Butler was put together without a configuration"))?;
    Ok(Json(if share { config.shown_to_strangers() } else { config.shown() }))
}
