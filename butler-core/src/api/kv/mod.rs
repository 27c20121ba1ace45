//! `/api/kv`: the pairs that load scripts keep, with what `/v4` has not: versions, conditions, counting, pages, export and import.
//!
//! Namespaces and keys are told in the query and not in the path: they may be of any characters or none at all, and a path would not bring all of them (`.`, `..`, nothing) through
//! clients and proxies unchanged.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /api/kv/namespaces` | the names, in the order in which they began |
//! | `DELETE /api/kv/namespaces?namespace=` | removes a namespace with all that is in it |
//! | `GET /api/kv/pairs?namespace=&prefix=&after=&max=` | pairs in the order in which their keys were first put ([`PairPage`]); the next page begins `after` its `next` |
//! | `GET /api/kv/pair?namespace=&key=` | one ([`KvEntry`]), its version as `ETag`; `If-None-Match` is answered with `304` |
//! | `PUT /api/kv/pair?namespace=&key=` | stores `{ "value": "..." }`, with `ttl_ms` for so many milliseconds, with `if_value` only in place of that value ([`Stored`]) |
//! | `DELETE /api/kv/pair?namespace=&key=` | removes it |
//! | `POST /api/kv/increment?namespace=&key=` | adds the whole number `{ "by": 1 }`, to nothing if there is no such pair ([`Counted`]) |
//! | `GET /api/kv/export?namespace=` | all pairs, or those of a namespace, as lines of JSON ([`Line`](crate::kv::Line)) |
//! | `POST /api/kv/import?existing=` | stores such lines (`application/x-ndjson`) and tells what became of them ([`ImportReport`](crate::kv::ImportReport)); `existing=keep` leaves alone what is there |
//!
//! `PUT` and `DELETE` of a pair take `If-Match` with its version, or `*` for any; `PUT` also `If-None-Match: *`, for a pair that must not be there. What does not hold is answered
//! with `412`, a namespace or pair that there is not with `404`, a full namespace and a value that is no number with `409`, and a pair that all pairs leave no room for with `507`.

mod condition;
mod refusal;
mod transfer;

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::ETAG;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tower_http::timeout::TimeoutLayer;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ApiState;
use super::admin::{Answer, body, query};
use super::answers::Problem;
use super::auth::{behind, require};
use super::problem::Refusal;
use crate::config::Scope;
use crate::kv::Pages;
use crate::store::KvEntry;

/// How long a request may take, but for export and import.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A page is never longer than this, whatever is asked for,
const LONGEST_PAGE: usize = 1000;
/// nor does it begin another handful of pairs when it has so many bytes.
const HEAVIEST_PAGE: usize = 4 << 20;
/// The longest body of what is short.
const LONGEST_BODY: usize = 16 << 10;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    let read = OpenApiRouter::new().routes(routes!(namespaces)).routes(routes!(list)).routes(routes!(pair));
    let change = OpenApiRouter::new().routes(routes!(drop_namespace)).routes(routes!(store, remove)).routes(routes!(increment));
    let routes = behind(require(Scope::KvRead), read).merge(behind(require(Scope::KvWrite), change));
    routes.route_layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT)).merge(transfer::routes())
}

/// Some pairs of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PairPage {
    /// The pairs.
    pub pairs: Vec<KvEntry>,
    /// After which place the next page begins; none if this is the last.
    pub next: Option<u64>,
}

/// A pair was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stored {
    /// Its version.
    pub version: u64,
}

/// A number was added to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counted {
    /// The sum.
    pub value: i64,
    /// The version of the pair.
    pub version: u64,
}

/// List namespaces
#[utoipa::path(get, path = "/api/kv/namespaces", tag = "Pairs", responses((status = OK, body = Vec<String>, description = "Their names, in the order in which they began.")))]
async fn namespaces(State(state): State<ApiState>) -> Answer<Vec<String>> {
    Ok(Json(state.pairs().store().namespaces().await?))
}

/// Which namespace is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct OfNamespace {
    /// The namespace.
    namespace: String,
}

/// Which pair is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct OfPair {
    /// The namespace.
    namespace: String,
    /// The key.
    key: String,
}

/// Remove a namespace with all that is in it
#[utoipa::path(
    delete, path = "/api/kv/namespaces", tag = "Pairs", params(OfNamespace),
    responses(
        (status = NO_CONTENT, description = "It is gone."),
        (status = NOT_FOUND, body = Problem, description = "There is no such namespace."),
    )
)]
async fn drop_namespace(State(state): State<ApiState>, uri: Uri) -> Result<StatusCode, Refusal> {
    let OfNamespace { namespace } = query(&uri)?;
    state.pairs().drop_namespace(&namespace).await?;
    tracing::info!(namespace, "A namespace was dropped on somebody's word.");
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Listing {
    /// The namespace.
    namespace: String,
    /// How the keys begin.
    #[serde(default)]
    prefix: String,
    /// After this place: the `next` of the page before.
    #[serde(default)]
    after: u64,
    /// At most so many, and never more than 1000.
    #[serde(default = "usual_page")]
    max: usize,
}

fn usual_page() -> usize {
    100
}

/// List pairs
///
/// In the order in which their keys were first put.
#[utoipa::path(
    get, path = "/api/kv/pairs", tag = "Pairs", params(Listing),
    responses(
        (status = OK, body = PairPage, description = "A page of them; the next one begins `after` its `next`."),
        (status = NOT_FOUND, body = Problem, description = "There is no such namespace."),
    )
)]
async fn list(State(state): State<ApiState>, uri: Uri) -> Answer<PairPage> {
    let Listing { namespace, prefix, after, max } = query(&uri)?;
    let max = max.clamp(1, LONGEST_PAGE);
    let mut pages = Pages::new(state.pairs().store().clone(), &namespace, &prefix, after);
    let (mut pairs, mut bytes) = (Vec::new(), 0);
    while pairs.len() < max && bytes < HEAVIEST_PAGE {
        let page = pages.next(max - pairs.len()).await?;
        let page = page.ok_or_else(|| Refusal::not_found(format!("there is no namespace `{namespace}`")))?;
        if page.is_empty() {
            break;
        }
        bytes += page.iter().map(|pair| pair.key.len() + pair.value.len()).sum::<usize>();
        pairs.extend(page);
    }
    let next = pairs.last().map(|pair| pair.place).filter(|_| !pages.has_ended());
    Ok(Json(PairPage { pairs, next }))
}

/// Show a pair
///
/// Its version is its `ETag`.
#[utoipa::path(
    get, path = "/api/kv/pair", tag = "Pairs",
    params(OfPair, ("If-None-Match" = Option<String>, Header, description = "Versions that are known.")),
    responses(
        (status = OK, body = KvEntry, description = "The pair."),
        (status = NOT_MODIFIED, description = "It is known in this version."),
        (status = NOT_FOUND, body = Problem, description = "There is no such namespace, or no such pair in it."),
    )
)]
async fn pair(State(state): State<ApiState>, uri: Uri, headers: HeaderMap) -> Result<Response, Refusal> {
    let OfPair { namespace, key } = query(&uri)?;
    let pair = state.pairs().get(&namespace, &key).await?;
    let tag = etag(pair.version);
    Ok(match condition::is_known(&headers, pair.version) {
        true => (StatusCode::NOT_MODIFIED, tag).into_response(),
        false => (tag, Json(pair)).into_response(),
    })
}

fn etag(version: u64) -> [(axum::http::HeaderName, HeaderValue); 1] {
    // Digits in quotes can always be written.
    [(ETAG, HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\"")))]
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ToStore {
    /// The value.
    value: String,
    /// For so many milliseconds; for good if it is left out or zero.
    ttl_ms: Option<u64>,
    /// Only in place of this value.
    if_value: Option<String>,
}

/// Store a pair
#[utoipa::path(
    put, path = "/api/kv/pair", tag = "Pairs",
    params(
        OfPair,
        ("If-Match" = Option<String>, Header, description = "Only in place of this version; `*` for any."),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if there is no such pair yet."),
    ),
    request_body = ToStore,
    responses(
        (status = OK, body = Stored, description = "It is stored, for good."),
        (status = CONFLICT, body = Problem, description = "The namespace is full."),
        (status = INSUFFICIENT_STORAGE, body = Problem, description = "All pairs take as much room as they may."),
        (status = PRECONDITION_FAILED, body = Problem, description = "The condition does not hold."),
    )
)]
async fn store(State(state): State<ApiState>, uri: Uri, request: Request) -> Result<Response, Refusal> {
    let OfPair { namespace, key } = query(&uri)?;
    let headers = request.headers().clone();
    let pairs = state.pairs();
    // Each byte of the values may be written as six.
    let longest = pairs.settings().max_value.saturating_mul(12).saturating_add(LONGEST_BODY as u64);
    let ToStore { value, ttl_ms, if_value } = body(request, usize::try_from(longest).unwrap_or(usize::MAX)).await?;
    let condition = condition::of(&headers, if_value)?;
    let ttl = ttl_ms.filter(|ttl| *ttl > 0).map(Duration::from_millis);
    let version = pairs.put(&namespace, &key, &value, ttl, &condition).await?;
    Ok((etag(version), Json(Stored { version })).into_response())
}

/// Remove a pair
#[utoipa::path(
    delete, path = "/api/kv/pair", tag = "Pairs",
    params(OfPair, ("If-Match" = Option<String>, Header, description = "Only this version; `*` for any.")),
    responses(
        (status = NO_CONTENT, description = "It is gone."),
        (status = NOT_FOUND, body = Problem, description = "There is no such namespace, or no such pair in it."),
        (status = PRECONDITION_FAILED, body = Problem, description = "The condition does not hold."),
    )
)]
async fn remove(State(state): State<ApiState>, uri: Uri, headers: HeaderMap) -> Result<StatusCode, Refusal> {
    let OfPair { namespace, key } = query(&uri)?;
    let condition = condition::of(&headers, None)?;
    state.pairs().delete(&namespace, &key, &condition).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ToAdd {
    /// So much; 1 if it is left out.
    #[serde(default = "one")]
    by: i64,
}

fn one() -> i64 {
    1
}

/// Add to a number
///
/// To nothing, if there is no such pair.
#[utoipa::path(
    post, path = "/api/kv/increment", tag = "Pairs", params(OfPair), request_body = ToAdd,
    responses(
        (status = OK, body = Counted, description = "The sum."),
        (status = CONFLICT, body = Problem, description = "The value is no whole number, the sum too large, or the namespace full."),
        (status = INSUFFICIENT_STORAGE, body = Problem, description = "All pairs take as much room as they may."),
    )
)]
async fn increment(State(state): State<ApiState>, uri: Uri, request: Request) -> Result<Response, Refusal> {
    let OfPair { namespace, key } = query(&uri)?;
    let ToAdd { by } = body(request, LONGEST_BODY).await?;
    let (value, version) = state.pairs().increment(&namespace, &key, by).await?;
    Ok((etag(version), Json(Counted { value, version })).into_response())
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;
