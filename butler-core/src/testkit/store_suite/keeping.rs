//! `revive`, `discard`, `adopt`, `expire` and `prune`: what changes events and deliveries beside their way.

use std::time::Duration;

use super::StoreHarness;
use super::desk::{ALL, DAY, Desk, MINUTE, SECOND, dead, delivered, event, exact, in_lane, keyed, limited, near, ok, retry, sink, to};
use crate::event::{DeliveryId, EventId, NewEvent};
use crate::store::{
    Appended, DeleteOutcome, DeliveryState, If, Interest, KvStore, Lookup, NewDelivery, PrunePolicy, PruneReport, Routing, Settled,
    Settlement, Suppression,
};

/// Thirty days, ninety for dead letters, any size.
pub(super) fn policy() -> PrunePolicy {
    PrunePolicy { retention: 30 * DAY, dead_retention: 90 * DAY, max_bytes: None, slice: ALL }
}

async fn prune<H: StoreHarness>(desk: &Desk<H>) -> PruneReport {
    ok(desk.journal().prune(policy()).await)
}

async fn exists<H: StoreHarness>(desk: &Desk<H>, event: EventId) -> bool {
    ok(desk.journal().story(event).await).is_some()
}

/// Dead, suppressed and discarded ones become pending: at once, outside of their lane and limit, to a new end.
pub async fn what_was_given_up_can_be_revived<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let journal = desk.journal();
    for _ in 0..5 {
        desk.deliver(vec![limited()]).await;
    }
    let mut leases = Vec::new();
    let suppressed = Settlement::Suppressed(Suppression::RateLimit { held_by: desk.records().await[0].id, until: desk.now() });
    for settlement in [delivered(), dead(), suppressed] {
        let lease = desk.lease_one().await;
        desk.done(&lease, settlement).await;
        leases.push(lease);
    }
    let lease = desk.lease_one().await;
    assert!(ok(journal.discard(lease.token.delivery, "not wanted".into()).await));
    leases.push(lease);
    let pending = desk.lease_one().await;

    let expires = desk.after(3 * DAY);
    assert!(!ok(journal.revive(leases[0].token.delivery, expires).await), "it was delivered");
    assert!(!ok(journal.revive(pending.token.delivery, expires).await), "it is pending");
    assert!(!ok(journal.revive(DeliveryId(uuid::Uuid::from_u128(1)), expires).await), "there is none");
    for lease in &leases[1..] {
        let id = lease.token.delivery;
        assert!(desk.tells(Interest::Sink(&sink()), async { ok(journal.revive(id, expires).await) }).await);
        assert!(!ok(journal.revive(id, expires).await), "it is pending by now");
        let record = desk.record(lease).await;
        assert_eq!((record.state, record.settled, record.expires, record.lost), (DeliveryState::Pending, None, expires, 0));
        assert!(!record.waiting_in_lane && record.failing_since.is_none());
        assert_eq!(desk.settle(lease, delivered()).await, Settled::Stale);
    }
    let revived = desk.lease().await;
    assert_eq!(
        revived.iter().map(|lease| lease.token.delivery).collect::<Vec<_>>(),
        leases[1..].iter().map(|l| l.token.delivery).collect::<Vec<_>>()
    );
    assert!(revived.iter().all(|lease| lease.limit.is_none() && !lease.has_followers));
    for lease in &revived {
        desk.done(lease, delivered()).await;
    }
    // Nobody was held back in the end.
    assert_eq!(pending.limit.map(|limit| limit.held_back), Some(1));
    ok(journal.release(vec![pending.token]).await);
    assert_eq!(desk.lease_one().await.limit.map(|limit| limit.held_back), Some(0));
}

/// A pending one, waiting or leased: whoever holds it is too late.
pub async fn a_pending_delivery_can_be_discarded<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let journal = desk.journal();
    desk.deliver(vec![to("a"), to("b"), to("c")]).await;
    let leases = desk.lease().await;
    desk.done(&leases[0], delivered()).await;
    desk.done(&leases[1], dead()).await;
    for (lease, is_pending) in leases.iter().zip([false, false, true]) {
        assert_eq!(ok(journal.discard(lease.token.delivery, "the hook is gone".into()).await), is_pending);
    }
    assert!(!ok(journal.discard(DeliveryId(uuid::Uuid::from_u128(1)), String::new()).await));
    assert!(!ok(journal.discard(leases[2].token.delivery, String::new()).await));
    assert_eq!(desk.settle(&leases[2], delivered()).await, Settled::Stale);
    let record = desk.record(&leases[2]).await;
    assert_eq!((record.state, record.settled), (DeliveryState::Discarded, Some(desk.now())));
    assert!(record.detail.contains("the hook is gone"), "{record:?}");
    desk.pass(MINUTE);
    assert!(desk.lease().await.is_empty());
}

/// Those that are open move, with their ids; those that are settled stay where they were.
pub async fn deliveries_of_a_renamed_sink_are_adopted<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let journal = desk.journal();
    desk.deliver(vec![to("a"), to("b"), to("c")]).await;
    let leases = desk.lease().await;
    desk.done(&leases[0], delivered()).await;
    desk.done(&leases[1], retry(desk.after(SECOND))).await;
    let before = desk.records().await;
    let new = "new".into();
    assert_eq!(desk.tells(Interest::Sink(&new), async { ok(journal.adopt(&sink(), &new).await) }).await, 2);
    assert_eq!(ok(journal.adopt(&sink(), &new).await), 0);
    let after = desk.records().await;
    assert_eq!(after.iter().map(|record| record.sink.as_str()).collect::<Vec<_>>(), ["ops", "new", "new"]);
    assert_eq!(after.iter().map(|record| record.id).collect::<Vec<_>>(), before.iter().map(|record| record.id).collect::<Vec<_>>());
    desk.pass(MINUTE);
    assert!(desk.lease().await.is_empty());
    let adopted = ok(journal.lease(&new, MINUTE, ALL).await).leases;
    assert_eq!(adopted.iter().map(|lease| (lease.attempt, lease.lost)).collect::<Vec<_>>(), [(2, 0), (1, 1)]);
}

/// For every sink, waiting in a lane or not; what is leased is left to whoever has it.
pub async fn what_is_too_old_is_given_up<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let orphan = NewDelivery { sink: "removed".into(), ..to("x") };
    let long = NewDelivery { expires: desk.after(3 * DAY), ..to("long") };
    desk.deliver(vec![in_lane(), orphan, long, to("failing"), to("leased")]).await;
    desk.deliver(vec![in_lane()]).await;
    let leases = desk.lease().await;
    let failing = leases.iter().find(|lease| lease.target.as_str() == "failing").unwrap_or_else(|| panic!("{leases:?}"));
    desk.done(failing, retry(desk.after(MINUTE))).await;
    let others = leases.iter().filter(|lease| lease.target.as_str() != "failing").map(|lease| lease.token).collect();
    ok(desk.journal().release(others).await);
    desk.pass(DAY - SECOND);
    assert_eq!(ok(desk.journal().expire().await), 0);
    let leases = desk.lease().await;
    let others = leases.iter().filter(|lease| lease.target.as_str() != "leased").map(|lease| lease.token).collect();
    ok(desk.journal().release(others).await);
    desk.pass(SECOND);
    assert_eq!(ok(desk.journal().expire().await), 4);
    assert_eq!(ok(desk.journal().expire().await), 0);
    for record in desk.records().await {
        let is_kept = matches!(record.target.as_str(), "long" | "leased");
        assert_eq!(record.state, if is_kept { DeliveryState::Pending } else { DeliveryState::Dead }, "{record:?}");
        if is_kept {
            continue;
        }
        assert_eq!(record.settled, Some(desk.now()));
        assert!(record.detail.contains("too old"), "{record:?}");
        assert_eq!(desk.attempts(&record).await.last().map(|attempt| attempt.outcome.clone()), Some("expired".to_owned()));
        // Why it was not delivered is not forgotten.
        assert_eq!(record.detail.contains("no route to host"), record.target.as_str() == "failing");
    }
    desk.pass(MINUTE);
    assert_eq!(ok(desk.journal().expire().await), 1);
}

/// An event goes with all that belongs to it, when it is old, routed, and nothing of it is open.
pub async fn old_events_go_when_all_is_settled<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let settled = desk.deliver(vec![to("a"), to("b")]).await;
    let half = desk.deliver(vec![to("c"), to("d")]).await;
    let nowhere = desk.deliver(Vec::new()).await;
    for lease in desk.lease().await {
        if lease.target.as_str() != "d" {
            desk.done(&lease, delivered()).await;
        }
    }
    let unrouted = desk.accept(event()).await;
    desk.pass(30 * DAY - SECOND);
    let young = desk.accept(event()).await;
    assert_eq!(prune(&desk).await, PruneReport::default());
    desk.pass(SECOND);
    assert_eq!(prune(&desk).await, PruneReport { events: 2, overflowed: 0, more: false });
    for (event, is_there) in [(settled, false), (half, true), (nowhere, false), (unrouted, true), (young, true)] {
        assert_eq!(exists(&desk, event).await, is_there);
    }
    let left: Vec<_> = desk.records().await.into_iter().map(|record| (record.target.to_string(), record.event)).collect();
    assert_eq!(left, [("c".to_owned(), half), ("d".to_owned(), half)]);
    // What was open and unrouted goes on.
    let lease = desk.lease_one().await;
    desk.done(&lease, delivered()).await;
    assert_eq!(desk.claim().await.len(), 2);
    assert_eq!(prune(&desk).await.events, 1);
    assert!(!exists(&desk, half).await && desk.records().await.is_empty());
}

/// A dead letter is there for longer, and so is its event.
pub async fn dead_letters_are_kept_longer<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let id = desk.deliver(vec![to("a"), to("b")]).await;
    let leases = desk.lease().await;
    desk.done(&leases[0], delivered()).await;
    desk.done(&leases[1], dead()).await;
    desk.pass(90 * DAY - SECOND);
    assert_eq!(prune(&desk).await, PruneReport::default());
    assert_eq!(desk.states().await, [DeliveryState::Delivered, DeliveryState::Dead]);
    desk.pass(SECOND);
    assert_eq!(prune(&desk).await.events, 1);
    assert!(!exists(&desk, id).await);
}

/// No more than were asked for, oldest first, and whether there are more.
pub async fn pruning_works_in_slices<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let mut events = Vec::new();
    for _ in 0..5 {
        events.push(desk.deliver(Vec::new()).await);
    }
    desk.pass(31 * DAY);
    let mut left = 5;
    loop {
        let report = ok(desk.journal().prune(PrunePolicy { slice: 2, ..policy() }).await);
        assert!(report.events <= 2);
        left -= report.events;
        assert_eq!(ok(desk.journal().stats().await).events, left);
        assert_eq!(exists(&desk, events[4]).await, left > 0);
        if !report.more {
            break;
        }
    }
    assert_eq!(left, 0);
}

/// Told again after its event is gone, it is new; keys of others are untouched.
pub async fn keys_go_with_their_event<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let kept = desk.accept(keyed(&["kept"])).await;
    desk.claim_one().await;
    let told = || NewEvent { keys: vec![exact("a"), exact("b"), near(0)], ..event() };
    let id = desk.accept(told()).await;
    let claim = desk.claim_one().await;
    let routing = Routing { keys: vec![exact("c"), exact("kept")], ..Routing::default() };
    assert_eq!(ok(desk.journal().route(claim.token, routing).await), Settled::Done);
    assert_eq!(desk.append(vec![keyed(&["a", "d"])]).await, [Appended::Duplicate(id)]);
    desk.pass(31 * DAY);
    assert_eq!(prune(&desk).await.events, 1);
    for key in ["a", "b", "c", "d"] {
        desk.accept(keyed(&[key])).await;
    }
    desk.accept(NewEvent { keys: vec![near(0)], ..event() }).await;
    assert_eq!(desk.append(vec![keyed(&["kept"])]).await, [Appended::Duplicate(kept)]);
}

/// What nobody can get any more takes no room; the namespace stays.
pub async fn pruning_removes_pairs_that_expired<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let store = desk.harness().store();
    let pairs: &dyn KvStore = &*store;
    let expires = desk.after(MINUTE);
    for (namespace, key, expires) in
        [("ns", "a", Some(expires)), ("ns", "b", None), ("other", "a", Some(expires)), ("ns", "c", Some(expires + Duration::from_secs(1)))]
    {
        ok(pairs.put(namespace, key, "value", expires, If::Any, None).await);
    }
    desk.pass(MINUTE + Duration::from_micros(1));
    prune(&desk).await;
    // They are gone, and not only past their time.
    desk.harness().clock().jump(jiff::SignedDuration::from_secs(-1));
    let keys = async |namespace| {
        let pairs = ok(pairs.list(namespace, "", 0, ALL, usize::MAX).await);
        pairs.map(|pairs| pairs.into_iter().map(|pair| pair.key).collect::<Vec<_>>())
    };
    assert_eq!(keys("ns").await.unwrap_or_default(), ["b", "c"]);
    assert_eq!(keys("other").await, Some(Vec::new()));
    assert_eq!(ok(pairs.get("ns", "a").await), Lookup::NoKey);
    assert_eq!(ok(pairs.delete("ns", "a", If::Any).await), DeleteOutcome::NoKey);
    assert!(ok(pairs.drop_namespace("ns").await));
    prune(&desk).await;
    assert_eq!(ok(pairs.namespaces().await), ["other"]);
}
