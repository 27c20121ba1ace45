//! Export and import.

use std::pin::pin;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::{StreamExt, TryStreamExt};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::ApiState;
use crate::api::admin::{Answer, query};
use crate::api::answers::Problem;
use crate::api::auth::{Access, Caller, behind, require};
use crate::api::problem::Refusal;
use crate::api::watched::Late;
use crate::config::Scope;
use crate::kv::{Existing, Line};

/// Lines of JSON. No form in a web page can send that.
const LINES: &str = "application/x-ndjson";

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    let read = behind(require(Scope::KvRead), OpenApiRouter::new().routes(routes!(export)));
    read.merge(behind(require(Scope::KvWrite), OpenApiRouter::new().routes(routes!(import))))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Exported {
    /// This namespace alone.
    namespace: Option<String>,
}

/// Export pairs
#[utoipa::path(
    get, path = "/api/kv/export", tag = "Pairs", params(Exported),
    responses(
        (status = OK, body = Line, content_type = "application/x-ndjson", description = "All pairs, or those of a namespace, as lines, each of which is one of these."),
        (status = NOT_FOUND, body = Problem, description = "There is no such namespace."),
    )
)]
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

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
struct Imported {
    /// What to do with a pair that is there already.
    #[param(inline)]
    existing: Existing,
}

/// Import pairs
#[utoipa::path(
    post, path = "/api/kv/import", tag = "Pairs", params(Imported),
    request_body(content = Line, content_type = "application/x-ndjson", description = "Lines, each of which is one of these."),
    responses((status = OK, body = crate::kv::ImportReport, description = "What became of the lines."))
)]
async fn import(
    State(state): State<ApiState>,
    Extension(access): Extension<Access>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    request: Request,
) -> Answer<crate::kv::ImportReport> {
    let Imported { existing } = query(&uri)?;
    let declared = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !declared.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(LINES) {
        let refusal = Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body has to be lines of JSON, and be declared as such");
        return Err(refusal.remedy(format!("Send the header `Content-Type: {LINES}`.")));
    }
    let late = request.extensions().get::<Late>().cloned().unwrap_or_default();
    let mut import = state.pairs().import(existing);
    let mut bits = request.into_body().into_data_stream();
    let mut over = pin!(access.over(&caller));
    loop {
        let (status, why) = tokio::select! {
            biased;
            () = &mut over => (StatusCode::UNAUTHORIZED, "the token was revoked, or has expired,"),
            bit = bits.next() => match bit {
                Some(Ok(bit)) => {
                    import.take(&bit).await?;
                    continue;
                }
                None => break,
                Some(Err(_)) if late.is_so() => (StatusCode::REQUEST_TIMEOUT, "nothing came for a while"),
                Some(Err(_)) => (StatusCode::BAD_REQUEST, "the body broke off"),
            }
        };
        let lines = import.report().lines;
        let refusal = Refusal::new(status, format!("{why} after {lines} lines; what was stored before stays"));
        return Err(refusal.remedy("Import the file once more."));
    }
    let report = import.finish().await?;
    tracing::info!(lines = report.lines, stored = report.stored, refused = report.refused, "Pairs were imported on somebody's word.");
    Ok(Json(report))
}
