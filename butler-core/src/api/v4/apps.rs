//! Apps: which there are, what is in one, and reloading one.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::Routes;
use super::answer::{Fault, json};
use super::input::Sent;
use crate::api::ApiState;
use crate::qlik::engine::{Apps, AppsError, ReloadMode, ReloadRequest};

pub(super) fn list(routes: Routes) -> Routes {
    const FAILED: &str = "Failed getting list of Sense apps";
    let list = async |State(state): State<ApiState>| match apps(&state, FAILED)?.list(None).await {
        Ok(apps) => Ok(json(StatusCode::OK, &apps)),
        Err(error) => Err(Fault::internal(FAILED, &error)),
    };
    routes.get("/v4/apps/list", list).get("/v4/senselistapps", list)
}

pub(super) fn dump(routes: Routes) -> Routes {
    const FAILED: &str = "Failed dumping app";
    let dump = async |State(state): State<ApiState>, Path(app): Path<String>| match apps(&state, FAILED)?.dump(None, &app).await {
        Ok(dump) => Ok(json(StatusCode::OK, &dump)),
        Err(error) => Err(Fault::internal(FAILED, &error)),
    };
    routes.get("/v4/app/{appId}/dump", dump).get("/v4/senseappdump/{appId}", dump)
}

pub(super) fn reload(routes: Routes) -> Routes {
    routes.put("/v4/app/{appId}/reload", begin)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reload {
    /// A number with a fraction of nothing is whole, too.
    reload_mode: Option<f64>,
    #[serde(default)]
    partial_reload: bool,
    #[serde(default, rename = "startQSEoWTaskOnSuccess")]
    on_success: Vec<String>,
    #[serde(default, rename = "startQSEoWTaskOnFailure")]
    on_failure: Vec<String>,
}

/// That it is answered means that the app is open, not that it is reloaded.
async fn begin(State(state): State<ApiState>, Path(app): Path<String>, sent: Sent<Reload>) -> Result<Response, Fault> {
    const FAILED: &str = "Failed reloading app";
    let Reload { reload_mode, partial_reload, on_success, on_failure } = sent.0;
    // A number that no mode has counts as the first, also where it is too large.
    let mode = ReloadMode::of(reload_mode.map_or(0, |mode| mode as i64));
    // What a script has left empty names no task.
    let named = |tasks: Vec<String>| tasks.into_iter().filter(|task| !task.trim().is_empty()).collect();
    let (on_success, on_failure) = (named(on_success), named(on_failure));
    let request = ReloadRequest { site: None, app: app.clone(), mode, partial: partial_reload, on_success, on_failure };
    // Which tasks follow is not filtered here: so it has always been.
    match apps(&state, FAILED)?.reload_unfiltered(request).await {
        Ok(()) => Ok(json(StatusCode::CREATED, &json!({ "appId": app }))),
        Err(error @ AppsError::TooManyTasks { .. }) => Err(Fault::bad_request(error.to_string())),
        Err(error) => Err(Fault::internal(FAILED, &error)),
    }
}

fn apps<'a>(state: &'a ApiState, failed: &'static str) -> Result<&'a Apps, Fault> {
    state.apps().ok_or_else(|| Fault::internal(failed, &AppsError::NoSite))
}
