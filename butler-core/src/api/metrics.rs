//! `/metrics`: figures for Prometheus, read when they are asked for.

use std::sync::atomic::{AtomicI64, AtomicU64};

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ApiState;
use super::auth::{behind, require};
use super::problem::Refusal;
use crate::config::Scope;
use crate::pipeline::HealthReport;
use crate::store::JournalStats;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge<i64, AtomicI64>>;
type Times = Family<Labels, Gauge<f64, AtomicU64>>;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    behind(require(Scope::Read), OpenApiRouter::new().routes(routes!(metrics)))
}

/// Give figures for Prometheus
#[utoipa::path(
    get, path = "/metrics", tag = "Health",
    responses((status = OK, body = String, content_type = "application/openmetrics-text", description = "In the OpenMetrics format."))
)]
async fn metrics(State(state): State<ApiState>) -> Result<Response, Refusal> {
    let stats = state.store().stats().await?;
    let mut figures = Figures(Registry::with_prefix("butler"));
    figures.program(&state);
    figures.intake(&state);
    figures.journal(&stats);
    figures.health(&state.health().report());
    let mut text = String::new();
    // Writing into a text can't fail.
    let _ = encode(&mut text, &figures.0);
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

/// Figures as they are put together for one answer.
struct Figures(Registry);

impl Figures {
    fn program(&mut self, state: &ApiState) {
        self.0.register("build", "What runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        let started = Gauge::<f64, AtomicU64>::default();
        started.set(state.started().as_millisecond() as f64 / 1000.0);
        self.0.register_with_unit("start_time", "When it was started, in seconds since 1970", Unit::Seconds, started);
        self.gauge("ready", "Whether new events are taken", i64::from(state.health().report().is_ready()));
    }

    fn intake(&mut self, state: &ApiState) {
        let intake = state.intake();
        self.counter("intake_received", "Datagrams and events that were handed in", intake.received());
        self.counter("intake_accepted", "Events that the journal took as new", intake.accepted());
        self.counter("intake_duplicates", "Events that had been told before", intake.duplicates());
        self.gauge("intake_queued", "What waits to be journalled", intake.queued() as i64);
        let rejected = Family::<Labels, Counter>::default();
        for (reason, count) in intake.rejected() {
            rejected.get_or_create(&vec![("reason", reason.as_str().to_owned())]).inc_by(count);
        }
        self.0.register("intake_rejected", "What was not taken, by reason", rejected);
    }

    fn journal(&mut self, stats: &JournalStats) {
        self.gauge("events", "Events in the journal", stats.events as i64);
        self.gauge("events_unrouted", "Events of which is not decided yet where they go", stats.unrouted as i64);
        self.gauge("store_bytes", "How large the store is", stats.bytes as i64);
        let deliveries = Gauges::default();
        for (sink, how, count) in &stats.deliveries {
            deliveries.get_or_create(&vec![("sink", sink.to_string()), ("state", how.as_str().to_owned())]).set(*count as i64);
        }
        self.0.register("deliveries", "Deliveries in the journal, by sink and state", deliveries);
    }

    fn health(&mut self, health: &HealthReport) {
        self.gauge("store_up", "Whether the store takes events", i64::from(health.store.is_none()));
        let (sources, sites) = (Gauges::default(), Gauges::default());
        for (name, source) in &health.sources {
            sources.get_or_create(&vec![("source", name.to_string())]).set(i64::from(source.error.is_none()));
        }
        for (name, site) in &health.sites {
            sites.get_or_create(&vec![("site", name.to_string())]).set(i64::from(site.down_since.is_none()));
        }
        self.0.register("source_up", "Whether a source hears", sources);
        self.0.register("repository_up", "Whether the repository of a site answers", sites);
        let (up, under_way, delivered) = (Gauges::default(), Gauges::default(), Times::default());
        for (name, sink) in &health.sinks {
            let label = vec![("sink", name.to_string())];
            up.get_or_create(&label).set(i64::from(sink.down_since.is_none()));
            under_way.get_or_create(&label).set(sink.in_flight as i64);
            if let Some(last) = sink.last_delivered {
                delivered.get_or_create(&label).set(last.as_millisecond() as f64 / 1000.0);
            }
        }
        self.0.register("sink_up", "Whether a sink works", up);
        self.0.register("sink_attempts_under_way", "Attempts to deliver that have not ended", under_way);
        self.0.register_with_unit("sink_last_delivered", "When a sink last delivered, in seconds since 1970", Unit::Seconds, delivered);
        let unrouted = Family::<Labels, Counter>::default();
        let (fallback, nobody) = health.unrouted.map_or((0, 0), |unrouted| (unrouted.to_fallback, unrouted.to_nobody));
        for (told, count) in [("fallback", fallback), ("nobody", nobody)] {
            unrouted.get_or_create(&vec![("told", told.to_owned())]).inc_by(count);
        }
        self.0.register("unrouted", "Events that went wrong and were on no route, by who was told in the end", unrouted);
    }

    fn gauge(&mut self, name: &str, help: &str, value: i64) {
        let gauge = Gauge::<i64, AtomicI64>::default();
        gauge.set(value);
        self.0.register(name, help, gauge);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        let counter = Counter::<u64, AtomicU64>::default();
        counter.inc_by(value);
        self.0.register(name, help, counter);
    }
}
