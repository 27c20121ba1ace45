//! What can be asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::answer::Fault;
use crate::clock::Clock;
use crate::event::{Class, DeliveryId, EventId, SinkName, SourceName};
use crate::pipeline::{Health, HealthReport, Plan, RetryPolicy, SourceHealth};
use crate::source::{IntakeCounters, RejectReason, Rejection};
use crate::store::{
    AttemptRecord, DeliveryQuery, DeliveryRecord, DeliveryState, EventQuery, EventRecord, JournalStats, Store, StoreError, Story,
};

/// What the API tells of.
#[derive(Debug, Clone)]
pub struct ApiState {
    store: Arc<dyn Store>,
    intake: Arc<IntakeCounters>,
    health: Arc<Health>,
    plan: Arc<Plan>,
    clock: Arc<dyn Clock>,
    started: Timestamp,
}

impl ApiState {
    /// Of these, as of a Butler that has been started now.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, intake: Arc<IntakeCounters>, health: Arc<Health>, plan: Arc<Plan>, clock: Arc<dyn Clock>) -> Self {
        let started = clock.now();
        Self { store, intake, health, plan, clock, started }
    }
}

type Answer<T> = Result<Json<T>, Fault>;

pub(super) fn routes(state: ApiState) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/api/status", get(status))
        .route("/api/events", get(events))
        .route("/api/events/{id}", get(event))
        .route("/api/rejections", get(rejections))
        .route("/api/deliveries", get(deliveries))
        .route("/api/deliveries/{id}", get(delivery))
        .route("/api/deliveries/{id}/retry", post(retry))
        .route("/api/deliveries/{id}/discard", post(discard))
        .fallback(async || Fault::not_found("there is nothing here").remedy("`GET /api/status` is a place to begin."))
        .method_not_allowed_fallback(async || Fault::new(StatusCode::METHOD_NOT_ALLOWED, "this method means nothing here"))
        .with_state(state)
}

async fn ready(State(state): State<ApiState>) -> impl IntoResponse {
    let report = state.health.report();
    let status = if report.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready: report.is_ready(), store: report.store.map(|(_, why)| why), sources: source_faults(&report.sources) }))
}

#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    /// Why the store takes nothing.
    store: Option<String>,
    /// Sources that don't hear, and why.
    sources: BTreeMap<String, String>,
}

fn source_faults(sources: &BTreeMap<SourceName, SourceHealth>) -> BTreeMap<String, String> {
    sources.iter().filter_map(|(name, source)| Some((name.to_string(), source.error.clone()?))).collect()
}

/// How everything stands.
#[derive(Debug, Serialize)]
struct Status {
    version: &'static str,
    started: Timestamp,
    uptime_seconds: i64,
    ready: bool,
    health: HealthReport,
    intake: IntakeStatus,
    journal: JournalStats,
    /// Open deliveries of sinks that are no longer configured.
    orphans: BTreeMap<SinkName, u64>,
}

#[derive(Debug, Serialize)]
struct IntakeStatus {
    received: u64,
    accepted: u64,
    duplicates: u64,
    queued: usize,
    rejected: BTreeMap<RejectReason, u64>,
}

async fn status(State(state): State<ApiState>) -> Answer<Status> {
    let journal = state.store.stats().await?;
    let health = state.health.report();
    let orphans = journal
        .deliveries
        .iter()
        .filter(|(sink, how, count)| *how == DeliveryState::Pending && *count > 0 && !state.plan.sinks.contains_key(sink))
        .map(|(sink, _, count)| (sink.clone(), *count))
        .collect();
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        started: state.started,
        uptime_seconds: state.clock.now().duration_since(state.started).as_secs(),
        ready: health.is_ready(),
        health,
        intake: IntakeStatus {
            received: state.intake.received(),
            accepted: state.intake.accepted(),
            duplicates: state.intake.duplicates(),
            queued: state.intake.queued(),
            rejected: state.intake.rejected().into_iter().collect(),
        },
        journal,
        orphans,
    }))
}

async fn events(State(state): State<ApiState>, query: Result<Query<EventQuery>, QueryRejection>) -> Answer<Vec<EventRecord>> {
    let Query(query) = query?;
    Ok(Json(state.store.events(query).await?))
}

async fn event(State(state): State<ApiState>, id: Result<Path<String>, PathRejection>) -> Answer<Story> {
    let Path(id) = id?;
    let id = if id.eq_ignore_ascii_case("latest") {
        let latest = state.store.events(EventQuery { max: 1, ..EventQuery::default() }).await?;
        latest.first().map(|record| record.event.id).ok_or_else(|| Fault::not_found("there are no events yet"))?
    } else {
        parse::<EventId>(&id, "an event")?
    };
    let mut story = state.store.story(id).await?.ok_or_else(|| Fault::not_found(format!("there is no event {id}")))?;
    for record in &mut story.deliveries {
        explain_orphan(&state.plan, record);
    }
    Ok(Json(story))
}

async fn rejections(State(state): State<ApiState>) -> Json<Vec<Rejection>> {
    Json(state.intake.recent())
}

async fn deliveries(State(state): State<ApiState>, query: Result<Query<DeliveryQuery>, QueryRejection>) -> Answer<Vec<DeliveryRecord>> {
    let Query(query) = query?;
    let mut records = state.store.deliveries(query).await?;
    for record in &mut records {
        explain_orphan(&state.plan, record);
    }
    Ok(Json(records))
}

#[derive(Debug, Serialize)]
struct WithAttempts {
    delivery: DeliveryRecord,
    attempts: Vec<AttemptRecord>,
}

async fn delivery(State(state): State<ApiState>, id: Result<Path<String>, PathRejection>) -> Answer<WithAttempts> {
    let Path(id) = id?;
    let id = parse(&id, "a delivery")?;
    let mut delivery = find(&state, id).await?;
    explain_orphan(&state.plan, &mut delivery);
    let attempts = state.store.attempts(id).await?;
    Ok(Json(WithAttempts { delivery, attempts }))
}

/// What became of a request to change a delivery.
#[derive(Debug, Serialize)]
struct Changed {
    id: DeliveryId,
    state: DeliveryState,
}

/// A body that says nothing, as an object that may grow.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

async fn retry(
    State(state): State<ApiState>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Json<Nothing>, JsonRejection>,
) -> Answer<Changed> {
    let (Path(id), Json(Nothing {})) = (id?, body?);
    let id = parse(&id, "a delivery")?;
    let delivery = find(&state, id).await?;
    let Some(sink) = state.plan.sinks.get(&delivery.sink) else {
        return Err(Fault::conflict(format!("there is no sink `{}` any more that could try it", delivery.sink))
            .remedy("Configure it again, or let another sink take over with `was`."));
    };
    let expires = expiry(&state, &sink.retry, &delivery).await?;
    if !state.store.revive(id, expires).await? {
        return Err(Fault::conflict(format!("delivery {id} is {}", find(&state, id).await?.state.as_str()))
            .remedy("Only what is dead, suppressed or discarded can be tried again."));
    }
    tracing::info!(delivery = %id, sink = %delivery.sink, "A delivery is tried again, on somebody's word.");
    Ok(Json(Changed { id, state: DeliveryState::Pending }))
}

/// A delivery that is tried again has as much time as a new one.
async fn expiry(state: &ApiState, retry: &RetryPolicy, delivery: &DeliveryRecord) -> Result<Timestamp, StoreError> {
    let story = state.store.story(delivery.event).await?;
    let class = story.map_or(Class::Alert, |story| story.record.event.kind.class());
    let age = SignedDuration::try_from(retry.age(class)).unwrap_or(SignedDuration::MAX);
    Ok(state.clock.now().saturating_add(age).unwrap_or(Timestamp::MAX))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Why {
    #[serde(default)]
    why: String,
}

async fn discard(
    State(state): State<ApiState>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Json<Why>, JsonRejection>,
) -> Answer<Changed> {
    let (Path(id), Json(Why { why })) = (id?, body?);
    let id = parse(&id, "a delivery")?;
    let delivery = find(&state, id).await?;
    let why = if why.trim().is_empty() { "over the API".to_owned() } else { why.chars().take(300).collect() };
    if !state.store.discard(id, why).await? {
        return Err(Fault::conflict(format!("delivery {id} is {}", find(&state, id).await?.state.as_str()))
            .remedy("Only what is pending can be discarded."));
    }
    tracing::info!(delivery = %id, sink = %delivery.sink, "A delivery is discarded, on somebody's word.");
    Ok(Json(Changed { id, state: DeliveryState::Discarded }))
}

async fn find(state: &ApiState, id: DeliveryId) -> Result<DeliveryRecord, Fault> {
    let found = state.store.deliveries(DeliveryQuery { id: Some(id), max: 1, ..DeliveryQuery::default() }).await?;
    found.into_iter().next().ok_or_else(|| Fault::not_found(format!("there is no delivery {id}")))
}

fn parse<T: std::str::FromStr>(id: &str, what: &str) -> Result<T, Fault> {
    let shown: String = id.chars().take(80).collect();
    id.parse().map_err(|_| Fault::new(StatusCode::BAD_REQUEST, format!("`{shown}` is no id of {what}")))
}

/// Nothing moves the deliveries of a sink that is gone: says so.
fn explain_orphan(plan: &Plan, record: &mut DeliveryRecord) {
    if record.state == DeliveryState::Pending && !plan.sinks.contains_key(&record.sink) {
        let last = if record.detail.is_empty() { String::new() } else { format!(" Last: {}", record.detail) };
        record.detail = format!(
            "orphaned: there is no sink `{}` any more. `was = [\"{}\"]` in another sink adopts it; else it is given up when it is too old.{last}",
            record.sink, record.sink
        );
    }
}
