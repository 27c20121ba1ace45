//! Butler at an MQTT broker: it says there that it is up, and takes messages.
//!
//! This is the connection that is always there, as opposed to that of a sink `mqtt`, which is opened by the first message. It is tried again for as long as the
//! broker can't be reached; nothing else waits for it.
//!
//! # What is said
//! Whenever the connection is made, `Connected to MQTT broker HOST:PORT with client ID ID` is published to `status_topic`, and `start` to `server_status_topic`. The last will
//! is `error` at `server_status_topic`: the broker publishes it when the connection ends in any way but in order, so that somebody who sees `error` last knows that
//! nobody can be expected to hear of a failed reload by MQTT. After an end in order nothing is said.
//!
//! # What is heard
//! With a [`MessageHandler`], what is published to a topic that `subscribe` stands for is handed to it, one message after the other. The subscription is made anew each time
//! the connection is. Messages are taken at most once: they are acknowledged as they arrive, and the broker keeps none while nobody is there. A handler
//! may answer; [`StartTask`] is one, by which a task is started; an [`MqttPublisher`] says other things over the same connection.

mod publisher;
mod queue;
mod source;
#[cfg(feature = "qlik")]
mod start_task;

pub use publisher::{MqttPublisher, QueueFull};
pub use source::{MessageHandler, MqttInSettings, MqttInSource};
#[cfg(feature = "qlik")]
pub use start_task::StartTask;

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;
