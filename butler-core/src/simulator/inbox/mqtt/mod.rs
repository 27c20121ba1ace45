//! A broker that keeps what is published, with a script of bad days.

mod packet;
mod session;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::certificates::server_config;
use super::gate::Gate;
use crate::simulator::kept::Kept;
use crate::tls::Identity;
use session::Session;

/// What the broker offers and asks for.
#[derive(Debug, Clone, Default)]
pub struct MqttOptions {
    /// Its certificate, if it speaks TLS.
    pub tls: Option<Identity>,
    /// The user and password that a client has to log in with.
    pub login: Option<(String, String)>,
    /// The longest packet that it takes, as it tells clients of version 5.
    pub max_packet_size: Option<u32>,
}

/// A message that was published and acknowledged, or a last will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Where.
    pub topic: String,
    /// What, as text.
    pub payload: String,
    /// 0 or 1.
    pub qos: u8,
    /// Whether the broker was to keep it for those who come later.
    pub retain: bool,
    /// User properties of version 5.
    pub properties: Vec<(String, String)>,
    /// Content type of version 5.
    pub content_type: Option<String>,
    /// Whether it is the last will of a client that went without a farewell.
    pub is_will: bool,
}

/// A client that was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MqttClient {
    /// 4 for MQTT 3.1.1, and 5.
    pub version: u8,
    /// The name of its session.
    pub client_id: String,
    /// As whom it logged in.
    pub user: Option<String>,
    /// Seconds.
    pub keep_alive: u16,
    /// Whether it came over TLS.
    pub over_tls: bool,
    /// Topic and payload of its last will.
    pub will: Option<(String, String)>,
}

/// What becomes of a message that is published.
#[derive(Debug, Clone)]
pub enum MqttAnswer {
    /// It is acknowledged with a reason of version 5, and with words. From 128 on that is a refusal.
    Reason(u8, String),
    /// The connection is closed.
    Drop,
    /// The connection is closed in the middle of the acknowledgement.
    Half,
    /// It is acknowledged once the gate is open.
    Hold(Gate),
}

/// A broker, on a free port of the loopback. It takes everything, unless its script says otherwise.
pub struct MqttInbox {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: AbortHandle,
}

struct Shared {
    options: MqttOptions,
    received: Kept<Published>,
    clients: Kept<MqttClient>,
    subscriptions: Kept<String>,
    refusal: Mutex<Option<u8>>,
    refused_filters: Mutex<bool>,
    answer: Mutex<Option<MqttAnswer>>,
    /// Ends every connection when it changes.
    kicks: watch::Sender<u64>,
    outgoing: broadcast::Sender<(String, Vec<u8>)>,
}

impl fmt::Debug for MqttInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MqttInbox({})", self.address)
    }
}

fn set<T>(place: &Mutex<T>, value: T) {
    *place.lock().unwrap_or_else(PoisonError::into_inner) = value;
}

impl MqttInbox {
    /// Starts one.
    ///
    /// # Errors
    /// No port is to be had, a key that does not fit its certificate.
    pub async fn start(options: MqttOptions) -> io::Result<Self> {
        let tls = options.tls.clone().map(server_config).transpose()?.map(TlsAcceptor::from);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            options,
            received: Kept::default(),
            clients: Kept::default(),
            subscriptions: Kept::default(),
            refusal: Mutex::default(),
            refused_filters: Mutex::default(),
            answer: Mutex::default(),
            kicks: watch::Sender::new(0),
            outgoing: broadcast::Sender::new(1024),
        });
        let server = tokio::spawn(accept(listener, tls, Arc::clone(&shared))).abort_handle();
        Ok(Self { address, shared, server })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses every client from now on with this code of a CONNACK, and ends the connections that there are.
    pub fn refuse(&self, code: u8) {
        set(&self.shared.refusal, Some(code));
        self.end_connections();
    }

    /// Refuses every subscription from now on.
    pub fn refuse_subscriptions(&self) {
        set(&self.shared.refused_filters, true);
    }

    /// Ends the connections that there are, without a word.
    pub fn end_connections(&self) {
        self.shared.kicks.send_modify(|count| *count += 1);
    }

    /// Answers so to every message from now on.
    pub fn answer_always(&self, answer: MqttAnswer) {
        set(&self.shared.answer, Some(answer));
    }

    /// Forgets the script.
    pub fn behave(&self) {
        set(&self.shared.refusal, None);
        set(&self.shared.refused_filters, false);
        set(&self.shared.answer, None);
    }

    /// Sends a message to everybody who has subscribed to something that fits.
    pub fn publish(&self, topic: &str, payload: impl Into<Vec<u8>>) {
        // Without clients there is nobody to send it to.
        let _ = self.shared.outgoing.send((topic.to_owned(), payload.into()));
    }

    /// What was published and acknowledged, and last wills; the latest twenty thousand.
    #[must_use]
    pub fn published(&self) -> Vec<Published> {
        self.shared.received.all()
    }

    /// Waits until `count` messages were published in all.
    pub async fn wait_for(&self, count: usize) -> Vec<Published> {
        self.shared.received.wait_for(count).await
    }

    /// The clients that were let in, in order.
    #[must_use]
    pub fn clients(&self) -> Vec<MqttClient> {
        self.shared.clients.all()
    }

    /// Waits until `count` filters were subscribed to in all.
    pub async fn subscriptions(&self, count: usize) -> Vec<String> {
        self.shared.subscriptions.wait_for(count).await
    }
}

impl Drop for MqttInbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    // Connections end with the server: the set aborts what it holds.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let (shared, tls) = (Arc::clone(&shared), tls.clone());
        connections.spawn(async move {
            // A client that goes away is none of our business.
            let _ = match tls {
                None => Session::new(Box::new(stream), &shared, false).run().await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => Session::new(Box::new(stream), &shared, true).run().await,
                    Err(why) => Err(why),
                },
            };
        });
    }
}
