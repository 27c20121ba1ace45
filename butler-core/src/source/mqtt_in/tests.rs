use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::clock::Clock;
use crate::mqtt::{Broker, BrokerConfig, FaultKind, Incoming, MqttVersion, Publication};
use crate::simulator::inbox::{Gate, MqttAnswer, MqttInbox, MqttOptions};
use crate::source::{EventSource, Intake, Stop};
use crate::testkit::{Logs, TestClock, closed_port};

/// Hands on what it gets.
#[derive(Debug)]
struct Handler(mpsc::UnboundedSender<Incoming>);

#[async_trait]
impl MessageHandler for Handler {
    fn wants(&self, topic: &str) -> bool {
        topic == "qliksense/start_task"
    }

    async fn handle(&self, message: Incoming) -> Option<Publication> {
        let answer = Publication { topic: "qliksense/answer".into(), payload: message.payload.clone(), ..Publication::default() };
        self.0.send(message).unwrap_or_else(|_| panic!("the test has ended"));
        Some(answer)
    }
}

/// A source that runs.
struct Running {
    clock: TestClock,
    stop: Stop,
    task: JoinHandle<()>,
    messages: mpsc::UnboundedReceiver<Incoming>,
    publisher: MqttPublisher,
}

fn settings(port: u16, version: MqttVersion) -> MqttInSettings {
    let config = BrokerConfig { port: Some(port), version, client_id: Some("edge".into()), ..BrokerConfig::new("127.0.0.1") };
    MqttInSettings {
        broker: Arc::new(Broker::new(&config, Path::new("")).unwrap_or_else(|why| panic!("{why}"))),
        status_topic: Some("qliksense/butler/mqtt/status".into()),
        server_status_topic: Some("qliksense/butler/task_failure_server".into()),
        subscribe: "qliksense/#".into(),
        start_task_topic: None,
        start_task_answer_topic: None,
    }
}

async fn run(settings: MqttInSettings) -> Running {
    let (clock, stop) = (TestClock::default(), Stop::new());
    let (sender, messages) = mpsc::unbounded_channel();
    let source = MqttInSource::new(settings, Arc::new(clock.clone()) as Arc<dyn Clock>).handled_by(Arc::new(Handler(sender)));
    let publisher = source.publisher();
    let (intake, _queue) = Intake::channel();
    let open = source.open(intake, stop.clone()).await.unwrap_or_else(|why| panic!("{why}"));
    let task = tokio::spawn(async move { open.run.await.unwrap_or_else(|why| panic!("{why}")) });
    Running { clock, stop, task, messages, publisher }
}

async fn inbox() -> MqttInbox {
    MqttInbox::start(MqttOptions::default()).await.unwrap_or_else(|why| panic!("{why}"))
}

fn said(inbox: &MqttInbox) -> Vec<String> {
    let port = inbox.address().port().to_string();
    let line = |topic: &str, payload: &str, is_will: bool| format!("{topic}: {payload}{}", if is_will { " (will)" } else { "" });
    inbox.published().iter().map(|one| line(&one.topic, &one.payload, one.is_will).replace(&port, "PORT")).collect()
}

const CONNECTED: [&str; 2] = [
    "qliksense/butler/mqtt/status: Connected to MQTT broker 127.0.0.1:PORT with client ID edge",
    "qliksense/butler/task_failure_server: start",
];
const GONE: &str = "qliksense/butler/task_failure_server: error (will)";

#[tokio::test]
async fn it_says_that_it_is_up_and_leaves_in_order() {
    for version in [MqttVersion::V3, MqttVersion::V5] {
        let inbox = inbox().await;
        let running = run(settings(inbox.address().port(), version)).await;
        assert_eq!(inbox.subscriptions(1).await, ["qliksense/#"]);
        running.stop.cancel();
        running.task.await.unwrap();
        assert_eq!(said(&inbox), CONNECTED);
    }
}

#[tokio::test]
async fn messages_are_handed_over_if_they_are_wanted() {
    for version in [MqttVersion::V3, MqttVersion::V5] {
        let inbox = inbox().await;
        let mut running = run(settings(inbox.address().port(), version)).await;
        inbox.subscriptions(1).await;
        for (topic, payload) in [("qliksense/other", "x"), ("qliksense/start_task", "one"), ("else", "x"), ("qliksense/start_task", "two")]
        {
            inbox.publish(topic, payload);
        }
        for expected in ["one", "two"] {
            let message = running.messages.recv().await.unwrap();
            assert_eq!((message.topic.as_str(), &message.payload[..]), ("qliksense/start_task", expected.as_bytes()));
        }
        let answers = inbox.wait_for(4).await.split_off(2);
        assert_eq!(
            answers.iter().map(|one| (&*one.topic, &*one.payload)).collect::<Vec<_>>(),
            [("qliksense/answer", "one"), ("qliksense/answer", "two")]
        );
        running.stop.cancel();
        running.task.await.unwrap();
        assert!(running.messages.try_recv().is_err());
    }
}

#[tokio::test]
async fn a_connection_that_ends_is_made_anew_with_its_subscription() {
    let inbox = inbox().await;
    let mut running = run(settings(inbox.address().port(), MqttVersion::V5)).await;
    inbox.subscriptions(1).await;
    inbox.end_connections();
    running.clock.sleepers(1).await;
    assert_eq!(said(&inbox).last().map(String::as_str), Some(GONE));
    running.clock.advance(Duration::from_secs(1));
    inbox.subscriptions(2).await;
    inbox.publish("qliksense/start_task", "again");
    assert_eq!(&running.messages.recv().await.unwrap().payload[..], b"again");
    assert_eq!(said(&inbox)[3..], CONNECTED);
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_tried_again_until_the_end() {
    let running = run(settings(closed_port(), MqttVersion::V3)).await;
    running.clock.sleepers(1).await;
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test]
async fn a_subscription_that_is_refused_is_tried_again() {
    let inbox = inbox().await;
    inbox.refuse_subscriptions();
    let running = run(settings(inbox.address().port(), MqttVersion::V5)).await;
    running.clock.sleepers(1).await;
    inbox.behave();
    running.clock.advance(Duration::from_secs(1));
    assert_eq!(inbox.subscriptions(1).await, ["qliksense/#"]);
}

#[tokio::test]
async fn others_publish_over_its_connection() {
    let inbox = inbox().await;
    let mut running = run(settings(inbox.address().port(), MqttVersion::V5)).await;
    inbox.subscriptions(1).await;
    // Once something was heard, the connection is there for others as well.
    inbox.publish("qliksense/start_task", "hello");
    running.messages.recv().await.unwrap();
    inbox.wait_for(3).await;
    let publication = Publication { topic: "anywhere".into(), payload: "hello".into(), ..Publication::default() };
    running.publisher.publish(&publication).await.unwrap();
    assert_eq!(inbox.published().last().map(|one| (one.topic.clone(), one.payload.clone())), Some(("anywhere".into(), "hello".into())));
    let wrong = Publication { topic: "any/#".into(), ..publication.clone() };
    assert_eq!(running.publisher.publish(&wrong).await.unwrap_err().kind, FaultKind::Rejected);
    running.stop.cancel();
    running.task.await.unwrap();
    assert_eq!(running.publisher.publish(&publication).await.unwrap_err().kind, FaultKind::Unreachable);
}

#[tokio::test]
async fn what_is_queued_is_published_in_order_once_there_is_a_connection() {
    let inbox = inbox().await;
    inbox.refuse_subscriptions();
    let mut running = run(settings(inbox.address().port(), MqttVersion::V5)).await;
    let queue = |payload: &str| {
        let publication = Publication { topic: "queued".into(), payload: payload.to_owned().into(), ..Publication::default() };
        running.publisher.queue(publication).unwrap();
    };
    queue("one");
    queue("two");
    running.clock.sleepers(1).await;
    inbox.behave();
    running.clock.advance(Duration::from_secs(1));
    inbox.subscriptions(1).await;
    queue("three");
    let queued = async |count: usize| loop {
        let queued: Vec<_> = inbox.published().into_iter().filter(|one| one.topic == "queued").map(|one| one.payload).collect();
        if queued.len() >= count {
            return queued;
        }
        inbox.wait_for(inbox.published().len() + 1).await;
    };
    assert_eq!(queued(3).await, ["one", "two", "three"]);
    // Hearing goes on meanwhile, and a topic that is none holds nothing up.
    let wrong = Publication { topic: "any/#".into(), ..Publication::default() };
    running.publisher.queue(wrong).unwrap();
    queue("four");
    inbox.publish("qliksense/start_task", "hello");
    running.messages.recv().await.unwrap();
    assert_eq!(queued(4).await[3], "four");
    running.stop.cancel();
    running.task.await.unwrap();
}

/// What was published to the topic of [`queued_one`], as often as the broker has it.
fn queued(inbox: &MqttInbox) -> Vec<String> {
    inbox.published().into_iter().filter(|one| one.topic == "queued").map(|one| one.payload).collect()
}

fn queued_one(payload: &str) -> Publication {
    Publication { topic: "queued".into(), payload: payload.to_owned().into(), ..Publication::default() }
}

/// Waits until something more was published to that topic than `known`.
async fn more_queued(inbox: &MqttInbox, known: usize) -> Vec<String> {
    loop {
        let (all, queued) = (inbox.published().len(), queued(inbox));
        if queued.len() > known {
            return queued;
        }
        inbox.wait_for(all + 1).await;
    }
}

/// Lets time pass for whoever waits for it, until there is a second connection.
async fn connected_again(running: &Running, inbox: &MqttInbox) {
    let mut subscribed = std::pin::pin!(inbox.subscriptions(2));
    loop {
        tokio::select! {
            biased;
            _ = &mut subscribed => return,
            () = running.clock.sleepers(1) => running.clock.advance(Duration::from_secs(1)),
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_was_under_way_when_the_connection_ended_is_published_again() {
    for answer in [MqttAnswer::Drop, MqttAnswer::Half] {
        let inbox = inbox().await;
        let running = run(settings(inbox.address().port(), MqttVersion::V5)).await;
        inbox.subscriptions(1).await;
        inbox.answer_always(answer);
        running.publisher.queue(queued_one("one")).unwrap();
        running.publisher.queue(queued_one("two")).unwrap();
        while said(&inbox).last().map(String::as_str) != Some(GONE) {
            inbox.wait_for(inbox.published().len() + 1).await;
        }
        let before = queued(&inbox).len();
        inbox.behave();
        connected_again(&running, &inbox).await;
        more_queued(&inbox, before).await;
        let all = more_queued(&inbox, before + 1).await;
        assert_eq!(all[before..], ["one", "two"]);
        running.stop.cancel();
        running.task.await.unwrap();
    }
}

#[tokio::test]
async fn a_broker_that_acknowledges_nothing_is_left_for_another_connection() {
    let inbox = inbox().await;
    let running = run(settings(inbox.address().port(), MqttVersion::V5)).await;
    inbox.subscriptions(1).await;
    let gate = Gate::closed();
    inbox.answer_always(MqttAnswer::Hold(gate.clone()));
    running.publisher.queue(queued_one("one")).unwrap();
    gate.reached_by(1).await;
    let before = queued(&inbox).len();
    inbox.behave();
    connected_again(&running, &inbox).await;
    assert_eq!(more_queued(&inbox, before).await.last().map(String::as_str), Some("one"));
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test]
async fn what_is_lost_at_the_end_is_said() {
    let logs = Logs::keep();
    let running = run(settings(closed_port(), MqttVersion::V5)).await;
    running.clock.sleepers(1).await;
    running.publisher.queue(queued_one("one")).unwrap();
    running.stop.cancel();
    running.task.await.unwrap();
    let lines = logs.lines();
    assert!(lines.iter().any(|line| line.contains("lost") && line.contains("Butler ends")), "{lines:?}");
}
