//! Destinations that are slow, dead, or ask for patience.

use std::collections::BTreeSet;

use butler_core::simulator::inbox::{Answer, Gate, HttpInbox};
use butler_tests::{Proc, Sender, World, a_failure, api, eventually, within};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::PROGRAM;

/// A webhook of this name, and a route to it.
fn sink(name: &str, url: &str) -> String {
    format!(
        r#"
        [[routes]]
        events = ["reload_task.*"]
        sinks = ["{name}"]
        continue = true
        [sinks.{name}]
        type = "webhook"
        timeout = "10m"
        max_in_flight = 2
        retry = {{ first = "50ms", longest = "1s" }}
        options.url = "{url}"
        "#
    )
}

#[tokio::test]
async fn a_slow_and_a_dead_destination_hold_up_no_other() {
    let slow = HttpInbox::start().await.expect("a port");
    let gate = Gate::closed();
    slow.answer_always(Some(Answer::ok().behind(&gate)));
    let world = World::new(PROGRAM).await;
    world.configure(&format!("continue = true\n{}{}", sink("slow", &slow.url("/")), sink("dead", "http://127.0.0.1:1/")));
    let butler = world.serve().await;
    let sender = Sender::to(&butler);
    (0..20).for_each(|number| sender.failed(a_failure(number)));
    world.received(20).await;
    // Meanwhile the slow one has as many as it may have at once, and the dead one waits.
    within("the slow one", gate.reached_by(2)).await;
    assert_eq!(slow.count(), 2);
    let waiting = eventually("the dead one to be known", async || {
        let status = api(&butler, "/api/status").await;
        status["health"]["sinks"]["dead"]["down_since"].is_string().then_some(status)
    })
    .await;
    assert_eq!(waiting["health"]["sinks"]["hook"]["down_since"], Value::Null);
    gate.open();
    let requests = within("the rest", slow.wait_for(20)).await;
    let keys: BTreeSet<_> = requests.iter().map(|r| r.header("idempotency-key")).collect();
    assert_eq!(keys.len(), 20);
    let explained = world.says(&butler, &["events", "explain", "latest"]).await;
    assert!(explained.contains("  dead: ") && explained.contains("  hook: delivered at TIME after 1 try"), "{explained}");
}

#[tokio::test]
async fn a_destination_that_asks_for_patience_gets_it() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let butler = world.serve().await;
    world.hook.answer(Answer::status(429).header("retry-after", "3").body("slow down"));
    Sender::to(&butler).failed(a_failure(1));
    let requests = world.received(2).await;
    let key = requests[0].header("idempotency-key").expect("a key");
    assert_eq!(requests[1].header("idempotency-key"), Some(key));
    let attempts = attempts(&butler, key, 2).await;
    assert_eq!(attempts[0]["outcome"], "throttled");
    assert!(attempts[0]["detail"].as_str().expect("words").contains("slow down"), "{attempts}");
    let waited = between(&attempts, 0, 1);
    // Attempts are dated when they are settled, which may come late; of its own accord it would have waited 50 ms.
    assert!((2..15).contains(&waited.as_secs()), "waited {waited}");
}

/// The time between two attempts.
fn between(attempts: &Value, first: usize, second: usize) -> SignedDuration {
    let at = |index: usize| attempts[index]["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok()).expect("a time");
    at(second).duration_since(at(first))
}

/// The attempts of a delivery, once there are so many.
async fn attempts(butler: &Proc, delivery: &str, count: usize) -> Value {
    eventually("the attempts", async || {
        let delivery = api(butler, &format!("/api/deliveries/{delivery}")).await;
        (delivery["attempts"].as_array()?.len() == count).then(|| delivery["attempts"].clone())
    })
    .await
}

#[tokio::test]
async fn an_answer_that_was_cut_off_is_asked_for_again_soon_and_under_the_same_key() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let butler = world.serve().await;
    world.hook.answer(Answer::half());
    world.hook.answer(Answer::reset());
    Sender::to(&butler).failed(a_failure(1));
    let requests = world.received(3).await;
    let keys: BTreeSet<_> = requests.iter().map(|r| r.header("idempotency-key")).collect();
    assert_eq!(keys.len(), 1);
    assert_eq!(requests[2].answered, Some(200));
    // The wait grows from 50 ms; nothing else happens meanwhile that would wake anybody.
    let attempts = attempts(&butler, requests[0].header("idempotency-key").expect("a key"), 3).await;
    let waited = between(&attempts, 0, 2);
    assert!(waited.as_secs() < 15, "waited {waited}");
}
