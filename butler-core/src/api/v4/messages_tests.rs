//! Messages of load scripts, at remotes that take them or don't.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::testing::Served;
use crate::api::ApiServices;
use crate::config::{Config, Settings};
use crate::simulator::inbox::{Answer, HttpInbox};
use crate::sink::Registry;
use crate::testkit::TestClock;

/// An API as a configuration makes it.
async fn served(configuration: &str) -> Served {
    let config = Config::from_toml(configuration, "").unwrap();
    let Settings { messaging, .. } = config.resolve(&Registry::with_compiled_in(), Arc::new(TestClock::default())).unwrap();
    Served::with(ApiServices { messaging, ..ApiServices::default() }).await
}

fn body(inbox: &HttpInbox) -> Value {
    serde_json::from_str(&inbox.requests().last().expect("a request").body).unwrap()
}

#[tokio::test]
async fn a_message_goes_to_slack() {
    let slack = HttpInbox::start().await.unwrap();
    let served = served(&format!("api.slack.webhook_url = '{}'", slack.url("/services/T"))).await;
    let put = "PUT /v4/slackpostmessage";
    let message = json!({ "channel": "#ops", "from_user": "Butler the Bot", "msg": "This is a message", "emoji": "thumbsup" });
    let mut more = message.clone();
    more["colour"] = "red".into();
    served.json(put, &more.to_string()).await.is_json(201, &message);
    let request = slack.wait_for(1).await.remove(0);
    assert_eq!((request.path.as_str(), request.header("content-type")), ("/services/T", Some("application/json")));
    let blocks = json!([{ "type": "section", "text": { "type": "plain_text", "text": "This is a message" } }]);
    assert_eq!(body(&slack), json!({ "username": "Butler the Bot", "channel": "#ops", "icon_emoji": "thumbsup", "blocks": blocks }));

    let short = json!({ "channel": "7", "from_user": "", "msg": "true" });
    served.json(put, r#"{ "channel": 7, "from_user": null, "msg": [true] }"#).await.is_json(201, &short);
    assert!(body(&slack).get("icon_emoji").is_none());
    // A script must not break because Slack is down.
    slack.answer_always(Some(Answer::status(500)));
    served.json(put, &short.to_string()).await.is_json(201, &short);
    slack.answer_always(Some(Answer::reset()));
    served.json(put, &short.to_string()).await.is_json(201, &short);

    for (sent, fault) in [
        ("{}", "body must have required property 'channel'"),
        (r#"{ "channel": {} }"#, "body must have required property 'from_user'"),
        (r#"{ "channel": "a", "from_user": "b" }"#, "body must have required property 'msg'"),
        (r#"{ "channel": "a", "from_user": "b", "msg": {} }"#, "body/msg must be string"),
        ("null", "body must be object"),
        ("[]", "body must be object"),
    ] {
        served.json(put, sent).await.is_invalid(fault);
    }
    served.ask(put).await.is_invalid("body must be object");
}

#[tokio::test]
async fn without_an_address_nothing_is_sent() {
    let served = served("").await;
    let message = r#"{ "channel": "a", "from_user": "b", "msg": "c" }"#;
    served.json("PUT /v4/slackpostmessage", message).await.is_fault(500, "Failed sending Slack message");
    served.json("POST /v4/newrelic/event", r#"{ "eventType": "a" }"#).await.is_fault(500, "Failed posting event to New Relic");
    let metric = r#"{ "name": "a", "type": "gauge", "value": 1 }"#;
    served.json("POST /v4/newrelic/metric", metric).await.is_fault(500, "Failed posting metric to New Relic");
    #[cfg(feature = "mqtt")]
    served.json("PUT /v4/mqttpublishmessage", r#"{ "topic": "a", "message": "b" }"#).await.is_fault(500, "Failed publishing MQTT message");
}

/// Two accounts at one remote.
async fn new_relic(inbox: &HttpInbox, more: &str) -> Served {
    served(&format!(
        r#"
        [api.new_relic]
        accounts.one = {{ account_id = 1, api_key = "KEY-1" }}
        accounts.two = {{ account_id = 2, api_key = "KEY-2" }}
        event.url = "{0}"
        metric.url = "{0}metric/v1"
        event.attributes.env = "prod"
        {more}
        "#,
        inbox.url("/")
    ))
    .await
}

#[tokio::test]
async fn an_event_goes_to_every_account() {
    let inbox = HttpInbox::start().await.unwrap();
    let served = new_relic(&inbox, "").await;
    let post = "POST /v4/newrelic/event";
    inbox.answer_always(Some(Answer::status(202)));
    let attributes =
        json!([{ "name": "host.name", "value": "dev" }, { "name": "env", "value": 7 }, { "name": "eventType", "value": "mine" }]);
    let event = json!({ "eventType": "relead-failed", "timestamp": "1642164296053", "attributes": attributes });
    let reply = served.json(post, &event.to_string()).await;
    assert_eq!((reply.status, reply.header("content-type"), reply.body.as_str()), (202, "text/plain", "Accepted"));
    let mut requests = inbox.wait_for(2).await;
    requests.sort_by(|a, b| a.path.cmp(&b.path));
    for (request, number) in requests.iter().zip([1, 2]) {
        assert_eq!(request.path, format!("/v1/accounts/{number}/events"));
        assert_eq!(request.header("api-key"), Some(format!("KEY-{number}").as_str()));
        assert_eq!(request.header("content-type"), Some("application/json; charset=utf-8"));
        assert_eq!(request.body, r#"{"timestamp":1642164296053,"eventType":"mine","env":"7","host.name":"dev"}"#);
    }
    // Without a time it is now.
    served.clock.advance(Duration::from_secs(1));
    assert_eq!(served.json(post, r#"{ "eventType": "a", "timestamp": -1 }"#).await.status, 202);
    let now = crate::clock::Clock::now(&served.clock).as_millisecond();
    assert_eq!(body(&inbox), json!({ "timestamp": now, "eventType": "a", "env": "prod" }));

    for (sent, fault) in [
        (json!({}), "body must have required property 'eventType'"),
        (json!({ "eventType": "x".repeat(255) }), "body/eventType must NOT have more than 254 characters"),
        (json!({ "eventType": "a", "timestamp": "soon" }), "body/timestamp must be number"),
        (json!({ "eventType": "a", "attributes": {} }), "body/attributes must be array"),
        (json!({ "eventType": "a", "attributes": [1] }), "body/attributes/0 must be object"),
    ] {
        served.json(post, &sent.to_string()).await.is_invalid(fault);
    }
}

#[tokio::test]
async fn a_metric_goes_to_every_account() {
    let inbox = HttpInbox::start().await.unwrap();
    let served = new_relic(&inbox, "").await;
    // Any status of success is one.
    inbox.answer_always(Some(Answer::status(200)));
    let metric = json!({ "name": "m", "type": "gauge", "value": "2", "interval": 5, "timestamp": 1_642_164_296_053_u64, "attributes": [{ "name": "a", "value": "b" }] });
    let reply = served.json("POST /v4/newrelic/metric", &metric.to_string()).await;
    assert_eq!((reply.status, reply.header("content-type"), reply.body.as_str()), (202, "text/plain", "OK"));
    let request = inbox.wait_for(2).await.remove(0);
    assert_eq!(request.path, "/metric/v1");
    let expected = r#"[{"common":{"timestamp":1642164296053,"attributes":{"a":"b"}},"metrics":[{"name":"m","type":"gauge","value":2}]}]"#;
    assert_eq!(request.body, expected);
    for (sent, fault) in [
        (json!({ "type": "gauge", "value": 1 }), "body must have required property 'name'"),
        (json!({ "name": "m", "type": "count", "value": 1 }), "body/type must be equal to one of the allowed values"),
        (json!({ "name": "m", "type": "gauge", "value": "" }), "body/value must be number"),
    ] {
        served.json("POST /v4/newrelic/metric", &sent.to_string()).await.is_invalid(fault);
    }
}

#[tokio::test]
async fn one_account_that_refuses_keeps_no_other_from_it() {
    let inbox = HttpInbox::start().await.unwrap();
    let served = new_relic(&inbox, "").await;
    for answer in [Answer::status(403), Answer::reset(), Answer::gibberish()] {
        let before = inbox.count();
        inbox.answer_at("/v1/accounts/1/events", answer);
        served.json("POST /v4/newrelic/event", r#"{ "eventType": "a" }"#).await.is_fault(500, "Failed posting event to New Relic");
        assert_eq!(inbox.count(), before + 2);
    }
    let none = new_relic(&inbox, "metric.accounts = []").await;
    let metric = r#"{ "name": "a", "type": "gauge", "value": 1 }"#;
    none.json("POST /v4/newrelic/metric", metric).await.is_fault(500, "Failed posting metric to New Relic");
}

#[cfg(feature = "mqtt")]
#[tokio::test]
async fn a_message_waits_for_the_broker() {
    let publisher = crate::source::mqtt_in::MqttPublisher::default();
    let served = Served::with(ApiServices { mqtt: Some(publisher), ..ApiServices::default() }).await;
    let put = "PUT /v4/mqttpublishmessage";
    let message = json!({ "topic": "qliksense/new_data/sales", "message": "dt=20201028", "more": { "than": "that" } });
    served.json(put, &message.to_string()).await.is_json(201, &message);
    served.json(put, r#"{ "topic": ["a"], "message": 12 }"#).await.is_json(201, &json!({ "topic": "a", "message": "12" }));
    served.json(put, r#"{ "topic": "a" }"#).await.is_invalid("body must have required property 'message'");
    served.json(put, r#"{ "message": "a" }"#).await.is_invalid("body must have required property 'topic'");
    for topic in ["", "a/#", "a/+/b", "a\\u0000"] {
        let reply = served.json(put, &format!("{{ \"topic\": \"{topic}\", \"message\": \"\" }}")).await;
        let shown = topic.replace("\\u0000", "\0");
        reply.is_fault(400, &format!("Invalid MQTT topic: {shown}"));
    }
    // There is an end to waiting.
    for _ in 2..1024 {
        assert_eq!(served.json(put, &message.to_string()).await.status, 201);
    }
    served.json(put, &message.to_string()).await.is_fault(500, "Failed publishing MQTT message");
}
