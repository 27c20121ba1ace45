//! Several deliveries in one attempt: each has its own verdict, and a bad one fails alone.

use std::collections::BTreeMap;
use std::time::Duration;

use super::stage::{SECOND, Stage, one_sink, rest, route};
use super::testing::a_new_event;
use crate::event::DeliveryId;
use crate::sink::{Delivery, DeliveryError, Reason, Receipt};
use crate::store::{DeliveryRecord, DeliveryState};
use crate::testkit::FakeSink;

fn rejected(delivery: &Delivery<'_>) -> DeliveryError {
    DeliveryError::permanent(Reason::Rejected, format!("no room for {}", delivery.key))
}

fn unreachable() -> DeliveryError {
    DeliveryError::transient(Reason::Unreachable, "connection reset")
}

fn accepted(delivery: &Delivery<'_>) -> Receipt {
    Receipt { detail: format!("took {}", delivery.key) }
}

/// A sink that takes `most` at once, one attempt at a time, while `count` events wait for the first one to end.
async fn waiting(sink: &FakeSink, count: u128) -> Stage {
    let mut setup = one_sink(sink);
    setup.sinks[0].1.max_in_flight = 1;
    setup.routes = vec![route("reload_task.*", &["ops"])];
    sink.hang();
    let stage = setup.start().await;
    stage.submit(a_new_event(10_000)).await;
    for task in 0..count {
        stage.intake.submit(a_new_event(task)).await.unwrap();
    }
    rest().await;
    stage
}

async fn by_state(stage: &Stage) -> BTreeMap<String, Vec<DeliveryRecord>> {
    let mut states: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for record in stage.deliveries().await {
        states.entry(format!("{:?}", record.state)).or_default().push(record);
    }
    states
}

/// How often each was accepted.
fn accepted_times(sink: &FakeSink) -> BTreeMap<DeliveryId, usize> {
    let mut times = BTreeMap::new();
    for taken in sink.taken().into_iter().filter(|taken| taken.accepted) {
        *times.entry(taken.key).or_default() += 1;
    }
    times
}

#[tokio::test]
async fn of_a_hundred_with_a_bad_one_the_bad_one_fails_alone() {
    let sink = FakeSink::default().with_batch(100);
    let stage = waiting(&sink, 100).await;
    let bad = stage.deliveries().await[50].id;
    sink.judge(move |delivery| (delivery.key == bad).then(|| rejected(delivery)));
    sink.release();
    rest().await;
    rest().await;
    assert_eq!(sink.batches(), [100]);
    let states = by_state(&stage).await;
    assert_eq!((states["Delivered"].len(), states["Dead"].len(), states.len()), (100, 1, 2), "{states:?}");
    assert_eq!(states["Dead"][0].id, bad);
    assert_eq!(states["Dead"][0].detail, format!("no room for {bad}"));
    // Trying singly what was refused together is no further attempt.
    assert!(states.values().flatten().all(|record| record.attempts == 1));
    let times = accepted_times(&sink);
    assert!(times.len() == 100 && times.values().all(|times| *times == 1), "{times:?}");
}

#[tokio::test]
async fn a_sink_that_dies_in_the_middle_of_a_batch_keeps_what_it_took() {
    let sink = FakeSink::default().with_batch(100);
    let stage = waiting(&sink, 60).await;
    sink.answer_many(|all| {
        all.iter().enumerate().map(|(n, delivery)| if n < 25 { Ok(accepted(delivery)) } else { Err(unreachable()) }).collect()
    });
    sink.release();
    rest().await;
    let states = by_state(&stage).await;
    assert_eq!((states["Delivered"].len(), states["Pending"].len()), (26, 35));
    // It failed once, and three times in a row mean down.
    assert!(stage.health.report().sinks.values().all(|sink| sink.down_since.is_none()));
    stage.pass(5 * SECOND).await;
    let states = by_state(&stage).await;
    assert_eq!(states["Delivered"].len(), 61);
    let attempts: u32 = states["Delivered"].iter().map(|record| record.attempts).sum();
    assert_eq!(attempts, 26 + 35 * 2);
    assert!(accepted_times(&sink).values().all(|times| *times == 1));
}

#[tokio::test]
async fn no_delivery_has_the_verdict_of_another() {
    let sink = FakeSink::default().with_batch(7);
    let mut setup = one_sink(&sink);
    setup.sinks[0].1.max_in_flight = 3;
    sink.hang();
    let stage = setup.start().await;
    for _ in 0..20 {
        sink.answer_many(|all| {
            let verdict = |delivery: &Delivery<'_>| match delivery.key.0.as_u128() % 3 {
                0 => Err(rejected(delivery)),
                _ => Ok(accepted(delivery)),
            };
            all.iter().map(verdict).collect()
        });
    }
    for task in 0..100 {
        stage.intake.submit(a_new_event(task)).await.unwrap();
    }
    rest().await;
    sink.release();
    rest().await;
    assert!(sink.batches().iter().filter(|size| **size > 1).count() > 10, "{:?}", sink.batches());
    for record in stage.deliveries().await {
        // A batch of one, or one that was refused as a whole, is tried singly.
        let own = [format!("took {}", record.id), format!("no room for {}", record.id), "accepted".to_owned()];
        assert!(own.contains(&record.detail), "{record:?}");
        let is_refused = record.detail.starts_with("no room");
        assert_eq!(record.state, if is_refused { DeliveryState::Dead } else { DeliveryState::Delivered });
    }
}

#[tokio::test]
async fn a_message_that_makes_the_sink_panic_fails_alone() {
    let sink = FakeSink::default().with_batch(100);
    let stage = waiting(&sink, 30).await;
    let bad = stage.deliveries().await[20].id;
    sink.judge(move |delivery| {
        assert_ne!(delivery.key, bad, "a bad message");
        None
    });
    sink.release();
    rest().await;
    let states = by_state(&stage).await;
    assert_eq!((states["Delivered"].len(), states["Pending"].len()), (30, 1), "{states:?}");
    assert!(states["Pending"][0].id == bad && states["Pending"][0].detail.contains("panicked"), "{states:?}");
}

#[tokio::test]
async fn whoever_gets_no_verdict_is_tried_again() {
    let sink = FakeSink::default().with_batch(100);
    let stage = waiting(&sink, 10).await;
    sink.answer_many(|all| all.iter().take(4).map(|delivery| Ok(accepted(delivery))).collect());
    sink.release();
    rest().await;
    assert_eq!(by_state(&stage).await["Pending"].len(), 6);
    stage.pass(5 * SECOND).await;
    assert_eq!(by_state(&stage).await["Delivered"].len(), 11);
}

#[tokio::test]
async fn a_sink_that_is_down_is_probed_by_a_single_one() {
    let sink = FakeSink::default().with_batch(10);
    for _ in 0..3 {
        sink.answer_many(|all| all.iter().map(|_| Err(unreachable())).collect());
    }
    let stage = waiting(&sink, 100).await;
    sink.answer(|| Ok(Receipt::default()));
    sink.answer(|| Err(unreachable()));
    sink.release();
    rest().await;
    assert_eq!(sink.batches(), [10, 10, 10]);
    assert!(stage.health.report().sinks.values().all(|sink| sink.down_since.is_some()));
    stage.pass(2 * SECOND).await;
    // The probe, which failed.
    assert_eq!((sink.batches().len(), sink.taken().len()), (3, 1 + 30 + 1));
    stage.pass(Duration::from_mins(1)).await;
    assert_eq!(by_state(&stage).await["Delivered"].len(), 101);
    assert!(sink.batches().len() > 3, "{:?}", sink.batches());
}

#[tokio::test]
async fn batches_keep_the_order_of_a_task() {
    let sink = FakeSink::default().with_batch(100);
    let stage = waiting(&sink, 0).await;
    for number in 0..40 {
        stage.intake.submit(a_new_event(number % 4)).await.unwrap();
    }
    rest().await;
    sink.release();
    rest().await;
    assert!(sink.batches().iter().all(|size| *size <= 4), "{:?}", sink.batches());
    let records = stage.deliveries().await;
    let order = |key: DeliveryId| records.iter().position(|record| record.id == key).unwrap();
    let taken: Vec<_> = sink.taken().iter().map(|taken| order(taken.key)).collect();
    assert_eq!(taken.len(), 41);
    for task in 0..4 {
        let of_task: Vec<_> = taken.iter().filter(|number| **number > 0 && (**number - 1) % 4 == task).collect();
        assert!(of_task.is_sorted(), "{of_task:?}");
    }
}
