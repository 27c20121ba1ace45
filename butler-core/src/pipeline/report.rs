//! Butler's own events: what goes wrong with Butler itself is told like anything else that goes wrong.
//!
//! `butler.delivery_dead` when a message is given up, `butler.sink_down` when a sink has been down for a while. They pass through the journal and the routes as all events do;
//! about a message that told of such an event no further one is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::event::{Body, DedupKey, DeliveryId, Event, Kind, NewEvent, Notice, SinkName, SiteName};
use crate::sink::DeliveryError;
use crate::source::Intake;

/// How long a sink may be down before that is an event.
const DOWN_FOR: SignedDuration = SignedDuration::from_mins(1);

/// Makes Butler's own events.
#[derive(Debug, Clone)]
pub(super) struct Reporter {
    intake: Intake,
    clock: Arc<dyn Clock>,
    site: SiteName,
}

impl Reporter {
    /// `site` is the one that events about no site in particular are booked on.
    pub(super) fn new(intake: Intake, clock: Arc<dyn Clock>, site: SiteName) -> Self {
        Self { intake, clock, site }
    }

    /// A delivery was given up.
    pub(super) fn dead(&self, sink: &SinkName, delivery: DeliveryId, event: &Event, error: &DeliveryError) {
        tracing::error!(%sink, %delivery, event = %event.id, kind = %event.kind, reason = error.reason.as_str(), %error, "A message is given up.");
        if is_own(&event.kind) {
            return;
        }
        let title = format!("Butler gave up telling `{sink}` of {}", event.kind);
        let text = format!("{error}. See `butler-cli deliveries show {delivery}`; `butler-cli deliveries retry {delivery}` tries again.");
        let fields = [("sink", sink.to_string()), ("delivery", delivery.to_string()), ("event", event.id.to_string())];
        self.tell("butler.delivery_dead", event.site.clone(), title, text, fields, format!("dead|{delivery}"));
    }

    /// Deliveries were given up because they became too old while they waited. Told once a day, for they may be many, and come one after the other.
    pub(super) fn expired(&self, count: u64) {
        tracing::error!(count, "Messages were given up because they were too old; `butler-cli deliveries list --state dead` lists them.");
        let title = format!("Butler gave up {count} messages that had become too old");
        let text = "They waited for sinks that did not work, or are no longer configured. `butler-cli deliveries list --state dead` lists them; there may be more \
                    by now. `butler-cli deliveries retry ID` tries one again.";
        let day = self.clock.now().strftime("%Y-%m-%d");
        let fields = [("count", count.to_string())];
        self.tell("butler.delivery_dead", self.site.clone(), title, text.to_owned(), fields, format!("expired|{day}"));
    }

    /// A sink does not come back.
    pub(super) fn still_down(&self, sink: &SinkName, since: Timestamp, now: Timestamp, error: &str) {
        if now.duration_since(since) < DOWN_FOR {
            return;
        }
        let title = format!("Butler can't reach `{sink}`");
        let text = format!(
            "It has been down since {since:.0}: {error}. Messages wait and go out once it is back. `butler-cli status` shows how it stands."
        );
        let fields = [("sink", sink.to_string()), ("since", since.to_string())];
        self.tell("butler.sink_down", self.site.clone(), title, text, fields, format!("down|{sink}|{since}"));
    }

    fn tell<const N: usize>(&self, kind: &str, site: SiteName, title: String, text: String, fields: [(&str, String); N], key: String) {
        let fields: BTreeMap<_, _> = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let event = NewEvent {
            site,
            kind: Kind::Other(kind.into()),
            at: self.clock.now(),
            source: "butler".into(),
            keys: vec![DedupKey::Exact(key)],
            body: Body::Notice(Notice { title, text, fields, task: None }),
        };
        let intake = self.intake.clone();
        // Whoever reports must not wait for the journal: the journal may be what is in trouble.
        tokio::spawn(async move {
            if let Err(error) = intake.submit(event).await {
                tracing::error!(%error, "An event of Butler's own could not be journalled.");
            }
        });
    }
}

/// Whether this is one of Butler's own events.
pub(super) fn is_own(kind: &Kind) -> bool {
    matches!(kind, Kind::Other(name) if name.starts_with("butler."))
}
