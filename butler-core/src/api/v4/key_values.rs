//! The key-value store of load scripts.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Number, Value, json};

use super::Routes;
use super::answer::{Fault, json, nothing, text};
use super::input::{Asked, Sent};
use crate::api::ApiState;
use crate::kv::{Condition, KvError, Pages};
use crate::store::{KvEntry, Lookup};

const MISSING: &str = "Required parameter is missing";

/// Namespaces and keys may be empty, which routes know nothing of: so each address stands here with and without.
pub(super) fn routes(routes: Routes) -> Routes {
    const PAIRS: &str = "/v4/keyvalues/{namespace}";
    const EXISTS: &str = "/v4/keyvalues/{namespace}/keyexists";
    const PAIR: &str = "/v4/keyvalues/{namespace}/{key}";
    const KEYS: &str = "/v4/keylist/{namespace}";
    let mut routes = routes.get("/v4/keyvaluesnamespaces", namespaces);
    for path in [PAIRS, "/v4/keyvalues/"] {
        routes = routes.at(&Method::GET, path, PAIRS, value, None);
        routes = routes.at(&Method::POST, path, PAIRS, store, None);
        routes = routes.at(&Method::DELETE, path, PAIRS, clear, None);
    }
    for path in [EXISTS, "/v4/keyvalues//keyexists"] {
        routes = routes.at(&Method::GET, path, EXISTS, exists, None);
        // A key may be called so.
        routes = routes.at(&Method::DELETE, path, PAIR, remove, None);
    }
    for path in [PAIR, "/v4/keyvalues/{namespace}/", "/v4/keyvalues//{key}", "/v4/keyvalues//"] {
        routes = routes.at(&Method::DELETE, path, PAIR, remove, None);
    }
    for path in [KEYS, "/v4/keylist/"] {
        routes = routes.at(&Method::GET, path, KEYS, keys, None);
    }
    routes
}

/// What the address names, in any characters: `/v4/.../NAMESPACE[/KEY]`.
struct Names {
    namespace: String,
    key: String,
}

impl<S: Sync> FromRequestParts<S> for Names {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Fault> {
        let mut names = parts.uri.path().split('/').skip(3).map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned());
        Ok(Self { namespace: names.next().unwrap_or_default(), key: names.next().unwrap_or_default() })
    }
}

async fn namespaces(State(state): State<ApiState>) -> Result<Response, Fault> {
    let all = state.pairs().store().namespaces().await.map_err(|error| Fault::internal("Failed getting all namespaces", &error))?;
    Ok(json(StatusCode::OK, &all))
}

#[derive(Debug, Deserialize)]
struct OfKey {
    key: String,
}

async fn look_up(state: &ApiState, namespace: &str, key: &str, failed: &'static str) -> Result<Option<KvEntry>, Fault> {
    match state.pairs().store().get(namespace, key).await {
        Ok(Lookup::Pair(pair)) => Ok(Some(pair)),
        Ok(Lookup::NoKey) => Ok(None),
        Ok(Lookup::NoNamespace) => Err(no_namespace(namespace)),
        Err(error) => Err(Fault::internal(failed, &error)),
    }
}

fn no_namespace(namespace: &str) -> Fault {
    Fault::bad_request(format!("Namespace not found: {namespace}"))
}

fn no_key(namespace: &str, key: &str) -> Fault {
    Fault::bad_request(format!("Key '{key}' not found in namespace: {namespace}"))
}

fn told(namespace: &str, pair: &KvEntry) -> Value {
    json!({ "namespace": namespace, "key": pair.key, "value": pair.value })
}

async fn value(State(state): State<ApiState>, names: Names, Asked(OfKey { key }): Asked<OfKey>) -> Result<Response, Fault> {
    let namespace = names.namespace;
    let pair = look_up(&state, &namespace, &key, "Failed getting key-value data").await?.ok_or_else(|| no_key(&namespace, &key))?;
    Ok(json(StatusCode::OK, &told(&namespace, &pair)))
}

async fn exists(State(state): State<ApiState>, names: Names, Asked(OfKey { key }): Asked<OfKey>) -> Result<Response, Fault> {
    let namespace = names.namespace;
    let pair = look_up(&state, &namespace, &key, "Failed checking if key exists in namespace").await?;
    let answer = json!({ "keyExists": pair.is_some(), "keyValue": pair.map_or_else(|| json!({}), |pair| told(&namespace, &pair)) });
    Ok(json(StatusCode::OK, &answer))
}

#[derive(Debug, Deserialize)]
struct ToStore {
    key: Option<String>,
    value: Option<String>,
    ttl: Option<Number>,
}

async fn store(State(state): State<ApiState>, names: Names, Sent(sent): Sent<ToStore>) -> Result<Response, Fault> {
    let namespace = names.namespace;
    let (Some(key), Some(value)) = (sent.key.filter(|key| !key.is_empty()), sent.value) else { return Err(Fault::bad_request(MISSING)) };
    let ttl = sent.ttl.and_then(|ttl| ttl.as_f64()).unwrap_or(0.0).trunc();
    // What is greater than any number of milliseconds is for good; nothing and less than nothing too.
    let lives = (ttl > 0.0).then(|| std::time::Duration::from_millis(ttl as u64));
    state.pairs().put(&namespace, &key, &value, lives, &Condition::Always).await.map_err(|error| match error {
        KvError::Full { namespace, limit } => Fault::bad_request(format!("Max number of keys ({limit}) reached in namespace: {namespace}")),
        error @ (KvError::TooLong { .. } | KvError::StoreFull) => Fault::bad_request(error.to_string()),
        error => Fault::internal("Failed adding key-value to namespace", &error),
    })?;
    let ttl = if ttl.abs() < 1e15 { Number::from(ttl as i64) } else { Number::from_f64(ttl).unwrap_or_else(|| 0.into()) };
    Ok(json(StatusCode::CREATED, &json!({ "namespace": namespace, "key": key, "value": value, "ttl": ttl })))
}

async fn remove(State(state): State<ApiState>, Names { namespace, key }: Names) -> Result<Response, Fault> {
    if key.is_empty() {
        return Err(Fault::bad_request(MISSING));
    }
    match state.pairs().delete(&namespace, &key, &Condition::Always).await {
        Ok(()) => Ok(nothing()),
        Err(KvError::NoNamespace { .. }) => Err(no_namespace(&namespace)),
        Err(KvError::NoKey { .. }) => Err(no_key(&namespace, &key)),
        Err(error) => Err(Fault::internal("Failed deleting key-value data", &error)),
    }
}

async fn clear(State(state): State<ApiState>, Names { namespace, .. }: Names) -> Result<Response, Fault> {
    match state.pairs().drop_namespace(&namespace).await {
        Ok(()) => Ok(nothing()),
        Err(KvError::NoNamespace { .. }) => Err(no_namespace(&namespace)),
        Err(error) => Err(Fault::internal("Failed clearing namespace", &error)),
    }
}

/// A list of keys is written at once up to so many bytes; a longer one goes out as it is read.
const AT_ONCE: usize = 256 << 10;
const LIST_FAILED: &str = "Failed getting list of keys in namespace";

async fn keys(State(state): State<ApiState>, Names { namespace, .. }: Names) -> Result<Response, Fault> {
    let mut keys = KeyList { pages: Pages::new(state.pairs().store().clone(), &namespace, "", 0), is_first: true, has_ended: false };
    let mut answer = format!("{{\"namespace\":{},\"keys\":[", json!(namespace));
    while answer.len() < AT_ONCE {
        match keys.next().await {
            Ok(Some(more)) => answer += &more,
            Ok(None) if keys.has_ended => return Ok(text(StatusCode::OK, answer)),
            Ok(None) => return Err(no_namespace(&namespace)),
            Err(error) => return Err(Fault::internal(LIST_FAILED, &error)),
        }
    }
    let rest = stream::try_unfold(keys, move |mut keys| {
        let namespace = namespace.clone();
        async move {
            let more = keys.next().await.inspect_err(|error| {
                // The answer has begun with a 200: all that can be done is to break it off.
                tracing::warn!(namespace, %error, "A list of keys was broken off.");
            });
            Ok(more?.map(|more| (Bytes::from(more), keys)))
        }
    });
    let all = futures_util::StreamExt::chain(stream::iter([Ok::<_, crate::store::StoreError>(Bytes::from(answer))]), rest);
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))], Body::from_stream(all)).into_response())
}

/// The keys of a namespace as the middle and the end of a JSON text.
struct KeyList {
    pages: Pages,
    is_first: bool,
    has_ended: bool,
}

impl KeyList {
    /// The next bit; `None` at the end, or at once if there is no such namespace.
    async fn next(&mut self) -> Result<Option<String>, crate::store::StoreError> {
        if self.has_ended {
            return Ok(None);
        }
        let page = match self.pages.next(usize::MAX).await? {
            Some(page) => page,
            None if self.is_first => return Ok(None),
            // Dropped meanwhile: that is the end.
            None => Vec::new(),
        };
        if page.is_empty() {
            self.has_ended = true;
            return Ok(Some("]}".to_owned()));
        }
        let mut more = String::new();
        for pair in page {
            more += if std::mem::take(&mut self.is_first) { "" } else { "," };
            more += &json!({ "key": pair.key }).to_string();
        }
        Ok(Some(more))
    }
}
