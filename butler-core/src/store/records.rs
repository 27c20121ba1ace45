//! What the journal tells those who look into it: the command line, the admin API, `explain`.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::{DeliveryId, Event, EventId, Facts, SinkName, SiteName, SourceName, Target};

/// Which events to list. An unset field does not restrict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(default, deny_unknown_fields)]
pub struct EventQuery {
    /// Kinds: a name, or a start with a trailing `*`.
    pub kind: Option<String>,
    /// Site.
    #[cfg_attr(feature = "api", param(inline))]
    pub site: Option<SiteName>,
    /// Task.
    pub task: Option<Uuid>,
    /// Received at this time or later.
    pub since: Option<Timestamp>,
    /// Older than this event: for the next page.
    #[cfg_attr(feature = "api", param(inline))]
    pub before: Option<EventId>,
    /// At most so many; the store may give fewer.
    pub max: usize,
}

impl Default for EventQuery {
    fn default() -> Self {
        Self { kind: None, site: None, task: None, since: None, before: None, max: 50 }
    }
}

/// Which deliveries to list. An unset field does not restrict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryQuery {
    /// This one alone.
    pub id: Option<DeliveryId>,
    /// Of this event.
    pub event: Option<EventId>,
    /// By this sink.
    pub sink: Option<SinkName>,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Older than this one (`DeliveryRecord::seq`): for the next page.
    pub before: Option<u64>,
    /// At most so many.
    pub max: usize,
}

impl Default for DeliveryQuery {
    fn default() -> Self {
        Self { id: None, event: None, sink: None, state: None, before: None, max: 50 }
    }
}

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Still to be made.
    Pending,
    /// The remote has it.
    Delivered,
    /// Given up; the dead-letter list.
    Dead,
    /// Held back by a rule.
    Suppressed,
    /// Given up on somebody's word.
    Discarded,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Delivered, Self::Dead, Self::Suppressed, Self::Discarded];

    /// Its name in lists and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Suppressed => "suppressed",
            Self::Discarded => "discarded",
        }
    }

    /// The state of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// An event in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct EventRecord {
    /// The event; its kind is the one decided at routing.
    pub event: Event,
    /// When it was routed; `None` while it waits.
    pub routed: Option<Timestamp>,
    /// How often it was told.
    pub sightings: u64,
    /// How many of its deliveries stand how; states that do not occur are left out.
    pub deliveries: Vec<(DeliveryState, u64)>,
}

/// Somebody told us of an event, for the first time or again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Sighting {
    /// Who.
    pub source: SourceName,
    /// When.
    pub at: Timestamp,
}

/// What a route said about an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct RouteNote {
    /// The route.
    pub route: String,
    /// Whether it took the event.
    pub matched: bool,
    /// Why, or why not, in words.
    pub why: String,
}

/// An event with everything that is known about its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// The event.
    pub record: EventRecord,
    /// What was found out about it.
    pub facts: Facts,
    /// Who told us, and when; the first twenty.
    pub sightings: Vec<Sighting>,
    /// What the routes said.
    pub notes: Vec<RouteNote>,
    /// Where it went or goes.
    pub deliveries: Vec<DeliveryRecord>,
}

/// A delivery in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct DeliveryRecord {
    /// Identity, and the idempotency key of its attempts.
    pub id: DeliveryId,
    /// Counts up with age; for paging.
    pub seq: u64,
    /// The event.
    pub event: EventId,
    /// By which sink.
    pub sink: SinkName,
    /// To where within it.
    pub target: Target,
    /// The route that asked for it.
    pub route: String,
    /// How it stands.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: u32,
    /// Leases in a row that never returned.
    pub lost: u32,
    /// When it was routed.
    pub created: Timestamp,
    /// Not before this time, while it is pending.
    pub due: Timestamp,
    /// When it is given up.
    pub expires: Timestamp,
    /// When it reached a state that is not pending.
    pub settled: Option<Timestamp>,
    /// Since when it has been failing.
    pub failing_since: Option<Timestamp>,
    /// Waits for an older one of its lane.
    pub waiting_in_lane: bool,
    /// Others of its lane were let ahead.
    pub overtaken: bool,
    /// What the remote answered, why it failed, or why it is held back.
    pub detail: String,
    /// The start of what went out last.
    pub preview: String,
}

/// One attempt of a delivery that failed, or the one that succeeded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct AttemptRecord {
    /// When it ended.
    pub at: Timestamp,
    /// `delivered`, or the reason's name (`timeout`, `refused`, ...).
    pub outcome: String,
    /// What the remote answered, or what failed.
    pub detail: String,
}

/// What may be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrunePolicy {
    /// How long settled events are kept.
    pub retention: Duration,
    /// How long events with a dead delivery are kept.
    pub dead_retention: Duration,
    /// How large the store may be, its pairs not counted.
    pub max_bytes: Option<u64>,
    /// At most so many events in one call.
    pub slice: usize,
}

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PruneReport {
    /// Events, with all that belongs to them.
    pub events: u64,
    /// Open deliveries that were given up because the store is too large.
    pub overflowed: u64,
    /// More could be removed: call again.
    pub more: bool,
}

/// How much there is of what.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct JournalStats {
    /// Events.
    pub events: u64,
    /// Events that are not routed yet.
    pub unrouted: u64,
    /// Deliveries by sink and state.
    pub deliveries: Vec<(SinkName, DeliveryState, u64)>,
    /// Bytes on disk, or an estimate of those in memory.
    pub bytes: u64,
}
