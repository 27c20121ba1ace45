//! The gate in front of each endpoint: takes the body, counts the request, and lets the handler have what fits the published schemas.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::answer::{Fault, too_many};
use super::limit::Limiter;
use super::schema;

/// The longest body.
const LONGEST_BODY: usize = 1 << 20;

/// What stands in front of one endpoint.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    /// The schema of the body, if the endpoint takes one.
    pub(super) body: Option<&'static Value>,
    /// The schema of the query, if there is one.
    pub(super) query: Option<Arc<Value>>,
    /// What the endpoint takes a missing body for; without it, a body has to be there.
    pub(super) missing_body: Option<fn() -> Value>,
    /// How often an address may ask.
    pub(super) limiter: Option<Arc<Limiter>>,
}

/// The body as it was taken, before its schema was looked at.
enum Taken {
    Nothing,
    Text,
    Json(Value),
}

/// Lets a request through to its endpoint, or answers it.
pub(super) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let taken = match take(&gate, &parts, body).await {
        Ok(taken) => taken,
        Err(fault) => return fault.into_response(),
    };
    let standing = gate.limiter.as_ref().map(|limiter| (client(&parts), limiter)).map(|(client, limiter)| (client, limiter.count(client)));
    let mut response = match (standing, gate.fit(taken, &parts.uri)) {
        (Some((client, standing)), _) if standing.exceeded => {
            let (method, endpoint) = (&parts.method, parts.uri.path());
            tracing::warn!("API: Rate limit exceeded for source IP address {client}. Method={method}, endpoint={endpoint}");
            too_many(standing.reset)
        }
        (_, Err(message)) => Fault::validation(message).into_response(),
        (_, Ok(input)) => {
            parts.extensions.insert(input);
            next.run(Request::from_parts(parts, Body::empty())).await
        }
    };
    if let Some((_, standing)) = standing {
        standing.write(response.headers_mut());
    }
    response
}

/// Who asks; an address of no machine if that is not known.
fn client(parts: &Parts) -> IpAddr {
    let known = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    known.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip().to_canonical())
}

async fn take(gate: &Gate, parts: &Parts, body: Body) -> Result<Taken, Fault> {
    if matches!(parts.method, Method::GET | Method::HEAD) {
        return Ok(Taken::Nothing);
    }
    let too_large = || Fault::coded(StatusCode::PAYLOAD_TOO_LARGE, "FST_ERR_CTP_BODY_TOO_LARGE", "Request body is too large");
    let unknown_type = || Fault::coded(StatusCode::UNSUPPORTED_MEDIA_TYPE, "FST_ERR_CTP_INVALID_MEDIA_TYPE", "Unsupported Media Type");
    let declared = media_type(&parts.headers);
    if !matches!(declared.as_deref(), None | Some("application/json" | "text/plain")) {
        return Err(unknown_type());
    }
    let bytes = to_bytes(body, LONGEST_BODY).await.map_err(|error| match is_too_long(&error) {
        true => too_large(),
        false => Fault::bad_request("Client Error"),
    })?;
    let not_json = || {
        let message = "Body is not valid JSON but content-type is set to 'application/json'";
        Fault::coded(StatusCode::BAD_REQUEST, "FST_ERR_CTP_INVALID_JSON_BODY", message)
    };
    match declared.as_deref() {
        None if bytes.is_empty() => Ok(Taken::Nothing),
        // Some helpers of load scripts declare nothing.
        None => json(&bytes).map(Taken::Json).ok_or_else(unknown_type),
        Some("text/plain") => Ok(Taken::Text),
        Some(_) if bytes.is_empty() && gate.body.is_none() => Ok(Taken::Nothing),
        Some(_) if bytes.is_empty() => {
            let message = "Body cannot be empty when content-type is set to 'application/json'";
            Err(Fault::coded(StatusCode::BAD_REQUEST, "FST_ERR_CTP_EMPTY_JSON_BODY", message))
        }
        Some(_) => json(&bytes).map(Taken::Json).ok_or_else(not_json),
    }
}

/// The type of the body without its parameters, in lower case.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let declared = headers.get(CONTENT_TYPE)?.to_str().unwrap_or("?");
    Some(declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

fn is_too_long(error: &axum::Error) -> bool {
    std::iter::successors(std::error::Error::source(error), |error| error.source())
        .any(|error| error.is::<http_body_util::LengthLimitError>())
}

/// JSON, unless it tries to change what objects are in JavaScript: clients may hand it on.
fn json(bytes: &[u8]) -> Option<Value> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).ok().filter(|value| !is_poisoned(value))
}

fn is_poisoned(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.contains_key("__proto__") || members.values().any(is_poisoned),
        Value::Array(items) => items.iter().any(is_poisoned),
        _ => false,
    }
}

/// What the endpoint gets: body and query, as their schemas want them.
#[derive(Debug, Clone)]
struct Input {
    body: Value,
    query: Value,
}

impl Gate {
    fn fit(&self, taken: Taken, uri: &Uri) -> Result<Input, String> {
        let body = match self.body {
            None => Value::Null,
            Some(schema) => {
                let mut body = match (taken, self.missing_body) {
                    (Taken::Text, _) => return Err(format!("body must be {}", schema["type"].as_str().unwrap_or_default())),
                    (Taken::Nothing | Taken::Json(Value::Null), Some(stand_in)) => stand_in(),
                    (Taken::Nothing, None) => Value::Null,
                    (Taken::Json(body), _) => body,
                };
                schema::fit(schema, &mut body, "body")?;
                body
            }
        };
        let query = match &self.query {
            None => Value::Null,
            Some(schema) => {
                let mut query = query(uri);
                schema::fit(schema, &mut query, "querystring")?;
                query
            }
        };
        Ok(Input { body, query })
    }
}

/// The query, in which what is there several times is a list.
fn query(uri: &Uri) -> Value {
    let mut members = Map::new();
    for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        let value = Value::String(value.into_owned());
        match members.get_mut(&*name) {
            None => drop(members.insert(name.into_owned(), value)),
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    Value::Object(members)
}

/// The body, as the endpoint wants it.
#[derive(Debug)]
pub(super) struct Sent<T>(pub(super) T);

/// The query, as the endpoint wants it.
#[derive(Debug)]
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Sent<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Fault> {
        input(parts, |input| input.body.take()).map(Self)
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Fault> {
        input(parts, |input| input.query.take()).map(Self)
    }
}

/// What the schemas let through can be read; if not, schema and endpoint are at odds, which is our fault.
fn input<T: DeserializeOwned>(parts: &mut Parts, part: impl Fn(&mut Input) -> Value) -> Result<T, Fault> {
    let value = parts.extensions.get_mut::<Input>().map(part).unwrap_or_default();
    serde_json::from_value(value).map_err(|error| Fault::internal("The request can't be read", &error))
}
