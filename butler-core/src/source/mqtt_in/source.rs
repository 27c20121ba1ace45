//! The source itself.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::MqttPublisher;
use crate::clock::Clock;
use crate::event::SourceName;
use crate::mqtt::{Broker, Fault, FaultKind, Inbox, Incoming, Publication, Session, Will};
use crate::source::{EventSource, Intake, Open, SourceError, Stop};

/// How many messages may wait for their handler; more are dropped, with a warning.
const WAITING: usize = 256;
/// How long the broker may take to let us in, and to take what is said then.
const OPENING: Duration = Duration::from_secs(30);
/// How long the farewell may take.
const PARTING: Duration = Duration::from_secs(1);
/// The waits between two tries to connect.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Whoever was connected for so long begins with the shortest wait again.
const STEADY: Duration = Duration::from_mins(1);

/// What is said to a broker, and heard of it.
#[derive(Debug, Clone)]
pub struct MqttInSettings {
    /// The broker.
    pub broker: Arc<Broker>,
    /// Where it is said that the connection was made; nowhere if there is none.
    pub status_topic: Option<String>,
    /// Where it is said that Butler is up, or gone; nowhere if there is none.
    pub server_status_topic: Option<String>,
    /// The topics that are heard.
    pub subscribe: String,
    /// Where the id of a task is published that is to be started; nowhere if there is none.
    pub start_task_topic: Option<String>,
    /// Where it is said what became of that; nowhere if there is none.
    pub start_task_answer_topic: Option<String>,
}

/// Does something with messages that come in from a broker.
///
/// # Contract
/// * `wants` is quick and pure: it is asked for every message while the connection waits.
/// * `handle` is called for one message after the other. What comes meanwhile waits, and is dropped once there is too much of it.
///
/// # Cancellation
/// `handle` runs to its end, unless the whole process is given up.
#[async_trait]
pub trait MessageHandler: std::fmt::Debug + Send + Sync + 'static {
    /// Whether what is published there is for this handler.
    fn wants(&self, topic: &str) -> bool;

    /// Does it; what it gives back is published as the answer. What goes wrong is the handler's to tell.
    async fn handle(&self, message: Incoming) -> Option<Publication>;
}

/// Stays connected to a broker; see the [module](super).
#[derive(Debug, Clone)]
pub struct MqttInSource {
    settings: MqttInSettings,
    handlers: Vec<Arc<dyn MessageHandler>>,
    publisher: MqttPublisher,
    clock: Arc<dyn Clock>,
}

impl MqttInSource {
    /// A source named `mqtt` that hears nothing yet.
    #[must_use]
    pub fn new(settings: MqttInSettings, clock: Arc<dyn Clock>) -> Self {
        let publisher = MqttPublisher::new(Arc::clone(&clock));
        Self { settings, handlers: Vec::new(), publisher, clock }
    }

    /// Publishes over its connection, while there is one.
    #[must_use]
    pub fn publisher(&self) -> MqttPublisher {
        self.publisher.clone()
    }

    /// The same that hands messages to this handler as well.
    #[must_use]
    pub fn handled_by(mut self, handler: Arc<dyn MessageHandler>) -> Self {
        self.handlers.push(handler);
        self
    }
}

#[async_trait]
impl EventSource for MqttInSource {
    fn name(&self) -> SourceName {
        "mqtt".into()
    }

    /// Connects to nothing yet: a broker that is down must not keep anything from starting.
    async fn open(&self, _: Intake, stop: Stop) -> Result<Open, SourceError> {
        let source = self.clone();
        let run = async move {
            source.run(stop).await;
            source.publisher.close();
            Ok(())
        };
        Ok(Open { addresses: Vec::new(), run: Box::pin(run) })
    }
}

impl MqttInSource {
    /// Stays connected until it is told to stop.
    async fn run(&self, stop: Stop) {
        let broker = self.settings.broker.shown();
        let (mut failures, mut is_known) = (0, false);
        loop {
            let began = self.clock.monotonic();
            let connecting = async { timeout(OPENING, self.connect()).await.unwrap_or_else(|_| Err(self.silent())) };
            let connected = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                connected = connecting => connected,
            };
            let fault = match connected {
                Ok((session, messages)) => {
                    tracing::info!(broker, session = self.settings.broker.client_id(), "Connected to the MQTT broker.");
                    is_known = false;
                    let session = Arc::new(session);
                    self.publisher.set(Some(Arc::clone(&session)));
                    let ended = self.attend(&session, messages, &stop).await;
                    self.publisher.set(None);
                    match ended {
                        None => return,
                        Some(fault) => fault,
                    }
                }
                Err(fault) => fault,
            };
            if self.clock.monotonic().saturating_sub(began) > STEADY {
                failures = 0;
            }
            if is_known {
                tracing::debug!(broker, %fault, "No connection to the MQTT broker.");
            } else {
                tracing::warn!(broker, %fault, "No connection to the MQTT broker; it is tried again.");
            }
            is_known = true;
            failures += 1;
            tokio::select! {
                () = self.clock.sleep(pause(failures)) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Connects, says so, and subscribes.
    async fn connect(&self) -> Result<(Session, mpsc::Receiver<Incoming>), Fault> {
        let MqttInSettings { broker, status_topic, server_status_topic, subscribe, .. } = &self.settings;
        let will = server_status_topic.clone().map(|topic| Will { topic, payload: "error".to_owned() });
        let (sender, messages) = mpsc::channel(WAITING);
        let handlers = self.handlers.clone();
        let wants = Arc::new(move |topic: &str| handlers.iter().any(|handler| handler.wants(topic)));
        let session = Session::open_with(broker, will.as_ref(), Some(Inbox { wants, messages: sender })).await?;
        let connected = format!("Connected to MQTT broker {} with client ID {}", broker.shown(), broker.client_id());
        for (topic, payload) in [(status_topic, connected), (server_status_topic, "start".to_owned())] {
            let Some(topic) = topic.clone() else { continue };
            let publication = Publication { topic, payload: payload.into(), content_type: Some("text/plain".to_owned()), key: None };
            match session.publish(&publication).await {
                Ok(()) => {}
                Err(fault) if session.has_ended() => return Err(fault),
                // Whoever may not say it may still hear.
                Err(fault) => tracing::warn!(topic = publication.topic, %fault, "The MQTT broker does not take the status."),
            }
        }
        if !self.handlers.is_empty() {
            session.subscribe(subscribe).await?;
        }
        Ok((session, messages))
    }

    /// Hears and publishes until the connection ends, which gives its fault, or is to end, which gives none.
    async fn attend(&self, session: &Session, messages: mpsc::Receiver<Incoming>, stop: &Stop) -> Option<Fault> {
        let given_up = Stop::new();
        let mut hearing = pin!(self.hear(session, messages, stop, &given_up));
        tokio::select! {
            biased;
            ended = &mut hearing => ended,
            fault = self.publisher.drain(session) => {
                // Whoever is handling a message handles it to its end.
                given_up.cancel();
                hearing.await;
                Some(fault)
            }
        }
    }

    /// Hands messages over until the connection ends, which gives its fault, or is to end or is given up, which gives none.
    async fn hear(&self, session: &Session, mut messages: mpsc::Receiver<Incoming>, stop: &Stop, given_up: &Stop) -> Option<Fault> {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    // A broker that does not answer is left all the same.
                    let parting = async {
                        let _ = self.publisher.flush(session).await;
                        session.leave().await;
                    };
                    let _ = timeout(PARTING, parting).await;
                    return None;
                }
                Some(message) = messages.recv() => self.hand_over(message).await,
                fault = session.ended() => {
                    // What has been acknowledged is still to be done.
                    while let Ok(message) = messages.try_recv() {
                        self.hand_over(message).await;
                    }
                    return Some(fault);
                }
                () = given_up.cancelled() => return None,
            }
        }
    }

    async fn hand_over(&self, message: Incoming) {
        for handler in self.handlers.iter().filter(|handler| handler.wants(&message.topic)) {
            let Some(answer) = handler.handle(message.clone()).await else { continue };
            if let Err(fault) = self.publisher.publish(&answer).await {
                tracing::warn!(topic = answer.topic, %fault, "An answer to a message from the MQTT broker is lost.");
            }
        }
    }

    fn silent(&self) -> Fault {
        let limit = humantime::format_duration(OPENING);
        Fault::new(FaultKind::Timeout, format!("{} did not let us in within {limit}", self.settings.broker.shown()))
    }
}

/// The wait after so many failures in a row.
fn pause(failures: u32) -> Duration {
    SHORTEST_WAIT.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_limit() {
        assert_eq!([1, 2, 3, 6, 7, 8, u32::MAX].map(|failures| pause(failures).as_secs()), [1, 2, 4, 32, 60, 60, 60]);
    }
}
