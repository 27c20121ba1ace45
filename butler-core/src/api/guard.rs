//! What only a browser would send that was led here by a foreign web page.
//!
//! A page can make the browser of an administrator send requests to an address on loopback. It can't read the answers, unless it made its own name point here, which
//! the `Host` betrays; and it can't say that it is somebody else, which `Origin` and `Sec-Fetch-Site` tell.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};

use super::denial::Denial;

/// The address at which a connection arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived(pub(super) SocketAddr);

/// Refuses what a foreign page led here. Whoever shows a token that counts is no such page; what a proxy made of its `Host` and `Origin` does not matter then.
pub(super) fn check(request: &Request, by_token: bool) -> Result<(), Denial> {
    let at = request.extensions().get::<Arrived>().map(|Arrived(at)| *at);
    // Of a connection about which nothing is known the worst is assumed.
    let on_loopback = at.is_none_or(|at| at.ip().to_canonical().is_loopback());
    judge(request.method(), request.headers(), on_loopback, by_token)
}

fn judge(method: &Method, headers: &HeaderMap, on_loopback: bool, by_token: bool) -> Result<(), Denial> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next().map(|host| host.to_str()), hosts.next()) {
        (Some(Ok(host)), None) => host,
        _ => return Err(Denial::new(StatusCode::BAD_REQUEST, "the request has to have one `Host`")),
    };
    if by_token {
        return Ok(());
    }
    if on_loopback && !is_this_machine(host) {
        let remedy = "Ask for localhost or 127.0.0.1, or show a token; a proxy on this machine has to set `Host` to one of them, or to pass the token on.";
        return Err(Denial::new(StatusCode::FORBIDDEN, "the `Host` of the request is not this machine").remedy(remedy));
    }
    if method.is_safe() {
        return Ok(());
    }
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let foreign = |origin: &String| origin.split_once("://").is_none_or(|(_, authority)| !authority.eq_ignore_ascii_case(host));
    let crosses = |site: &String| site != "same-origin" && site != "none";
    if headers.get(ORIGIN).map(text).is_some_and(|origin| foreign(&origin))
        || headers.get("sec-fetch-site").map(text).is_some_and(|site| crosses(&site))
    {
        return Err(Denial::new(StatusCode::FORBIDDEN, "a web page from elsewhere may not change anything here"));
    }
    Ok(())
}

/// Whether a `Host` is a name or address that always means the machine itself.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(method: &Method, headers: &[(&'static str, &str)], on_loopback: bool) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        assert_eq!(judge(method, &map, on_loopback, true).is_ok(), map.get_all("host").iter().count() == 1, "whoever shows a token");
        judge(method, &map, on_loopback, false).is_ok()
    }

    #[test]
    fn on_loopback_only_this_machine_is_meant() {
        for host in ["localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.2:80", "[::1]:8080", "[::ffff:127.0.0.1]"] {
            assert!(passes(&Method::GET, &[("host", host)], true), "{host}");
        }
        for host in ["", "evil.example", "evil.example:8080", "localhost.evil.example", "10.0.0.1:8080", "127.0.0.1.evil.example", "[::2]"]
        {
            assert!(!passes(&Method::GET, &[("host", host)], true), "{host}");
        }
        assert!(passes(&Method::GET, &[("host", "butler.example:8080")], false));
        assert!(!passes(&Method::GET, &[], false));
        assert!(!passes(&Method::GET, &[("host", "localhost"), ("host", "evil.example")], true));
    }

    #[test]
    fn a_foreign_page_reads_what_it_is_given_and_changes_nothing() {
        let host = ("host", "127.0.0.1:8080");
        for good in [
            &[host][..],
            &[host, ("origin", "http://127.0.0.1:8080")],
            &[host, ("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8080")],
            &[host, ("sec-fetch-site", "none")],
        ] {
            assert!(passes(&Method::POST, good, true), "{good:?}");
        }
        for bad in [
            &[host, ("origin", "http://evil.example")][..],
            &[host, ("origin", "null")],
            &[host, ("origin", "http://127.0.0.1:9999")],
            &[host, ("sec-fetch-site", "cross-site")],
            &[host, ("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:8080")],
        ] {
            assert!(!passes(&Method::POST, bad, true), "{bad:?}");
            assert!(!passes(&Method::DELETE, bad, false), "{bad:?}");
            assert!(passes(&Method::GET, bad, true), "{bad:?}");
        }
    }
}
