//! `/v4` as load scripts call it, at the real program.

use butler_core::simulator::inbox::HttpInbox;
use butler_tests::{Mosquitto, Sense, Settings, Subscriber, World, eventually, http};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::PROGRAM;

/// What Qlik's REST connector sends: a `POST` that says what it stands for.
async fn connector(butler: &butler_tests::Proc, method: &str, path: &str, body: &Value) -> (u16, String) {
    let request = http().post(format!("http://{}{path}", butler.address("api"))).header("X-HTTP-Method-Override", method);
    let request = match body {
        Value::Null => request,
        body => request.header("content-type", "application/json").body(body.to_string()),
    };
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), response.text().await.expect("a body"))
}

#[tokio::test]
async fn a_script_starts_a_task_and_leaves_something_for_it() {
    let sense = Sense::start(PROGRAM, Settings::default()).await;
    let task = sense.task("Reload sales").id;
    let pair = json!([{ "type": "keyvaluestore", "payload": { "namespace": "etl", "key": "mode", "value": "full", "ttl": "" } }]);
    let (status, answer) = connector(&sense.butler, "PUT", &format!("/v4/reloadtask/{task}/start"), &pair).await;
    let started = json!([{ "taskId": task, "taskName": "Reload sales" }]);
    assert_eq!((status, &serde_json::from_str::<Value>(&answer).expect("JSON")["tasksId"]["started"]), (200, &started), "{answer}");
    assert_eq!(sense.site.count(&format!("task/{task}/start")), 1);
    // The connector only gets and posts.
    let (status, answer) = connector(&sense.butler, "GET", "/v4/butlerping", &Value::Null).await;
    assert_eq!(status, 200);
    assert!(answer.starts_with("{\"response\":\"Butler reporting for duty\",\"butlerVersion\":\""), "{answer}");
}

#[tokio::test]
async fn messages_of_scripts_reach_slack_and_the_broker() {
    let Some(mosquitto) = Mosquitto::start().await else { return };
    let slack = HttpInbox::start().await.expect("a port");
    let world = World::new(PROGRAM).await;
    let subscriber = Subscriber::to_everything(mosquitto.plain).await;
    world.configure(&format!(
        "[mqtt.broker]\nhost = \"127.0.0.1\"\nport = {}\n[api.slack]\nwebhook_url = \"{}\"",
        mosquitto.plain,
        slack.url("/T")
    ));
    let butler = world.serve().await;
    let message = json!({ "topic": "sales/new", "message": "dt=20201028" });
    assert_eq!(connector(&butler, "PUT", "/v4/mqttpublishmessage", &message).await, (201, message.to_string()));
    eventually("the message", async || (subscriber.at("sales/new") == ["dt=20201028"]).then_some(())).await;
    let message = json!({ "channel": "#ops", "from_user": "Butler", "msg": "Done" });
    assert_eq!(connector(&butler, "PUT", "/v4/slackpostmessage", &message).await, (201, message.to_string()));
    assert_eq!(slack.wait_for(1).await[0].path, "/T");
}

#[tokio::test]
async fn a_message_waits_for_a_broker_that_is_away() {
    let Some(mut mosquitto) = Mosquitto::start().await else { return };
    let world = World::new(PROGRAM).await;
    let subscriber = Subscriber::to_everything(mosquitto.plain).await;
    world.configure(&format!("[mqtt.broker]\nhost = \"127.0.0.1\"\nport = {}", mosquitto.plain));
    let butler = world.serve().await;
    mosquitto.kill().await;
    let message = json!({ "topic": "sales/new", "message": "kept" });
    assert_eq!(connector(&butler, "PUT", "/v4/mqttpublishmessage", &message).await.0, 201);
    mosquitto.start_again().await;
    eventually("the message", async || (subscriber.at("sales/new") == ["kept"]).then_some(())).await;
}

#[tokio::test]
async fn endpoints_that_are_off_are_not_there_and_too_many_calls_are_too_many() {
    let world = World::new(PROGRAM).await;
    world.configure("[api]\nrate_limit = 2\nlisten = \"127.0.0.1:0\"\n[api.endpoints]\nbase62_to_base16 = false");
    // The world has an `[api]` of its own.
    let text = std::fs::read_to_string(world.path("butler.toml")).expect("a file");
    world.write("butler.toml", &text.replacen("[api]\nlisten = \"127.0.0.1:0\"\n", "", 1));
    let butler = world.serve().await;
    let (status, answer) = connector(&butler, "GET", "/v4/base62tobase16?base62=a", &Value::Null).await;
    assert_eq!(
        (status, answer.as_str()),
        (404, "{\"message\":\"Route GET:/v4/base62tobase16?base62=a not found\",\"error\":\"Not Found\",\"statusCode\":404}")
    );
    for expected in [200, 200, 429] {
        assert_eq!(connector(&butler, "GET", "/v4/butlerping", &Value::Null).await.0, expected);
    }
    assert!(
        butler.log().contains("API: Rate limit exceeded for source IP address 127.0.0.1. Method=GET, endpoint=/v4/butlerping"),
        "{}",
        butler.log()
    );
}

#[tokio::test]
async fn a_container_asks_whether_it_is_well() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let butler = world.serve().await;
    assert_snapshot!(world.says(&butler, &["healthcheck"]).await, @"
    exit code 0
    stdout:
    STATUS Docker health: 200
    ");
    let address = butler.address("api");
    butler.kill().await;
    let refused = world.refused(&["healthcheck", "--server", &address]).await.replace(&address, "HOST:PORT");
    assert_snapshot!(refused, @"
    exit code 1
    butler-cli: no Butler answers at http://127.0.0.1:PORT (SYSTEM ERROR). Is `butler-cli serve` running? `--server` names another address.
    ");
}
