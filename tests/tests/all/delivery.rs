//! From a datagram to its destinations.

use std::collections::BTreeSet;

use butler_core::simulator::inbox::{Answer, ReceivedRequest};
use butler_tests::{Proc, Sender, World, a_failure, api, eventually};
use serde_json::Value;

use crate::PROGRAM;

fn body(request: &ReceivedRequest) -> Value {
    serde_json::from_str(&request.body).expect("JSON")
}

#[tokio::test]
async fn a_failed_reload_reaches_the_webhook_under_one_key() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let butler = world.serve().await;
    Sender::to(&butler).failed(a_failure(1));
    let requests = world.hook.wait_for(1).await;
    assert_eq!(body(&requests[0])["taskName"], "Reload 1");
    let key = requests[0].header("idempotency-key").expect("a key");
    let deliveries = api(&butler, "/api/deliveries").await;
    assert_eq!(deliveries[0]["id"], key);
}

#[tokio::test]
async fn a_datagram_that_comes_twice_is_told_once() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let butler = world.serve().await;
    let sender = Sender::to(&butler);
    sender.failed(a_failure(1));
    sender.failed(a_failure(1));
    sender.failed(a_failure(2));
    world.hook.wait_for(2).await;
    let events = eventually("both events", || async {
        let events = api(&butler, "/api/events").await;
        (events.as_array()?.len() == 2).then_some(events)
    })
    .await;
    assert_eq!(events[1]["sightings"], 2);
    assert_eq!(world.hook.count(), 2);
}

#[tokio::test]
async fn a_destination_that_is_down_for_a_while_gets_everything_once() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let butler = world.serve().await;
    world.hook.answer_always(Some(Answer::status(503)));
    let sender = Sender::to(&butler);
    for number in 0..20 {
        sender.failed(a_failure(number));
    }
    world.hook.wait_for(3).await;
    world.hook.answer_always(None);
    eventually("every delivery", || async {
        let delivered = api(&butler, "/api/deliveries?state=delivered&max=100").await;
        (delivered.as_array()?.len() == 20).then_some(())
    })
    .await;
    let names: BTreeSet<String> = world.hook.requests().iter().map(|request| body(request)["taskName"].to_string()).collect();
    assert_eq!(names.len(), 20);
    let deliveries = api(&butler, "/api/deliveries?max=100").await;
    let attempts: u64 = deliveries.as_array().expect("a list").iter().filter_map(|d| d["attempts"].as_u64()).sum();
    assert_eq!(attempts, world.hook.count() as u64);
}

#[tokio::test]
async fn a_refused_attempt_is_repeated_when_it_is_due() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    world.hook.answer(Answer::status(503));
    let butler = world.serve().await;
    Sender::to(&butler).failed(a_failure(1));
    world.hook.wait_for(2).await;
    let delivery = eventually("its delivery", || async {
        let delivered = api(&butler, "/api/deliveries?state=delivered").await;
        delivered.as_array()?.first().cloned()
    })
    .await;
    assert_eq!(delivery["attempts"], 2);
    let time = |key: &str| delivery[key].as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time");
    // It was due after some 50 ms. Half a minute is when a worker looks for work that nobody told it of.
    let late = time("settled").duration_since(time("created"));
    assert!(late < jiff::SignedDuration::from_secs(20), "{late:?}");
}

#[tokio::test]
async fn odd_names_arrive_as_they_were_sent() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let butler = world.serve().await;
    let mut task = a_failure(1);
    task.task_name = r#"Räkna "om" \ lager 🚚 <&>"#.into();
    task.message = "first; second; third".into();
    Sender::to(&butler).failed(task.clone());
    let requests = world.hook.wait_for(1).await;
    assert_eq!(body(&requests[0])["taskName"], task.task_name.as_str());
    assert_eq!(body(&requests[0])["logMessage"], task.message.as_str());
}

#[tokio::test]
async fn whatever_arrives_the_program_goes_on() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let butler = world.serve().await;
    let sender = Sender::to(&butler);
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..10_000 {
        let length = random.usize(0..600);
        let mut bytes: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
        if random.bool() {
            // Half of them begin like the real thing.
            bytes.splice(0..0, *b"/scheduler-task-failed/;;;;");
        }
        sender.raw(&bytes);
    }
    sender.failed(a_failure(1));
    let requests = world.hook.wait_for(1).await;
    assert_eq!(body(&requests[0])["taskName"], "Reload 1");
    let status = api(&butler, "/api/status").await;
    assert!(!status["intake"]["rejected"].as_object().expect("reasons").is_empty(), "{status}");
}

/// Fifty messages, then an end that is asked for so.
async fn ends_in_order(ask: impl AsyncFnOnce(&Proc)) {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let mut butler = world.serve().await;
    let sender = Sender::to(&butler);
    for number in 0..50 {
        sender.failed(a_failure(number));
    }
    world.hook.wait_for(50).await;
    ask(&butler).await;
    assert!(butler.ended().await.success(), "{}", butler.log());
    // All of it is settled: the next start sends nothing again.
    let butler = world.serve().await;
    Sender::to(&butler).failed(a_failure(99));
    let requests = world.hook.wait_for(51).await;
    assert_eq!(requests.len(), 51);
}

#[cfg(unix)]
#[tokio::test]
async fn sigterm_ends_it_in_order() {
    ends_in_order(async |butler| butler.terminate().await).await;
}

#[tokio::test]
async fn ctrl_c_ends_it_in_order() {
    ends_in_order(async |butler| butler.press_ctrl_c().await).await;
}
