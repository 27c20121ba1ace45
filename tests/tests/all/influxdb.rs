//! InfluxDB, on a server as people have it.

use butler_core::event::{DeliveryId, EventId, TaskEvent, TaskOutcome};
use butler_core::sink::Delivery;
use butler_core::testkit::make_sink;
use butler_core::testkit::sink_samples::Sample;
use butler_tests::{Influxd, Sender, Sense, Settings, USER, World, a_failure, api, eventually, failed_again};
use serde_json::{Value, json};

use crate::PROGRAM;
use crate::crash::quiet;

/// A sink that writes there, and a route of everything to it.
fn sink(influxd: &Influxd, more: &str) -> String {
    let url = influxd.url();
    format!(
        r#"
        [[routes]]
        events = ["*"]
        sinks = ["metrics"]
        [sinks.metrics]
        type = "influxdb"
        retry = {{ first = "50ms", longest = "1s" }}
        [sinks.metrics.options]
        url = "{url}"
        database = "butler"
        tags = {{ butler_instance = "prod-1" }}
        {more}
        "#
    )
}

fn alone(influxd: &Influxd, more: &str) -> String {
    format!("[sites.prod]\nhost = \"127.0.0.1\"\n{}", sink(influxd, more))
}

async fn rows(influxd: &Influxd, query: &str, count: usize) -> Vec<Value> {
    eventually(query, async || {
        let rows = influxd.rows("butler", query).await;
        (rows.len() == count).then_some(rows)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn points_have_their_tags_fields_and_types_and_the_database_is_made() {
    let Some(influxd) = Influxd::start(false).await else { return };
    let policy =
        "retention_policy = { name = \"ten\", duration = \"3650d\" }\nevent_tags = { \"reload_task.failed\" = { event_tag = \"x y\" } }";
    let settings = Settings { route: "continue = true", more: &sink(&influxd, policy), ..Settings::default() };
    let sense = Sense::start(PROGRAM, settings).await;
    let task = sense.task("Reload sales");
    sense.fails(task.id).await;
    let point = rows(&influxd, "SELECT * FROM reload_task_failed", 1).await.remove(0);
    for (name, value) in [
        ("butler_instance", json!("prod-1")),
        ("event_tag", json!("x y")),
        ("task_id", json!(task.id)),
        ("task_name", json!("Reload sales")),
        ("app_name", json!("Sales")),
        ("task_executionStatusNum", json!("8")),
        ("task_exeuctionStatusText", json!("FinishedFail")),
        ("task_executingNodeName", json!("sense-node-1")),
        ("appTag_finance", json!("true")),
        ("log_message", json!("Max retries reached")),
        ("task_scriptLogTailCount", json!(20)),
    ] {
        assert_eq!(point[name], value, "{name} in {point}");
    }
    let log = point["scriptLog"].as_str().expect("a text");
    assert!(log.contains("\n\r\n-------------------------------\r\n\r\n") && log.contains("Error: Cannot open file"), "{log:?}");
    assert_eq!(point["scriptLog"], point["reload_log"]);

    let types: Vec<_> = influxd.rows("butler", "SHOW FIELD KEYS FROM reload_task_failed").await;
    let type_of = |name: &str| types.iter().find(|row| row["fieldKey"] == name).map(|row| row["fieldType"].clone());
    for number in [
        "task_executionDuration_sec",
        "task_executionDuration_min",
        "task_executionDuration_h",
        "task_scriptLogSize",
        "task_scriptLogTailCount",
    ] {
        assert_eq!(type_of(number), Some(json!("float")), "{number}");
    }
    for text in ["log_timestamp", "execution_id", "log_message", "task_executionStartTime_json", "task_executionDuration_json", "scriptLog"]
    {
        assert_eq!(type_of(text), Some(json!("string")), "{text}");
    }
    assert_eq!(types.len(), 13, "{types:?}");
    let tags = influxd.rows("butler", "SHOW TAG KEYS FROM reload_task_failed").await;
    let tags: Vec<_> = tags.iter().filter_map(|row| row["tagKey"].as_str()).filter(|name| !name.contains("Tag_")).collect();
    assert_eq!(
        tags,
        [
            "app_id",
            "app_name",
            "butler_instance",
            "event_tag",
            "host",
            "log_level",
            "task_executingNodeName",
            "task_executionStatusNum",
            "task_exeuctionStatusText",
            "task_id",
            "task_name",
            "user"
        ]
    );
    let policies = influxd.rows("butler", "SHOW RETENTION POLICIES").await;
    let default: Vec<_> = policies.iter().filter(|row| row["default"] == true).map(|row| (&row["name"], &row["duration"])).collect();
    assert_eq!(default, [(&json!("ten"), &json!("87600h0m0s"))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_text_is_read_back_as_it_was() {
    const LETTERS: [&str; 18] = ["a", "B", "é", "予", "💥", " ", ",", "=", "\\", "\"", "'", "\\\\", "#", "{", "\u{200b}", "%", "/", "-"];
    let Some(influxd) = Influxd::start(false).await else { return };
    let sink = make_sink("influxdb", &format!("url = '{}'\ndatabase = 'butler'", influxd.url()));
    let texts: Vec<String> =
        (0..80).map(|_| (0..fastrand::usize(1..12)).map(|_| LETTERS[fastrand::usize(0..LETTERS.len())]).collect()).collect();
    let samples: Vec<_> = texts
        .iter()
        .zip(0..)
        .map(|(text, number)| {
            let mut sample = Sample::reload(TaskOutcome::Failed).with_text(text);
            sample.event.id = EventId(uuid::Uuid::from_u128(number));
            let message = sink.render(&sample.rendering()).expect("a message");
            (sample, message)
        })
        .collect();
    let deliveries: Vec<_> = samples
        .iter()
        .map(|(sample, message)| {
            let key = DeliveryId::of(sample.event.id, &"metrics".into(), &sample.target);
            Delivery { key, event: &sample.event, target: &sample.target, message, attempt: 1 }
        })
        .collect();
    // Twice, as after a crash: the second write takes the place of the first.
    for _ in 0..2 {
        for (result, text) in sink.deliver_many(&deliveries).await.into_iter().zip(&texts) {
            result.unwrap_or_else(|error| panic!("{text:?}: {error}"));
        }
    }
    let rows = influxd.rows("butler", "SELECT log_message, task_name FROM reload_task_failed").await;
    assert_eq!(rows.len(), texts.len());
    for (row, text) in rows.iter().zip(&texts) {
        assert_eq!(row["log_message"], text.as_str());
        // A backslash can't stand before what it would escape.
        let tag = row["task_name"].as_str().expect("a tag");
        let is_same = |(was, is): (char, char)| was == is || (was == '\\' && is == '/');
        assert!(tag.chars().count() == text.chars().count() && text.chars().zip(tag.chars()).all(is_same), "{text:?} is {tag:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_in_the_middle_of_a_burst_loses_and_doubles_nothing() {
    let Some(mut influxd) = Influxd::start(false).await else { return };
    let world = World::new(PROGRAM).await;
    world.configure_all(&alone(&influxd, ""));
    let butler = world.serve().await;
    let sender = Sender::to(&butler);
    let count = async || {
        let rows = influxd.rows("butler", "SELECT COUNT(execution_id) FROM reload_task_failed").await;
        rows.first().and_then(|row| row["count"].as_u64()).unwrap_or_default()
    };
    (0..100).for_each(|number| sender.failed(a_failure(number)));
    eventually("the first points", async || (count().await > 0).then_some(())).await;
    // In one millisecond of one task as well: all of them have the same time and the same tags.
    let same = a_failure(1000);
    (0..20).for_each(|_| sender.failed(failed_again(&same)));
    influxd.kill().await;
    (100..200).for_each(|number| sender.failed(a_failure(number)));
    eventually("an attempt in vain", async || {
        let pending = api(&butler, "/api/deliveries?state=pending&max=500").await;
        pending.as_array()?.iter().any(|delivery| delivery["attempts"].as_u64() >= Some(1)).then_some(())
    })
    .await;
    influxd.start_again().await;
    eventually("220 events", async || (api(&butler, "/api/status").await["journal"]["events"] == 220).then_some(())).await;
    quiet(&butler).await;
    let rows = influxd.rows("butler", "SELECT execution_id FROM reload_task_failed").await;
    let executions: std::collections::BTreeSet<_> = rows.iter().filter_map(|row| row["execution_id"].as_str()).collect();
    assert_eq!((rows.len(), executions.len()), (220, 220));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_asked_for_is_given_and_a_wrong_one_is_said_and_never_shown() {
    let Some(influxd) = Influxd::start(true).await else { return };
    let world = World::new(PROGRAM).await;
    let login = |password: &str| format!("auth = {{ user = \"{}\", password = \"{password}\" }}", USER.0);
    world.configure_all(&alone(&influxd, &login("wr0ng-and-s3cret")));
    let mut butler = world.serve().await;
    Sender::to(&butler).failed(a_failure(1));
    let delivery = eventually("a second attempt", async || {
        let deliveries = api(&butler, "/api/deliveries").await;
        deliveries.as_array()?.iter().find(|d| d["attempts"].as_u64() >= Some(2)).cloned()
    })
    .await;
    assert_eq!(delivery["state"], "pending");
    assert!(delivery["detail"].as_str().expect("a reason").contains("401"), "{delivery}");
    let story = api(&butler, "/api/events/latest").await.to_string();
    for text in [story, delivery.to_string(), butler.log()] {
        assert!(!text.contains("wr0ng-and-s3cret"), "{text}");
    }
    butler.terminate().await;
    assert!(butler.ended().await.success());
    world.configure_all(&alone(&influxd, &login(USER.1)));
    let _butler = world.serve().await;
    rows(&influxd, "SELECT log_message FROM reload_task_failed", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_that_the_server_refuses_is_dead_and_takes_no_other_with_it() {
    let Some(influxd) = Influxd::start(false).await else { return };
    influxd.ask("", "CREATE DATABASE butler").await;
    // Somebody's own series, in which the message is a number.
    let written = butler_tests::http().post(format!("{}/write?db=butler", influxd.url())).body("task_failed log_message=1").send().await;
    assert!(written.expect("an answer").status().is_success());
    let world = World::new(PROGRAM).await;
    world.configure_all(&alone(&influxd, ""));
    let butler = world.serve().await;
    let sender = Sender::to(&butler);
    (0..40).for_each(|number| sender.failed(a_failure(number)));
    // A task whose type nobody knows and that has no app.
    sender.failed(TaskEvent { app_id: None, app_name: String::new(), ..a_failure(40) });
    (41..80).for_each(|number| sender.failed(a_failure(number)));
    rows(&influxd, "SELECT log_message FROM reload_task_failed", 79).await;
    let dead = eventually("a dead delivery", async || {
        let dead = api(&butler, "/api/deliveries?state=dead").await;
        dead.as_array().filter(|dead| !dead.is_empty()).cloned()
    })
    .await;
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert!(dead[0]["detail"].as_str().expect("a reason").contains("field type conflict"), "{dead:?}");
}
