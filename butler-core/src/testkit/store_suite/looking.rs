//! `events`, `deliveries`, `story`, `attempts` and `stats`: what is told to those who look into the journal.

use jiff::SignedDuration;
use uuid::Uuid;

use super::StoreHarness;
use super::desk::{ALL, Desk, MINUTE, SECOND, delivered, event, keyed, ok, retry, sink, to};
use crate::event::{Body, DeliveryId, EventId, Kind, NewEvent, TaskEvent, TaskOutcome, TaskType};
use crate::store::{Appended, DeliveryQuery, DeliveryState, EventQuery, NewDelivery, Routing, Settled};

async fn events<H: StoreHarness>(desk: &Desk<H>, query: EventQuery) -> Vec<EventId> {
    ok(desk.journal().events(query).await).into_iter().map(|record| record.event.id).collect()
}

async fn targets<H: StoreHarness>(desk: &Desk<H>, query: DeliveryQuery) -> Vec<String> {
    ok(desk.journal().deliveries(query).await).into_iter().map(|record| record.target.to_string()).collect()
}

fn all() -> EventQuery {
    EventQuery { max: ALL, ..EventQuery::default() }
}

fn every() -> DeliveryQuery {
    DeliveryQuery { max: ALL, ..DeliveryQuery::default() }
}

/// The younger the earlier, in pages.
pub async fn events_are_listed_newest_first<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let mut accepted: Vec<EventId> = desk.append((0..5).map(|_| event()).collect()).await.into_iter().map(Appended::id).collect();
    desk.pass(SECOND);
    accepted.push(desk.accept(event()).await);
    accepted.reverse();
    assert_eq!(events(&desk, all()).await, accepted);
    assert!(events(&desk, EventQuery { max: 0, ..all() }).await.is_empty());
    assert_eq!(events(&desk, EventQuery { max: 2, ..all() }).await, accepted[..2]);
    assert_eq!(events(&desk, EventQuery { max: 3, before: Some(accepted[1]), ..all() }).await, accepted[2..5]);
    assert_eq!(events(&desk, EventQuery { before: Some(accepted[4]), ..all() }).await, accepted[5..]);
    assert!(events(&desk, EventQuery { before: Some(accepted[5]), ..all() }).await.is_empty());
}

/// By kind or the start of one, site, task and time, and by several of these.
pub async fn events_are_listed_by_what_they_are<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let task = |number| Body::Task(TaskEvent { task_id: Uuid::from_u128(number), ..TaskEvent::default() });
    let kind = |name: &str| name.parse::<Kind>().unwrap_or_else(|error| panic!("{error}"));
    let a = desk.accept(NewEvent { kind: kind("reload_task.failed"), body: task(1), ..event() }).await;
    let b = desk.accept(NewEvent { kind: kind("reload_task.aborted"), body: task(2), ..event() }).await;
    desk.pass(SECOND);
    let since = desk.now();
    let c = desk.accept(NewEvent { kind: kind("engine_reload.failed"), site: "test".into(), ..super::desk::notice("") }).await;
    let d = desk.accept(NewEvent { kind: kind("reload_task_x.failed"), body: task(1), site: "test".into(), ..event() }).await;
    let by_kind = |name: &str| EventQuery { kind: Some(name.to_owned()), ..all() };
    assert_eq!(events(&desk, by_kind("reload_task.failed")).await, [a]);
    assert_eq!(events(&desk, by_kind("reload_task.*")).await, [b, a]);
    assert_eq!(events(&desk, by_kind("reload_task*")).await, [d, b, a]);
    assert_eq!(events(&desk, by_kind("*")).await.len(), 4);
    assert!(events(&desk, by_kind("reload_task")).await.is_empty() && events(&desk, by_kind("*.failed")).await.is_empty());
    assert_eq!(events(&desk, EventQuery { site: Some("test".into()), ..all() }).await, [d, c]);
    assert_eq!(events(&desk, EventQuery { task: Some(Uuid::from_u128(1)), ..all() }).await, [d, a]);
    assert_eq!(events(&desk, EventQuery { since: Some(since), ..all() }).await, [d, c]);
    assert!(events(&desk, EventQuery { since: Some(since + SignedDuration::from_secs(1)), ..all() }).await.is_empty());
    let several = EventQuery { site: Some("test".into()), task: Some(Uuid::from_u128(1)), before: Some(d), ..by_kind("reload*") };
    assert!(events(&desk, several).await.is_empty());

    // What it turned out to be at routing is what it is.
    let claims = desk.claim().await;
    let decided = Kind::task(TaskOutcome::Failed).with_task_type(TaskType::Preload);
    let routing = Routing { kind: Some(decided), ..Routing::default() };
    assert_eq!(ok(desk.journal().route(claims[0].token, routing).await), Settled::Done);
    assert_eq!(events(&desk, by_kind("preload_task.*")).await, [a]);
    assert_eq!(events(&desk, by_kind("reload_task.*")).await, [b]);
}

/// Also when that event was removed since.
pub async fn a_page_goes_on_where_its_event_was<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let old = desk.accept(event()).await;
    desk.claim_one().await;
    let removed = desk.deliver(Vec::new()).await;
    desk.pass(super::desk::DAY * 31);
    desk.accept(event()).await;
    assert_eq!(ok(desk.journal().prune(super::keeping::policy()).await).events, 1);
    assert_eq!(events(&desk, EventQuery { before: Some(removed), ..all() }).await, [old]);
}

/// The younger the earlier, in pages that go by number.
pub async fn deliveries_are_listed_newest_first<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.deliver(vec![to("a"), to("b")]).await;
    desk.deliver(vec![to("c"), to("d")]).await;
    assert_eq!(targets(&desk, every()).await, ["d", "c", "b", "a"]);
    let page = ok(desk.journal().deliveries(DeliveryQuery { max: 2, ..every() }).await);
    assert!(page[0].seq > page[1].seq);
    assert_eq!(targets(&desk, DeliveryQuery { before: Some(page[1].seq), ..every() }).await, ["b", "a"]);
    assert!(targets(&desk, DeliveryQuery { max: 0, ..every() }).await.is_empty());
}

/// By id, event, sink and state, and by several of these.
pub async fn deliveries_are_listed_by_what_they_are<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let first = desk.deliver(vec![to("a"), NewDelivery { sink: "other".into(), ..to("b") }]).await;
    let second = desk.deliver(vec![to("c")]).await;
    let leases = desk.lease().await;
    desk.done(&leases[0], delivered()).await;
    let by_event = |event| DeliveryQuery { event: Some(event), ..every() };
    let by_state = |state| DeliveryQuery { state: Some(state), ..every() };
    let by_sink = |sink| DeliveryQuery { sink: Some(sink), ..every() };
    assert_eq!(targets(&desk, by_event(first)).await, ["b", "a"]);
    assert_eq!(targets(&desk, by_event(second)).await, ["c"]);
    assert_eq!(targets(&desk, by_sink("other".into())).await, ["b"]);
    assert_eq!(targets(&desk, by_state(DeliveryState::Delivered)).await, ["a"]);
    assert_eq!(targets(&desk, by_state(DeliveryState::Pending)).await, ["c", "b"]);
    assert!(targets(&desk, by_state(DeliveryState::Dead)).await.is_empty());
    assert_eq!(targets(&desk, DeliveryQuery { id: Some(leases[0].token.delivery), ..every() }).await, ["a"]);
    assert_eq!(targets(&desk, DeliveryQuery { event: Some(first), ..by_sink(sink()) }).await, ["a"]);
}

/// Whoever asks for more than a thousand gets a page.
pub async fn pages_have_a_greatest_length<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.append((0..1100).map(|_| event()).collect()).await;
    let page = events(&desk, EventQuery { max: usize::MAX, ..all() }).await;
    assert!((100..=1100).contains(&page.len()), "{}", page.len());
    let rest = events(&desk, EventQuery { max: usize::MAX, before: page.last().copied(), ..all() }).await;
    assert_eq!(page.len() + rest.len(), 1100);
}

/// All that is known of it, as it stands now.
pub async fn the_story_of_an_event_is_whole<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let accepted_at = desk.now();
    let id = desk.accept(keyed(&["a"])).await;
    desk.pass(SECOND);
    desk.append(vec![NewEvent { source: "qrs_poll".into(), ..keyed(&["a"]) }]).await;
    let claim = desk.claim_one().await;
    desk.pass(SECOND);
    assert_eq!(desk.route(&claim, vec![to("a"), to("b"), to("c")]).await, Settled::Done);
    let routed_at = desk.now();
    let leases = desk.lease().await;
    desk.done(&leases[0], delivered()).await;
    desk.done(&leases[1], retry(desk.after(MINUTE))).await;
    let story = ok(desk.journal().story(id).await).unwrap_or_else(|| panic!("the event is gone"));
    let told: Vec<_> = story.sightings.iter().map(|sighting| (sighting.source.as_str(), sighting.at)).collect();
    assert_eq!(told, [("udp", accepted_at), ("qrs_poll", accepted_at + SignedDuration::from_secs(1))]);
    assert_eq!((story.record.sightings, story.record.routed), (2, Some(routed_at)));
    assert_eq!(story.record.deliveries, [(DeliveryState::Pending, 2), (DeliveryState::Delivered, 1)]);
    assert_eq!(story.deliveries, desk.records().await);
    assert_eq!(ok(desk.journal().events(all()).await), [story.record]);
}

/// Asking for something that is not there is no fault.
pub async fn what_is_not_there_is_none<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let (event, delivery) = (EventId(Uuid::from_u128(1)), DeliveryId(Uuid::from_u128(1)));
    assert!(events(&desk, all()).await.is_empty() && targets(&desk, every()).await.is_empty());
    assert_eq!(ok(desk.journal().story(event).await), None);
    assert!(ok(desk.journal().attempts(delivery).await).is_empty());
    assert!(targets(&desk, DeliveryQuery { event: Some(event), id: Some(delivery), ..every() }).await.is_empty());
    let stats = ok(desk.journal().stats().await);
    assert_eq!((stats.events, stats.unrouted, stats.deliveries), (0, 0, Vec::new()));
}

/// Events, those that wait, deliveries by sink and state, and what it all takes.
pub async fn stats_count_all<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    desk.deliver(vec![to("a"), to("b"), NewDelivery { sink: "aside".into(), ..to("c") }]).await;
    let lease = desk.lease().await.remove(0);
    desk.done(&lease, delivered()).await;
    desk.append(vec![event(), event()]).await;
    let stats = ok(desk.journal().stats().await);
    assert_eq!((stats.events, stats.unrouted), (3, 2));
    let counted: Vec<_> = stats.deliveries.iter().map(|(sink, state, count)| (sink.as_str(), *state, *count)).collect();
    let expected = [("aside", DeliveryState::Pending, 1), ("ops", DeliveryState::Pending, 1), ("ops", DeliveryState::Delivered, 1)];
    assert_eq!(counted, expected);
    desk.append((0..50).map(|_| super::desk::notice(&"x".repeat(10_000))).collect()).await;
    let more = ok(desk.journal().stats().await).bytes - stats.bytes;
    assert!((400_000..2_000_000).contains(&more), "{more}");
}
