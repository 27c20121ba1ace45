//! The interactive page about an API, with everything that it is made of: a browser that reaches nothing but this server shows it.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use utoipa_swagger_ui::{Config, SwaggerFile, serve};

/// What the page may do: run and show what comes from here, and ask here. The pictures in its style sheet are written into it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const SCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");

/// The name of the script that starts the page, among its parts.
const START: &str = "start.js";

/// A page about one document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// What stands above it.
    pub(super) title: &'static str,
    /// Where its document is, as a path.
    pub(super) document: &'static str,
    /// Where its parts are, as a path that ends in a slash.
    pub(super) parts: &'static str,
}

impl Page {
    /// The page itself.
    pub(super) fn show(self) -> Response {
        let Self { title, document, parts } = self;
        let page = format!(
            r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{parts}swagger-ui.css">
<link rel="stylesheet" href="{parts}index.css">
<link rel="icon" type="image/png" sizes="32x32" href="{parts}favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript; the document that it shows is <a href="{document}">here</a>.</noscript>
<script src="{parts}swagger-ui-bundle.js"></script>
<script src="{parts}{START}"></script>
</body>
</html>
"#
        );
        (policed(), [(CONTENT_TYPE, HTML)], page).into_response()
    }

    /// A part of the page; `None` if it has none of this name.
    pub(super) fn part(self, name: &str) -> Option<Response> {
        match name {
            START => Some((policed(), [(CONTENT_TYPE, SCRIPT)], self.start()).into_response()),
            // Pages of their own, or what starts them, and none of ours.
            "" | "/" | "index.html" | "swagger-initializer.js" | "oauth2-redirect.html" => None,
            name => serve(name, Arc::new(Config::default())).ok().flatten().map(file),
        }
    }

    /// The script that starts the page. Whatever address the document gives, the page asks where it came from: a server has many names, and a browser lets a page talk to no
    /// other than its own.
    fn start(self) -> String {
        let document = self.document;
        format!(
            r##"window.ui = SwaggerUIBundle({{
  url: "{document}",
  dom_id: "#swagger-ui",
  deepLinking: true,
  operationsSorter: "alpha",
  tagsSorter: "alpha",
  validatorUrl: null,
  requestInterceptor: (request) => {{
    const {{ pathname, search }} = new URL(request.url, location.href);
    request.url = location.origin + pathname + search;
    return request;
  }},
}});
"##
        )
    }
}

/// The headers of everything that belongs to a page.
fn policed() -> HeaderMap {
    let headers = [
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    headers.into_iter().collect()
}

/// What is packed is sent as it is: every browser unpacks it.
fn file(SwaggerFile { bytes, content_type, gzpipped: packed, .. }: SwaggerFile<'static>) -> Response {
    let mut headers = policed();
    if let Ok(kind) = content_type.try_into() {
        headers.insert(CONTENT_TYPE, kind);
    }
    if packed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let bytes = match bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    (StatusCode::OK, headers, bytes).into_response()
}
