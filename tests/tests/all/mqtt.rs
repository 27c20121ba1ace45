//! MQTT, at a broker as people have it.

use std::collections::BTreeSet;

use butler_tests::{Mosquitto, Sender, Sense, Settings, Subscriber, World, a_failure, api, eventually};
use serde_json::Value;

use crate::PROGRAM;
use crate::crash::quiet;

/// A site, and a sink for each of these, named after the root of its topics, with a route to all of them.
fn sinks(brokers: &[(&str, String)]) -> String {
    let sink = |(name, broker): &(&str, String)| {
        format!(
            "[sinks.{name}]\ntype = 'mqtt'\ntimeout = '10s'\nretry = {{ first = '50ms', longest = '1s' }}\noptions.root_topic = '{name}'\n\
             [sinks.{name}.options.broker]\nhost = 'localhost'\n{broker}\n"
        )
    };
    let names = brokers.iter().map(|(name, _)| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    let all: String = brokers.iter().map(sink).collect();
    format!("[sites.prod]\nhost = '127.0.0.1'\n{all}[[routes]]\nevents = ['reload_task.*']\nsinks = [{names}]\n")
}

fn plain(broker: &Mosquitto) -> String {
    format!("port = {}", broker.plain)
}

fn text<'a>(delivery: &'a Value, key: &str) -> &'a str {
    delivery[key].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_topic_has_a_verdict_of_its_own() {
    let Some(broker) = Mosquitto::start().await else { return };
    let subscriber = Subscriber::to_everything(broker.plain).await;
    let world = World::new(PROGRAM).await;
    world.configure_all(&sinks(&[("old", plain(&broker)), ("new", format!("{}\nversion = '5'", plain(&broker)))]));
    let butler = world.serve().await;
    Sender::to(&butler).failed(a_failure(1));
    quiet_after(&butler, 4).await;
    for root in ["old", "new"] {
        assert_eq!(subscriber.at(&format!("{root}/task_failure")), ["Reload 1"]);
        let full = subscriber.at(&format!("{root}/task_failure_full"));
        let full: Value = serde_json::from_str(&full[0]).expect("JSON");
        assert_eq!((text(&full, "taskName"), text(&full, "taskId")), ("Reload 1", &*a_failure(1).task_id.to_string()));
    }
    let deliveries = api(&butler, "/api/deliveries").await;
    for delivery in deliveries.as_array().expect("a list") {
        assert_eq!(text(delivery, "state"), "delivered", "{delivery}");
        assert!(text(delivery, "detail").starts_with("acknowledged by localhost:"), "{delivery}");
    }
    let topics: BTreeSet<_> = deliveries.as_array().expect("a list").iter().map(|delivery| text(delivery, "target")).collect();
    assert_eq!(topics, BTreeSet::from(["old/task_failure", "old/task_failure_full", "new/task_failure", "new/task_failure_full"]));
}

/// Waits until there are so many deliveries, and none of them is open.
async fn quiet_after(butler: &butler_tests::Proc, count: usize) {
    eventually("all deliveries", async || (api(butler, "/api/deliveries").await.as_array()?.len() >= count).then_some(())).await;
    quiet(butler).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_are_secured_in_every_way() {
    let Some(broker) = Mosquitto::start().await else { return };
    let subscribers = [
        ("login", broker.login, "auth = { user = 'butler', password = 'secret' }".to_owned()),
        ("tls", broker.tls, format!("version = '5'\ntls = true\nca = '{}'", broker.file("ca.pem").display())),
        (
            "certificate",
            broker.certificate,
            format!(
                "tls = true\nca = '{}'\nclient_certificate = '{}'\nclient_key = '{}'\nclient_id = 'edge'\nauth.user = 'edge'",
                broker.file("ca.pem").display(),
                broker.file("own.pem").display(),
                broker.file("own_key.pem").display()
            ),
        ),
        ("untrusted", broker.tls, "tls = true".to_owned()),
        ("nobody", broker.certificate, format!("tls = true\nca = '{}'", broker.file("ca.pem").display())),
    ];
    let subscriber = Subscriber::to_everything(broker.plain).await;
    let world = World::new(PROGRAM).await;
    let brokers: Vec<_> = subscribers.iter().map(|(name, port, how)| (*name, format!("port = {port}\n{how}"))).collect();
    world.configure_all(&sinks(&brokers));
    let butler = world.serve().await;
    Sender::to(&butler).failed(a_failure(1));
    eventually("what can be delivered", async || {
        let arrived = |root: &str| subscriber.at(&format!("{root}/task_failure")) == ["Reload 1"];
        ["login", "tls", "certificate"].into_iter().all(arrived).then_some(())
    })
    .await;
    let waiting = eventually("what can't be", async || {
        let deliveries = api(&butler, "/api/deliveries").await;
        let failed = |root: &str| {
            let mut of_root = deliveries.as_array()?.iter().filter(|delivery| text(delivery, "target") == format!("{root}/task_failure"));
            of_root.find(|delivery| delivery["attempts"].as_u64() >= Some(1)).cloned()
        };
        Some([failed("untrusted")?, failed("nobody")?])
    })
    .await;
    for delivery in &waiting {
        assert_eq!(text(delivery, "state"), "pending", "{delivery}");
    }
    assert!(text(&waiting[0], "detail").contains("set `ca`"), "{}", waiting[0]);
    assert!(!subscriber.heard().iter().any(|(topic, _)| topic.starts_with("untrusted") || topic.starts_with("nobody")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_said_and_tried_again_and_never_shown() {
    let Some(broker) = Mosquitto::start().await else { return };
    let world = World::new(PROGRAM).await;
    let wrong = |version: &str| {
        format!("port = {}\nversion = '{version}'\nauth = {{ user = 'butler', password = 's3cr3t-and-wrong' }}", broker.login)
    };
    world.configure_all(&sinks(&[("old", wrong("3.1.1")), ("new", wrong("5"))]));
    let butler = world.serve().await;
    Sender::to(&butler).failed(a_failure(1));
    let tried = eventually("second attempts", async || {
        let deliveries = api(&butler, "/api/deliveries").await;
        let tried = |root: &str| {
            let mut of_root = deliveries.as_array()?.iter().filter(|delivery| text(delivery, "sink") == root);
            of_root.find(|delivery| delivery["attempts"].as_u64() >= Some(2)).cloned()
        };
        Some([tried("old")?, tried("new")?])
    })
    .await;
    for delivery in tried {
        assert_eq!(text(&delivery, "state"), "pending", "{delivery}");
        let detail = text(&delivery, "detail");
        assert!(detail.contains("refuses the login") && detail.contains("check `auth`"), "{delivery}");
        assert!(!delivery.to_string().contains("s3cr3t-and-wrong"), "{delivery}");
    }
    let story = api(&butler, "/api/events/latest").await.to_string();
    for text in [story, butler.log()] {
        assert!(!text.contains("s3cr3t-and-wrong"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_in_the_middle_of_a_burst_costs_nothing() {
    const BURST: u128 = 150;
    let Some(mut broker) = Mosquitto::start().await else { return };
    let subscriber = Subscriber::to_everything(broker.plain).await;
    let world = World::new(PROGRAM).await;
    world.configure_all(&sinks(&[("old", plain(&broker)), ("new", format!("{}\nversion = '5'", plain(&broker)))]));
    let butler = world.serve().await;
    let sender = Sender::to(&butler);
    (0..BURST).for_each(|number| sender.failed(a_failure(number)));
    eventually("the first messages", async || (subscriber.heard().len() >= 40).then_some(())).await;
    broker.kill().await;
    let before = subscriber.heard().len();
    eventually("an attempt in vain", async || {
        let deliveries = api(&butler, "/api/deliveries?max=1000").await;
        deliveries
            .as_array()?
            .iter()
            .any(|delivery| text(delivery, "state") == "pending" && delivery["attempts"].as_u64() >= Some(1))
            .then_some(())
    })
    .await;
    broker.start_again().await;
    for topic in ["old/task_failure", "old/task_failure_full", "new/task_failure", "new/task_failure_full"] {
        let missing = |number: &u128| {
            let name = format!("Reload {number}");
            let says = |payload: &String| match serde_json::from_str::<Value>(payload) {
                Ok(full) => text(&full, "taskName") == name,
                Err(_) => *payload == name,
            };
            !subscriber.at(topic).iter().any(says)
        };
        eventually(&format!("everything at {topic}"), async || (!(0..BURST).any(|number| missing(&number))).then_some(())).await;
    }
    quiet(&butler).await;
    assert!(before < 4 * usize::try_from(BURST).expect("a small number"), "the burst was over before the broker was killed");
    let status = api(&butler, "/api/status").await;
    let dead = status["journal"]["deliveries"].as_array().expect("a list").iter().any(|entry| entry[1] == "dead" && entry[2] != 0);
    assert!(!dead, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_that_it_is_up_and_its_last_will_that_it_is_gone() {
    const AT: &str = "qliksense/butler/task_failure_server";
    let Some(mut broker) = Mosquitto::start().await else { return };
    let subscriber = Subscriber::to_everything(broker.plain).await;
    let world = World::new(PROGRAM).await;
    world.configure(&format!("[mqtt.broker]\nhost = '127.0.0.1'\nport = {}\nclient_id = 'butler'\n", broker.plain));
    let said = async |expected: &[&str]| eventually("what Butler says", async || (subscriber.at(AT) == expected).then_some(())).await;
    let butler = world.serve().await;
    said(&["start"]).await;
    let connected = format!("Connected to MQTT broker 127.0.0.1:{} with client ID butler", broker.plain);
    assert_eq!(subscriber.at("qliksense/butler/mqtt/status"), [connected]);
    butler.kill().await;
    said(&["start", "error"]).await;
    let mut butler = world.serve().await;
    said(&["start", "error", "start"]).await;
    // Who comes back finds it again.
    broker.kill().await;
    broker.start_again().await;
    said(&["start", "error", "start", "start"]).await;
    butler.terminate().await;
    assert!(butler.ended().await.success());
    let butler = world.serve().await;
    said(&["start", "error", "start", "start", "start"]).await;
    drop(butler);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_started_by_a_message_if_the_filter_allows_it() {
    const ASK: &str = "qliksense/start_task";
    let Some(broker) = Mosquitto::start().await else { return };
    let subscriber = Subscriber::to_everything(broker.plain).await;
    let more = format!(
        "[mqtt]\nbroker = {{ host = '127.0.0.1', port = {} }}\nstart_task_topic = '{ASK}'\nstart_task_answer_topic = 'answers'\n[tasks.start_filter]\ntag = ['hr']",
        broker.plain
    );
    let sense = Sense::start(PROGRAM, Settings { more: &more, ..Settings::default() }).await;
    let (allowed, denied) = (sense.task("Reload HR"), sense.task("Reload sales"));
    // What is published before it has subscribed it never hears.
    eventually("the subscription", async || {
        subscriber.publish(ASK, "is anybody there?").await;
        subscriber.at("answers").first().map(drop)
    })
    .await;
    let answer_about = async |what: &str, count: usize| {
        eventually("an answer", async || {
            let answers = subscriber.at("answers");
            let about: Vec<Value> = answers
                .iter()
                .map(|answer| serde_json::from_str(answer).expect("JSON"))
                .filter(|answer| text(answer, "id") == what)
                .collect();
            (about.len() == count).then(|| about[count - 1].clone())
        })
        .await
    };
    let (allowed_id, denied_id) = (allowed.id.to_string(), denied.id.to_string());
    subscriber.publish(ASK, &format!(" {}\n", allowed.id.to_string().to_uppercase())).await;
    let answer = answer_about(&allowed_id, 1).await;
    assert_eq!((text(&answer, "name"), &answer["outcome"]["result"]), (allowed.name.as_str(), &"started".into()), "{answer}");
    subscriber.publish(ASK, &denied.id.to_string()).await;
    assert_eq!(answer_about(&denied_id, 1).await["outcome"]["result"], "denied");
    subscriber.publish(ASK, "{\"task\": 1}").await;
    assert_eq!(answer_about("{\"task\": 1}", 1).await["outcome"]["result"], "invalid_id");
    subscriber.publish("qliksense/other", &denied.id.to_string()).await;
    sense.site.set_down(true);
    subscriber.publish(ASK, &allowed.id.to_string()).await;
    let answer = answer_about(&allowed_id, 2).await;
    assert!(answer["error"].is_string() || answer["outcome"]["result"] == "failed", "{answer}");
    assert_eq!((sense.site.count(&format!("task/{}/start", allowed.id)), sense.site.count(&format!("task/{}/start", denied.id))), (1, 0));
}
