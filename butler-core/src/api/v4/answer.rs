//! What `/v4` answers, to the letter: types, members and texts that load scripts know.

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// JSON that is declared as such.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_string(body) {
        Ok(text) => (status, [(CONTENT_TYPE, JSON)], text).into_response(),
        Err(error) => Fault::internal("The answer can't be written", &error).into_response(),
    }
}

/// JSON that was written before.
pub(super) fn json_text(text: Bytes) -> Response {
    ([(CONTENT_TYPE, JSON)], text).into_response()
}

/// JSON that is declared as text: so some endpoints always did, and scripts parse it themselves.
pub(super) fn json_as_text(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_string(body) {
        Ok(body) => text(status, body),
        Err(error) => Fault::internal("The answer can't be written", &error).into_response(),
    }
}

/// Text.
pub(super) fn text(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, TEXT)], body).into_response()
}

/// Done, and nothing to say.
pub(super) fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    status: StatusCode,
    code: Option<&'static str>,
    message: String,
}

impl Fault {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, code: None, message: message.into() }
    }

    /// The request can't be carried out as it is.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// Butler, or something that it needs, failed. The text is the endpoint's own; why it failed goes to the log.
    pub(super) fn internal(message: &'static str, why: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %why, "{message}.");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// The body or the query is not as the endpoint takes it.
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self { code: Some("FST_ERR_VALIDATION"), ..Self::bad_request(message) }
    }

    /// The request could not be taken at all, for which there is a code.
    pub(super) fn coded(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Some(code), ..Self::new(status, message) }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let Self { status, code, message } = self;
        let error = status.canonical_reason().unwrap_or_default();
        let body = match code {
            Some(code) => json!({ "statusCode": status.as_u16(), "code": code, "error": error, "message": message }),
            None => json!({ "statusCode": status.as_u16(), "error": error, "message": message }),
        };
        (status, [(CONTENT_TYPE, JSON)], body.to_string()).into_response()
    }
}

/// An unknown route, with the method that counted and the address as it was sent.
pub(super) fn no_route(method: &str, url: &str) -> Response {
    let body = json!({ "message": format!("Route {method}:{url} not found"), "error": "Not Found", "statusCode": 404 });
    (StatusCode::NOT_FOUND, [(CONTENT_TYPE, JSON)], body.to_string()).into_response()
}

/// An address with an escape that means nothing. It is declared without a character set, unlike all else.
pub(super) fn bad_url(url: &str) -> Response {
    let message = format!("'{url}' is not a valid url component");
    let body = json!({ "error": "Bad Request", "code": "FST_ERR_BAD_URL", "message": message, "statusCode": 400 });
    (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body.to_string()).into_response()
}

/// Too many requests; `seconds` until more are taken.
pub(super) fn too_many(seconds: u64) -> Response {
    let words = match seconds {
        60 => "1 minute".to_owned(),
        1 => "1 second".to_owned(),
        seconds => format!("{seconds} seconds"),
    };
    Fault::new(StatusCode::TOO_MANY_REQUESTS, format!("Rate limit exceeded, retry in {words}")).into_response()
}
