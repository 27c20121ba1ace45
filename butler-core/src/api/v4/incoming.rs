//! What happens to a request before it is routed: its address is looked at, and a `POST` may stand for another method.

use axum::extract::Request;
use axum::http::{HeaderName, Method, Uri};
use axum::response::Response;
use percent_encoding::percent_decode_str;

use super::answer::{bad_url, no_route};

/// Qlik's REST connector can only `GET` and `POST`; what a `POST` stands for is said here.
const OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
/// The methods whose addresses are looked at; others are not known here.
const KNOWN: [Method; 5] = [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE];

/// That a request can't be routed, and why; among its extensions.
#[derive(Debug, Clone)]
pub(in crate::api) enum Unroutable {
    /// It stands for a method that is none.
    Method(String),
    /// There is an escape in its address that means nothing.
    Address,
}

impl Unroutable {
    /// The answer to it.
    pub(in crate::api) fn answer(&self, uri: &Uri) -> Response {
        match self {
            Self::Method(method) => no_route(method, &sent(uri)),
            Self::Address => bad_url(&sent(uri)),
        }
    }
}

/// The request as it is to be routed; if it can't be, that is [among its extensions](Unroutable).
pub(in crate::api) fn prepare<B>(mut request: Request<B>) -> Request<B> {
    if let Err(unroutable) = look_at(&mut request) {
        request.extensions_mut().insert(unroutable);
    }
    request
}

fn look_at<B>(request: &mut Request<B>) -> Result<(), Unroutable> {
    if is_ours(request.uri().path()) {
        return Ok(());
    }
    if request.method() == Method::POST
        && let Some(token) = request.headers().get(OVERRIDE)
    {
        let token = String::from_utf8_lossy(token.as_bytes()).trim().to_ascii_uppercase();
        *request.method_mut() = Method::from_bytes(token.as_bytes()).map_err(|_| Unroutable::Method(token))?;
    }
    let uri = request.uri();
    let means_something = |part: &str| escapes_are_whole(part) && percent_decode_str(part).decode_utf8().is_ok();
    let makes_sense = means_something(uri.path()) && uri.query().is_none_or(means_something);
    if KNOWN.contains(request.method()) && !makes_sense {
        return Err(Unroutable::Address);
    }
    Ok(())
}

/// Whether an address is one of our own, which scripts do not know.
fn is_ours(path: &str) -> bool {
    path.starts_with("/api/") || ["/health", "/healthz", "/metrics", "/readyz"].contains(&path)
}

/// The address as it was sent.
pub(super) fn sent(uri: &Uri) -> String {
    uri.path_and_query().map_or_else(String::new, ToString::to_string)
}

/// Whether every `%` is followed by two hexadecimal digits.
fn escapes_are_whole(text: &str) -> bool {
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = text.as_bytes();
    let mut escapes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    escapes.all(|(at, _)| digit(bytes.get(at + 1)) && digit(bytes.get(at + 2)))
}
