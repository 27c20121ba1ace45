//! `append`: accepted once, recognised when it is told again.

use std::collections::HashSet;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::StoreHarness;
use super::desk::{ALL, Desk, SECOND, event, exact, keyed, near, notice, ok};
use crate::event::{EngineReload, EventId, Kind, NewEvent, TaskType};
use crate::store::{Appended, EventQuery, Interest, Story};

async fn story<H: StoreHarness>(desk: &Desk<H>, id: EventId) -> Story {
    ok(desk.journal().story(id).await).unwrap_or_else(|| panic!("no event {id}"))
}

/// One result for each event, and two events of one call may be the same.
pub async fn results_stand_in_the_order_of_the_events<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let first = desk.accept(keyed(&["a"])).await;
    let appended = desk.append(vec![keyed(&["b"]), keyed(&["a"]), keyed(&["c"]), keyed(&["b"])]).await;
    let [Appended::New(b), Appended::Duplicate(a), Appended::New(c), Appended::Duplicate(again)] = appended[..] else {
        panic!("{appended:?}")
    };
    assert_eq!((a, again), (first, b));
    assert_ne!(b, c);
    assert!(desk.append(Vec::new()).await.is_empty());
    assert_eq!(ok(desk.journal().stats().await).events, 3);
}

/// What was told is kept to the letter, whatever it is made of, with the time of the store's clock.
pub async fn events_come_back_as_they_were_told<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let reload =
        EngineReload { app_id: Some(Uuid::from_u128(9)), message: "Räkna \"om\" \\ 🚚\u{0}\n".into(), ..EngineReload::default() };
    let told = [
        event(),
        notice("'; DROP TABLE events; --"),
        NewEvent { kind: Kind::EngineReloadFailed, body: crate::event::Body::EngineReload(reload), ..event() },
        NewEvent { site: "".into(), source: "Müller & Söhne".into(), at: Timestamp::constant(-1, 0), ..event() },
    ];
    for told in told {
        desk.pass(SECOND);
        let id = desk.accept(told.clone()).await;
        let kept = story(&desk, id).await.record.event;
        assert_eq!((kept.id, kept.received), (id, desk.now()));
        assert_eq!((kept.site, kept.kind, kept.at, kept.source, kept.body), (told.site, told.kind, told.at, told.source, told.body));
    }
}

/// Nothing to recognise them by: each counts.
pub async fn events_without_keys_are_never_duplicates<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let appended = desk.append(vec![event(), event(), event()]).await;
    assert!(appended.iter().all(|appended| matches!(appended, Appended::New(_))), "{appended:?}");
}

/// One equal key is enough; of keys nothing but equality counts.
pub async fn any_key_makes_a_duplicate<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let first = desk.accept(keyed(&["a", "b"])).await;
    for told_again in [keyed(&["a"]), keyed(&["x", "b"]), keyed(&["b", "y"])] {
        assert_eq!(desk.append(vec![told_again]).await, [Appended::Duplicate(first)]);
    }
    for other in [keyed(&["A"]), keyed(&["a "]), keyed(&["ab"]), keyed(&[""])] {
        desk.accept(other).await;
    }
}

/// The keys of a repetition are the event's from then on; those that another event had first stay with that one.
pub async fn a_duplicate_teaches_its_keys<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let other = desk.accept(keyed(&["other"])).await;
    let first = desk.accept(keyed(&["a"])).await;
    assert_eq!(desk.append(vec![keyed(&["a", "b", "other"])]).await, [Appended::Duplicate(first)]);
    assert_eq!(desk.append(vec![keyed(&["b"])]).await, [Appended::Duplicate(first)]);
    assert_eq!(desk.append(vec![keyed(&["other"])]).await, [Appended::Duplicate(other)]);
}

/// Within the tolerance, either way and at its very end, it is the same; beyond it, or with another scope, it is not.
pub async fn near_keys_match_within_their_tolerance<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let at = |seconds| NewEvent { keys: vec![near(seconds)], ..event() };
    let first = desk.accept(at(0)).await;
    for seconds in [-5, -1, 0, 5] {
        assert_eq!(desk.append(vec![at(seconds)]).await, [Appended::Duplicate(first)], "{seconds}");
    }
    let early = desk.accept(at(-6)).await;
    let late = desk.accept(at(6)).await;
    // Of two that match, it is the nearer one.
    assert_eq!(desk.append(vec![at(-4)]).await, [Appended::Duplicate(early)]);
    assert_eq!(desk.append(vec![at(4)]).await, [Appended::Duplicate(late)]);
    let mut other = at(0);
    if let crate::event::DedupKey::Near { scope, .. } = &mut other.keys[0] {
        scope.push('0');
    }
    desk.accept(other).await;
}

/// Two events that both name their execution are told apart by that alone, also when the first learnt its name from a repetition.
pub async fn near_keys_tell_two_executions_apart<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let both = |key: &str| NewEvent { keys: vec![exact(key), near(0)], ..event() };
    let nameless = || NewEvent { keys: vec![near(1)], ..event() };
    let first = desk.accept(nameless()).await;
    assert_eq!(desk.append(vec![both("x")]).await, [Appended::Duplicate(first)]);
    let second = desk.accept(both("y")).await;
    assert_eq!(desk.append(vec![both("y")]).await, [Appended::Duplicate(second)]);
    // What names no execution may be either.
    let appended = desk.append(vec![nameless()]).await;
    assert!(matches!(appended[..], [Appended::Duplicate(_)]), "{appended:?}");
}

/// Who told it and when: the first twenty one by one, all of them counted.
pub async fn a_duplicate_leaves_a_sighting<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let started = desk.now();
    let first = desk.accept(keyed(&["a"])).await;
    for number in 1..=25 {
        desk.pass(SECOND);
        let told_again = NewEvent { source: format!("source {number}").into(), ..keyed(&["a"]) };
        assert_eq!(desk.append(vec![told_again]).await, [Appended::Duplicate(first)]);
    }
    let story = story(&desk, first).await;
    assert_eq!((story.record.sightings, story.sightings.len()), (26, 20));
    let told: Vec<_> = story.sightings.iter().map(|sighting| (sighting.source.as_str(), sighting.at)).collect();
    assert_eq!((told[0], told[19]), (("udp", started), ("source 19", started + SignedDuration::from_secs(19))));
    // Nothing else was stored.
    assert_eq!(ok(desk.journal().stats().await).events, 1);
    assert_eq!(story.record.event.source.as_str(), "udp");
}

/// Told by twenty at a time, it is one event.
pub async fn one_of_many_at_a_time_is_new<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let journal = desk.journal();
    let told = (0..20).map(|_| journal.append(vec![keyed(&["a"]), event()]));
    let appended: Vec<Appended> = join_all(told).await.into_iter().flat_map(ok).collect();
    let ids: HashSet<EventId> = appended.iter().step_by(2).map(|appended| appended.id()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(appended.iter().filter(|appended| matches!(appended, Appended::New(_))).count(), 21);
}

/// Each id sorts after all before it: within a call, within a moment, and when the clock goes back.
pub async fn ids_sort_by_age<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.extend(desk.append((0..300).map(|_| event()).collect()).await);
        ids.extend(desk.append(vec![event()]).await);
    }
    desk.harness().clock().jump(SignedDuration::from_hours(-1));
    ids.extend(desk.append(vec![event(), event()]).await);
    let ids: Vec<EventId> = ids.into_iter().map(Appended::id).collect();
    assert!(ids.is_sorted() && ids.iter().collect::<HashSet<_>>().len() == ids.len());
    let mut listed: Vec<EventId> =
        ok(desk.journal().events(EventQuery { max: ALL, ..EventQuery::default() }).await).iter().map(|record| record.event.id).collect();
    listed.reverse();
    assert_eq!(listed, ids);
}

/// Whoever waits for events learns of them.
pub async fn accepting_is_told_to_watchers<H: StoreHarness>() {
    let desk = Desk::<H>::start().await;
    let kind = Kind::task(crate::event::TaskOutcome::Failed).with_task_type(TaskType::Reload);
    desk.tells(Interest::Events, desk.accept(NewEvent { kind, ..event() })).await;
    desk.tells(Interest::Events, desk.append(vec![keyed(&["a"]), event()])).await;
}
