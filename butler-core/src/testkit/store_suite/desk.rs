//! What the tests of the suite work with.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::StoreHarness;
use crate::event::{Body, Class, DedupKey, EventId, Kind, NewEvent, Notice, SinkName, TaskEvent, TaskOutcome};
use crate::sink::{DeliveryError, Reason, Receipt};
use crate::store::{
    Appended, AttemptRecord, Claim, DeliveryQuery, DeliveryRecord, DeliveryState, Interest, Journal, Lease, Limit, NewDelivery, Routing,
    Settled, Settlement, StoreError,
};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_mins(1);
pub(super) const DAY: Duration = Duration::from_hours(24);
/// The sink that deliveries go to unless a test says otherwise.
pub(super) const SINK: &str = "ops";
/// As many as there are.
pub(super) const ALL: usize = 1000;

/// The value of a call that has to succeed.
#[track_caller]
pub(super) fn ok<T>(result: Result<T, StoreError>) -> T {
    result.unwrap_or_else(|error| panic!("the store failed: {error}"))
}

/// A journal under test, with what a pipeline would do with it in short words.
#[derive(Debug)]
pub(super) struct Desk<H> {
    harness: H,
}

impl<H: StoreHarness> Desk<H> {
    pub(super) async fn start() -> Self {
        Self { harness: H::start().await }
    }

    /// The store as a journal and nothing else.
    pub(super) fn journal(&self) -> Arc<dyn Journal> {
        self.harness.store()
    }

    pub(super) fn harness(&self) -> &H {
        &self.harness
    }

    pub(super) fn now(&self) -> Timestamp {
        use crate::clock::Clock;
        self.harness.clock().now()
    }

    pub(super) fn after(&self, time: Duration) -> Timestamp {
        self.now() + SignedDuration::try_from(time).unwrap_or(SignedDuration::ZERO)
    }

    pub(super) fn pass(&self, time: Duration) {
        self.harness.clock().advance(time);
    }

    /// Ends the process that holds the store, and opens it in another one.
    pub(super) async fn reopen(self) -> Option<Self> {
        Some(Self { harness: self.harness.reopen().await? })
    }

    pub(super) async fn append(&self, events: Vec<NewEvent>) -> Vec<Appended> {
        ok(self.journal().append(events).await)
    }

    /// Accepts an event that is new.
    pub(super) async fn accept(&self, event: NewEvent) -> EventId {
        match self.append(vec![event]).await[..] {
            [Appended::New(id)] => id,
            ref other => panic!("no new event: {other:?}"),
        }
    }

    pub(super) async fn claim(&self) -> Vec<Claim> {
        ok(self.journal().claim(MINUTE, ALL).await)
    }

    /// Claims the one event that there is to be claimed.
    pub(super) async fn claim_one(&self) -> Claim {
        let mut claims = self.claim().await;
        assert_eq!(claims.len(), 1, "{claims:?}");
        claims.remove(0)
    }

    pub(super) async fn route(&self, claim: &Claim, deliveries: Vec<NewDelivery>) -> Settled {
        let routing = Routing { deliveries, ..Routing::default() };
        ok(self.journal().route(claim.token, routing).await)
    }

    /// Accepts an event and routes it.
    pub(super) async fn deliver(&self, deliveries: Vec<NewDelivery>) -> EventId {
        self.deliver_event(event(), deliveries).await
    }

    pub(super) async fn deliver_event(&self, event: NewEvent, deliveries: Vec<NewDelivery>) -> EventId {
        let id = self.accept(event).await;
        let claim = self.claim_one().await;
        assert_eq!((claim.event.id, self.route(&claim, deliveries).await), (id, Settled::Done));
        id
    }

    pub(super) async fn lease(&self) -> Vec<Lease> {
        ok(self.journal().lease(&sink(), MINUTE, ALL).await).leases
    }

    /// Leases the one delivery that there is to be leased.
    pub(super) async fn lease_one(&self) -> Lease {
        let mut leases = self.lease().await;
        assert_eq!(leases.len(), 1, "{leases:?}");
        leases.remove(0)
    }

    pub(super) async fn settle(&self, lease: &Lease, settlement: Settlement) -> Settled {
        let settled = ok(self.journal().settle(vec![(lease.token, settlement)]).await);
        assert_eq!(settled.len(), 1);
        settled[0]
    }

    /// Settles a lease that holds.
    pub(super) async fn done(&self, lease: &Lease, settlement: Settlement) {
        assert_eq!(self.settle(lease, settlement).await, Settled::Done);
    }

    /// All deliveries, oldest first.
    pub(super) async fn records(&self) -> Vec<DeliveryRecord> {
        let mut records = ok(self.journal().deliveries(DeliveryQuery { max: ALL, ..DeliveryQuery::default() }).await);
        records.reverse();
        records
    }

    pub(super) async fn record(&self, lease: &Lease) -> DeliveryRecord {
        let query = DeliveryQuery { id: Some(lease.token.delivery), ..DeliveryQuery::default() };
        ok(self.journal().deliveries(query).await).pop().unwrap_or_else(|| panic!("no such delivery: {lease:?}"))
    }

    pub(super) async fn states(&self) -> Vec<DeliveryState> {
        self.records().await.into_iter().map(|record| record.state).collect()
    }

    pub(super) async fn attempts(&self, record: &DeliveryRecord) -> Vec<AttemptRecord> {
        ok(self.journal().attempts(record.id).await)
    }

    /// Makes sure that watchers of `interest` learn of what `work` does.
    pub(super) async fn tells<T>(&self, interest: Interest<'_>, work: impl Future<Output = T>) -> T {
        let mut watcher = self.journal().watch(interest);
        watcher.borrow_and_update();
        let done = work.await;
        assert!(watcher.has_changed().unwrap_or(false), "nobody was told");
        done
    }
}

pub(super) fn sink() -> SinkName {
    SINK.into()
}

/// An event without keys.
pub(super) fn event() -> NewEvent {
    NewEvent {
        site: "prod".into(),
        kind: Kind::task(TaskOutcome::Failed),
        at: Timestamp::constant(1_715_580_131, 0),
        source: "udp".into(),
        keys: Vec::new(),
        body: Body::Task(TaskEvent { task_id: Uuid::from_u128(7), task_name: "Reload sales".into(), ..TaskEvent::default() }),
    }
}

/// An event with these exact keys.
pub(super) fn keyed(keys: &[&str]) -> NewEvent {
    NewEvent { keys: keys.iter().map(|key| exact(key)).collect(), ..event() }
}

pub(super) fn exact(key: &str) -> DedupKey {
    DedupKey::Exact(key.to_owned())
}

/// A key of one scope, `seconds` after a moment, that tolerates five.
pub(super) fn near(seconds: i64) -> DedupKey {
    let at = event().at + SignedDuration::from_secs(seconds);
    DedupKey::Near { scope: "task 7".into(), at, tolerance: SignedDuration::from_secs(5) }
}

/// An event that says nothing but this.
pub(super) fn notice(text: &str) -> NewEvent {
    NewEvent { body: Body::Notice(Notice { text: text.to_owned(), ..Notice::default() }), ..event() }
}

/// A delivery to a target of the usual sink, in no lane and without a limit.
pub(super) fn to(target: &str) -> NewDelivery {
    NewDelivery {
        sink: sink(),
        target: target.into(),
        lane: None,
        limit: None,
        route: "all".into(),
        class: Class::Alert,
        expires: event().at + SignedDuration::from_hours(24),
        silenced: None,
    }
}

/// A delivery in the lane `lane`.
pub(super) fn in_lane() -> NewDelivery {
    NewDelivery { lane: Some("lane".into()), ..to("") }
}

/// A delivery that is limited to one message in ten minutes.
pub(super) fn limited() -> NewDelivery {
    NewDelivery { limit: Some(Limit { key: "limit".into(), window: 10 * MINUTE }), ..in_lane() }
}

pub(super) fn delivered() -> Settlement {
    Settlement::Delivered { receipt: Receipt { detail: "HTTP 200".into() }, preview: "Reload failed".into(), took: SECOND, fault: None }
}

pub(super) fn retry(due: Timestamp) -> Settlement {
    Settlement::Retry { error: DeliveryError::transient(Reason::Unreachable, "no route to host"), due, overtake: false }
}

pub(super) fn dead() -> Settlement {
    Settlement::Dead { error: DeliveryError::permanent(Reason::Rejected, "no such channel") }
}
