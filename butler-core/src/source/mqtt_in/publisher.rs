//! Publishing over the connection that is always there.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::mqtt::{Fault, FaultKind, Publication, Session};

/// How long the broker may take to acknowledge a message.
const ACKNOWLEDGING: Duration = Duration::from_secs(10);
/// How many messages may wait for a connection.
const MOST_QUEUED: usize = 1024;

/// Publishes over the connection of an [`MqttInSource`](super::MqttInSource), for whoever has something to say that is no event. Clones are the same.
#[derive(Debug, Clone)]
pub struct MqttPublisher {
    session: watch::Sender<Option<Arc<Session>>>,
    queue: Arc<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<VecDeque<Publication>>,
    more: Notify,
}

/// So much waits for the broker already that no more is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MOST_QUEUED} messages wait for the MQTT broker already; see in the log why it takes none")]
pub struct QueueFull;

impl Default for MqttPublisher {
    fn default() -> Self {
        Self { session: watch::Sender::new(None), queue: Arc::default() }
    }
}

impl MqttPublisher {
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
        publish(&session, publication).await
    }

    /// Publishes it as soon as there is a connection, after what was queued before. What the broker refuses, and what still waits when the process ends, is lost; the
    /// log says so.
    ///
    /// # Errors
    /// [`QueueFull`].
    pub fn queue(&self, publication: Publication) -> Result<(), QueueFull> {
        let mut waiting = self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MOST_QUEUED {
            return Err(QueueFull);
        }
        waiting.push_back(publication);
        self.queue.more.notify_one();
        Ok(())
    }

    pub(super) fn set(&self, session: Option<Arc<Session>>) {
        self.session.send_replace(session);
    }

    /// Publishes what is queued, as long as the connection is there.
    pub(super) async fn drain(&self, session: &Session) -> Infallible {
        loop {
            let Some(next) = self.first() else {
                self.queue.more.notified().await;
                continue;
            };
            match publish(session, &next).await {
                Ok(()) => {}
                // The next connection has it again.
                Err(_) if session.has_ended() => return pending().await,
                Err(fault) => tracing::warn!(topic = next.topic, %fault, "A message that was to be published over MQTT is lost."),
            }
            self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        }
    }

    /// How much waits still.
    pub(super) fn waiting(&self) -> usize {
        self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn first(&self) -> Option<Publication> {
        self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner).front().cloned()
    }
}

async fn publish(session: &Session, publication: &Publication) -> Result<(), Fault> {
    timeout(ACKNOWLEDGING, session.publish(publication)).await.unwrap_or_else(|_| {
        let limit = humantime::format_duration(ACKNOWLEDGING);
        Err(Fault::new(FaultKind::Timeout, format!("the MQTT broker did not acknowledge the message within {limit}")))
    })
}
