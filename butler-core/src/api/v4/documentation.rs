//! `/documentation`: what there is under `/v4`, for people and for programs.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Request};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::answer::{self, Fault};
use super::{Routes, document, unknown};
use crate::api::page::Page;

const PAGE: Page = Page { title: "Butler API documentation", document: "/documentation/json", parts: "/documentation/static/" };

const YAML: HeaderValue = HeaderValue::from_static("application/x-yaml");

/// About the endpoints that there are, on a server that is reached at `origin`.
pub(super) fn routes(routes: Routes, origin: &str) -> Routes {
    let document = Arc::new(document::published(&routes.documented, origin));
    let json = Bytes::from(document.to_string());
    routes
        .page("/documentation", async || PAGE.show())
        .page("/documentation/", async || PAGE.show())
        .page("/documentation/json", async move || answer::json_text(json))
        .page("/documentation/yaml", async move || match serde_saphyr::to_string(&*document) {
            Ok(text) => Ok(([(CONTENT_TYPE, YAML)], text)),
            Err(error) => Err(Fault::internal("The documentation can't be written as YAML", &error)),
        })
        .page("/documentation/static/{*part}", part)
}

async fn part(Path(part): Path<String>, request: Request) -> Response {
    match part.as_str() {
        "index.html" => (StatusCode::FOUND, [(LOCATION, HeaderValue::from_static("/documentation/"))]).into_response(),
        part => match PAGE.part(part) {
            Some(response) => response,
            None => unknown(request).await,
        },
    }
}
