//! `render` and `test-sink`.

use butler_core::simulator::inbox::Answer;
use butler_tests::{Sender, World, a_failure, eventually};
use insta::assert_snapshot;

use crate::PROGRAM;

const SLACK: &str = "[sinks.ops]\ntype = \"slack\"\noptions.webhook_url = \"http://127.0.0.1:1/services/T/B/secret\"\n";

#[tokio::test]
async fn what_a_sink_would_send_is_shown_and_not_sent() {
    let world = World::new(PROGRAM).await;
    world.configure(SLACK);
    let shown = ending(&world, &["render", "hook", "--kind", "user_sync_task.success"]).await;
    assert_snapshot!(shown);
    let slack: serde_json::Value =
        serde_json::from_slice(&world.run(&["render", "ops", "--output", "json"]).output().await.stdout).expect("JSON");
    assert_eq!((&slack["kind"], slack["messages"].as_array().map(Vec::len)), (&"reload_task.failed".into(), Some(1)));
    assert!(slack["messages"][0]["body"].as_str().is_some_and(|body| body.contains("Reload sales")), "{slack}");
    assert!(!slack.to_string().contains("secret"), "{slack}");
    assert_snapshot!(world.refused(&["render", "pager"]).await, @"
    exit code 64
    butler-cli: there is no sink `pager`; known: hook, ops
    ");
    assert_snapshot!(world.refused(&["render", "ops", "--kind", "Reload"]).await, @"
    exit code 64
    error: invalid value 'Reload' for '--kind <KIND>': expected the kind of an event, such as reload_task.failed, engine_reload.failed or task.late

    For more information, try '--help'.
    ");
    assert!(world.hook.requests().is_empty());
}

#[tokio::test]
async fn what_would_be_sent_of_an_event_that_happened_is_shown() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let butler = world.serve().await;
    Sender::to(&butler).failed(a_failure(7));
    world.received(1).await;
    let rendered = eventually("the event to be rendered", async || {
        let rendered = world.json(&butler, &["render", "hook", "--event", "latest"]).await;
        rendered["messages"].as_array().is_some_and(|messages| messages.len() == 1).then_some(rendered)
    })
    .await;
    assert_eq!(rendered["messages"][0]["body"].as_str(), Some(world.received(1).await[0].body.as_str()));
}

#[tokio::test]
async fn a_test_message_says_that_it_is_one_and_arrives() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    assert_snapshot!(ending(&world, &["test-sink", "hook"]).await, @"
    exit code 0
    stdout:
    accepted  hook: HTTP 200
    ");
    assert_snapshot!(ending(&world, &["test-sink", "hook", "--kind", "reload_task.failed"]).await, @"
    exit code 0
    stdout:
    accepted  hook: HTTP 200
    ");
    let received = world.received(2).await;
    assert!(received[0].body.contains("[TEST] Butler can reach you here"), "{}", received[0].body);
    assert!(
        received[1].body.contains("[TEST] Reload sales") && received[1].body.contains("[TEST] Nothing has happened"),
        "{}",
        received[1].body
    );
}

#[tokio::test]
async fn a_test_message_that_does_not_arrive_is_explained() {
    let world = World::new(PROGRAM).await;
    world.configure(SLACK);
    let refused = world.refused(&["test-sink", "ops"]).await;
    assert!(!refused.contains("secret"), "{refused}");
    assert_snapshot!(refused, @"
    exit code 69
    butler-cli: 1 of 1 test messages did not arrive
    stdout:
    failed    ops: can't connect to http://127.0.0.1:1: SYSTEM ERROR
              Nobody could be talked to at that address. See that the address and the port are right, that the service runs, and that every firewall in between lets this machine through.
    ");
    world.hook.answer(Answer::status(401));
    assert_snapshot!(world.refused(&["test-sink", "hook"]).await, @"
    exit code 69
    butler-cli: 1 of 1 test messages did not arrive
    stdout:
    failed    hook: http://127.0.0.1:PORT answered 401 Unauthorized
              The service knows what is wanted and does not allow it. See that login, token or key are right, still valid, and may do this.
    ");
    assert_snapshot!(world.refused(&["test-sink", "hook", "--kind", "task late"]).await, @"
    exit code 64
    error: invalid value 'task late' for '--kind <KIND>': expected the kind of an event, such as reload_task.failed, engine_reload.failed or task.late

    For more information, try '--help'.
    ");
}

/// How a command that should succeed ends.
async fn ending(world: &World, args: &[&str]) -> String {
    butler_tests::ending(world, &world.run(args).output().await)
}
