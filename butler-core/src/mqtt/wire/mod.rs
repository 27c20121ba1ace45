//! The protocol: what we need of a client crate, and nothing else of it. Each version of MQTT is one file, and the only one that knows its crate.

mod v3;
mod v5;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::broker::Broker;
use super::config::MqttVersion;
use super::fault::{Fault, FaultKind};

/// How many requests may wait for the connection to take them; whoever comes then waits.
const WAITING: usize = 64;
/// The longest message that is taken in, in bytes.
const LONGEST_INCOMING: u32 = 1 << 20;
/// The longest that the protocol knows.
const LONGEST_OUTGOING: usize = 268_435_455;
/// What a publication holds beside topic, payload and properties, at most.
const OVERHEAD: usize = 64;

/// What is published, with QoS 1 and not retained.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Publication {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Bytes,
    /// The idempotency key, which goes out as the user property `idempotency-key`; MQTT 3.1.1 has no place for it.
    pub key: Option<String>,
    /// MIME type of the payload, where the protocol has a place for it.
    pub content_type: Option<String>,
}

/// What the broker publishes if the connection ends without a farewell, with QoS 1 and not retained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: String,
}

/// A message that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Where it was published.
    pub topic: String,
    /// What it says.
    pub payload: Bytes,
}

/// Where messages that come in go: those that somebody wants, as long as there is room. The connection never waits for it, for while it does nothing is acknowledged.
#[derive(Clone)]
pub(crate) struct Inbox {
    pub(crate) wants: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    pub(crate) messages: mpsc::Sender<Incoming>,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inbox")
    }
}

impl Inbox {
    fn offer(&self, topic: &[u8], payload: &Bytes) {
        let topic = String::from_utf8_lossy(topic);
        if !(self.wants)(&topic) {
            return;
        }
        if let Err(why) = self.messages.try_send(Incoming { topic: topic.clone().into_owned(), payload: payload.clone() }) {
            tracing::warn!(%topic, %why, "A message from the MQTT broker is dropped.");
        }
    }
}

/// What can be done over an open connection.
#[async_trait]
pub(super) trait Link: fmt::Debug + Send + Sync {
    /// Resolves when the broker has acknowledged the publication.
    async fn publish(&self, publication: &Publication) -> Result<(), Fault>;

    /// Resolves when the broker has acknowledged the subscription, with QoS 1.
    async fn subscribe(&self, filter: &str) -> Result<(), Fault>;

    /// Takes leave: the broker forgets the last will.
    async fn leave(&self);
}

/// A connection that the broker has let in.
pub(super) struct Opened {
    pub(super) link: Arc<dyn Link>,
    /// Carries all traffic; to be polled until it ends, which is when the connection does.
    pub(super) run: Pin<Box<dyn Future<Output = ()> + Send>>,
    pub(super) end: End,
}

/// Connects, and waits until the broker has let us in.
pub(super) async fn open(broker: &Arc<Broker>, will: Option<&Will>, inbox: Option<Inbox>) -> Result<Opened, Fault> {
    match broker.version {
        MqttVersion::V3 => v3::open(broker, will, inbox).await,
        MqttVersion::V5 => v5::open(broker, will, inbox).await,
    }
}

/// The end of a connection, which comes once.
#[derive(Debug, Clone)]
pub(super) struct End(watch::Receiver<Option<Fault>>);

impl End {
    fn channel() -> (watch::Sender<Option<Fault>>, Self) {
        let (sender, receiver) = watch::channel(None);
        (sender, Self(receiver))
    }

    /// Whether it has come.
    pub(super) fn has_come(&self) -> bool {
        self.0.borrow().is_some() || self.0.has_changed().is_err()
    }

    /// Why the connection ended, once it has.
    pub(super) async fn wait(&self) -> Fault {
        let mut receiver = self.0.clone();
        // Without a sender nobody carries the traffic any more.
        let _ = receiver.wait_for(Option::is_some).await;
        self.reason()
    }

    /// Why it ended, for whoever knows that it has.
    fn reason(&self) -> Fault {
        self.0.borrow().clone().unwrap_or_else(|| Fault::new(FaultKind::Unreachable, "the connection to the broker was given up"))
    }

    /// What becomes of a request; the end of the connection is the end of it as well.
    async fn or<T>(&self, request: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        tokio::select! {
            biased;
            done = request => done,
            fault = self.wait() => Err(fault),
        }
    }
}

/// A stream for a client crate that wants to connect by itself. It gets it once: a connection that has ended is not made up for behind our back.
fn only_once<S>(stream: S) -> impl Fn() -> std::io::Result<S> {
    let stream = std::sync::Mutex::new(Some(stream));
    move || {
        let taken = stream.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        taken.ok_or_else(|| std::io::Error::other("the connection has ended"))
    }
}
