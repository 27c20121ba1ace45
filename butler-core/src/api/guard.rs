//! Turns away what a page in somebody's browser sends to an address of this machine.
//!
//! A browser lets any page send requests to `127.0.0.1`. Two headers that a page can't forge give them away: `Origin`, with the page's own address, and `Host`, with the name that it
//! reached us by. A name of its own that it lets resolve to `127.0.0.1` would make both equal, so on loopback only the loopback's own names are taken.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::answer::Fault;

/// What is known about the address that is listened on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guard {
    /// Only this machine can reach it.
    pub(super) is_loopback: bool,
}

impl Guard {
    fn fault(self, headers: &HeaderMap) -> Option<Fault> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let host = text(HOST);
        if self.is_loopback && host.is_some_and(|host| !is_loopback_name(host)) {
            let fault = Fault::new(StatusCode::FORBIDDEN, format!("`{}` is no name of this machine's loopback", host.unwrap_or_default()));
            return Some(fault.remedy("Address it as 127.0.0.1, [::1] or localhost."));
        }
        let is_foreign = text(ORIGIN).is_some_and(|origin| Some(origin.split_once("://").map_or(origin, |(_, host)| host)) != host);
        is_foreign.then(|| Fault::new(StatusCode::FORBIDDEN, "pages of other origins may not ask"))
    }
}

/// Whether this is how the loopback is called, with or without a port.
fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Lets a request pass, or answers it.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.fault(request.headers()) {
        Some(fault) => fault.into_response(),
        None => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn programs_and_own_pages_pass_and_foreign_pages_do_not() {
        for (host, origin, passes) in [
            ("127.0.0.1:8080", None, true),
            ("localhost:8080", None, true),
            ("[::1]:8080", None, true),
            ("127.0.0.1", Some("http://127.0.0.1"), true),
            ("localhost:8080", Some("http://localhost:8080"), true),
            ("127.0.0.1:8080", Some("https://evil.example"), false),
            ("127.0.0.1:8080", Some("http://127.0.0.1:9999"), false),
            ("127.0.0.1:8080", Some("null"), false),
            ("rebound.example:8080", None, false),
            ("rebound.example:8080", Some("http://rebound.example:8080"), false),
            ("127.0.0.1.evil.example", None, false),
        ] {
            let fault = Guard { is_loopback: true }.fault(&headers(host, origin));
            assert_eq!(fault.is_none(), passes, "{host} {origin:?}: {fault:?}");
        }
    }

    #[test]
    fn an_address_that_others_may_reach_has_any_name() {
        let guard = Guard { is_loopback: false };
        assert!(guard.fault(&headers("butler.example.com:8080", None)).is_none());
        assert!(guard.fault(&headers("butler.example.com:8080", Some("https://evil.example"))).is_some());
    }
}
