//! Export and import.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::{StreamExt, TryStreamExt};
use serde::Deserialize;

use crate::api::ApiState;
use crate::api::admin::{Answer, query};
use crate::api::auth::require;
use crate::api::problem::Refusal;
use crate::config::Scope;
use crate::kv::Existing;

/// How long a client may send nothing in the midst of an import.
const PATIENCE: Duration = Duration::from_secs(30);
/// Lines of JSON. No form in a web page can send that.
const LINES: &str = "application/x-ndjson";

pub(super) fn routes() -> Router<ApiState> {
    let read = Router::new().route("/api/kv/export", get(export)).route_layer(require(Scope::KvRead));
    let change = Router::new().route("/api/kv/import", post(import)).route_layer(require(Scope::KvWrite));
    read.merge(change)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exported {
    namespace: Option<String>,
}

async fn export(State(state): State<ApiState>, uri: Uri) -> Result<Response, Refusal> {
    let Exported { namespace } = query(&uri)?;
    let lines = state.pairs().export(namespace.as_deref()).await?;
    // Who reads learns from the broken end that it is not all.
    let lines = lines.inspect_err(|error| tracing::error!(%error, "An export of pairs broke off."));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(LINES)),
        (CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"butler-kv.jsonl\"")),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Imported {
    existing: Existing,
}

async fn import(State(state): State<ApiState>, uri: Uri, request: Request) -> Answer<crate::kv::ImportReport> {
    let Imported { existing } = query(&uri)?;
    let declared = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !declared.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(LINES) {
        let refusal = Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body has to be lines of JSON, and be declared as such");
        return Err(refusal.remedy(format!("Send the header `Content-Type: {LINES}`.")));
    }
    let mut import = state.pairs().import(existing);
    let mut bits = request.into_body().into_data_stream();
    loop {
        let broke_off = |status, why: &str| {
            let lines = import.report().lines;
            Refusal::new(status, format!("{why} after {lines} lines; what was stored before stays")).remedy("Import the file once more.")
        };
        match tokio::time::timeout(PATIENCE, bits.next()).await {
            Ok(Some(Ok(bit))) => import.take(&bit).await?,
            Ok(Some(Err(_))) => return Err(broke_off(StatusCode::BAD_REQUEST, "the body broke off")),
            Ok(None) => break,
            Err(_) => return Err(broke_off(StatusCode::REQUEST_TIMEOUT, "nothing came for a while")),
        }
    }
    let report = import.finish().await?;
    tracing::info!(lines = report.lines, stored = report.stored, refused = report.refused, "Pairs were imported on somebody's word.");
    Ok(Json(report))
}
