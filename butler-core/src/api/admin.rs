//! The admin API: what was heard, what became of it, and what can be done about it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tower_http::timeout::TimeoutLayer;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ApiState;
use super::answers::{DeliveryDetails, EventDetails, IntakeStatus, ListedDelivery, Problem, Readiness, Status};
use super::auth::{Caller, behind, require};
use super::connections::Connections;
use super::problem::Refusal;
use crate::config::Scope;
use crate::event::{DeliveryId, EventId, SinkName};
use crate::pipeline::RetryPolicy;
use crate::source::Rejection;
use crate::store::{DeliveryQuery, DeliveryState, EventQuery, EventRecord, JournalStats, Story};

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A page is never longer than this, whatever is asked for.
const LONGEST_PAGE: usize = 1000;
/// The longest body of a request; all of them are short.
const LONGEST_BODY: usize = 16 << 10;
/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 500;

/// What health checks of containers look for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Alive {
    /// 200.
    status_code: u16,
    /// `ok`.
    status: &'static str,
}

pub(super) type Answer<T> = Result<Json<T>, Refusal>;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    let open = OpenApiRouter::new().routes(routes!(alive)).routes(routes!(alive_for_containers)).routes(routes!(ready));
    let read = OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(events))
        .routes(routes!(event))
        .routes(routes!(rejections))
        .routes(routes!(deliveries))
        .routes(routes!(delivery));
    let change = OpenApiRouter::new().routes(routes!(retry)).routes(routes!(discard));
    let routes = open.merge(behind(require(Scope::Read), read)).merge(behind(require(Scope::Admin), change));
    let routes = routes
        .route_layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT))
        .merge(super::about::routes())
        .merge(super::kv::routes())
        .merge(super::metrics::routes())
        .merge(super::schedules::routes())
        .merge(super::silences::routes())
        .merge(super::stream::routes())
        .merge(super::tokens::routes());
    #[cfg(feature = "qlik")]
    let routes = routes.merge(super::tasks::routes()).merge(super::apps::routes());
    routes
}

/// What is none of these, below `/api`.
pub(super) fn unknown(uri: &Uri) -> Refusal {
    Refusal::not_found(format!("there is nothing at `{}`", uri.path()))
}

/// Whether the process answers
#[utoipa::path(get, path = "/healthz", tag = "Health", responses((status = OK, body = String, description = "It does.")))]
async fn alive() -> &'static str {
    "ok\n"
}

/// Whether the process answers, for health checks of containers
#[utoipa::path(get, path = "/health", tag = "Health", responses((status = OK, body = Alive, description = "It does.")))]
async fn alive_for_containers() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json; charset=utf-8")], Json(Alive { status_code: 200, status: "ok" }))
}

/// Whether new events are taken
#[utoipa::path(
    get, path = "/readyz", tag = "Health",
    responses(
        (status = OK, body = Readiness, description = "They are."),
        (status = SERVICE_UNAVAILABLE, body = Readiness, description = "They are not, for these reasons."),
    )
)]
async fn ready(State(state): State<ApiState>, Extension(caller): Extension<Caller>) -> (StatusCode, Json<Readiness>) {
    let report = state.health().report();
    let ready = report.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    // Whether is for everybody, why for those who may see the rest as well.
    if !caller.may(Scope::Read) {
        return (status, Json(Readiness { ready, store: None, sources: BTreeMap::new() }));
    }
    let deaf = report.sources.into_iter().filter_map(|(name, source)| Some((name, source.error?)));
    (status, Json(Readiness { ready, store: report.store.map(|(_, why)| why), sources: deaf.collect() }))
}

/// How everything stands
#[utoipa::path(get, path = "/api/status", tag = "Health", responses((status = OK, body = Status, description = "Store, sources, sinks and sites.")))]
async fn status(State(state): State<ApiState>, Extension(connections): Extension<Arc<Connections>>) -> Answer<Status> {
    let health = state.health().report();
    let intake = state.intake();
    let intake = IntakeStatus {
        received: intake.received(),
        accepted: intake.accepted(),
        duplicates: intake.duplicates(),
        queued: intake.queued(),
        rejected: intake.rejected().into_iter().collect(),
    };
    let journal = state.store().stats().await?;
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: state.started(),
        uptime_seconds: u64::try_from(state.now().duration_since(state.started()).as_secs()).unwrap_or(0),
        ready: health.is_ready(),
        orphans: orphans(&state, &journal),
        health,
        intake,
        connections: connections.counts(),
        journal,
    }))
}

/// Sinks that are no longer configured, with what still waits for them.
fn orphans(state: &ApiState, journal: &JournalStats) -> BTreeMap<SinkName, u64> {
    let open = journal
        .deliveries
        .iter()
        .filter(|(sink, how, count)| *how == DeliveryState::Pending && *count > 0 && !state.plan().sinks.contains_key(sink));
    open.map(|(sink, _, count)| (sink.clone(), *count)).collect()
}

/// List events, the newest first
#[utoipa::path(get, path = "/api/events", tag = "Events", params(EventQuery), responses((status = OK, body = Vec<EventRecord>, description = "A page of them; the next one begins `before` its last.")))]
async fn events(State(state): State<ApiState>, uri: Uri) -> Answer<Vec<EventRecord>> {
    let query: EventQuery = query(&uri)?;
    Ok(Json(state.store().events(EventQuery { max: query.max.min(LONGEST_PAGE), ..query }).await?))
}

/// Show an event and its way
#[utoipa::path(
    get, path = "/api/events/{id}", tag = "Events",
    params(("id" = String, Path, description = "Its id; `latest` stands for the newest event.")),
    responses(
        (status = OK, body = EventDetails, description = "What is known of it, and where it went or goes."),
        (status = NOT_FOUND, body = Problem, description = "There is no such event."),
    )
)]
async fn event(State(state): State<ApiState>, Path(id): Path<String>) -> Answer<EventDetails> {
    let id = if id == "latest" {
        let newest = state.store().events(EventQuery { max: 1, ..EventQuery::default() }).await?;
        newest.first().map(|record| record.event.id).ok_or_else(|| Refusal::not_found("there are no events yet"))?
    } else {
        id.parse::<EventId>().map_err(|_| Refusal::bad_request(format!("`{id}` is no id of an event")))?
    };
    let story = state.store().story(id).await?;
    let Story { record, facts, sightings, notes, deliveries } =
        story.ok_or_else(|| Refusal::not_found(format!("there is no event {id}")))?;
    Ok(Json(EventDetails { record, facts, sightings, notes, deliveries: state.listed(deliveries) }))
}

/// List what was received but not taken
#[utoipa::path(get, path = "/api/rejections", tag = "Events", responses((status = OK, body = Vec<Rejection>, description = "The latest of each reason.")))]
async fn rejections(State(state): State<ApiState>) -> Json<Vec<Rejection>> {
    Json(state.intake().recent())
}

/// As [`DeliveryQuery`], with a state more.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
struct Listing {
    /// Of this event.
    #[param(inline)]
    event: Option<EventId>,
    /// By this sink.
    #[param(inline)]
    sink: Option<SinkName>,
    /// In this state; `orphaned` is pending, of a sink that is no longer configured.
    #[param(inline)]
    state: Option<ListedState>,
    /// Older than the delivery with this `seq`: for the next page.
    before: Option<u64>,
    /// At most so many, and never more than 1000.
    max: usize,
}

impl Default for Listing {
    fn default() -> Self {
        Self { event: None, sink: None, state: None, before: None, max: DeliveryQuery::default().max }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ListedState {
    Pending,
    Delivered,
    Dead,
    Suppressed,
    Discarded,
    Orphaned,
}

impl ListedState {
    fn stored(self) -> DeliveryState {
        match self {
            Self::Pending | Self::Orphaned => DeliveryState::Pending,
            Self::Delivered => DeliveryState::Delivered,
            Self::Dead => DeliveryState::Dead,
            Self::Suppressed => DeliveryState::Suppressed,
            Self::Discarded => DeliveryState::Discarded,
        }
    }
}

/// List deliveries, the newest first
#[utoipa::path(get, path = "/api/deliveries", tag = "Deliveries", params(Listing), responses((status = OK, body = Vec<ListedDelivery>, description = "A page of them; the next one begins `before` the `seq` of its last.")))]
async fn deliveries(State(state): State<ApiState>, uri: Uri) -> Answer<Vec<ListedDelivery>> {
    let Listing { event, sink, state: wanted, before, max } = query(&uri)?;
    let max = max.min(LONGEST_PAGE);
    let query = DeliveryQuery { id: None, event, sink, state: wanted.map(ListedState::stored), before, max };
    if wanted != Some(ListedState::Orphaned) {
        return Ok(Json(state.listed(state.store().deliveries(query).await?)));
    }
    let journal = state.store().stats().await?;
    let mut found = Vec::new();
    for sink in orphans(&state, &journal).into_keys().filter(|sink| query.sink.as_ref().is_none_or(|wanted| wanted == sink)) {
        found.extend(state.store().deliveries(DeliveryQuery { sink: Some(sink), ..query.clone() }).await?);
    }
    found.sort_unstable_by_key(|record| Reverse(record.seq));
    found.truncate(max);
    Ok(Json(state.listed(found)))
}

/// Show a delivery and its attempts
#[utoipa::path(
    get, path = "/api/deliveries/{id}", tag = "Deliveries",
    params(("id" = DeliveryId, Path, description = "Its id.")),
    responses(
        (status = OK, body = DeliveryDetails, description = "How it stands, and how its latest attempts went."),
        (status = NOT_FOUND, body = Problem, description = "There is no such delivery."),
    )
)]
async fn delivery(State(state): State<ApiState>, Path(id): Path<String>) -> Answer<DeliveryDetails> {
    let id = delivery_id(&id)?;
    let delivery = find(&state, id).await?;
    let attempts = state.store().attempts(id).await?;
    Ok(Json(DeliveryDetails { delivery, attempts }))
}

/// Nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Retry {}

/// Try a delivery again
///
/// A dead, suppressed or discarded delivery becomes due, with as much time as a new one.
#[utoipa::path(
    post, path = "/api/deliveries/{id}/retry", tag = "Deliveries",
    params(("id" = DeliveryId, Path, description = "Its id.")),
    request_body(content = inline(Retry), description = "An empty object, or nothing at all."),
    responses(
        (status = OK, body = ListedDelivery, description = "It is due."),
        (status = NOT_FOUND, body = Problem, description = "There is no such delivery."),
        (status = CONFLICT, body = Problem, description = "It is neither dead nor suppressed nor discarded, or its sink is no longer configured."),
    )
)]
async fn retry(State(state): State<ApiState>, Path(id): Path<String>, request: Request) -> Answer<ListedDelivery> {
    let Retry {} = body(request, LONGEST_BODY).await?;
    let id = delivery_id(&id)?;
    let found = find(&state, id).await?.record;
    let Some(sink) = state.plan().sinks.get(&found.sink) else {
        let remedy = format!("Configure it again, or let another sink take over with `was = [\"{}\"]`.", found.sink);
        return Err(Refusal::conflict(format!("there is no sink `{}` any more that could try it", found.sink)).remedy(remedy));
    };
    let class = state.store().story(found.event).await?.map(|story| story.record.event.kind.class());
    let age = class.map_or(RetryPolicy::default().alert_age, |class| sink.retry.age(class));
    let expires = state.now().saturating_add(SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX)).unwrap_or(jiff::Timestamp::MAX);
    if !state.store().revive(id, expires).await? {
        return Err(Refusal::conflict(format!("delivery {id} is {}", found.state.as_str()))
            .remedy("Only what is dead, suppressed or discarded can be tried again."));
    }
    tracing::info!(delivery = %id, sink = %found.sink, "A delivery is tried again on somebody's word.");
    find(&state, id).await.map(Json)
}

/// Why a delivery is given up.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Discard {
    /// The reason, which is kept with the delivery: its first 500 characters. If it is left out, who asked for it.
    why: Option<String>,
}

/// Give up a delivery that is pending
#[utoipa::path(
    post, path = "/api/deliveries/{id}/discard", tag = "Deliveries",
    params(("id" = DeliveryId, Path, description = "Its id.")),
    request_body(content = inline(Discard), description = "The reason."),
    responses(
        (status = OK, body = ListedDelivery, description = "It is given up."),
        (status = NOT_FOUND, body = Problem, description = "There is no such delivery."),
        (status = CONFLICT, body = Problem, description = "It is not pending."),
    )
)]
async fn discard(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Request,
) -> Answer<ListedDelivery> {
    let Discard { why } = body(request, LONGEST_BODY).await?;
    let why = why.unwrap_or_else(|| format!("by {}", caller.who));
    let why: String = why.chars().filter(|c| !c.is_control()).take(LONGEST_REASON).collect();
    let id = delivery_id(&id)?;
    let found = find(&state, id).await?.record;
    if !state.store().discard(id, why.clone()).await? {
        return Err(
            Refusal::conflict(format!("delivery {id} is {}", found.state.as_str())).remedy("Only what is pending can be discarded.")
        );
    }
    tracing::info!(delivery = %id, sink = %found.sink, why, "A delivery is given up on somebody's word.");
    find(&state, id).await.map(Json)
}

fn delivery_id(text: &str) -> Result<DeliveryId, Refusal> {
    text.parse().map_err(|_| Refusal::bad_request(format!("`{text}` is no id of a delivery")))
}

async fn find(state: &ApiState, id: DeliveryId) -> Result<ListedDelivery, Refusal> {
    let records = state.store().deliveries(DeliveryQuery { id: Some(id), max: 1, ..DeliveryQuery::default() }).await?;
    let found = state.listed(records).into_iter().find(|listed| listed.record.id == id);
    found.ok_or_else(|| Refusal::not_found(format!("there is no delivery {id}")))
}

pub(super) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Refusal> {
    let read = Query::<T>::try_from_uri(uri);
    // The source says what is wrong, the rejection itself only that something is.
    let words = |rejection: axum::extract::rejection::QueryRejection| {
        std::error::Error::source(&rejection).map_or_else(|| rejection.to_string(), ToString::to_string)
    };
    read.map(|Query(query)| query).map_err(|rejection| Refusal::bad_request(format!("the query can't be read: {}", words(rejection))))
}

/// The body of a request that changes something. It has to be declared as JSON, which a form in a web page can't do.
pub(super) async fn body<T: DeserializeOwned>(request: Request, longest: usize) -> Result<T, Refusal> {
    let declared = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !declared.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let refusal = Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body has to be JSON, and be declared as such");
        return Err(refusal.remedy("Send the header `Content-Type: application/json`."));
    }
    let too_long = |_| Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {longest} bytes"));
    let bytes = axum::body::to_bytes(request.into_body(), longest).await.map_err(too_long)?;
    let text = if bytes.is_empty() { b"{}" } else { &bytes[..] };
    serde_json::from_slice(text).map_err(|error| Refusal::bad_request(format!("the body can't be read: {error}")))
}
