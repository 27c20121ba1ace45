//! From a request to its answer: what every request has to pass, and what goes wrong on command.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;

use super::faults::Fault;
use super::fuse::Fuse;
use super::reply::Reply;
use super::requests::SiteRequest;
use super::routes::{self, Truth};
use super::shared::Shared;

const XSRF: &str = "XSRF prevention check failed. Possible XSRF discovered.";
const MISSING: &str = "Missing parameter value(s)";
const FORBIDDEN: &str = "Forbidden";
const INACTIVE: &str = "Forbidden: Your account is inactive. Contact your administrator to activate it.";
/// Nothing that the repository is told is larger.
const LARGEST_BODY: usize = 1 << 20;
const PAGE: &str = "<!DOCTYPE html><html><head><title>Qlik Sense</title></head><body>Please log in.</body></html>";

/// The connection is broken in place of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is reset")]
pub(super) struct Broken;

pub(super) async fn answer(shared: &Arc<Shared>, fuse: &Fuse, request: Request<Incoming>) -> Result<Response<Body>, Broken> {
    let (request, body) = request.into_parts();
    let body = axum::body::to_bytes(Body::new(body), LARGEST_BODY).await.map_err(|_| Broken)?;
    let query = Query::read(request.uri.query().unwrap_or_default());
    let path = request.uri.path();
    let below = path.strip_prefix("/qrs/").map(|below| decode(below.trim_end_matches('/')));
    let asked = SiteRequest {
        method: request.method.to_string(),
        path: below.clone().unwrap_or_else(|| path.to_owned()),
        parameters: query.parameters.clone(),
        user: request.headers.get("x-qlik-user").map(|user| String::from_utf8_lossy(user.as_bytes()).into_owned()),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    shared.requests.add(asked.clone());
    let faults = shared.faults.of(&asked.path);
    let delays = faults.iter().filter_map(|fault| if let Fault::Delay(delay) = fault { Some(*delay) } else { None });
    let delay: Duration = delays.sum();
    if !delay.is_zero() {
        shared.clock.sleep(delay).await;
    }
    let fault = faults.into_iter().find(|fault| !matches!(fault, Fault::Delay(_)));
    let truth = if fault == Some(Fault::Lie) { Truth::Lie } else { Truth::Told };
    let reply = || match check(shared, &query, &request.headers, &asked) {
        Err(refused) => refused,
        Ok(()) if below.is_none() => Reply::not_found(),
        Ok(()) => routes::reply(shared, &asked, truth),
    };
    let reply = match fault {
        Some(Fault::Reset) => {
            fuse.blow();
            return Err(Broken);
        }
        Some(Fault::Cut) => {
            reply();
            fuse.blow();
            return Err(Broken);
        }
        Some(Fault::Hang) => pending().await,
        Some(Fault::Status(status)) => Reply::text(status, "on command"),
        Some(Fault::Page) => Reply::page(PAGE),
        Some(Fault::Empty) => Reply { body: String::new(), ..reply() },
        Some(Fault::Malformed) => {
            let whole = reply();
            let half: String = whole.body.chars().take(whole.body.chars().count() / 2).collect();
            Reply { body: half, ..whole }
        }
        Some(Fault::Lie | Fault::Delay(_)) | None => reply(),
    };
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = axum::http::StatusCode::from_u16(reply.status).unwrap_or_default();
    if reply.status != 204 {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    }
    Ok(response)
}

/// What every request has to pass.
fn check(shared: &Shared, query: &Query, headers: &HeaderMap, asked: &SiteRequest) -> Result<(), Reply> {
    let header = headers.get("x-qlik-xrfkey").and_then(|key| key.to_str().ok());
    let is_key = |key: &&str| key.len() == 16 && key.bytes().all(|b| b.is_ascii_alphanumeric());
    if query.key.is_none() || query.key.as_deref() != header.filter(is_key) {
        return Err(Reply::text(403, XSRF));
    }
    if query.has_gaps {
        return Err(Reply::text(400, MISSING));
    }
    on_behalf_of(shared, asked.user.as_deref()).map(drop).map_err(|why| Reply::text(403, why))
}

/// Directory and id of the user on whose behalf something is asked, or why it may not be asked.
pub(super) fn on_behalf_of<'a>(shared: &Shared, header: Option<&'a str>) -> Result<(&'a str, &'a str), &'static str> {
    let (directory, id) = header.and_then(user_of).ok_or(FORBIDDEN)?;
    let state = shared.state();
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    let known = state.users.iter().find(|user| same(&user.directory, directory) && same(&user.user_id, id));
    match known {
        Some(user) if user.inactive => Err(INACTIVE),
        Some(user) if !user.blacklisted => Ok((directory, id)),
        _ => Err(FORBIDDEN),
    }
}

/// Directory and id of `UserDirectory=..; UserId=..`, with or without the blank, names in any case.
fn user_of(header: &str) -> Option<(&str, &str)> {
    fn value<'a>(part: &'a str, name: &str) -> Option<&'a str> {
        let (known, value) = part.split_once('=')?;
        Some(value.trim()).filter(|value| known.trim().eq_ignore_ascii_case(name) && !value.is_empty())
    }
    let (directory, id) = header.split_once(';')?;
    Some((value(directory, "UserDirectory")?, value(id, "UserId")?))
}

/// A query string, taken apart.
#[derive(Debug, Default)]
struct Query {
    /// The key against request forgery.
    key: Option<String>,
    /// All other parameters, decoded.
    parameters: Vec<(String, String)>,
    /// There is a part without a name or without a value.
    has_gaps: bool,
}

impl Query {
    fn read(query: &str) -> Self {
        let mut read = Self::default();
        for part in query.split('&').filter(|_| !query.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")));
            if name.is_empty() || value.is_empty() {
                read.has_gaps = true;
            } else if name.eq_ignore_ascii_case("xrfkey") {
                read.key = Some(value);
            } else {
                read.parameters.push((name, value));
            }
        }
        read
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_taken_apart_as_the_repository_does() {
        let query = Query::read("filter=tags.name%20eq%20'a%26b'&XrfKey=0123456789abcdef");
        assert_eq!(query.parameters, [("filter".to_owned(), "tags.name eq 'a&b'".to_owned())]);
        assert_eq!((query.key.as_deref(), query.has_gaps), (Some("0123456789abcdef"), false));
        assert!(Query::read("filter=tags.name eq 'R&D'&xrfkey=0123456789abcdef").has_gaps);
        assert!(!Query::read("").has_gaps);
        assert_eq!(Query::read("a=1+2").parameters, [("a".to_owned(), "1 2".to_owned())]);
    }

    #[test]
    fn a_user_is_named_with_directory_and_id() {
        for text in ["UserDirectory=INTERNAL; UserId=sa_repository", "userdirectory=INTERNAL;USERID=sa_repository "] {
            assert_eq!(user_of(text), Some(("INTERNAL", "sa_repository")), "{text}");
        }
        for text in ["", "INTERNAL\\sa_repository", "UserDirectory=INTERNAL", "UserId=a; UserDirectory=b", "UserDirectory=; UserId=a"] {
            assert_eq!(user_of(text), None, "{text}");
        }
    }
}
