//! Publishing over the connection that is always there.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::queue::Queue;
pub use super::queue::QueueFull;
use crate::clock::{Clock, SystemClock};
use crate::mqtt::{Fault, FaultKind, Publication, Session};

/// How long the broker may take to acknowledge a message.
const ACKNOWLEDGING: Duration = Duration::from_secs(10);
/// A message with which so many connections have ended is given up: it may well be what ends them.
const MOST_CONNECTIONS: u32 = 2;

/// Publishes over the connection of an [`MqttInSource`](super::MqttInSource), for whoever has something to say that is no event. Clones are the same.
#[derive(Debug, Clone)]
pub struct MqttPublisher {
    session: watch::Sender<Option<Arc<Session>>>,
    queue: Arc<Mutex<Queue>>,
    /// Changes with everything that is queued.
    queued: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
}

impl Default for MqttPublisher {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock::default()))
    }
}

impl MqttPublisher {
    /// Without a connection yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { session: watch::Sender::new(None), queue: Arc::default(), queued: watch::Sender::new(0), clock }
    }

    /// Publishes, and waits until the broker has acknowledged it.
    ///
    /// # Errors
    /// [`Fault`]: there is no connection at the moment, the broker refuses the message, or does not answer in time.
    ///
    /// # Cancellation
    /// A dropped publication may still arrive.
    pub async fn publish(&self, publication: &Publication) -> Result<(), Fault> {
        let session = self.session.borrow().clone();
        let session =
            session.ok_or_else(|| Fault::new(FaultKind::Unreachable, "there is no connection to the MQTT broker at the moment"))?;
        self.acknowledged(&session, publication).await
    }

    /// Publishes it as soon as there is a connection, after what was queued before: at least once, and once more if the connection ends before the broker has acknowledged it. What the
    /// broker refuses, what two connections have ended with, and what still waits when the process ends, is lost; the log says so.
    ///
    /// # Errors
    /// [`QueueFull`].
    pub fn queue(&self, publication: Publication) -> Result<(), QueueFull> {
        self.locked(|queue| queue.push(publication))?;
        self.queued.send_modify(|count| *count = count.wrapping_add(1));
        Ok(())
    }

    pub(super) fn set(&self, session: Option<Arc<Session>>) {
        self.session.send_replace(session);
    }

    /// Publishes what is queued for as long as the connection does its work; gives why it does not.
    pub(super) async fn drain(&self, session: &Session) -> Fault {
        let mut queued = self.queued.subscribe();
        loop {
            if let Err(fault) = self.flush(session).await {
                return fault;
            }
            // The sender is our own.
            let _ = queued.changed().await;
        }
    }

    /// Publishes what is queued now.
    ///
    /// # Errors
    /// The connection has ended, or the broker does not answer over it; what was under way is queued still, unless it was under way for the second time.
    pub(super) async fn flush(&self, session: &Session) -> Result<(), Fault> {
        while let Some(next) = self.locked(|queue| queue.first()) {
            match self.acknowledged(session, &next).await {
                Ok(()) => self.locked(Queue::done),
                Err(fault) if session.has_ended() || fault.kind == FaultKind::Timeout => {
                    if self.locked(|queue| queue.interrupted(MOST_CONNECTIONS)) {
                        let topic = next.topic;
                        tracing::error!(topic, %fault, "A message that was to be published over MQTT is given up: {MOST_CONNECTIONS} connections have ended with it. It may have arrived.");
                    }
                    return Err(fault);
                }
                Err(fault) => {
                    tracing::error!(topic = next.topic, %fault, "The MQTT broker does not take a message; it is lost.");
                    self.locked(Queue::done);
                }
            }
        }
        Ok(())
    }

    /// Says what is lost because nothing more is published.
    pub(super) fn close(&self) {
        let lost = self.locked(|queue| queue.len());
        if lost > 0 {
            tracing::error!(lost, "Messages that were to be published over MQTT are lost, for Butler ends.");
        }
    }

    async fn acknowledged(&self, session: &Session, publication: &Publication) -> Result<(), Fault> {
        tokio::select! {
            biased;
            outcome = session.publish(publication) => outcome,
            () = self.clock.sleep(ACKNOWLEDGING) => {
                let limit = humantime::format_duration(ACKNOWLEDGING);
                Err(Fault::new(FaultKind::Timeout, format!("the MQTT broker did not acknowledge the message within {limit}")))
            }
        }
    }

    fn locked<R>(&self, work: impl FnOnce(&mut Queue) -> R) -> R {
        work(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
