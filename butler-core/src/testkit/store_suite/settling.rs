//! `settle`: how an attempt went, on record; and the limits that count what was delivered.

use jiff::SignedDuration;

use super::StoreHarness;
use super::desk::{Desk, MINUTE, SECOND, dead, delivered, in_lane, limited, ok, retry, sink, to};
use crate::event::DeliveryId;
use crate::sink::{DeliveryError, Reason, Receipt};
use crate::store::{DeliveryState, Interest, Lease, LeaseToken, LimitState, NewDelivery, Settled, Settlement, Suppression};

fn held_by(lease: &Lease) -> Suppression {
    match lease.limit {
        Some(LimitState { held_by: Some((held_by, until)), .. }) => Suppression::RateLimit { held_by, until },
        _ => panic!("nobody keeps it back: {lease:?}"),
    }
}

fn held_back(lease: &Lease) -> u64 {
    match lease.limit {
        Some(LimitState { held_by: None, held_back }) => held_back,
        _ => panic!("it is kept back: {lease:?}"),
    }
}

/// A token that is not the latest, or never was, does not hold up the others of its call.
pub async fn stale_settlements_change_nothing<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.deliver(vec![to("a"), to("b"), to("c")]).await;
    let given_back = desk.lease().await;
    ok(desk.journal().release(given_back.iter().map(|lease| lease.token).collect()).await);
    let leases = desk.lease().await;
    let unknown = LeaseToken { delivery: DeliveryId(uuid::Uuid::from_u128(1)), fence: 1 };
    let early = LeaseToken { fence: leases[2].token.fence + 1, ..leases[2].token };
    let settlements = vec![
        (given_back[0].token, dead()),
        (leases[1].token, delivered()),
        (unknown, delivered()),
        (early, delivered()),
        (given_back[2].token, retry(desk.after(SECOND))),
    ];
    let settled = ok(desk.journal().settle(settlements).await);
    assert_eq!(settled, [Settled::Stale, Settled::Done, Settled::Stale, Settled::Stale, Settled::Stale]);
    assert_eq!(desk.states().await, [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Pending]);
    assert_eq!(desk.records().await.iter().map(|record| record.attempts).collect::<Vec<_>>(), [0, 1, 0]);
    assert!(ok(desk.journal().settle(Vec::new()).await).is_empty());
    // Those whose old tokens were shown are still held by their latest ones.
    desk.done(&leases[0], delivered()).await;
    desk.done(&leases[2], delivered()).await;
}

/// The first word counts.
pub async fn a_delivery_is_settled_once<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.deliver(vec![to("a"), to("b"), to("c"), to("d")]).await;
    let leases = desk.lease().await;
    let first = [delivered(), dead(), retry(desk.after(SECOND)), delivered()];
    for (lease, settlement) in leases.iter().zip(first) {
        desk.done(lease, settlement).await;
    }
    let records = desk.records().await;
    for lease in &leases {
        assert_eq!(desk.settle(lease, dead()).await, Settled::Stale);
        assert_eq!(desk.settle(lease, delivered()).await, Settled::Stale);
    }
    assert_eq!(desk.records().await, records);
    desk.pass(10 * MINUTE);
    let again = desk.lease_one().await;
    assert_eq!((again.token.delivery, again.attempt), (leases[2].token.delivery, 2));
}

/// What the remote said, what went out, and the fault that it went out in spite of.
pub async fn a_delivered_message_is_on_record<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.deliver(vec![to("a"), to("b")]).await;
    let leases = desk.lease().await;
    desk.pass(SECOND);
    desk.done(&leases[0], delivered()).await;
    let receipt = Receipt { detail: "250 OK".into() };
    let fault = Some("the template is broken".to_owned());
    desk.done(&leases[1], Settlement::Delivered { receipt, preview: "Räkna".into(), took: SECOND, fault }).await;
    let (first, second) = (desk.record(&leases[0]).await, desk.record(&leases[1]).await);
    assert_eq!((first.state, first.attempts, first.settled), (DeliveryState::Delivered, 1, Some(desk.now())));
    assert_eq!((first.detail.as_str(), first.preview.as_str()), ("HTTP 200", "Reload failed"));
    assert!(second.detail.contains("250 OK") && second.detail.contains("the template is broken"), "{second:?}");
    assert_eq!(second.preview, "Räkna");
    let attempts = desk.attempts(&first).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].outcome.as_str(), attempts[0].detail.as_str(), attempts[0].at), ("delivered", "HTTP 200", desk.now()));
}

/// Pending still, with why, since when, and not before its time.
pub async fn a_failed_attempt_is_on_record<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.deliver(vec![to("a")]).await;
    let since = desk.now();
    let lease = desk.lease_one().await;
    desk.done(&lease, retry(desk.after(MINUTE))).await;
    desk.pass(MINUTE);
    let lease = desk.lease_one().await;
    let error = DeliveryError::transient(Reason::Timeout, "no answer within 10s");
    desk.done(&lease, Settlement::Retry { error, due: desk.after(2 * MINUTE), overtake: false }).await;
    let record = desk.record(&lease).await;
    assert_eq!((record.state, record.attempts, record.lost, record.settled), (DeliveryState::Pending, 2, 0, None));
    assert_eq!((record.due, record.failing_since), (desk.after(2 * MINUTE), Some(since)));
    assert!(record.detail.contains("no answer within 10s"), "{record:?}");
    let attempts = desk.attempts(&record).await;
    let outcomes: Vec<_> = attempts.iter().map(|attempt| (attempt.outcome.as_str(), attempt.at)).collect();
    assert_eq!(outcomes, [("unreachable", since), ("timeout", desk.now())]);
    assert!(attempts[0].detail.contains("no route to host"));
}

/// Of many attempts the last twenty stay, oldest first, the one that succeeded among them.
pub async fn the_latest_twenty_attempts_are_kept<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.deliver(vec![to("a")]).await;
    for number in 1..=24 {
        let lease = desk.lease_one().await;
        let error = DeliveryError::transient(Reason::ServerError, format!("fault {number}."));
        desk.done(&lease, Settlement::Retry { error, due: desk.after(SECOND), overtake: false }).await;
        desk.pass(SECOND);
    }
    let lease = desk.lease_one().await;
    desk.done(&lease, delivered()).await;
    let record = desk.record(&lease).await;
    let attempts = desk.attempts(&record).await;
    assert_eq!((attempts.len(), record.attempts), (20, 25));
    assert!(attempts[0].detail.contains("fault 6.") && attempts[18].detail.contains("fault 24."), "{attempts:?}");
    assert_eq!(attempts[19].outcome, "delivered");
}

/// Given up, with why; what was held back by a rule, with by whom.
pub async fn a_dead_letter_is_on_record<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.deliver(vec![to("a"), to("b")]).await;
    let leases = desk.lease().await;
    desk.done(&leases[0], dead()).await;
    let suppressed = Suppression::RateLimit { held_by: leases[0].token.delivery, until: desk.after(MINUTE) };
    desk.done(&leases[1], Settlement::Suppressed(suppressed)).await;
    let (first, second) = (desk.record(&leases[0]).await, desk.record(&leases[1]).await);
    assert_eq!((first.state, first.attempts, first.settled), (DeliveryState::Dead, 1, Some(desk.now())));
    assert!(first.detail.contains("no such channel"), "{first:?}");
    assert_eq!(desk.attempts(&first).await[0].outcome, "rejected");
    assert_eq!((second.state, second.attempts, second.settled), (DeliveryState::Suppressed, 0, Some(desk.now())));
    assert!(second.detail.contains(&leases[0].token.delivery.to_string()), "{second:?}");
    assert!(desk.attempts(&second).await.is_empty());
    desk.pass(10 * MINUTE);
    assert!(desk.lease().await.is_empty());
}

/// Only what was delivered opens the window, at that moment, and for its length.
pub async fn a_limit_counts_what_was_delivered<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    for _ in 0..4 {
        desk.deliver(vec![limited()]).await;
    }
    let lease = desk.lease_one().await;
    assert_eq!(held_back(&lease), 0);
    desk.done(&lease, retry(desk.after(SECOND))).await;
    desk.pass(SECOND);
    let lease = desk.lease_one().await;
    assert_eq!(held_back(&lease), 0);
    desk.done(&lease, dead()).await;
    let opener = desk.lease_one().await;
    assert_eq!(held_back(&opener), 0);
    desk.pass(SECOND);
    desk.done(&opener, delivered()).await;
    let until = desk.after(10 * MINUTE);
    let next = desk.lease_one().await;
    assert_eq!(held_by(&next), Suppression::RateLimit { held_by: opener.token.delivery, until });
    // Another key is another window.
    let other = crate::store::Limit { key: "other".into(), window: MINUTE };
    desk.deliver(vec![NewDelivery { limit: Some(other), ..to("other") }]).await;
    assert_eq!(held_back(&desk.lease_one().await), 0);
    // At its end the way is free.
    ok(desk.journal().release(vec![next.token]).await);
    desk.pass(10 * MINUTE - SECOND);
    let next = desk.lease().await.remove(0);
    held_by(&next);
    ok(desk.journal().release(vec![next.token]).await);
    desk.pass(SECOND);
    assert_eq!(held_back(&desk.lease().await.remove(0)), 0);
}

/// The next message that goes out says how many did not, and the one after it begins at none.
pub async fn a_limit_tells_how_many_were_held_back<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    for (round, suppressed) in [(0, 3), (3, 2), (2, 0), (0, 1)] {
        desk.deliver(vec![limited()]).await;
        let lease = desk.lease_one().await;
        assert_eq!(held_back(&lease), round);
        desk.done(&lease, delivered()).await;
        for _ in 0..suppressed {
            desk.pass(SECOND);
            desk.deliver(vec![limited()]).await;
            let lease = desk.lease_one().await;
            desk.done(&lease, Settlement::Suppressed(held_by(&lease))).await;
        }
        desk.pass(10 * MINUTE);
    }
}

/// An older message that is delivered after a younger one tells nobody twice, and keeps back to the later end.
pub async fn a_late_message_opens_no_window_twice<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.deliver(vec![limited()]).await;
    let late = desk.lease_one().await;
    let Settlement::Retry { error, .. } = retry(desk.now()) else { return };
    desk.done(&late, Settlement::Retry { error, due: desk.after(MINUTE), overtake: true }).await;
    desk.deliver(vec![limited()]).await;
    let younger = desk.lease_one().await;
    desk.done(&younger, delivered()).await;
    desk.deliver(vec![limited()]).await;
    let lease = desk.lease_one().await;
    desk.done(&lease, Settlement::Suppressed(held_by(&lease))).await;
    desk.pass(10 * MINUTE);
    // It says that one was held back.
    let late = desk.lease_one().await;
    assert_eq!(held_back(&late), 1);
    desk.deliver(vec![limited()]).await;
    let third = desk.lease_one().await;
    desk.done(&third, delivered()).await;
    desk.pass(SECOND);
    desk.done(&late, delivered()).await;
    let until = desk.now() + SignedDuration::from_mins(10);
    desk.deliver(vec![limited()]).await;
    let next = desk.lease_one().await;
    assert_eq!(held_by(&next), Suppression::RateLimit { held_by: late.token.delivery, until });
    assert_eq!(next.limit.map(|limit| limit.held_back), Some(0));
}

/// Whoever waits for a lane, or for the next try, learns that there is news.
pub async fn settling_is_told_to_watchers<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    for _ in 0..2 {
        desk.deliver(vec![in_lane()]).await;
    }
    let sink = sink();
    let lease = desk.lease_one().await;
    desk.tells(Interest::Sink(&sink), desk.done(&lease, retry(desk.after(SECOND)))).await;
    desk.pass(SECOND);
    let lease = desk.lease_one().await;
    desk.tells(Interest::Sink(&sink), desk.done(&lease, delivered())).await;
    desk.lease_one().await;
}
