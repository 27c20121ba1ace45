//! What the API tells of.

use std::sync::Arc;

use jiff::Timestamp;

use super::answers::{ListedDelivery, SinkDown};
use super::v4::Messaging;
use crate::clock::Clock;
use crate::config::{Config, EndpointsConfig};
use crate::kv::{KeyValues, KvSettings};
use crate::pipeline::{Health, Plan, SilenceDesk};
#[cfg(feature = "qlik")]
use crate::qlik::{engine::Apps, start::Starter};
use crate::schedule::Schedules;
#[cfg(feature = "mqtt")]
use crate::source::mqtt_in::MqttPublisher;
use crate::source::{IntakeCounters, Stop};
use crate::store::{DeliveryRecord, DeliveryState, Store};

/// What the API tells of, and what it can do. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ApiState {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    parts: ApiParts,
    pairs: KeyValues,
    started: Timestamp,
}

/// What an [`ApiState`] is put together from.
#[derive(Debug)]
pub struct ApiParts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Sites, sinks and routes.
    pub plan: Arc<Plan>,
    /// What was counted at the way in.
    pub intake: Arc<IntakeCounters>,
    /// How everything stands.
    pub health: Arc<Health>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What the API can do beside telling.
    pub services: ApiServices,
}

/// What the API can do beside telling how it stands. What is not here can't be done by this Butler, and requests for it are refused in words.
#[derive(Debug, Default)]
pub struct ApiServices {
    /// The configuration, to be shown.
    pub config: Option<Config>,
    /// Tells streams that they are to end.
    pub stop: Stop,
    /// Makes and ends silences.
    pub silences: Option<Arc<SilenceDesk>>,
    /// Shows, changes and runs schedules.
    pub schedules: Option<Schedules>,
    /// Which endpoints of `/v4` there are.
    pub endpoints: EndpointsConfig,
    /// How many requests to `/v4` each address may send a minute; 0 for as many as it likes.
    pub rate_limit: u32,
    /// How much the key-value store takes.
    pub kv: KvSettings,
    /// Sends messages of load scripts on.
    pub messaging: Messaging,
    /// Works with files.
    #[cfg(feature = "files")]
    pub files: Option<Arc<crate::files::Files>>,
    /// Publishes over MQTT.
    #[cfg(feature = "mqtt")]
    pub mqtt: Option<MqttPublisher>,
    /// Starts tasks.
    #[cfg(feature = "qlik")]
    pub starter: Option<Arc<Starter>>,
    /// Lists, dumps and reloads apps.
    #[cfg(feature = "qlik")]
    pub apps: Option<Arc<Apps>>,
}

impl ApiState {
    /// Of these, as of a Butler that has been started now.
    #[must_use]
    pub fn new(parts: ApiParts) -> Self {
        let started = parts.clock.now();
        let pairs = KeyValues::new(Arc::clone(&parts.store) as _, parts.services.kv, Arc::clone(&parts.clock));
        Self { inner: Arc::new(Inner { parts, pairs, started }) }
    }

    pub(super) fn services(&self) -> &ApiServices {
        &self.inner.parts.services
    }

    #[cfg(feature = "qlik")]
    pub(super) fn starter(&self) -> Option<&Starter> {
        self.services().starter.as_deref()
    }

    #[cfg(feature = "qlik")]
    pub(super) fn apps(&self) -> Option<&Apps> {
        self.services().apps.as_deref()
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.inner.parts.store
    }

    /// The load scripts' pairs, within their limits.
    pub(super) fn pairs(&self) -> &KeyValues {
        &self.inner.pairs
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.inner.parts.plan
    }

    pub(super) fn intake(&self) -> &IntakeCounters {
        &self.inner.parts.intake
    }

    pub(super) fn health(&self) -> &Health {
        &self.inner.parts.health
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.parts.clock
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock().now()
    }

    pub(super) fn started(&self) -> Timestamp {
        self.inner.started
    }

    /// Deliveries in the light of what is configured and how the sinks stand.
    pub(super) fn listed(&self, records: Vec<DeliveryRecord>) -> Vec<ListedDelivery> {
        let health = self.health().report();
        let listed = |record: DeliveryRecord| {
            let is_pending = record.state == DeliveryState::Pending;
            let sink = health.sinks.get(&record.sink).filter(|_| is_pending);
            let sink_down = sink.and_then(|sink| {
                let since = sink.down_since?;
                Some(SinkDown { since, error: sink.last_error.clone().unwrap_or_default() })
            });
            let orphaned = is_pending && !self.plan().sinks.contains_key(&record.sink);
            ListedDelivery { record, orphaned, sink_down }
        };
        records.into_iter().map(listed).collect()
    }
}
