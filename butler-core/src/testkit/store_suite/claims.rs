//! `claim` and `defer`: one caller at a time, oldest first.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::SignedDuration;

use super::StoreHarness;
use super::desk::{Desk, MINUTE, SECOND, event, keyed, ok, to};
use crate::event::{EventId, Fact, Facts};
use crate::store::{Claim, ClaimToken, EventQuery, Routing, Settled};

fn ids(claims: &[Claim]) -> Vec<EventId> {
    claims.iter().map(|claim| claim.event.id).collect()
}

fn some_facts(why: &str) -> Facts {
    Facts { task: Fact::Missing { why: why.to_owned(), is_final: false }, ..Facts::default() }
}

/// Each event is handed to one caller, no more than were asked for, in the order in which they were accepted.
pub async fn claims_are_for_one_caller_and_oldest_first<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let accepted: Vec<EventId> = desk.append(vec![event(), event(), event()]).await.into_iter().map(|appended| appended.id()).collect();
    assert!(ok(desk.journal().claim(MINUTE, 0).await).is_empty());
    let first = ok(desk.journal().claim(MINUTE, 2).await);
    assert_eq!((ids(&first), first[0].attempt), (accepted[..2].to_vec(), 1));
    assert_eq!(first[0].facts, Facts::default());
    let late = desk.accept(event()).await;
    assert_eq!(ids(&desk.claim().await), [accepted[2], late]);
    assert!(desk.claim().await.is_empty());
    // What is claimed is no less accepted, and stands in the list.
    assert_eq!(ok(desk.journal().events(EventQuery::default()).await).len(), 4);
}

/// A claim holds for its time to the end, and not longer; whoever comes next sees that there was one before.
pub async fn a_claim_that_was_not_used_is_handed_out_again<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let id = desk.accept(event()).await;
    for attempt in 1..=4 {
        let claim = desk.claim_one().await;
        assert_eq!((claim.event.id, claim.attempt), (id, attempt));
        desk.pass(MINUTE - SECOND);
        assert!(desk.claim().await.is_empty());
        desk.pass(SECOND);
    }
    // It may still be used as long as nobody else has it.
    let claim = desk.claim_one().await;
    desk.pass(2 * MINUTE);
    assert_eq!(desk.route(&claim, vec![to("a")]).await, Settled::Done);
}

/// Not before its time, with what is known so far, and as if it had not been claimed.
pub async fn a_deferred_event_waits_and_keeps_its_facts<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let id = desk.accept(event()).await;
    let claim = desk.claim_one().await;
    let until = desk.after(10 * SECOND);
    assert_eq!(ok(desk.journal().defer(claim.token, some_facts("still running"), until).await), Settled::Done);
    assert!(desk.claim().await.is_empty());
    let younger = desk.accept(event()).await;
    assert_eq!(ids(&desk.claim().await), [younger]);
    desk.pass(10 * SECOND - Duration::from_millis(1));
    assert!(desk.claim().await.is_empty());
    desk.pass(Duration::from_millis(1));
    let claim = desk.claim_one().await;
    assert_eq!((claim.event.id, claim.attempt, claim.facts), (id, 1, some_facts("still running")));
}

/// Ten callers at a time get different events, and together all of them.
pub async fn claims_side_by_side_share_nothing<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.append((0..50).map(|_| event()).collect()).await;
    let journal = desk.journal();
    let claims = join_all((0..10).map(|_| journal.claim(MINUTE, 7))).await;
    let claimed: Vec<EventId> = claims.into_iter().flat_map(|claims| ids(&ok(claims))).collect();
    assert_eq!((claimed.len(), claimed.iter().collect::<HashSet<_>>().len()), (50, 50));
}

/// Neither `route` nor `defer` takes a claim that is not the latest, was given back, was used, or never was.
pub async fn a_stale_claim_changes_nothing<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let journal = desk.journal();
    let stale = async |token: ClaimToken, why: &str| {
        let routing =
            Routing { deliveries: vec![to("wrong")], keys: keyed(&["wrong"]).keys, facts: some_facts("wrong"), ..Routing::default() };
        assert_eq!(ok(journal.route(token, routing).await), Settled::Stale, "{why}");
        assert_eq!(ok(journal.defer(token, some_facts("wrong"), desk.now()).await), Settled::Stale, "{why}");
    };
    desk.accept(event()).await;
    let ran_out = desk.claim_one().await;
    desk.pass(MINUTE);
    let claim = desk.claim_one().await;
    stale(ran_out.token, "another one holds it").await;
    stale(ClaimToken { fence: claim.token.fence + 1, ..claim.token }, "there was no such claim").await;
    stale(ClaimToken { event: EventId(uuid::Uuid::from_u128(1)), ..claim.token }, "there is no such event").await;

    assert_eq!(ok(journal.defer(claim.token, Facts::default(), desk.now()).await), Settled::Done);
    stale(claim.token, "it was given back").await;
    let claim = desk.claim_one().await;
    assert_eq!((claim.attempt, &claim.facts), (2, &Facts::default()));
    assert_eq!(desk.route(&claim, vec![to("right")]).await, Settled::Done);
    stale(claim.token, "it was used").await;

    assert_eq!(desk.records().await.iter().map(|record| record.target.as_str()).collect::<Vec<_>>(), ["right"]);
    desk.accept(keyed(&["wrong"])).await;
}

/// What was accepted and what was routed is to be had, also when the clock goes back.
pub async fn a_clock_that_goes_back_holds_up_nothing_new<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.accept(event()).await;
    desk.harness().clock().jump(SignedDuration::from_hours(-1));
    let claim = desk.claim_one().await;
    assert_eq!(desk.route(&claim, vec![to("a")]).await, Settled::Done);
    desk.harness().clock().jump(SignedDuration::from_hours(-1));
    desk.lease_one().await;
}
