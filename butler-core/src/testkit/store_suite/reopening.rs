//! What outlives the process that wrote it, and what does not: nobody holds anything any more. A store that lives no longer than its process passes all of these.

use jiff::SignedDuration;

use super::StoreHarness;
use super::desk::{Desk, MINUTE, SECOND, dead, delivered, event, exact, in_lane, keyed, limited, ok, retry, to};
use crate::event::EventId;
use crate::store::{
    Appended, DeliveryState, If, KvStore, Lookup, MAX_LOST, Routing, RunOutcome, ScheduleRecord, ScheduleStore, Settled, Settlement,
    StateStore,
};

/// Accepted is accepted, to the letter.
pub async fn what_was_accepted_is_there_after_a_crash<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let ids: Vec<EventId> = desk.append(vec![event(), keyed(&["a"])]).await.into_iter().map(Appended::id).collect();
    let before = ok(desk.journal().story(ids[1]).await);
    let Some(desk) = desk.reopen().await else { return };
    assert_eq!(ok(desk.journal().story(ids[1]).await), before);
    let claims = desk.claim().await;
    assert_eq!(claims.iter().map(|claim| (claim.event.id, claim.attempt)).collect::<Vec<_>>(), [(ids[0], 1), (ids[1], 1)]);
}

/// Handed out at once, and whoever gets it sees that somebody had it before.
pub async fn claims_are_void_after_a_crash<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let id = desk.accept(event()).await;
    let deferred = desk.accept(event()).await;
    let claims = desk.claim().await;
    ok(desk.journal().defer(claims[1].token, claims[1].facts.clone(), desk.after(MINUTE)).await);
    let Some(desk) = desk.reopen().await else { return };
    assert_eq!(desk.route(&claims[0], vec![to("stale")]).await, Settled::Stale);
    let claim = desk.claim_one().await;
    assert_eq!((claim.event.id, claim.attempt), (id, 2));
    assert!(claim.token.fence > claims[0].token.fence);
    // What was put off stays so.
    desk.pass(MINUTE - SECOND);
    assert!(desk.claim().await.is_empty());
    desk.pass(SECOND);
    assert_eq!(desk.claim().await.iter().map(|claim| claim.event.id).collect::<Vec<_>>(), [id, deferred]);
}

/// The decision with all its deliveries; they are leased without having lost anything.
pub async fn what_was_routed_is_there_after_a_crash<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let id = desk.deliver(vec![to("a"), to("b")]).await;
    let before = (ok(desk.journal().story(id).await), desk.records().await);
    let Some(desk) = desk.reopen().await else { return };
    assert_eq!((ok(desk.journal().story(id).await), desk.records().await), before);
    assert!(desk.claim().await.is_empty());
    assert_eq!(desk.lease().await.iter().map(|lease| lease.lost).collect::<Vec<_>>(), [0, 0]);
}

/// Void, and counted as lost; those that were given back are not.
pub async fn leases_are_lost_after_a_crash<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.deliver(vec![to("a"), to("b"), to("c")]).await;
    let leases = desk.lease().await;
    ok(desk.journal().release(vec![leases[1].token]).await);
    desk.done(&leases[2], retry(desk.after(MINUTE))).await;
    let Some(desk) = desk.reopen().await else { return };
    let again = desk.lease().await;
    let seen: Vec<_> = again.iter().map(|lease| (lease.target.as_str(), lease.lost, lease.attempt)).collect();
    assert_eq!(seen, [("a", 1, 1), ("b", 0, 1)]);
    assert!(again[0].token.fence > leases[0].token.fence);
    for lease in &leases {
        assert_eq!(desk.settle(lease, delivered()).await, Settled::Stale);
    }
    desk.pass(MINUTE);
    let again = desk.lease().await;
    let failed = again.iter().find(|lease| lease.target.as_str() == "c").unwrap_or_else(|| panic!("{again:?}"));
    assert_eq!((failed.lost, failed.attempt), (0, 2));
}

/// A message that kills its process each time is dead after the fifth.
pub async fn five_crashes_end_a_delivery<H: StoreHarness>() {
    let mut desk = Desk::<H>::start().await;
    desk.deliver(vec![to("deadly")]).await;
    for lost in 0..MAX_LOST {
        assert_eq!(desk.lease_one().await.lost, lost);
        let Some(reopened) = desk.reopen().await else { return };
        desk = reopened;
    }
    assert!(desk.lease().await.is_empty());
    let record = desk.records().await.remove(0);
    assert_eq!((record.state, record.lost), (DeliveryState::Dead, MAX_LOST));
}

/// Every end, with its record and its attempts.
pub async fn what_was_settled_stays_settled_after_a_crash<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.deliver(vec![to("a"), to("b"), to("c"), to("d")]).await;
    let leases = desk.lease().await;
    desk.done(&leases[0], delivered()).await;
    desk.done(&leases[1], dead()).await;
    ok(desk.journal().discard(leases[2].token.delivery, "not wanted".into()).await);
    desk.done(&leases[3], retry(desk.after(SECOND))).await;
    let before = desk.records().await;
    let attempts = ok(desk.journal().attempts(leases[3].token.delivery).await);
    let Some(desk) = desk.reopen().await else { return };
    assert_eq!(desk.records().await, before);
    assert_eq!(ok(desk.journal().attempts(leases[3].token.delivery).await), attempts);
    desk.pass(SECOND);
    assert_eq!(desk.lease_one().await.target.as_str(), "d");
    assert!(ok(desk.journal().revive(leases[1].token.delivery, desk.after(MINUTE)).await));
}

/// By every key: that of the first telling, of a repetition, of the routing.
pub async fn duplicates_are_recognised_after_a_crash<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let id = desk.accept(keyed(&["a"])).await;
    desk.append(vec![keyed(&["a", "b"])]).await;
    let claim = desk.claim_one().await;
    let routing = Routing { keys: vec![exact("c")], ..Routing::default() };
    assert_eq!(ok(desk.journal().route(claim.token, routing).await), Settled::Done);
    let Some(desk) = desk.reopen().await else { return };
    for key in ["a", "b", "c"] {
        assert_eq!(desk.append(vec![keyed(&[key])]).await, [Appended::Duplicate(id)]);
    }
    desk.accept(keyed(&["d"])).await;
}

/// A message that was delivered keeps the next ones back, and those that were are counted.
pub async fn limits_hold_after_a_crash<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    for _ in 0..3 {
        desk.deliver(vec![limited()]).await;
    }
    let opener = desk.lease_one().await;
    desk.done(&opener, delivered()).await;
    let until = desk.now() + SignedDuration::from_mins(10);
    let held = desk.lease_one().await;
    let by = crate::store::Suppression::RateLimit { held_by: opener.token.delivery, until };
    desk.done(&held, Settlement::Suppressed(by)).await;
    let Some(desk) = desk.reopen().await else { return };
    let limit = desk.lease_one().await.limit.unwrap_or_else(|| panic!("the limit is gone"));
    assert_eq!((limit.held_by, limit.held_back), (Some((opener.token.delivery, until)), 1));
}

/// The head is the head, those behind it wait, and who was overtaken does not hold them up.
pub async fn lanes_keep_their_order_after_a_crash<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let mut events = Vec::new();
    for _ in 0..4 {
        events.push(desk.deliver(vec![in_lane()]).await);
    }
    let head = desk.lease_one().await;
    let Settlement::Retry { error, due, .. } = retry(desk.after(10 * MINUTE)) else { return };
    desk.done(&head, Settlement::Retry { error, due, overtake: true }).await;
    let Some(desk) = desk.reopen().await else { return };
    for event in &events[1..3] {
        let lease = desk.lease_one().await;
        assert_eq!(lease.event.id, *event);
        desk.done(&lease, delivered()).await;
    }
    let Some(desk) = desk.reopen().await else { return };
    desk.pass(10 * MINUTE);
    let leases = desk.lease().await;
    assert_eq!(leases.iter().map(|lease| lease.event.id).collect::<Vec<_>>(), [events[0], events[3]]);
}

/// Also if the clock was set back in between.
pub async fn ids_sort_by_age_across_a_crash<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let mut ids: Vec<EventId> = desk.append(vec![event(), event()]).await.into_iter().map(Appended::id).collect();
    let Some(desk) = desk.reopen().await else { return };
    desk.harness().clock().jump(SignedDuration::from_hours(-1));
    ids.extend(desk.append(vec![event(), event()]).await.into_iter().map(Appended::id));
    assert!(ids.is_sorted(), "{ids:?}");
}

/// Pairs with their versions, their order and their ends.
pub async fn pairs_are_there_after_a_crash<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let store = desk.harness().store();
    for (key, expires) in [("b", None), ("a", Some(desk.after(MINUTE))), ("c", None)] {
        ok(store.put("ns", key, "value", expires, If::Any, None).await);
    }
    ok(store.put("ns", "b", "new value", None, If::Any, None).await);
    ok(store.delete("ns", "c", If::Any).await);
    ok(store.put("empty", "a", "value", None, If::Any, None).await);
    ok(store.delete("empty", "a", If::Any).await);
    let before = ok(store.list("ns", "", 0, 10, usize::MAX).await).unwrap_or_default();
    drop(store);
    let Some(desk) = desk.reopen().await else { return };
    let store = desk.harness().store();
    let pairs: &dyn KvStore = &*store;
    assert_eq!(ok(pairs.namespaces().await), ["ns", "empty"]);
    assert_eq!(ok(pairs.list("ns", "", 0, 10, usize::MAX).await).as_deref(), Some(&before[..]));
    assert_eq!(
        before.iter().map(|pair| (pair.key.as_str(), pair.value.as_str())).collect::<Vec<_>>(),
        [("b", "new value"), ("a", "value")]
    );
    let newest = before.iter().map(|pair| pair.version).max();
    match ok(pairs.put("ns", "c", "value", None, If::Absent, None).await) {
        crate::store::PutOutcome::Stored(version) => assert!(Some(version) > newest),
        other => panic!("{other:?}"),
    }
    desk.pass(MINUTE + std::time::Duration::from_micros(1));
    assert_eq!(ok(pairs.get("ns", "a").await), Lookup::NoKey);
}

/// What was claimed and has no outcome is handed out again, and says so; what has one is not.
pub async fn occurrences_are_handed_out_again_after_a_crash<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let store = desk.harness().store();
    let record = ScheduleRecord { id: "nightly".into(), definition: "{}".into() };
    ok(store.upsert_schedule(record.clone()).await);
    let (first, second) = (desk.now(), desk.after(MINUTE));
    let claim = ok(store.claim_occurrence("nightly", first, MINUTE).await).unwrap_or_else(|| panic!("nobody has it"));
    assert!(ok(store.record_run(&claim, RunOutcome::Done { detail: "started".into(), work: Vec::new() }).await));
    let open = ok(store.claim_occurrence("nightly", second, MINUTE).await).unwrap_or_else(|| panic!("nobody has it"));
    let runs = ok(store.runs("nightly", 10).await);
    drop(store);
    let Some(desk) = desk.reopen().await else { return };
    let store = desk.harness().store();
    let schedules: &dyn ScheduleStore = &*store;
    assert_eq!((ok(schedules.schedules().await), ok(schedules.runs("nightly", 10).await)), (vec![record], runs));
    assert_eq!(ok(schedules.claim_occurrence("nightly", first, MINUTE).await), None);
    let again = ok(schedules.claim_occurrence("nightly", second, MINUTE).await);
    assert_eq!(again.map(|claim| claim.attempt), Some(2));
    assert!(!ok(schedules.record_run(&open, RunOutcome::Done { detail: "late".into(), work: Vec::new() }).await));
}

/// Values and versions, also of those that were removed.
pub async fn states_are_there_after_a_crash<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let store = desk.harness().store();
    assert_eq!(ok(store.set_state("kept", "1", 0).await), Some(1));
    assert_eq!(ok(store.set_state("kept", "2", 1).await), Some(2));
    assert_eq!(ok(store.set_state("removed", "1", 0).await), Some(1));
    assert!(ok(store.remove_state("removed").await));
    let before = ok(store.states("").await);
    drop(store);
    let Some(desk) = desk.reopen().await else { return };
    let store = desk.harness().store();
    let states: &dyn StateStore = &*store;
    assert_eq!((ok(states.states("").await), before.len()), (before, 1));
    assert_eq!(ok(states.set_state("removed", "new", 0).await), Some(2));
}
