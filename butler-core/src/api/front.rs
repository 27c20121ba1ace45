//! What every request passes first: it gets an id, its sender is found out, what is nobody's business here is turned away, and what became of it is logged.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use super::auth::{Access, Caller, Shown, Who};
use super::denial::Denial;
use super::watched::Late;
use super::{guard, log};

/// By which name a request can be found again, with the one who sent it, with us, and in between.
const REQUEST_ID: &str = "x-request-id";
/// How long a client may leave its connection idle, in words for it.
const KEEP_ALIVE: &str = "timeout=72";
/// A longer id is not taken over.
const LONGEST_ID: usize = 64;

/// What only says whether the program lives, which whoever starts and stops it asks without a token.
const OPEN_TO_ALL: [&str; 3] = ["/healthz", "/health", "/readyz"];

/// What describes the API, and nothing that it holds: a browser that opens a page sends no token.
const DESCRIPTIONS: [&str; 3] = ["/documentation", "/api/docs", "/api/openapi.json"];

/// Whether everybody may see what is at a path.
pub(super) fn is_open(path: &str) -> bool {
    let is_below = |at: &str| path.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    OPEN_TO_ALL.contains(&path) || DESCRIPTIONS.into_iter().any(is_below)
}

/// Lets a request through to its route, or turns it away.
pub(super) async fn pass(State(access): State<Access>, request: Request, next: Next) -> Response {
    let id = request_id(&request);
    let span = tracing::info_span!("request", id);
    let mut response = admit(access, request, next).instrument(span).await;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert("keep-alive", HeaderValue::from_static(KEEP_ALIVE));
    response
}

async fn admit(access: Access, mut request: Request, next: Next) -> Response {
    let address = client(&request);
    let entry = log::Entry::of(&request, address);
    let (who, answered) = match judge(&access, &request, address) {
        Ok(caller) => {
            let who = caller.who.clone();
            request.extensions_mut().insert(caller);
            let late = request.extensions().get::<Late>().cloned();
            let answered = next.run(request).await;
            match late {
                // Whatever the route made of half a body.
                Some(late) if late.is_so() => (who, too_late(entry.path())),
                _ => (who, answered),
            }
        }
        Err(denial) => (Who::Anonymous, denial.answer(request.uri().path())),
    };
    entry.write(&who, &answered);
    answered
}

fn judge(access: &Access, request: &Request, address: Option<IpAddr>) -> Result<Caller, Denial> {
    guard::check(request)?;
    match access.identify(request.headers(), address, request.extensions().get::<Shown>()) {
        Ok(caller) => Ok(caller),
        Err(_) if is_open(request.uri().path()) && request.method().is_safe() => {
            Ok(Caller { who: Who::Anonymous, scopes: crate::config::Scopes::NONE, address })
        }
        Err(why) => Err(Denial::unknown(why.words())),
    }
}

fn too_late(path: &str) -> Response {
    let denial = Denial::new(StatusCode::REQUEST_TIMEOUT, "the body of the request did not come within the time for it");
    let mut response = denial.answer(path);
    // The rest of it may still come, and is no new request.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Where a request came from.
fn client(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical())
}

/// The id that the sender gave, if it is one that can stand in a log, else a new one.
fn request_id(request: &Request) -> String {
    let fine = |c: u8| c.is_ascii_alphanumeric() || b"-_.:".contains(&c);
    let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let given = given.filter(|id| (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(fine));
    given.map_or_else(|| uuid::Uuid::new_v4().simple().to_string(), str::to_owned)
}

/// Whether an answer says that its request was not let through.
pub(super) fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// Whether a request may have changed something.
pub(super) fn changes(method: &Method) -> bool {
    !method.is_safe()
}
