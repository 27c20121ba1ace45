//! What an end, a new start and a changed configuration leave behind, and what goes on.

use std::collections::BTreeMap;

use butler_core::simulator::inbox::{Answer, Gate, HttpInbox};
use butler_tests::{Proc, Sender, World, a_failure, api, eventually, within};
use insta::assert_snapshot;

use crate::PROGRAM;

/// Ends it as a service manager does.
async fn end(mut butler: Proc) {
    butler.terminate().await;
    assert!(butler.ended().await.success(), "{}", butler.log());
}

#[tokio::test]
async fn twenty_events_across_a_restart_in_the_middle_of_an_outage_all_arrive_once() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    world.hook.answer_always(Some(Answer::status(503)));
    let butler = world.serve().await;
    let sender = Sender::to(&butler);
    (0..10).for_each(|number| sender.failed(a_failure(number)));
    eventually("ten events", async || (api(&butler, "/api/events").await.as_array()?.len() == 10).then_some(())).await;
    world.received(3).await;
    end(butler).await;
    let butler = world.serve().await;
    let sender = Sender::to(&butler);
    (10..20).for_each(|number| sender.failed(a_failure(number)));
    eventually("twenty events", async || (api(&butler, "/api/events").await.as_array()?.len() == 20).then_some(())).await;
    world.hook.answer_always(None);
    eventually("every delivery", async || {
        let delivered = api(&butler, "/api/deliveries?state=delivered&max=100").await;
        (delivered.as_array()?.len() == 20).then_some(())
    })
    .await;
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for request in world.hook.requests().iter().filter(|request| request.answered == Some(200)) {
        *taken.entry(request.header("idempotency-key").expect("a key").to_owned()).or_default() += 1;
    }
    assert_eq!(taken.len(), 20);
    assert!(taken.values().all(|count| *count == 1), "{taken:?}");
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let gate = Gate::closed();
    world.hook.answer_always(Some(Answer::ok().behind(&gate)));
    // Longer than any test waits.
    let mut butler = world.run(&["serve", "--grace", "86400"]).ready().await;
    Sender::to(&butler).failed(a_failure(1));
    within("an attempt", gate.reached_by(1)).await;
    butler.terminate().await;
    eventually("the first signal to be heard", async || butler.log().contains("Ending").then_some(())).await;
    butler.terminate().await;
    assert_eq!(butler.ended().await.code(), Some(130));
    // What was under way goes on at the next start.
    gate.open();
    let _butler = world.serve().await;
    let requests = world.received(2).await;
    assert_eq!(requests[0].header("idempotency-key"), requests[1].header("idempotency-key"));
}

#[tokio::test]
async fn what_a_sink_leaves_behind_is_listed_until_another_adopts_it() {
    let picky = HttpInbox::start().await.expect("a port");
    picky.answer_always(Some(Answer::status(503)));
    let with_sink = |name: &str, more: &str| {
        let url = picky.url("/");
        format!(
            "continue = true\n[[routes]]\nevents = [\"reload_task.*\"]\nsinks = [\"{name}\"]\n[sinks.{name}]\ntype = \"webhook\"\n\
             retry = {{ first = \"50ms\", longest = \"1s\" }}\noptions.url = \"{url}\"\n{more}"
        )
    };
    let world = World::new(PROGRAM).await;
    world.configure(&with_sink("old", ""));
    let butler = world.serve().await;
    Sender::to(&butler).failed(a_failure(1));
    let request = within("an attempt", picky.wait_for(1)).await.remove(0);
    let key = request.header("idempotency-key").expect("a key").to_owned();
    world.received(1).await;
    end(butler).await;

    world.configure("");
    let butler = world.serve().await;
    let text = world.says(&butler, &["deliveries", "show", &key]).await;
    assert_snapshot!(text.lines().nth(2).unwrap_or_default(), @r#"
    old: orphaned: there is no sink `old` any more. `was = ["old"]` in another sink adopts it; else it is given up when it is too old. Last: http://127.0.0.1:PORT answered 503 Service Unavailable
    "#);
    let status = world.says(&butler, &["status"]).await;
    assert_snapshot!(status.lines().skip_while(|line| !line.starts_with("sink")).collect::<Vec<_>>().join("\n"), @r#"
    sink      hook: up; 1 delivered
    orphans   1 pending for `old`, which is no longer configured; `was = ["old"]` in another sink adopts them
    "#);
    let refused = world.says(&butler, &["deliveries", "retry", &key]).await;
    assert_snapshot!(refused, @r#"
    exit code 64
    butler-cli: there is no sink `old` any more that could try it. Configure it again, or let another sink take over with `was = ["old"]`.
    "#);
    end(butler).await;

    picky.answer_always(None);
    world.configure(&with_sink("new", "was = [\"old\"]"));
    let butler = world.serve().await;
    eventually("the delivery", async || {
        let deliveries = api(&butler, "/api/deliveries?sink=new&state=delivered").await;
        (deliveries[0]["id"] == key.as_str()).then_some(())
    })
    .await;
    let taken: Vec<_> = picky.requests().into_iter().filter(|request| request.answered == Some(200)).collect();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].header("idempotency-key"), Some(key.as_str()));
}
