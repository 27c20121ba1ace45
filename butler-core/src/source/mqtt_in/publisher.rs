//! Publishing over the connection that is always there.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::mqtt::{Fault, FaultKind, Publication, Session};

/// How long the broker may take to acknowledge a message.
const ACKNOWLEDGING: Duration = Duration::from_secs(10);

/// Publishes over the connection of an [`MqttInSource`](super::MqttInSource), for whoever has something to say that is no event. Clones are the same.
#[derive(Debug, Clone)]
pub struct MqttPublisher(watch::Sender<Option<Arc<Session>>>);

impl Default for MqttPublisher {
    fn default() -> Self {
        Self(watch::Sender::new(None))
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
        let session = self.0.borrow().clone();
        let session =
            session.ok_or_else(|| Fault::new(FaultKind::Unreachable, "there is no connection to the MQTT broker at the moment"))?;
        timeout(ACKNOWLEDGING, session.publish(publication)).await.unwrap_or_else(|_| {
            let limit = humantime::format_duration(ACKNOWLEDGING);
            Err(Fault::new(FaultKind::Timeout, format!("the MQTT broker did not acknowledge the message within {limit}")))
        })
    }

    pub(super) fn set(&self, session: Option<Arc<Session>>) {
        self.0.send_replace(session);
    }
}
