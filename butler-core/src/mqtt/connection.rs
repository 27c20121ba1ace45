//! Connections: one that is open, and one that opens itself when it is needed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::broker::Broker;
use super::fault::{Fault, FaultKind};
use super::wire::{self, End, Inbox, Link, Publication, Will};

/// An open connection. Dropping it ends it, without a farewell.
pub struct Session {
    link: Arc<dyn Link>,
    end: End,
    traffic: JoinHandle<()>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("has_ended", &self.has_ended()).finish_non_exhaustive()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.traffic.abort();
    }
}

impl Session {
    /// Connects, and waits until the broker has let us in; takes as long as the broker does.
    ///
    /// # Errors
    /// [`Fault`]: nobody there, a certificate that is not trusted, a refused login.
    ///
    /// # Cancellation
    /// Dropping it gives up the connection.
    pub async fn open(broker: &Arc<Broker>, will: Option<&Will>) -> Result<Self, Fault> {
        Self::open_with(broker, will, None).await
    }

    pub(crate) async fn open_with(broker: &Arc<Broker>, will: Option<&Will>, inbox: Option<Inbox>) -> Result<Self, Fault> {
        let opened = wire::open(broker, will, inbox).await?;
        Ok(Self { link: opened.link, end: opened.end, traffic: tokio::spawn(opened.run) })
    }

    /// Publishes, and waits until the broker has acknowledged it.
    ///
    /// # Errors
    /// [`Fault`]: the broker refuses it, or the connection has ended.
    ///
    /// # Cancellation
    /// A dropped publication may still arrive.
    pub async fn publish(&self, publication: &Publication) -> Result<(), Fault> {
        self.link.publish(publication).await
    }

    /// Subscribes to a filter of topics, and waits until the broker has acknowledged it.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn subscribe(&self, filter: &str) -> Result<(), Fault> {
        self.link.subscribe(filter).await
    }

    /// Takes leave of the broker, which then forgets the last will, and waits until the connection has ended.
    pub async fn leave(&self) {
        self.link.leave().await;
        self.end.wait().await;
    }

    /// Waits for the end of the connection; gives its reason.
    pub async fn ended(&self) -> Fault {
        self.end.wait().await
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.end.has_come()
    }
}

/// A connection that is opened when something is to be published, and again when it has ended.
#[derive(Debug)]
pub struct Connection {
    broker: Arc<Broker>,
    timeout: Duration,
    slot: Mutex<Slot>,
    /// How many times opening it has come to an end, well or not.
    tries: AtomicU64,
}

#[derive(Debug, Default)]
struct Slot {
    session: Option<Arc<Session>>,
    failed: Option<Fault>,
}

impl Connection {
    /// To this broker. A publication may take `timeout`, and at most half of it to connect.
    #[must_use]
    pub fn new(broker: Broker, timeout: Duration) -> Self {
        Self { broker: Arc::new(broker), timeout, slot: Mutex::default(), tries: AtomicU64::new(0) }
    }

    /// The broker.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// Publishes, and waits until the broker has acknowledged it.
    ///
    /// # Errors
    /// [`Fault`]: no connection, the broker refuses the message, no answer in time.
    ///
    /// # Cancellation
    /// Dropping it gives back what it held; the message may still arrive.
    pub async fn publish(&self, publication: &Publication) -> Result<(), Fault> {
        let mut used = None;
        let publishing = async {
            let session = used.insert(self.session().await?);
            session.publish(publication).await
        };
        match tokio::time::timeout(self.timeout, publishing).await {
            Ok(done) => done,
            Err(_) => {
                if let Some(silent) = used {
                    self.retire(&silent).await;
                }
                Err(self.timed_out("acknowledge the message"))
            }
        }
    }

    /// Makes sure that there is a connection.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn reach(&self) -> Result<(), Fault> {
        let reaching = tokio::time::timeout(self.timeout, self.session()).await;
        reaching.unwrap_or_else(|_| Err(self.timed_out("let us in"))).map(drop)
    }

    async fn session(&self) -> Result<Arc<Session>, Fault> {
        let tries = self.tries.load(Ordering::Acquire);
        let mut slot = self.slot.lock().await;
        if let Some(session) = slot.session.as_ref().filter(|session| !session.has_ended()) {
            return Ok(Arc::clone(session));
        }
        // Whoever has waited while somebody else tried in vain need not try for itself.
        if let Some(fault) = slot.failed.as_ref().filter(|_| self.tries.load(Ordering::Acquire) != tries) {
            return Err(fault.clone());
        }
        *slot = Slot::default();
        let opened = tokio::time::timeout(self.timeout / 2, Session::open(&self.broker, None)).await;
        self.tries.fetch_add(1, Ordering::AcqRel);
        match opened.unwrap_or_else(|_| Err(self.timed_out("let us in"))) {
            Ok(session) => Ok(Arc::clone(slot.session.insert(Arc::new(session)))),
            Err(fault) => Err(slot.failed.insert(fault).clone()),
        }
    }

    /// Lets nobody use a connection any more that does not answer; what is under way on it may still be answered.
    async fn retire(&self, silent: &Arc<Session>) {
        let mut slot = self.slot.lock().await;
        if slot.session.as_ref().is_some_and(|session| Arc::ptr_eq(session, silent)) {
            slot.session = None;
        }
    }

    fn timed_out(&self, what: &str) -> Fault {
        let limit = humantime::format_duration(self.timeout);
        Fault::new(FaultKind::Timeout, format!("{} did not {what} in time (`timeout` is {limit})", self.broker.shown()))
    }
}
