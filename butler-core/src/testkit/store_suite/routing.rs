//! `route` and `add_facts`: the decision is stored whole, once.

use super::StoreHarness;
use super::desk::{Desk, MINUTE, event, exact, in_lane, keyed, near, ok, sink, to};
use crate::event::{Class, DeliveryId, Fact, Facts, Kind, NewEvent, Owner, SinkName, TaskOutcome, TaskType};
use crate::store::{Appended, DeliveryState, Interest, Limit, NewDelivery, RouteNote, Routing, Settled, Suppression};

fn owner(name: &str) -> Facts {
    Facts { owner: Fact::Known(Owner { name: name.to_owned(), ..Owner::default() }), ..Facts::default() }
}

/// Kind, facts, notes and deliveries are there, with the moment of the decision.
pub async fn routing_stores_all_of_the_decision<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let id = desk.accept(event()).await;
    let claim = desk.claim_one().await;
    let kind = Kind::task(TaskOutcome::Failed).with_task_type(TaskType::Reload);
    let notes = vec![RouteNote { route: "all".into(), matched: true, why: "its kind fits".into() }];
    let mail = NewDelivery { sink: "mail".into(), class: Class::Metric, expires: desk.after(MINUTE), ..to("göran@example.com") };
    let deliveries = vec![to("a"), to("b"), mail];
    let routing = Routing { kind: Some(kind.clone()), facts: owner("Göran"), keys: Vec::new(), deliveries, notes: notes.clone() };
    desk.pass(MINUTE / 2);
    assert_eq!(ok(desk.journal().route(claim.token, routing).await), Settled::Done);

    let story = ok(desk.journal().story(id).await).unwrap_or_else(|| panic!("the event is gone"));
    assert_eq!((story.record.event.kind, story.record.routed, story.facts, story.notes), (kind, Some(desk.now()), owner("Göran"), notes));
    assert_eq!(story.record.deliveries, [(DeliveryState::Pending, 3)]);
    let where_to: Vec<_> = story.deliveries.iter().map(|delivery| (delivery.sink.as_str(), delivery.target.as_str())).collect();
    assert_eq!(where_to, [("ops", "a"), ("ops", "b"), ("mail", "göran@example.com")]);
    for record in &story.deliveries {
        assert_eq!(record.id, DeliveryId::of(id, &record.sink, &record.target));
        assert_eq!((record.event, record.created, record.due, record.state), (id, desk.now(), desk.now(), DeliveryState::Pending));
        assert_eq!((record.attempts, record.lost, record.settled, record.failing_since), (0, 0, None, None));
        assert_eq!((record.route.as_str(), record.waiting_in_lane, record.overtaken), ("all", false, false));
    }
    assert_eq!(story.deliveries[2].expires, desk.after(MINUTE / 2));
    assert_eq!(desk.records().await, story.deliveries);
}

/// What is routed is not claimed again.
pub async fn an_event_is_routed_once<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.deliver(vec![to("a")]).await;
    desk.pass(2 * MINUTE);
    assert!(desk.claim().await.is_empty());
    assert_eq!(ok(desk.journal().stats().await).unrouted, 0);
}

/// Keys that become known at routing make duplicates from then on; those that another event had first stay with that one.
pub async fn keys_of_the_routing_are_recognised<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let other = desk.deliver_event(keyed(&["other"]), Vec::new()).await;
    let id = desk.accept(keyed(&["a"])).await;
    let claim = desk.claim_one().await;
    let routing = Routing { keys: vec![exact("b"), exact("other")], ..Routing::default() };
    assert_eq!(ok(desk.journal().route(claim.token, routing).await), Settled::Done);
    let appended = desk.append(vec![keyed(&["a"]), keyed(&["b"]), keyed(&["other"])]).await;
    assert_eq!(appended, [Appended::Duplicate(id), Appended::Duplicate(id), Appended::Duplicate(other)]);
}

/// An event whose execution becomes known at routing is told apart from others of its task near in time.
pub async fn keys_of_the_routing_tell_executions_apart<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let id = desk.accept(NewEvent { keys: vec![near(0)], ..event() }).await;
    let claim = desk.claim_one().await;
    let routing = Routing { keys: vec![exact("x")], ..Routing::default() };
    assert_eq!(ok(desk.journal().route(claim.token, routing).await), Settled::Done);
    let both = |key: &str| NewEvent { keys: vec![exact(key), near(1)], ..event() };
    assert_eq!(desk.append(vec![both("x")]).await, [Appended::Duplicate(id)]);
    desk.accept(both("y")).await;
}

/// The same destination twice in a decision is one delivery.
pub async fn of_deliveries_with_one_id_the_first_counts<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let second = NewDelivery { route: "second".into(), limit: Some(Limit { key: "limit".into(), window: MINUTE }), ..to("a") };
    desk.deliver(vec![to("a"), to("b"), second]).await;
    let routes: Vec<_> = desk.records().await.into_iter().map(|record| (record.target.to_string(), record.route)).collect();
    assert_eq!(routes, [("a".to_owned(), "all".to_owned()), ("b".to_owned(), "all".to_owned())]);
    assert!(desk.lease().await.iter().all(|lease| lease.limit.is_none()));
}

/// What is silenced is settled at once: it is listed with the reason, holds nobody up, and can be sent after all.
pub async fn what_is_silenced_is_suppressed_at_once<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let by = Suppression::Silence { id: "upgrade".into(), until: desk.after(MINUTE), why: "we know".into() };
    desk.deliver(vec![NewDelivery { silenced: Some(by), ..in_lane() }]).await;
    let record = desk.records().await.remove(0);
    assert_eq!((record.state, record.settled, record.attempts), (DeliveryState::Suppressed, Some(desk.now()), 0));
    assert!(record.detail.contains("silence upgrade") && record.detail.ends_with(": we know"), "{}", record.detail);
    assert!(desk.lease().await.is_empty());
    // The next of its lane goes at once.
    let next = desk.deliver(vec![in_lane()]).await;
    assert_eq!(desk.lease_one().await.event.id, next);
    assert!(ok(desk.journal().revive(record.id, desk.after(MINUTE)).await));
    assert_eq!(desk.lease_one().await.token.delivery, record.id);
}

/// A decision without deliveries is one.
pub async fn an_event_may_go_nowhere<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let id = desk.deliver(Vec::new()).await;
    let story = ok(desk.journal().story(id).await).unwrap_or_else(|| panic!("the event is gone"));
    assert_eq!((story.record.routed, story.record.deliveries.len()), (Some(desk.now()), 0));
}

/// Whoever waits for deliveries of a sink learns of them.
pub async fn routing_is_told_to_watchers<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let mail = SinkName::from("mail");
    let both = vec![to("a"), NewDelivery { sink: mail.clone(), ..to("b") }];
    let told = desk.tells(Interest::Sink(&mail), desk.deliver(both.clone()));
    desk.tells(Interest::Sink(&sink()), told).await;
}

/// A fact that is found after routing counts for the attempts still to come.
pub async fn facts_found_later_are_leased<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let id = desk.deliver(vec![to("a")]).await;
    ok(desk.journal().add_facts(id, owner("Göran")).await);
    ok(desk.journal().add_facts(crate::event::EventId(uuid::Uuid::from_u128(1)), owner("nobody")).await);
    assert_eq!(*desk.lease_one().await.facts, owner("Göran"));
}
