//! The journal: events that were accepted, and what is to be delivered of them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{
    AttemptRecord, DeliveryQuery, DeliveryRecord, EventQuery, EventRecord, JournalStats, PrunePolicy, PruneReport, RouteNote, StoreError,
    Story,
};
use crate::event::{Class, DedupKey, DeliveryId, Event, EventId, Facts, Kind, NewEvent, SinkName, Target};
use crate::sink::{DeliveryError, Receipt};

/// Keeps every accepted event until each destination has it, or has a reason on record why not.
///
/// The way of an event is two commits. [`append`](Self::append) is the first: once it has returned, the event is accepted. A router then
/// [`claim`](Self::claim)s it, finds out what it has to, and [`route`](Self::route)s it: the deliveries and the mark that the event is routed are one transaction, the
/// second commit. From then on each delivery is leased, attempted and settled on its own.
///
/// # Contract
/// * `append` is atomic for each event, and durable when it returns. Two events of one call may be duplicates of each other. Results stand in the order of
///   the events.
/// * An event any of whose keys matches an earlier event's is a duplicate: what is stored is a sighting, and its exact keys, by which the event is known from
///   then on too. A key stays with the event that had it first. Keys go with their event.
/// * `claim` hands each event that is not routed to one caller at a time, oldest first. An event whose claim was not used within `hold` is
///   handed out again, with `attempt` one higher; reopening the store voids all claims.
/// * `route` is all or nothing. It stores facts, keys, kind and explanation with the deliveries. With a claim that is not the latest it changes nothing and
///   says [`Settled::Stale`]. Of deliveries with the same id the first counts.
/// * `defer` gives a claim back; the event is not handed out before `until`, and `attempt` does not count it.
/// * Deliveries of one lane are leased in the order in which they were routed, one at a time: only the oldest open one, the head, is leased. Those
///   without a lane do not wait for each other. A head that is settled with `overtake` waits for its next attempt beside its lane.
/// * `lease` hands out deliveries of one sink that are due, oldest first, each to one caller at a time. One that was not settled within
///   `hold`, or whose lease was open when the store was last closed, counts as lost (`Lease::lost`) and is handed out again, with a higher token. After `MAX_LOST` losses
///   in a row it is dead instead.
/// * Of a sink's deliveries that were lost, one is leased at a time: a message that takes the process down with it is soon alone with its guilt, and takes no
///   others to their end. An attempt that returns clears it.
/// * `settle` with a token that is not the latest changes nothing for that delivery and says [`Settled::Stale`]; the others of the call are settled.
///   `Delivered` opens the window of the delivery's limit in the same transaction. Dead, suppressed, delivered and discarded free the lane.
/// * A lease says how its limit stands: whose window is open, and how many were suppressed since the last message that was delivered.
/// * What was accepted may be claimed and what was routed may be leased at once, also when the clock goes back in between.
/// * `release` gives leases back unused: no attempt and no loss is counted.
/// * `watch` has changed whenever a call has left something to claim (`Interest::Events`) or to lease (`Interest::Sink`), now or at another time than before;
///   it may also change for nothing. What comes with time alone it does not tell: `Leased::next_due` does.
/// * Ids sort by age, whatever the clock does, and so do the pages of `events` and `deliveries`, newest first. `before` may be gone by now.
/// * `revive` puts a delivery that was given up outside of its lane and its limit. `discard` ends a pending one, whoever holds it. `expire` leaves alone what is
///   leased.
/// * `prune` works in slices: one call removes at most `slice` events, and reports whether more is left. An event goes only when it is routed, all its
///   deliveries are settled and the retention has passed, counted from when it was received.
/// * Above `max_bytes` the oldest settled events go first, then open metrics are given up, then open alerts. These become dead with reason `overflow`; their
///   record stays as long as there is anything else that can go. What is leased is left alone. Pairs are not counted: no event pays for them.
///
/// # Errors
/// [`StoreError`]. After an error of `append` or `route` nothing of that call is stored.
///
/// # Cancellation
/// Dropping a future may leave the call done or not done, never in part.
#[async_trait]
pub trait Journal: std::fmt::Debug + Send + Sync + 'static {
    /// Accepts events.
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Appended>, StoreError>;

    /// Takes up to `max` events that are not routed yet, for `hold`.
    async fn claim(&self, hold: Duration, max: usize) -> Result<Vec<Claim>, StoreError>;

    /// Gives a claim back until later, keeping the facts found so far.
    async fn defer(&self, token: ClaimToken, facts: Facts, until: Timestamp) -> Result<Settled, StoreError>;

    /// Stores what was decided about a claimed event.
    async fn route(&self, token: ClaimToken, routing: Routing) -> Result<Settled, StoreError>;

    /// Replaces the facts of an event that is routed already.
    async fn add_facts(&self, event: EventId, facts: Facts) -> Result<(), StoreError>;

    /// Takes up to `max` due deliveries of `sink`, for `hold`.
    async fn lease(&self, sink: &SinkName, hold: Duration, max: usize) -> Result<Leased, StoreError>;

    /// Says how leased deliveries went.
    async fn settle(&self, settlements: Vec<(LeaseToken, Settlement)>) -> Result<Vec<Settled>, StoreError>;

    /// Gives leases back unused.
    async fn release(&self, tokens: Vec<LeaseToken>) -> Result<(), StoreError>;

    /// Tells when to look again.
    fn watch(&self, interest: Interest<'_>) -> watch::Receiver<u64>;

    /// A page of events.
    async fn events(&self, query: EventQuery) -> Result<Vec<EventRecord>, StoreError>;

    /// A page of deliveries.
    async fn deliveries(&self, query: DeliveryQuery) -> Result<Vec<DeliveryRecord>, StoreError>;

    /// An event with everything that is known about its way; `None` if there is no such event.
    async fn story(&self, event: EventId) -> Result<Option<Story>, StoreError>;

    /// The attempts of a delivery, oldest first; the store keeps the latest twenty.
    async fn attempts(&self, delivery: DeliveryId) -> Result<Vec<AttemptRecord>, StoreError>;

    /// Makes a dead, suppressed or discarded delivery pending again, due now, to expire at `expires`. `false` if it is none of these or does not exist.
    async fn revive(&self, delivery: DeliveryId, expires: Timestamp) -> Result<bool, StoreError>;

    /// Gives up a pending delivery on somebody's word. `false` if it is not pending or does not exist.
    async fn discard(&self, delivery: DeliveryId, why: String) -> Result<bool, StoreError>;

    /// Moves the open deliveries of sink `from` to sink `to`, for a sink that was renamed. Returns how many. Their ids (and so idempotency keys) stay.
    async fn adopt(&self, from: &SinkName, to: &SinkName) -> Result<u64, StoreError>;

    /// Marks open deliveries that have expired as dead, for every sink, whether it still exists or not. Returns how many.
    async fn expire(&self) -> Result<u64, StoreError>;

    /// Removes what is old, or too much.
    async fn prune(&self, policy: PrunePolicy) -> Result<PruneReport, StoreError>;

    /// How much there is of what.
    async fn stats(&self) -> Result<JournalStats, StoreError>;
}

/// Leases in a row that never returned, after which a delivery is dead: it takes the process down with it.
pub const MAX_LOST: u32 = 5;

/// What became of an appended event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is new, with this identity.
    New(EventId),
    /// It was told before, as this event.
    Duplicate(EventId),
}

impl Appended {
    /// The event that now stands for it.
    #[must_use]
    pub fn id(self) -> EventId {
        match self {
            Self::New(id) | Self::Duplicate(id) => id,
        }
    }
}

/// Proof of holding an event: a later claim makes it stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClaimToken {
    /// The event.
    pub event: EventId,
    /// Counts the claims of this event.
    pub fence: u64,
}

/// An event to be routed.
#[derive(Debug, Clone)]
pub struct Claim {
    /// To be shown when routing it.
    pub token: ClaimToken,
    /// The event.
    pub event: Event,
    /// What was found out about it by earlier claims.
    pub facts: Facts,
    /// 1 for the first claim; higher means that earlier claims never returned.
    pub attempt: u32,
}

/// What was decided about an event.
#[derive(Debug, Clone, Default)]
pub struct Routing {
    /// What it turned out to be, in the light of the facts.
    pub kind: Option<Kind>,
    /// What was found out.
    pub facts: Facts,
    /// Further keys by which a repeat is recognised, now that more is known.
    pub keys: Vec<DedupKey>,
    /// Where it goes. Empty: nowhere.
    pub deliveries: Vec<NewDelivery>,
    /// Why it goes there, and not elsewhere; one note per route.
    pub notes: Vec<RouteNote>,
}

/// A delivery to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDelivery {
    /// By which sink.
    pub sink: SinkName,
    /// To where within it.
    pub target: Target,
    /// Deliveries of one lane go out one after the other, in the order of their events.
    pub lane: Option<String>,
    /// At most one message per window.
    pub limit: Option<Limit>,
    /// The route that asked for it.
    pub route: String,
    /// Alert or metric: what is dropped last or first when the store is full.
    pub class: Class,
    /// When to give up.
    pub expires: Timestamp,
    /// Why it is not sent at all. It is settled at once then, and holds nobody up.
    pub silenced: Option<Suppression>,
}

/// At most one delivered message per key and window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What the limit counts together.
    pub key: String,
    /// How long a delivered message keeps the next ones back.
    pub window: Duration,
}

/// Proof of holding a delivery: a later lease makes it stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseToken {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Counts the leases of this delivery.
    pub fence: u64,
}

/// A delivery to be attempted.
#[derive(Debug, Clone)]
pub struct Lease {
    /// To be shown when settling it.
    pub token: LeaseToken,
    /// To where within the sink.
    pub target: Target,
    /// The route that asked for it.
    pub route: String,
    /// The event, with its kind as it was decided at routing.
    pub event: Arc<Event>,
    /// What is known about it.
    pub facts: Arc<Facts>,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// How many leases in a row never returned before this one.
    pub lost: u32,
    /// When it was routed.
    pub created: Timestamp,
    /// When to give up.
    pub expires: Timestamp,
    /// Since when it has been failing.
    pub failing_since: Option<Timestamp>,
    /// Whether others of its lane wait for it.
    pub has_followers: bool,
    /// How its limit stands, if it has one.
    pub limit: Option<LimitState>,
}

/// How the limit of a delivery stands at the moment of its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitState {
    /// The delivery whose success keeps this one back, and until when. `None`: the way is free.
    pub held_by: Option<(DeliveryId, Timestamp)>,
    /// How many were held back since a message of this key was last delivered.
    pub held_back: u64,
}

/// What there was to lease.
#[derive(Debug, Clone, Default)]
pub struct Leased {
    /// Deliveries to be attempted.
    pub leases: Vec<Lease>,
    /// When the next one that is not due yet will be; `None` if nothing waits.
    pub next_due: Option<Timestamp>,
}

/// How an attempt, or the decision not to make one, ended.
#[derive(Debug)]
pub enum Settlement {
    /// The remote has accepted it.
    Delivered {
        /// What it answered.
        receipt: Receipt,
        /// The start of what went out.
        preview: String,
        /// How long the attempt took.
        took: Duration,
        /// A fault that the message went out in spite of: a broken template, a missing fact.
        fault: Option<String>,
    },
    /// It failed and is tried again.
    Retry {
        /// What failed.
        error: DeliveryError,
        /// When to try again.
        due: Timestamp,
        /// Let the next of its lane go ahead.
        overtake: bool,
    },
    /// It failed for good.
    Dead {
        /// What failed.
        error: DeliveryError,
    },
    /// It is not sent, for a reason that is no failure.
    Suppressed(Suppression),
}

/// Why a message is not sent although nothing failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Suppression {
    /// A rate limit: `held_by` was delivered within the window.
    RateLimit {
        /// The delivery that opened the window.
        held_by: DeliveryId,
        /// When the window closes.
        until: Timestamp,
    },
    /// Somebody wants to hear nothing of it for a while.
    Silence {
        /// The silence.
        id: String,
        /// When it ends.
        until: Timestamp,
        /// Why there is one.
        why: String,
    },
}

/// Whether a token still held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Done.
    Done,
    /// Somebody else holds it by now, or it is settled: nothing was changed.
    Stale,
}

/// What a watcher waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest<'a> {
    /// Events to claim.
    Events,
    /// Deliveries of this sink to lease.
    Sink(&'a SinkName),
}
