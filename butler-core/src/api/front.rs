//! What every request passes first: it gets an id, its sender is found out, what is nobody's business here is turned away, and what became of it is logged.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use super::auth::{Access, Caller, Shown, Who};
use super::denial::Denial;
use super::v4::Unroutable;
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
    // Whoever lets only what went wrong into the log still wants to know of which request.
    let span = tracing::error_span!("request", id);
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
    let mut entry = log::Entry::of(&request, address);
    let answered = match judge(&access, &request, address) {
        Ok(caller) => {
            entry.is_of(&caller.who);
            request.extensions_mut().insert(caller);
            let late = request.extensions().get::<Late>().cloned();
            let answered = match request.extensions().get::<Unroutable>() {
                Some(unroutable) => unroutable.answer(request.uri()),
                None => next.run(request).await,
            };
            match late {
                Some(late) if late.is_so() => too_late(entry.path(), answered),
                _ => answered,
            }
        }
        Err(denial) => denial.answer(request.uri().path()),
    };
    entry.write(&answered);
    answered
}

fn judge(access: &Access, request: &Request, address: Option<IpAddr>) -> Result<Caller, Denial> {
    let identified = access.identify(request.headers(), address, request.extensions().get::<Shown>());
    // A browser sends no token by itself, and a foreign page knows none.
    let by_token = matches!(&identified, Ok(Caller { who: Who::Token(_), .. }));
    guard::check(request, by_token)?;
    match identified {
        Ok(caller) => Ok(caller),
        Err(_) if is_open(request.uri().path()) && request.method().is_safe() => {
            Ok(Caller { who: Who::Anonymous, scopes: crate::config::Scopes::NONE, address })
        }
        Err(why) => Err(Denial::unknown(why.words())),
    }
}

/// The answer to a request whose body did not come in time. A route that can tell more of it has said so; what others made of half a body does not count.
fn too_late(path: &str, answered: Response) -> Response {
    let denial = Denial::new(StatusCode::REQUEST_TIMEOUT, "the body of the request did not come within the time for it");
    let is_said = answered.status() == StatusCode::REQUEST_TIMEOUT;
    let mut response = if is_said { answered } else { denial.answer(path) };
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

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::{get, post};
    use futures_util::FutureExt;
    use tower::Service;

    use super::*;
    use crate::testkit::Logs;

    fn app() -> Router {
        let endless =
            Router::new().route("/api/change", post(std::future::pending::<()>)).route("/api/see", get(std::future::pending::<()>));
        endless.layer(axum::middleware::from_fn_with_state(Access::default(), pass))
    }

    fn request(method: Method, path: &str) -> Request {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost").body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 5000))));
        request
    }

    #[tokio::test]
    async fn what_a_client_changes_is_on_record_also_when_it_does_not_wait_for_the_answer() {
        let logs = Logs::keep();
        for (method, path) in [(Method::POST, "/api/change"), (Method::GET, "/api/see")] {
            assert!(app().call(request(method, path)).now_or_never().is_none(), "it was answered");
        }
        let lines = logs.lines();
        let audited: Vec<_> = lines.iter().filter(|line| line.starts_with("butler::audit")).collect();
        assert!(
            matches!(&audited[..], [line] if line.contains("who=anonymous address=127.0.0.1 method=POST path=\"/api/change\"") && line.contains("may have been done")),
            "{lines:?}"
        );
        assert_eq!(lines.iter().filter(|line| line.starts_with("butler::access")).count(), 2, "{lines:?}");
    }

    #[test]
    fn a_route_that_tells_how_much_of_a_body_it_took_is_heard() {
        let told = Response::builder().status(408).body(Body::from("40 lines")).unwrap();
        let (told, other) = (too_late("/api/kv/import", told), too_late("/api/tokens", Response::new(Body::empty())));
        for response in [&told, &other] {
            assert_eq!((response.status().as_u16(), &response.headers()["connection"]), (408, &HeaderValue::from_static("close")));
        }
        assert_eq!((told.headers().get("content-type"), other.headers()["content-type"].to_str().unwrap()), (None, "application/json"));
    }
}
