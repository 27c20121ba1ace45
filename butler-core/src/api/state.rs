//! What the API tells of.

use std::sync::Arc;

use jiff::Timestamp;

use super::answers::{ListedDelivery, SinkDown};
use crate::clock::Clock;
use crate::pipeline::{Health, Plan};
#[cfg(feature = "qlik")]
use crate::qlik::start::Starter;
use crate::source::IntakeCounters;
use crate::store::{DeliveryRecord, DeliveryState, Store};

/// What the API tells of. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ApiState {
    inner: Arc<Inner>,
    #[cfg(feature = "qlik")]
    starter: Option<Arc<Starter>>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    plan: Arc<Plan>,
    intake: Arc<IntakeCounters>,
    health: Arc<Health>,
    clock: Arc<dyn Clock>,
    started: Timestamp,
}

impl ApiState {
    /// Of these, as of a Butler that has been started now.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, intake: Arc<IntakeCounters>, health: Arc<Health>, plan: Arc<Plan>, clock: Arc<dyn Clock>) -> Self {
        let started = clock.now();
        let inner = Arc::new(Inner { store, plan, intake, health, clock, started });
        Self {
            inner,
            #[cfg(feature = "qlik")]
            starter: None,
        }
    }

    /// The same, with somebody who starts tasks.
    #[cfg(feature = "qlik")]
    #[must_use]
    pub fn starting(self, starter: Arc<Starter>) -> Self {
        Self { starter: Some(starter), ..self }
    }

    #[cfg(feature = "qlik")]
    pub(super) fn starter(&self) -> Option<&Starter> {
        self.starter.as_deref()
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.inner.store
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.inner.plan
    }

    pub(super) fn intake(&self) -> &IntakeCounters {
        &self.inner.intake
    }

    pub(super) fn health(&self) -> &Health {
        &self.inner.health
    }

    pub(super) fn now(&self) -> Timestamp {
        self.inner.clock.now()
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
