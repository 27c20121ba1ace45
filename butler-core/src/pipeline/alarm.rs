//! The one message that does not pass through the journal: that the journal itself fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::SignedDuration;
use uuid::Uuid;

use super::plan::Plan;
use crate::clock::Clock;
use crate::event::{Body, DeliveryId, Event, EventId, Facts, Kind, Notice, SinkName, SiteName};
use crate::sink::{Delivery, Rendering, TargetRequest};
use crate::store::StoreError;

/// At most one such message in this time.
const PAUSE: SignedDuration = SignedDuration::from_mins(15);

/// Tells people directly.
#[derive(Debug)]
pub(super) struct Alarm {
    plan: Arc<Plan>,
    clock: Arc<dyn Clock>,
    last: std::sync::Mutex<Option<jiff::Timestamp>>,
}

impl Alarm {
    pub(super) fn new(plan: Arc<Plan>, clock: Arc<dyn Clock>) -> Self {
        Self { plan, clock, last: std::sync::Mutex::default() }
    }

    /// Tells the fallback sinks, or every sink if there is no fallback, that the store fails. Does not wait for them.
    pub(super) fn store_failing(&self, error: &StoreError) {
        let now = self.clock.now();
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            return;
        }
        *last = Some(now);
        drop(last);
        let text = format!("New events are kept in memory only, and are lost if Butler stops now. {error}");
        let site = self.plan.sites.keys().next().cloned().unwrap_or_else(|| SiteName::from("butler"));
        let event = Arc::new(Event {
            id: EventId(Uuid::now_v7()),
            site,
            kind: Kind::Other("butler.store_failing".into()),
            at: now,
            received: now,
            source: "butler".into(),
            body: Body::Notice(Notice { title: "Butler can't store events".into(), text, ..Notice::default() }),
        });
        let all: Vec<SinkName> = self.plan.sinks.keys().cloned().collect();
        let names = if self.plan.fallback.is_empty() { &all } else { &self.plan.fallback };
        for name in names {
            tokio::spawn(tell(Arc::clone(&self.plan), name.clone(), Arc::clone(&event), Arc::clone(&self.clock)));
        }
    }
}

async fn tell(plan: Arc<Plan>, name: SinkName, event: Arc<Event>, clock: Arc<dyn Clock>) {
    let Some(sink) = plan.sinks.get(&name) else { return };
    let site = plan.site_info(&event.site);
    let facts = Facts::default();
    for target in sink.sink.targets(&TargetRequest { event: &event, facts: &facts, recipients: None }) {
        let rendering = Rendering { event: &event, facts: &facts, target: &target, site: &site, held_back: 0, missing: &[] };
        let why = match catch_unwind(AssertUnwindSafe(|| sink.sink.render(&rendering))) {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("rendering the message panicked".to_owned()),
        };
        let message = why.unwrap_or_else(|why| sink.sink.plain(&rendering, &why));
        let key = DeliveryId::of(event.id, &name, &target);
        let delivery = Delivery { key, event: &event, target: &target, message: &message, attempt: 1 };
        let limit = sink.timeout.max(Duration::from_secs(1));
        let told = tokio::select! {
            told = AssertUnwindSafe(sink.sink.deliver(&delivery)).catch_unwind() => match told {
                Ok(told) => told.map_err(|error| error.to_string()),
                Err(_) => Err("the sink panicked".to_owned()),
            },
            () = clock.sleep(limit) => Err("no answer in time".to_owned()),
        };
        match told {
            Ok(receipt) => tracing::info!(sink = %name, %target, detail = receipt.detail, "People were told that the store fails."),
            Err(error) => tracing::error!(sink = %name, %target, error, "People could not be told that the store fails."),
        }
    }
}
