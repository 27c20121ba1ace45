//! Somebody who hears everything that is published at a broker, also what was published while it or the broker was away.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc_v4::{AsyncClient, Event, MqttOptions, Packet, PublishOptions, QoS, SessionMode};
use tokio::task::JoinHandle;

/// A client with a session that outlives its connection. Dropping it ends the connection.
#[derive(Debug)]
pub struct Subscriber {
    heard: Arc<Mutex<Vec<(String, String)>>>,
    client: AsyncClient,
    task: JoinHandle<()>,
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Subscriber {
    /// Subscribes to everything at the broker on this port of the loopback, and waits until it has.
    ///
    /// # Panics
    /// If the broker does not let it in.
    pub async fn to_everything(port: u16) -> Self {
        let mut options = MqttOptions::new("subscriber", ("127.0.0.1", port));
        options.set_session_mode(SessionMode::Persistent).set_max_packet_size(1 << 24, 1 << 24);
        let (client, mut events) = AsyncClient::builder(options).capacity(10).build();
        let heard: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let own = client.clone();
        let (all, subscribed) = (Arc::clone(&heard), tokio::sync::Notify::new());
        let subscribed = Arc::new(subscribed);
        let done = Arc::clone(&subscribed);
        let task = tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => client.subscribe("#", QoS::AtLeastOnce).await.expect("room for a request"),
                    Ok(Event::Incoming(Packet::SubAck(_))) => done.notify_one(),
                    Ok(Event::Incoming(Packet::Publish(message))) => {
                        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                        all.lock().expect("no panics").push((text(&message.topic), text(&message.payload)));
                    }
                    Ok(_) => {}
                    // The broker is away. A short pause, so as not to do nothing else than ask for it.
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        });
        subscribed.notified().await;
        Self { heard, client: own, task }
    }

    /// Topics and payloads of what it has heard, in order.
    ///
    /// # Panics
    /// If its task has panicked.
    #[must_use]
    pub fn heard(&self) -> Vec<(String, String)> {
        self.heard.lock().expect("no panics").clone()
    }

    /// Publishes something itself.
    ///
    /// # Panics
    /// If its connection has ended for good.
    pub async fn publish(&self, topic: &str, payload: &str) {
        self.client.publish(topic, payload.to_owned(), PublishOptions::at_least_once()).await.expect("room for a message");
    }

    /// What was published at a topic.
    #[must_use]
    pub fn at(&self, topic: &str) -> Vec<String> {
        self.heard().into_iter().filter(|(at, _)| at == topic).map(|(_, payload)| payload).collect()
    }
}
