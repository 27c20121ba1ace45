//! `prune` above `max_bytes`: who goes first, and what is left of whom.

use super::StoreHarness;
use super::desk::{ALL, Desk, MINUTE, dead, delivered, event, ok, sink, to};
use super::keeping::policy;
use crate::event::{Class, EventId, Fact, Facts, NewEvent, Owner};
use crate::store::{DeliveryQuery, DeliveryState, If, KvStore, NewDelivery, PrunePolicy, PruneReport, Routing, Settled};

/// A tenth of a mebibyte of facts.
fn heavy() -> Facts {
    Facts { owner: Fact::Known(Owner { name: "x".repeat(100 << 10), ..Owner::default() }), ..Facts::default() }
}

async fn routed<H: StoreHarness>(desk: &Desk<H>, target: &str, class: Class) -> EventId {
    let id = desk.accept(NewEvent { ..event() }).await;
    let claim = desk.claim_one().await;
    let delivery = NewDelivery { class, ..to(target) };
    let routing = Routing { facts: heavy(), deliveries: vec![delivery], ..Routing::default() };
    assert_eq!(ok(desk.journal().route(claim.token, routing).await), Settled::Done);
    id
}

/// Alerts and metrics that wait, and events that are settled, in a mixed order.
async fn crowd<H: StoreHarness>() -> Desk<H> {
    let desk = Desk::<H>::start().await;
    for _ in 0..4 {
        routed(&desk, "alert", Class::Alert).await;
        routed(&desk, "metric", Class::Metric).await;
        routed(&desk, "done", Class::Alert).await;
        routed(&desk, "dead", Class::Alert).await;
    }
    for lease in desk.lease().await {
        match lease.target.as_str() {
            "done" => desk.done(&lease, delivered()).await,
            "dead" => desk.done(&lease, dead()).await,
            _ => ok(desk.journal().release(vec![lease.token]).await),
        }
    }
    desk
}

async fn count<H: StoreHarness>(desk: &Desk<H>, target: &str, state: DeliveryState) -> usize {
    let query = DeliveryQuery { state: Some(state), max: ALL, ..DeliveryQuery::default() };
    let records = ok(desk.journal().deliveries(query).await);
    records.iter().filter(|record| record.target.as_str() == target).count()
}

async fn squeeze<H: StoreHarness>(desk: &Desk<H>, max_bytes: u64, slice: usize) -> PruneReport {
    ok(desk.journal().prune(PrunePolicy { max_bytes: Some(max_bytes), slice, ..policy() }).await)
}

/// Step by step: nothing that is open goes while something settled is there, and no alert while a metric waits.
pub async fn settled_events_go_before_open_ones_and_metrics_before_alerts<H: StoreHarness>() {
    let desk = crowd::<H>().await;
    let bytes = ok(desk.journal().stats().await).bytes;
    assert_eq!(squeeze(&desk, bytes, ALL).await, PruneReport::default());
    let (mut events, mut overflowed) = (0, 0);
    loop {
        let report = squeeze(&desk, 1, 1).await;
        assert!(report.events <= 1, "{report:?}");
        let settled = count(&desk, "done", DeliveryState::Delivered).await + count(&desk, "dead", DeliveryState::Dead).await;
        let metrics = count(&desk, "metric", DeliveryState::Pending).await;
        let alerts = count(&desk, "alert", DeliveryState::Pending).await;
        assert!(settled == 0 || (metrics == 4 && alerts == 4), "{settled} settled, {metrics} metrics, {alerts} alerts");
        assert!(metrics == 0 || alerts == 4, "{metrics} metrics, {alerts} alerts");
        (events, overflowed) = (events + report.events, overflowed + report.overflowed);
        if !report.more {
            break;
        }
    }
    // One byte holds nothing: in the end all of it is gone.
    assert_eq!((events, overflowed), (16, 8));
    assert_eq!(ok(desk.journal().stats().await).events, 0);
}

/// What was given up is a dead letter with its reason, and stays one while it fits; what was only needed to send it is gone.
pub async fn what_overflows_stays_on_record<H: StoreHarness>() {
    let desk = crowd::<H>().await;
    // Room for the records, and not for one event's facts more.
    let max_bytes = 200 << 10;
    let mut rounds = 0;
    while squeeze(&desk, max_bytes, 3).await.more {
        rounds += 1;
        assert!(rounds < 100, "it does not come to an end");
    }
    assert!(ok(desk.journal().stats().await).bytes <= max_bytes);
    assert_eq!((count(&desk, "done", DeliveryState::Delivered).await, count(&desk, "dead", DeliveryState::Dead).await), (0, 0));
    assert_eq!(count(&desk, "metric", DeliveryState::Dead).await, 4);
    let records = desk.records().await;
    let given_up: Vec<_> = records.iter().filter(|record| record.state == DeliveryState::Dead).collect();
    assert!(given_up.len() > 4, "{} of the alerts fit", 8 - given_up.len());
    for record in given_up {
        assert!(record.detail.contains("max_size") && record.settled == Some(desk.now()), "{record:?}");
        assert_eq!(desk.attempts(record).await.last().map(|attempt| attempt.outcome.clone()), Some("overflow".to_owned()));
        let story = ok(desk.journal().story(record.event).await).unwrap_or_else(|| panic!("its event is gone: {record:?}"));
        assert_eq!((story.facts, story.record.event.body), (Facts::default(), event().body));
    }
    // Those that were spared are sent like any other; their facts are whole.
    for lease in desk.lease().await {
        assert_eq!(*lease.facts, heavy());
        desk.done(&lease, delivered()).await;
    }
}

/// Whoever is being sent right now is not given up.
pub async fn what_is_leased_does_not_overflow<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    routed(&desk, "leased", Class::Metric).await;
    let lease = desk.lease_one().await;
    routed(&desk, "waiting", Class::Alert).await;
    while squeeze(&desk, 1, ALL).await.more {}
    assert_eq!(desk.states().await, [DeliveryState::Pending]);
    desk.done(&lease, delivered()).await;
    // A lease that ran out protects nobody.
    routed(&desk, "lost", Class::Alert).await;
    assert_eq!(ok(desk.journal().lease(&sink(), MINUTE, ALL).await).leases.len(), 1);
    desk.pass(MINUTE);
    while squeeze(&desk, 1, ALL).await.more {}
    assert_eq!(ok(desk.journal().stats().await).events, 0);
}

/// Whatever scripts store, an alert that waits is not given up for it.
pub async fn no_event_pays_for_pairs<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    routed(&desk, "alert", Class::Alert).await;
    let pairs: std::sync::Arc<dyn KvStore> = desk.harness().store();
    let (long, max_bytes) = ("x".repeat(50 << 10), 500 << 10);
    for number in 0..20 {
        ok(pairs.put("long", &number.to_string(), &long, None, If::Any, None).await);
    }
    for number in 0..2000 {
        ok(pairs.put("short", &format!("a key of some length: {number}"), "", None, If::Any, None).await);
    }
    assert_eq!(squeeze(&desk, max_bytes, ALL).await, PruneReport::default());
    assert!(ok(pairs.drop_namespace("long").await));
    assert_eq!(squeeze(&desk, max_bytes, ALL).await, PruneReport::default());
    assert_eq!(desk.states().await, [DeliveryState::Pending]);
}
