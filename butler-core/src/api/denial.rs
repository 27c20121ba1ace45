//! Requests that are turned away before they reach a route, in the words of the API that they asked.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::answers::Problem;

/// Why a request is turned away. It is answered in one form below `/v4`, and in another everywhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Denial {
    status: StatusCode,
    error: String,
    remedy: Option<String>,
}

impl Denial {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), remedy: None }
    }

    /// Whoever asks is not known.
    pub(super) fn unknown(error: impl Into<String>) -> Self {
        let remedy = "Send a token in the header `Authorization: Bearer TOKEN`; `butler-cli token create` makes one.";
        Self::new(StatusCode::UNAUTHORIZED, error).remedy(remedy)
    }

    /// The same, with what to do about it.
    pub(super) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// The answer to somebody who asked for `path`.
    pub(super) fn answer(self, path: &str) -> Response {
        if path.starts_with("/v4/") { self.for_script() } else { self.into_response() }
    }

    /// The answer to somebody who asked below `/v4`.
    pub(super) fn for_script(self) -> Response {
        let Self { status, error, remedy } = self;
        let reason = status.canonical_reason().unwrap_or_default();
        let body = json!({ "statusCode": status.as_u16(), "error": reason, "message": sentence(&error, remedy.as_deref()) });
        let body = (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body.to_string());
        denied(status, error, body)
    }
}

/// The answer to everybody else.
impl IntoResponse for Denial {
    fn into_response(self) -> Response {
        let Self { status, error, remedy } = self;
        denied(status, error.clone(), (status, Json(Problem { error, remedy })))
    }
}

fn denied(status: StatusCode, why: String, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response.extensions_mut().insert(Why(why));
    response
}

/// Goes along with an answer, for the log.
#[derive(Debug, Clone)]
pub(super) struct Why(pub(super) String);

/// Both in one line, for who expects but one.
fn sentence(error: &str, remedy: Option<&str>) -> String {
    remedy.map_or_else(|| error.to_owned(), |remedy| format!("{error}. {remedy}"))
}
