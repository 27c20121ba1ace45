//! The stages together.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::stage::{FakeEnricher, SECOND, Setup, one_sink, rest, route};
use super::testing::a_new_event;
use super::*;
use crate::event::{Kind, Needs, SinkName, TaskOutcome};
use crate::sink::{DeliveryError, Reason, Receipt};
use crate::store::memory::MemoryStore;
use crate::store::{DeliveryQuery, DeliveryRecord, DeliveryState, Journal};
use crate::testkit::{FakeSink, TestClock};

fn down() -> Result<Receipt, DeliveryError> {
    Err(DeliveryError::transient(Reason::Unreachable, "connection refused"))
}

#[tokio::test]
async fn an_event_reaches_its_sink_with_the_facts_that_the_sink_needs() {
    let sink = FakeSink::default().with_needs(Needs { owner: true, ..Needs::NONE });
    let stage = one_sink(&sink).start().await;
    stage.submit(a_new_event(1)).await;
    assert_eq!(sink.taken().len(), 1);
    assert_eq!(sink.taken()[0].body, "reload_task.failed owner=Göran");
    assert_eq!(stage.states().await, [DeliveryState::Delivered]);
}

#[tokio::test]
async fn a_failed_attempt_is_repeated_later_under_the_same_key() {
    let sink = FakeSink::default();
    sink.answer(down);
    let stage = one_sink(&sink).start().await;
    stage.submit(a_new_event(1)).await;
    assert_eq!(stage.states().await, [DeliveryState::Pending]);
    stage.pass(2 * SECOND).await;
    let taken = sink.taken();
    assert_eq!(taken.iter().map(|t| (t.attempt, t.accepted)).collect::<Vec<_>>(), [(1, false), (2, true)]);
    assert_eq!(taken[0].key, taken[1].key);
}

#[tokio::test]
async fn events_of_a_task_go_out_in_their_order_and_hold_up_no_other_task() {
    let sink = FakeSink::default();
    sink.answer(|| Err(DeliveryError::transient(Reason::Protocol, "nonsense")));
    let stage = one_sink(&sink).start().await;
    let first = stage.submit(a_new_event(1)).await.id();
    let mut aborted = a_new_event(1);
    aborted.kind = Kind::task(TaskOutcome::Aborted);
    let second = stage.submit(aborted).await.id();
    let other = stage.submit(a_new_event(2)).await.id();
    stage.pass(2 * SECOND).await;
    let records = stage.deliveries().await;
    let event_of = |key| records.iter().find(|d| d.id == key).map(|d| d.event).unwrap();
    let order: Vec<_> = sink.taken().iter().map(|t| event_of(t.key)).collect();
    assert_eq!(order, [first, other, first, second]);
}

#[tokio::test]
async fn a_sink_that_is_down_is_probed_and_not_stormed() {
    let sink = FakeSink::default();
    for _ in 0..5 {
        sink.answer(down);
    }
    let stage = one_sink(&sink).start().await;
    for task in 0..40 {
        stage.intake.submit(a_new_event(task)).await.unwrap();
    }
    rest().await;
    let storm = sink.taken().len();
    assert!(storm <= 8 + 3, "{storm} attempts while the sink was down");
    assert!(stage.health.report().sinks[&SinkName::from("ops")].down_since.is_some());
    stage.pass(Duration::from_mins(2)).await;
    assert_eq!(sink.taken().iter().filter(|t| t.accepted).count(), 40);
    assert!(stage.health.report().sinks[&SinkName::from("ops")].down_since.is_none());
    // Waiting was no attempt: only those that met the dead sink have more than one.
    let attempts: u32 = stage.deliveries().await.iter().map(|d| d.attempts).sum();
    assert_eq!(attempts, 40 + 5);
}

#[tokio::test]
async fn a_sink_that_hangs_holds_up_no_other() {
    let (slow, fast) = (FakeSink::default(), FakeSink::default());
    slow.hang();
    let setup = Setup {
        sinks: vec![("slow", slow.clone().into_plan()), ("fast", fast.clone().into_plan())],
        routes: vec![route("*", &["slow", "fast"])],
        fallback: Vec::new(),
        enricher: FakeEnricher::default(),
    };
    let stage = setup.start().await;
    for task in 0..20 {
        stage.submit(a_new_event(task)).await;
    }
    assert_eq!(fast.taken().len(), 20);
    assert_eq!(slow.taken().len(), 0);
    // The attempt has its time, then it is a failure like any other.
    stage.pass(11 * SECOND).await;
    let failing = stage.deliveries().await.into_iter().find(|d| d.sink == SinkName::from("slow") && d.attempts > 0).unwrap();
    assert!(failing.detail.contains("no answer within 10s"), "{failing:?}");
    slow.release();
    stage.pass(Duration::from_mins(3)).await;
    assert_eq!(slow.taken().iter().filter(|t| t.accepted).count(), 20);
}

#[tokio::test]
async fn a_rate_limit_counts_what_was_delivered_and_the_next_message_tells_how_many_were_held_back() {
    let sink = FakeSink::default();
    let mut setup = one_sink(&sink);
    setup.routes[0].rate_limit = Some(Duration::from_mins(5));
    let stage = setup.start().await;
    for _ in 0..3 {
        stage.submit(a_new_event(1)).await;
    }
    assert_eq!(stage.states().await, [DeliveryState::Delivered, DeliveryState::Suppressed, DeliveryState::Suppressed]);
    stage.pass(Duration::from_mins(5)).await;
    stage.submit(a_new_event(1)).await;
    assert_eq!(sink.taken().last().unwrap().body, "reload_task.failed owner=? held_back=2");
}

#[tokio::test]
async fn a_failed_message_opens_no_rate_limit() {
    let sink = FakeSink::default();
    sink.answer(|| Err(DeliveryError::permanent(Reason::Rejected, "no")));
    let mut setup = one_sink(&sink);
    setup.routes = vec![Route { rate_limit: Some(Duration::from_mins(5)), ..route("reload_task.*", &["ops"]) }];
    let stage = setup.start().await;
    stage.submit(a_new_event(1)).await;
    stage.submit(a_new_event(1)).await;
    assert_eq!(stage.states().await, [DeliveryState::Dead, DeliveryState::Delivered]);
}

#[tokio::test]
async fn a_panic_in_a_sink_is_a_failed_attempt() {
    let sink = FakeSink::default();
    sink.answer(|| panic!("boom"));
    let stage = one_sink(&sink).start().await;
    stage.submit(a_new_event(1)).await;
    assert!(stage.deliveries().await[0].detail.contains("panicked"));
    stage.pass(2 * SECOND).await;
    assert_eq!(stage.states().await, [DeliveryState::Delivered]);
}

#[tokio::test]
async fn a_broken_template_leaves_in_plain_words_and_the_fault_shows() {
    let sink = FakeSink::default();
    sink.break_template(Some("line 3: unclosed block"));
    let stage = one_sink(&sink).start().await;
    stage.submit(a_new_event(1)).await;
    assert_eq!(sink.taken()[0].body, "reload_task.failed plain, for: line 3: unclosed block");
    assert!(stage.deliveries().await[0].detail.contains("unclosed block"), "{:?}", stage.deliveries().await[0]);
}

#[tokio::test]
async fn a_message_that_is_too_long_or_not_understood_leaves_in_plain_words() {
    for (reason, why) in [(Reason::TooLarge, "too long"), (Reason::Malformed, "not understood")] {
        let sink = FakeSink::default();
        sink.answer(move || Err(DeliveryError::permanent(reason, "HTTP 4xx")));
        let stage = one_sink(&sink).start().await;
        stage.submit(a_new_event(1)).await;
        assert_eq!(sink.taken().last().unwrap().body, format!("reload_task.failed plain, for: the message was {why}: HTTP 4xx"));
        assert_eq!(stage.states().await, [DeliveryState::Delivered]);
    }
}

#[tokio::test]
async fn a_message_leaves_without_the_facts_that_did_not_come_in_time() {
    let sink = FakeSink::default().with_needs(Needs { owner: true, ..Needs::NONE });
    let mut setup = one_sink(&sink);
    setup.enricher.hangs = true;
    let stage = setup.start().await;
    stage.submit(a_new_event(1)).await;
    assert_eq!(sink.taken().len(), 0);
    stage.pass(Duration::from_secs(90)).await;
    let taken = sink.taken();
    assert_eq!(taken[0].body, "reload_task.failed owner=? missing[app owner: no answer within 1m]");
    assert_eq!(stage.states().await, [DeliveryState::Delivered]);
}

#[tokio::test]
async fn a_message_that_is_given_up_is_told_elsewhere() {
    let (bad, good) = (FakeSink::default(), FakeSink::default());
    bad.answer(|| Err(DeliveryError::permanent(Reason::Rejected, "no such channel")));
    let setup = Setup {
        sinks: vec![("bad", bad.clone().into_plan()), ("good", good.clone().into_plan())],
        routes: vec![route("reload_task.*", &["bad"]), route("butler.*", &["good"])],
        fallback: Vec::new(),
        enricher: FakeEnricher::default(),
    };
    let stage = setup.start().await;
    stage.submit(a_new_event(1)).await;
    assert_eq!(good.taken()[0].body, "butler.delivery_dead owner=?");
}

#[tokio::test]
async fn a_message_that_is_too_old_is_given_up() {
    let sink = FakeSink::default();
    let mut setup = one_sink(&sink);
    setup.sinks[0].1.retry.alert_age = Duration::from_mins(10);
    setup.routes = vec![route("reload_task.*", &["ops"])];
    for _ in 0..100 {
        sink.answer(down);
    }
    let stage = setup.start().await;
    stage.submit(a_new_event(1)).await;
    stage.pass(Duration::from_mins(20)).await;
    let record = stage.deliveries().await.remove(0);
    assert_eq!(record.state, DeliveryState::Dead);
    assert!(record.detail.contains("too old") || record.detail.contains("expired"), "{record:?}");
}

#[tokio::test]
async fn a_head_that_keeps_failing_while_others_are_delivered_is_overtaken() {
    let sink = FakeSink::default();
    let stage = one_sink(&sink).start().await;
    sink.hang();
    let head = stage.submit(a_new_event(1)).await.id();
    sink.judge(move |delivery| (delivery.event.id == head).then(|| DeliveryError::transient(Reason::Protocol, "nonsense")));
    sink.release();
    let follower = stage.submit(a_new_event(1)).await.id();
    for task in 2..5 {
        stage.pass(Duration::from_mins(1)).await;
        stage.submit(a_new_event(task)).await;
    }
    let waiting = |records: &[DeliveryRecord]| records.iter().find(|d| d.event == follower).map(|d| d.state);
    assert_eq!(waiting(&stage.deliveries().await), Some(DeliveryState::Pending));
    stage.pass(Duration::from_mins(10)).await;
    let records = stage.deliveries().await;
    assert!(records[0].overtaken, "{:?}", records[0]);
    assert_eq!(records[0].state, DeliveryState::Pending);
    assert_eq!(waiting(&records), Some(DeliveryState::Delivered));
}

#[tokio::test]
async fn whoever_stops_settles_what_is_under_way() {
    let sink = FakeSink::default();
    sink.hang();
    let stage = one_sink(&sink).start().await;
    stage.submit(a_new_event(1)).await;
    let ending = tokio::spawn(stage.pipeline.shutdown(10 * SECOND));
    rest().await;
    assert!(!ending.is_finished());
    sink.release();
    ending.await.unwrap();
    let records = stage.store.deliveries(DeliveryQuery::default()).await.unwrap();
    assert_eq!(records[0].state, DeliveryState::Delivered);
}

#[tokio::test]
async fn an_event_whose_claims_never_returned_goes_out_without_a_look_up() {
    let sink = FakeSink::default();
    let setup = one_sink(&sink);
    let asked = setup.enricher.asked();
    let clock = TestClock::default();
    let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    store.append(vec![a_new_event(1)]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(store.claim(SECOND, 10).await.unwrap().len(), 1);
        clock.advance(2 * SECOND);
    }
    let _stage = setup.start_on(clock, store).await;
    rest().await;
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    let body = &sink.taken()[0].body;
    assert!(body.starts_with("task.failed") && body.contains("missing[task: left out"), "{body}");
}

#[tokio::test]
async fn a_distribute_task_is_asked_about_until_it_has_ended() {
    let sink = FakeSink::default();
    let mut setup = one_sink(&sink);
    setup.enricher.statuses = Mutex::new(vec![14, 13, 8]);
    setup.routes = vec![route("reload_task.failed", &["ops"])];
    let stage = setup.start().await;
    let mut event = a_new_event(1);
    event.kind = Kind::task(TaskOutcome::Unsettled);
    stage.submit(event).await;
    stage.pass(Duration::from_secs(9)).await;
    assert_eq!(sink.taken().len(), 0);
    stage.pass(Duration::from_secs(5)).await;
    assert_eq!(sink.taken()[0].body, "reload_task.failed owner=?");
}

#[tokio::test]
async fn a_distribute_task_whose_end_nobody_knows_is_a_failure_that_says_so() {
    let sink = FakeSink::default();
    let mut setup = one_sink(&sink);
    setup.enricher.hangs = true;
    setup.routes = vec![route("reload_task.failed", &["ops"])];
    let stage = setup.start().await;
    let mut event = a_new_event(1);
    event.kind = Kind::task(TaskOutcome::Unsettled);
    stage.submit(event).await;
    for _ in 0..6 * 60 - 1 {
        stage.pass(Duration::from_mins(1)).await;
    }
    assert_eq!(sink.taken().len(), 0);
    for _ in 0..3 {
        stage.pass(Duration::from_mins(1)).await;
    }
    let body = &sink.taken()[0].body;
    assert!(body.contains("execution result: it could not be found out how the task ended; no answer within"), "{body}");
}

#[tokio::test]
async fn good_news_of_a_distribute_task_is_no_failure() {
    let sink = FakeSink::default();
    let mut setup = one_sink(&sink);
    setup.routes = vec![route("reload_task.failed", &["ops"])];
    setup.enricher.statuses = Mutex::new(vec![7]);
    let stage = setup.start().await;
    let mut event = a_new_event(1);
    event.kind = Kind::task(TaskOutcome::Unsettled);
    stage.submit(event).await;
    stage.pass(Duration::from_mins(2)).await;
    assert_eq!(sink.taken().len(), 0);
}

#[tokio::test]
async fn two_sinks_share_one_look_up() {
    let needs = Needs { owner: true, ..Needs::NONE };
    let (a, b) = (FakeSink::default().with_needs(needs), FakeSink::default().with_needs(needs));
    let setup = Setup {
        sinks: vec![("a", a.clone().into_plan()), ("b", b.clone().into_plan())],
        routes: vec![route("*", &["a", "b"])],
        fallback: Vec::new(),
        enricher: FakeEnricher::default(),
    };
    let asked = setup.enricher.asked();
    let stage = setup.start().await;
    stage.submit(a_new_event(1)).await;
    assert_eq!((a.taken().len(), b.taken().len()), (1, 1));
    // One for what decides, one for what both show.
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}
