//! A repository that is down, slow, or lies: messages leave all the same, in time, and say what is missing.

use std::time::Duration;

use butler_core::simulator::inbox::Answer;
use butler_core::simulator::site::Fault;
use butler_tests::{Sense, Settings, api, eventually, within};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::PROGRAM;

/// Short budgets, and a condition that only the repository can decide.
const SHORT: Settings<'_> = Settings {
    site: "timeout = \"30s\"",
    route: "when.tag = \"nightly\"",
    mail: "",
    more: "[routing]\ndeciding_budget = \"1s\"\nshowing_budget = \"1s\"",
    files: &[],
};

/// How long it took from the datagram to the last delivery.
async fn took(sense: &Sense) -> SignedDuration {
    let time = |value: &Value| value.as_str().and_then(|at| at.parse::<Timestamp>().ok()).expect("a time");
    let story = eventually("all deliveries", async || {
        let story = api(&sense.butler, "/api/events/latest").await;
        let deliveries = story["deliveries"].as_array()?;
        (deliveries.len() == 3 && deliveries.iter().all(|d| d["state"] == "delivered")).then_some(story)
    })
    .await;
    let last = story["deliveries"].as_array().expect("a list").iter().map(|d| time(&d["settled"])).max();
    last.expect("deliveries").duration_since(time(&story["record"]["event"]["received"]))
}

/// What is said to be missing, by the webhook; all three say it.
async fn missing(sense: &Sense) -> String {
    let body = sense.hook_body(1).await;
    assert_eq!(body["taskName"], "Reload sales", "{body}");
    assert!(body.get("appOwnerName").is_none(), "{body}");
    let missing = body["missing"].as_array().expect("what is missing").iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n");
    let (slack, html) = sense.shown().await;
    for message in [slack, html] {
        assert!(message.contains("Not known: ") && message.contains("app owner"), "{message}");
    }
    missing
}

/// The message leaves within both budgets; a loaded machine may take some time of its own.
const SOON: SignedDuration = SignedDuration::from_secs(20);

#[tokio::test]
async fn while_it_is_down_messages_leave_in_time_and_say_what_is_missing() {
    // Only who has waited for a while is sure that it is down.
    let settings = Settings { more: "[routing]\ndeciding_budget = \"4s\"\nshowing_budget = \"4s\"", ..SHORT };
    let sense = Sense::start(PROGRAM, settings).await;
    sense.site.set_down(true);
    sense.fails(sense.task("Reload sales").id).await;
    let missing = missing(&sense).await;
    assert!(missing.contains("task: ") && missing.contains("app owner: "), "{missing}");
    let took = took(&sense).await;
    assert!(took < SOON, "took {took}");
    let explained = sense.world.says(&sense.butler, &["events", "explain", "latest"]).await;
    assert!(explained.contains("when something went wrong, that counts as yes"), "{explained}");
    let status = sense.world.says(&sense.butler, &["status"]).await;
    assert!(status.contains("site      prod: the repository does not answer since "), "{status}");
    // Then it comes back, and all is known again.
    sense.site.set_down(false);
    eventually("a message with all facts", async || {
        sense.fails(sense.task("Reload sales").id).await;
        let requests = sense.world.hook.requests();
        requests.last()?.body.contains("Göran Sander").then_some(())
    })
    .await;
    let status = sense.world.says(&sense.butler, &["status"]).await;
    assert!(status.contains("site      prod: the repository answers\n"), "{status}");
}

#[tokio::test]
async fn one_that_was_never_there_costs_a_message_nothing_but_its_facts() {
    let sense = Sense::start(PROGRAM, SHORT).await;
    let task = sense.task("Reload sales").id;
    // The port is closed from here on; the line comes from elsewhere.
    let datagram = sense.site.run(task, butler_core::simulator::site::Outcome::FAILED);
    sense.site.send_datagrams_to(None);
    let datagram = datagram.await.expect("a run").datagram;
    let Sense { site, world, butler, slack, mail } = sense;
    drop(site);
    butler_tests::Sender::to(&butler).raw(&datagram);
    within("the webhook", world.received(1)).await;
    within("Slack", slack.wait_for(1)).await;
    within("the mail", mail.wait_for(1)).await;
}

#[tokio::test]
async fn one_that_is_too_slow_is_not_waited_for() {
    let sense = Sense::start(PROGRAM, SHORT).await;
    sense.site.fault("*", Fault::Hang);
    sense.fails(sense.task("Reload sales").id).await;
    let missing = missing(&sense).await;
    assert!(missing.contains(" answer within 1s"), "{missing}");
    let took = took(&sense).await;
    assert!(took < SOON, "took {took}");
}

#[tokio::test]
async fn one_that_is_slow_is_waited_for() {
    let sense = Sense::start(PROGRAM, Settings::default()).await;
    sense.site.fault("*", Fault::Delay(Duration::from_millis(300)));
    sense.fails(sense.task("Reload sales").id).await;
    let body = sense.hook_body(1).await;
    assert_eq!(body["appOwnerName"], "Göran Sander");
    assert!(body.get("missing").is_none(), "{body}");
}

#[tokio::test]
async fn lies_are_not_believed() {
    let mut all = JoinSet::new();
    for fault in [Fault::Lie, Fault::Malformed, Fault::Page, Fault::Empty, Fault::Status(403), Fault::Status(500)] {
        all.spawn(is_not_believed(fault));
    }
    all.join_all().await;
}

async fn is_not_believed(fault: Fault) {
    // The datagram alone tells: who also reads results may hear of it from there first, without a name.
    let site = "timeout = \"30s\"\nreconcile.enabled = false";
    let sense = Sense::start(PROGRAM, Settings { site, ..SHORT }).await;
    sense.site.fault("*", fault.clone());
    sense.fails(sense.task("Reload sales").id).await;
    let missing = missing(&sense).await;
    assert!(missing.contains("task: "), "{fault:?}: {missing}");
    let log = sense.butler.log();
    assert!(!log.contains("panicked"), "{fault:?}: {log}");
}

#[tokio::test]
async fn what_is_found_late_is_in_the_attempts_still_to_come() {
    let settings = Settings { route: "", ..SHORT };
    let sense = Sense::start(PROGRAM, settings).await;
    sense.world.hook.answer_always(Some(Answer::status(503)));
    sense.site.set_down(true);
    sense.fails(sense.task("Reload sales").id).await;
    let first = sense.hook_body(1).await;
    assert!(first.get("appOwnerName").is_none(), "{first}");
    sense.site.set_down(false);
    let found = eventually("an attempt with the owner", async || {
        let request = sense.world.hook.requests().pop()?;
        let body: Value = serde_json::from_str(&request.body).ok()?;
        (body["appOwnerName"] == "Göran Sander").then_some(request)
    })
    .await;
    let requests = sense.world.hook.requests();
    assert_eq!(found.header("idempotency-key"), requests[0].header("idempotency-key"));
}
