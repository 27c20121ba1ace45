//! What happens to a request before it is routed: its address is looked at, and a `POST` may stand for another method.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, Method, Uri};
use axum::response::Response;
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;

use super::answer::{bad_url, no_route};

/// Qlik's REST connector can only `GET` and `POST`; what a `POST` stands for is said here.
const OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
/// The methods whose addresses are looked at; others are not known here.
const KNOWN: [Method; 5] = [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE];

/// The request as it is to be routed, or the answer to one that can't be.
#[expect(clippy::result_large_err, reason = "it is taken apart at once, and the good case is as large")]
pub(in crate::api) fn prepare(mut request: Request<Incoming>) -> Result<Request<Incoming>, Response<Body>> {
    if is_ours(request.uri().path()) {
        return Ok(request);
    }
    if request.method() == Method::POST
        && let Some(token) = request.headers().get(OVERRIDE)
    {
        let token = String::from_utf8_lossy(token.as_bytes()).trim().to_ascii_uppercase();
        match Method::from_bytes(token.as_bytes()) {
            Ok(method) => *request.method_mut() = method,
            Err(_) => return Err(no_route(&token, &sent(request.uri()))),
        }
    }
    let uri = request.uri();
    let means_something = |part: &str| escapes_are_whole(part) && percent_decode_str(part).decode_utf8().is_ok();
    let makes_sense = means_something(uri.path()) && uri.query().is_none_or(means_something);
    if KNOWN.contains(request.method()) && !makes_sense {
        return Err(bad_url(&sent(uri)));
    }
    Ok(request)
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
