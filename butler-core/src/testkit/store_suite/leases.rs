//! `lease` and `release`: what is due, to one caller at a time, in the order of its lane.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;

use super::StoreHarness;
use super::desk::{ALL, DAY, Desk, MINUTE, SECOND, dead, delivered, event, in_lane, keyed, ok, retry, sink, to};
use crate::event::{Kind, TaskOutcome, TaskType};
use crate::store::{DeliveryState, Interest, Lease, MAX_LOST, NewDelivery, Routing, Settled, Settlement, Suppression};

fn targets(leases: &[Lease]) -> Vec<&str> {
    leases.iter().map(|lease| lease.target.as_str()).collect()
}

/// Those of the sink alone, no more than were asked for, in the order in which they were routed.
pub async fn deliveries_are_leased_once_and_oldest_first<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let other = NewDelivery { sink: "other".into(), ..to("x") };
    desk.deliver(vec![to("a"), other, to("b")]).await;
    desk.deliver(vec![to("c")]).await;
    assert!(ok(desk.journal().lease(&sink(), MINUTE, 0).await).leases.is_empty());
    let first = ok(desk.journal().lease(&sink(), MINUTE, 2).await).leases;
    assert_eq!(targets(&first), ["a", "b"]);
    assert_eq!(targets(&desk.lease().await), ["c"]);
    assert!(desk.lease().await.is_empty());
    assert_eq!(targets(&ok(desk.journal().lease(&"other".into(), MINUTE, ALL).await).leases), ["x"]);
    assert!(ok(desk.journal().lease(&"nobody".into(), MINUTE, ALL).await).leases.is_empty());
}

/// Only the oldest open delivery of a lane is leased, whatever becomes of its attempts.
pub async fn a_lane_goes_one_after_the_other<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let mut order = Vec::new();
    for _ in 0..3 {
        order.push(desk.deliver(vec![in_lane()]).await);
    }
    let waiting: Vec<bool> = desk.records().await.iter().map(|record| record.waiting_in_lane).collect();
    assert_eq!(waiting, [false, true, true]);
    for (place, event) in order.iter().enumerate() {
        let lease = desk.lease_one().await;
        assert_eq!((lease.event.id, lease.has_followers), (*event, place < 2));
        assert!(desk.lease().await.is_empty());
        // A failed attempt lets nobody ahead.
        desk.done(&lease, retry(desk.after(SECOND))).await;
        assert!(desk.lease().await.is_empty());
        desk.pass(SECOND);
        let lease = desk.lease_one().await;
        assert_eq!(lease.event.id, *event);
        desk.done(&lease, delivered()).await;
    }
    // A lane that was empty for a while begins anew.
    desk.deliver(vec![in_lane()]).await;
    assert!(!desk.lease_one().await.has_followers);
}

/// Delivered, dead, suppressed, discarded, expired: the next one goes.
pub async fn whatever_ends_a_delivery_frees_its_lane<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    for _ in 0..5 {
        desk.deliver(vec![in_lane()]).await;
    }
    let last = desk.deliver(vec![NewDelivery { expires: desk.after(10 * DAY), ..in_lane() }]).await;
    let held_by = desk.records().await[0].id;
    let suppressed = Settlement::Suppressed(Suppression::RateLimit { held_by, until: desk.after(MINUTE) });
    for settlement in [delivered(), dead(), suppressed] {
        let lease = desk.lease_one().await;
        desk.done(&lease, settlement).await;
    }
    let lease = desk.lease_one().await;
    assert!(ok(desk.journal().discard(lease.token.delivery, "not wanted".into()).await));
    let lease = desk.lease_one().await;
    ok(desk.journal().release(vec![lease.token]).await);
    desk.pass(DAY);
    assert_eq!(ok(desk.journal().expire().await), 1);
    assert_eq!(desk.lease_one().await.event.id, last);
}

/// Nobody waits for those that stand in no lane, nor they for anybody.
pub async fn deliveries_without_a_lane_do_not_wait<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let other_lane = NewDelivery { lane: Some("other".into()), ..to("other") };
    desk.deliver(vec![in_lane(), to("a"), to("b"), other_lane]).await;
    desk.deliver(vec![in_lane(), to("c")]).await;
    let leases = desk.lease().await;
    assert_eq!(targets(&leases), ["", "a", "b", "other", "c"]);
    assert_eq!(leases.iter().map(|lease| lease.has_followers).collect::<Vec<_>>(), [true, false, false, false, false]);
}

/// A lane is told by its name alone: after a sink was renamed the order is still that of the events.
pub async fn a_lane_is_one_for_all_sinks<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.deliver(vec![in_lane()]).await;
    desk.deliver(vec![NewDelivery { sink: "new".into(), ..in_lane() }]).await;
    let new = "new".into();
    assert!(ok(desk.journal().lease(&new, MINUTE, ALL).await).leases.is_empty());
    let first = desk.lease_one().await;
    desk.tells(Interest::Sink(&new), desk.done(&first, delivered())).await;
    assert_eq!(ok(desk.journal().lease(&new, MINUTE, ALL).await).leases.len(), 1);
}

/// It lets the next one go, is tried again itself when it is due, and holds up nobody any more.
pub async fn a_head_that_is_overtaken_waits_beside_its_lane<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let mut events = Vec::new();
    for _ in 0..3 {
        events.push(desk.deliver(vec![in_lane()]).await);
    }
    let overtaken = |due| match retry(due) {
        Settlement::Retry { error, due, .. } => Settlement::Retry { error, due, overtake: true },
        other => other,
    };
    let head = desk.lease_one().await;
    desk.done(&head, overtaken(desk.after(SECOND))).await;
    let records = desk.records().await;
    assert_eq!(records.iter().map(|record| record.overtaken).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(records.iter().map(|record| record.waiting_in_lane).collect::<Vec<_>>(), [false, false, true]);
    desk.pass(SECOND);
    // The one that was overtaken, and the one that is head now.
    let leases = desk.lease().await;
    assert_eq!(leases.iter().map(|lease| lease.event.id).collect::<Vec<_>>(), events[..2]);
    desk.done(&leases[0], overtaken(desk.after(SECOND))).await;
    assert!(desk.lease().await.is_empty());
    desk.done(&leases[1], delivered()).await;
    let third = desk.lease_one().await;
    assert_eq!(third.event.id, events[2]);
    desk.pass(SECOND);
    let head = desk.lease_one().await;
    assert_eq!((head.event.id, head.has_followers), (events[0], true));
    desk.done(&head, delivered()).await;
    assert!(desk.lease().await.is_empty());
    desk.done(&third, delivered()).await;
    assert_eq!(desk.states().await, [DeliveryState::Delivered; 3]);
}

/// A lease holds for its time to the end; then the delivery is handed out again, and whoever had it before is too late.
pub async fn a_lease_that_ran_out_is_lost<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.deliver(vec![to("a")]).await;
    let first = desk.lease_one().await;
    desk.pass(MINUTE - Duration::from_millis(1));
    assert!(desk.lease().await.is_empty());
    desk.pass(Duration::from_millis(1));
    let second = desk.lease_one().await;
    assert_eq!((first.lost, second.lost, second.attempt), (0, 1, 1));
    assert!(second.token.fence > first.token.fence);
    assert_eq!(desk.settle(&first, delivered()).await, Settled::Stale);
    ok(desk.journal().release(vec![first.token]).await);
    assert!(desk.lease().await.is_empty());
    desk.done(&second, delivered()).await;
    let record = desk.record(&second).await;
    assert_eq!((record.state, record.lost, record.attempts), (DeliveryState::Delivered, 1, 1));
}

/// A message that takes the process down with it does so a few times, and frees its lane in the end.
pub async fn a_delivery_that_is_lost_too_often_is_dead<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.deliver(vec![in_lane()]).await;
    let follower = desk.deliver(vec![in_lane()]).await;
    for lost in 0..MAX_LOST {
        assert_eq!(desk.lease_one().await.lost, lost);
        desk.pass(MINUTE);
    }
    let mut watcher = desk.journal().watch(Interest::Sink(&sink()));
    watcher.borrow_and_update();
    let mut leases = desk.lease().await;
    if leases.is_empty() {
        assert!(watcher.has_changed().unwrap_or(false), "nobody was told that the lane is free");
        leases = desk.lease().await;
    }
    assert_eq!(leases.iter().map(|lease| lease.event.id).collect::<Vec<_>>(), [follower]);
    let record = desk.records().await.remove(0);
    assert_eq!((record.state, record.lost, record.attempts, record.settled), (DeliveryState::Dead, MAX_LOST, 0, Some(desk.now())));
    assert!(record.detail.contains("never returned"), "{record:?}");
    assert_eq!(desk.attempts(&record).await.last().map(|attempt| attempt.outcome.as_str()), Some("lost"));
}

/// Given back unused: at once to be had again, no attempt, no loss.
pub async fn a_released_lease_leaves_no_trace<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.deliver(vec![to("a"), to("b")]).await;
    let before = desk.records().await;
    let leases = desk.lease().await;
    let tokens = leases.iter().map(|lease| lease.token).collect();
    desk.tells(Interest::Sink(&sink()), async { ok(desk.journal().release(tokens).await) }).await;
    assert_eq!(desk.records().await, before);
    assert_eq!(desk.settle(&leases[0], delivered()).await, Settled::Stale);
    let again = desk.lease().await;
    assert_eq!(again.iter().map(|lease| (lease.attempt, lease.lost)).collect::<Vec<_>>(), [(1, 0), (1, 0)]);
    // What it had been lost before stays.
    desk.pass(MINUTE);
    let again = desk.lease_one().await;
    ok(desk.journal().release(vec![again.token]).await);
    let leases = desk.lease().await;
    assert_eq!(leases.iter().map(|lease| (lease.target.as_str(), lease.lost)).collect::<Vec<_>>(), [("a", 1)]);
}

/// One at a time of a sink, beside those that were not lost, until each of them has returned.
pub async fn deliveries_that_were_lost_go_one_at_a_time<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let other = NewDelivery { sink: "other".into(), ..to("x") };
    desk.deliver(vec![to("a"), to("b"), to("c"), other]).await;
    let lost = desk.lease().await;
    ok(desk.journal().lease(&"other".into(), MINUTE, ALL).await);
    assert_eq!(targets(&lost), ["a", "b", "c"]);
    desk.pass(MINUTE);
    desk.deliver(vec![to("d")]).await;
    let leases = desk.lease().await;
    assert_eq!(targets(&leases), ["a", "d"]);
    assert_eq!(ok(desk.journal().lease(&"other".into(), MINUTE, ALL).await).leases.len(), 1);
    assert!(desk.lease().await.is_empty());
    // Whatever becomes of it, the next one goes, and whoever waits learns of it.
    desk.tells(Interest::Sink(&sink()), desk.done(&leases[0], retry(desk.after(SECOND)))).await;
    let second = desk.lease_one().await;
    assert_eq!((second.target.as_str(), second.lost), ("b", 1));
    desk.tells(Interest::Sink(&sink()), desk.done(&second, delivered())).await;
    let third = desk.lease_one().await;
    assert_eq!((third.target.as_str(), third.lost), ("c", 1));
    // One that has returned is free of it.
    desk.pass(SECOND);
    let first = desk.lease_one().await;
    assert_eq!((first.target.as_str(), first.lost), ("a", 0));
}

/// Everything that an attempt needs, as it was decided at routing.
pub async fn a_lease_says_what_is_to_be_done<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let id = desk.accept(keyed(&["a"])).await;
    let claim = desk.claim_one().await;
    let kind = Kind::task(TaskOutcome::Failed).with_task_type(TaskType::Reload);
    let deliveries = vec![NewDelivery { route: "night".into(), ..to("a") }];
    let routing = Routing { kind: Some(kind.clone()), deliveries, ..Routing::default() };
    assert_eq!(ok(desk.journal().route(claim.token, routing).await), Settled::Done);
    let created = desk.now();
    desk.pass(SECOND);
    let lease = desk.lease_one().await;
    assert_eq!((lease.event.id, &lease.event.kind, &lease.event.body), (id, &kind, &event().body));
    assert_eq!((lease.target.as_str(), lease.route.as_str()), ("a", "night"));
    assert_eq!((lease.attempt, lease.lost, lease.created, lease.expires), (1, 0, created, to("a").expires));
    assert_eq!((lease.failing_since, lease.has_followers, &lease.limit), (None, false, &None));
    let failed_at = desk.now();
    desk.done(&lease, retry(desk.after(SECOND))).await;
    for attempt in 2..4 {
        desk.pass(SECOND);
        let lease = desk.lease_one().await;
        assert_eq!((lease.attempt, lease.failing_since, lease.created), (attempt, Some(failed_at), created));
        desk.done(&lease, retry(desk.after(SECOND))).await;
    }
}

/// Where nothing is to be had, it says when there will be: at the next try, or at the end of a lease.
pub async fn nothing_due_tells_when_to_look_again<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let journal = desk.journal();
    let next_due = || async {
        let leased = ok(journal.lease(&sink(), MINUTE, ALL).await);
        assert!(leased.leases.is_empty(), "{leased:?}");
        leased.next_due
    };
    assert_eq!(next_due().await, None);
    desk.deliver(vec![to("a"), to("b")]).await;
    let leases = desk.lease().await;
    assert_eq!(next_due().await, Some(desk.after(MINUTE)));
    let due = desk.after(10 * SECOND);
    desk.tells(Interest::Sink(&sink()), desk.done(&leases[0], retry(due))).await;
    assert_eq!(next_due().await, Some(due));
    desk.done(&leases[1], retry(desk.after(SECOND))).await;
    assert_eq!(next_due().await, Some(desk.after(SECOND)));
    desk.pass(SECOND);
    assert_eq!(targets(&desk.lease().await), ["b"]);
    desk.pass(9 * SECOND);
    assert_eq!(targets(&desk.lease().await), ["a"]);
}

/// Ten callers at a time get different deliveries, and together all of them.
pub async fn leases_side_by_side_share_nothing<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.deliver((0..50).map(|number| to(&number.to_string())).collect()).await;
    let (journal, sink) = (desk.journal(), sink());
    let leased = join_all((0..10).map(|_| journal.lease(&sink, MINUTE, 7))).await;
    let leased: Vec<_> = leased.into_iter().flat_map(|leased| ok(leased).leases).map(|lease| lease.token.delivery).collect();
    assert_eq!((leased.len(), leased.iter().collect::<HashSet<_>>().len()), (50, 50));
}
