//! Teams, New Relic and SIGNL4: what arrives there from the whole program.

use std::time::Duration;

use butler_core::simulator::inbox::{Answer, ReceivedRequest};
use butler_core::simulator::site::{Outcome, Property};
use butler_tests::{Sender, Sense, Settings, World, a_failure, api, eventually};
use serde_json::{Value, json};

use crate::PROGRAM;

const DESTINATIONS: &str = r#"
    [[routes]]
    events = ["reload_task.*"]
    sinks = ["teams", "newrelic", "signl4"]

    [sinks.teams]
    type = "teams"
    options.webhook_url = "HOOK/teams"

    [sinks.newrelic]
    type = "new_relic"
    [sinks.newrelic.options]
    event_url = "HOOK/newrelic"
    log_url = "HOOK/newrelic/log/v1"
    attributes = { service = "butler", environment = "prod" }
    accounts.Production = { account_id = 4711, api_key = "a-licence-key" }
    event = { attributes = { only = "events" } }
    log = { tail_script_log_lines = 2 }

    [sinks.signl4]
    type = "signl4"
    [sinks.signl4.options]
    url = "HOOK/signl4"
    service = "Qlik Sense"
    kinds."reload_task.failed" = { severity = 1 }
"#;

/// The requests to a path, once there are so many.
async fn arrived(sense: &Sense, path: &str, count: usize) -> Vec<ReceivedRequest> {
    eventually(path, async || {
        let all: Vec<_> = sense.world.hook.requests().into_iter().filter(|request| request.path == path).collect();
        (all.len() >= count).then_some(all)
    })
    .await
}

fn json_of(request: &ReceivedRequest) -> Value {
    serde_json::from_str(&request.body).expect("JSON")
}

#[tokio::test]
async fn a_failed_reload_arrives_at_each_in_its_shape_and_a_success_resolves_it() {
    let sense = Sense::start(PROGRAM, Settings { route: "continue = true", more: DESTINATIONS, ..Settings::default() }).await;
    let task = sense.task("Reload sales");
    let id = task.id.to_string();
    sense.fails(task.id).await;
    // What the webhook is told is what the datagram said.
    let told = json_of(&arrived(&sense, "/hook", 1).await[0]);

    let event = arrived(&sense, "/newrelic/v1/accounts/4711/events", 1).await.remove(0);
    assert_eq!(event.header("api-key"), Some("a-licence-key"));
    assert_eq!(event.header("content-type"), Some("application/json; charset=utf-8"));
    let user = told["user"].as_str().unwrap_or_default().replace('\\', "/");
    let mut expected = json!([{
        "environment": "prod", "service": "butler", "only": "events", "version": env!("CARGO_PKG_VERSION"),
        "qs_hostName": told["hostName"], "qs_user": user, "qs_taskName": "Reload sales", "qs_taskId": id,
        "qs_appName": told["appName"], "qs_appId": told["appId"], "qs_logTimeStamp": told["logTimeStamp"], "qs_logLevel": told["logLevel"],
        "qs_executionId": told["executionId"], "qs_logMessage": told["logMessage"],
        "eventType": "qs_reloadTaskFailedEvent",
    }]);
    let mut shape = json_of(&event);
    assert!(shape[0]["timestamp"].take().as_i64().is_some_and(|time| time > 1_700_000_000_000), "{}", event.body);
    shape[0].as_object_mut().expect("an object").remove("timestamp");
    let state = sense.site.state();
    let app = state.apps.iter().find(|app| Some(app.id) == task.app).expect("its app");
    let tags = task.tags.iter().map(|tag| format!("qs_taskTag_{tag}")).chain(app.tags.iter().map(|tag| format!("qs_appTag_{tag}")));
    tags.for_each(|tag| expected[0][tag] = "true".into());
    assert_eq!(shape, expected);

    let log = json_of(&arrived(&sense, "/newrelic/log/v1", 1).await[0]);
    let attributes = &log[0]["common"]["attributes"];
    assert_eq!((&attributes["logtype"], &attributes["qs_exeuctionStatusText"]), (&json!("qs_reloadTaskFailedLog"), &json!("FinishedFail")));
    assert_eq!((&attributes["qs_executionStatusNum"], &attributes["qs_scriptLogTailCount"]), (&json!(8), &json!(2)));
    assert_eq!(log[0]["logs"].as_array().map(Vec::len), Some(1));
    let message = log[0]["logs"][0]["message"].as_str().unwrap_or_default();
    let (details, tail) = message.split_once("\r\n-------------------------------\r\n\r\n").expect("both parts");
    assert!(details.contains("FinishedFail\n") && tail.lines().count() == 2, "{message}");

    let teams = arrived(&sense, "/teams", 1).await.remove(0);
    assert_eq!(teams.header("content-type"), Some("application/json"));
    let card = json_of(&teams);
    let attachment = &card["attachments"][0];
    assert_eq!((&card["type"], &attachment["contentType"]), (&json!("message"), &json!("application/vnd.microsoft.card.adaptive")));
    let content = &attachment["content"];
    assert_eq!(
        (&content["type"], &content["version"], &content["msteams"]),
        (&json!("AdaptiveCard"), &json!("1.3"), &json!({ "width": "Full" }))
    );
    let heading = &content["body"][0]["items"][0]["inlines"][0]["text"];
    assert_eq!(heading, "Reload task failed: Reload sales");
    assert!(teams.body.contains(tail.lines().last().expect("a line").split("      ").last().unwrap_or_default()), "{tail}\n{}", teams.body);

    let alert = arrived(&sense, "/signl4", 1).await.remove(0);
    let expected = |title: &str, severity: u32, status: &str| {
        format!(
            r#"{{"Title":"{title}","Message":"Task: Reload sales","Severity":{severity},"X-S4-Service":"Qlik Sense","X-S4-ExternalID":"{id}","X-S4-Status":"{status}"}}"#
        )
    };
    assert_eq!(alert.body, expected("Qlik Sense reload task failed", 1, "new"));
    sense.site.run(task.id, Outcome::Success).await.expect("a run");
    let resolved = arrived(&sense, "/signl4", 2).await.remove(1);
    assert_eq!(resolved.body, expected("Qlik Sense reload task succeeded", 99, "resolved"));
}

#[tokio::test]
async fn accounts_that_are_refused_or_throttled_do_not_hold_up_another() {
    const EVENTS: usize = 4;
    let world = World::new(PROGRAM).await;
    // One attempt at a time, the bad ones first: as one sink for all they would be down after three failures, and asked to be left alone for an hour.
    world.configure_all(&format!(
        r#"
        [sites.prod]
        host = "127.0.0.1"
        [[routes]]
        events = ["reload_task.failed"]
        sinks = ["newrelic"]
        [sinks.newrelic]
        type = "new_relic"
        max_in_flight = 1
        [sinks.newrelic.options]
        event_url = "{}"
        event = {{}}
        accounts.bad-1 = {{ account_id = 1, api_key = "x" }}
        accounts.bad-2 = {{ account_id = 2, api_key = "x" }}
        accounts.bad-3 = {{ account_id = 3, api_key = "x" }}
        accounts.good = {{ account_id = 4, api_key = "x" }}
        "#,
        world.hook.url("")
    ));
    let asks_for_an_hour = Answer::status(429).header("Retry-After", Duration::from_hours(1).as_secs().to_string());
    world.hook.answer_at("/v1/accounts/1/events", Answer::status(403));
    world.hook.answer_at("/v1/accounts/2/events", asks_for_an_hour.clone());
    world.hook.answer_at("/v1/accounts/3/events", asks_for_an_hour);
    let butler = world.serve().await;
    let sender = Sender::to(&butler);
    (0..EVENTS).for_each(|number| sender.failed(a_failure(number as u128)));
    eventually("all events at the good account", async || {
        let good = world.hook.requests().into_iter().filter(|request| request.path == "/v1/accounts/4/events").count();
        (good == EVENTS).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_account_that_only_a_property_knows_is_listed_with_the_remedy() {
    let more = DESTINATIONS.replace("event = {", "event = { accounts_by_property = \"Account\", ");
    let sense = Sense::start(PROGRAM, Settings { route: "continue = true", more: &more, ..Settings::default() }).await;
    let task = sense.task("Reload sales");
    sense.site.change(|state| {
        let task = state.task_mut(task.id).expect("the task");
        let named = |value: &str| Property { name: "Account".to_owned(), value: value.to_owned() };
        task.custom_properties = ["Production", "Ghost"].map(named).to_vec();
    });
    sense.fails(task.id).await;
    arrived(&sense, "/newrelic/v1/accounts/4711/events", 1).await;
    let dead = eventually("the dead delivery", async || {
        let dead = api(&sense.butler, "/api/deliveries?sink=newrelic&state=dead").await;
        dead.as_array()?.first().cloned()
    })
    .await;
    assert_eq!((&dead["sink"], &dead["target"]), (&json!("newrelic"), &json!("Ghost/event")));
    assert!(dead.to_string().contains("the account `Ghost` is not configured; correct the custom property"), "{dead}");
}
