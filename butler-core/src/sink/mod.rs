//! Where messages go.
//!
//! A [`Sink`] knows one kind of remote: how a message to it looks, and how to hand it over once. It knows nothing of retries, of
//! order, of rate limits: it makes one attempt and says how it went, and whether trying again may help. Everything
//! else is the pipeline's, and so is the same for every sink.
//!
//! A sink comes into being from a [`SinkConfig`], found by its type's name in a [`Registry`].

mod error;
#[cfg(any(feature = "sink-email", feature = "sink-http", feature = "sink-mqtt"))]
mod handshake;
#[cfg(any(feature = "sink-newrelic", feature = "sink-webhook"))]
mod headers;
#[cfg(feature = "sink-http")]
mod http;
#[cfg(any(
    feature = "sink-email",
    feature = "sink-influxdb",
    feature = "sink-mqtt",
    feature = "sink-signl4",
    feature = "sink-slack",
    feature = "sink-teams"
))]
mod kinds;
mod message;
mod registry;
pub mod rehearsal;
pub mod sample;
#[cfg(any(feature = "sink-email", feature = "sink-slack", feature = "sink-teams"))]
mod templates;
pub mod words;

#[cfg(feature = "sink-archive")]
pub mod archive;
#[cfg(feature = "sink-email")]
pub mod email;
#[cfg(feature = "sink-influxdb")]
pub mod influxdb;
#[cfg(feature = "sink-mqtt")]
pub mod mqtt;
#[cfg(feature = "sink-newrelic")]
pub mod new_relic;
#[cfg(feature = "sink-signl4")]
pub mod signl4;
#[cfg(feature = "sink-slack")]
pub mod slack;
#[cfg(feature = "sink-teams")]
pub mod teams;
#[cfg(feature = "sink-webhook")]
pub mod webhook;

pub use error::{DeliveryError, Reason, Retry};
pub use message::{Links, Message, NamedLink, Receipt, RenderError, Rendering, SiteInfo, TargetRequest};
pub use registry::{BuildError, Registry, SinkConfig, SinkContext};
pub use words::UserForm;

use async_trait::async_trait;

use crate::event::{DeliveryId, Event, Needs, Target};

/// Hands messages to one kind of remote.
///
/// # Contract
/// * `targets` is pure and gives the same for the same input; a fact that is not known leans towards telling people when something
///   went wrong. Duplicates are left out. It never holds a secret, for it is stored and shown.
/// * `render` and `plain` are pure: no I/O, no secret in the result. `plain` needs no template and no fact, and cannot fail.
/// * `deliver` makes one attempt. `Ok` means that the remote has accepted the message (SMTP 250, HTTP 2xx, MQTT PUBACK), nothing less.
/// * An error says whether trying again may help, and when. It holds no secret, nor does `Debug` of the sink.
/// * The idempotency key goes out with every attempt, where the remote has a place for it.
/// * `check` reaches the remote without sending anything to people.
///
/// # Cancellation
/// `deliver` may be dropped at any await when its time is up; what it held (connections, files) is given back.
#[async_trait]
pub trait Sink: std::fmt::Debug + Send + Sync + 'static {
    /// Where within this sink a message about the event goes. Empty: nowhere, and the journal says so.
    fn targets(&self, request: &TargetRequest<'_>) -> Vec<Target>;

    /// What has to be known before [`targets`](Self::targets) can be decided.
    fn deciding_needs(&self) -> Needs {
        Needs::NONE
    }

    /// What its messages show. The pipeline waits for these within its budget, then sends with what there is.
    fn needs(&self) -> Needs {
        Needs::NONE
    }

    /// The message for a target.
    ///
    /// # Errors
    /// A template that can't be read or rendered, a message too long: the message then leaves by [`plain`](Self::plain), with the fault shown.
    fn render(&self, rendering: &Rendering<'_>) -> Result<Message, RenderError>;

    /// The message in plain words, with a line that says what is wrong with the template.
    fn plain(&self, rendering: &Rendering<'_>, fault: &str) -> Message;

    /// Makes one attempt.
    ///
    /// # Errors
    /// [`DeliveryError`], with the reason and whether to try again.
    async fn deliver(&self, delivery: &Delivery<'_>) -> Result<Receipt, DeliveryError>;

    /// Makes one attempt for several, within the time that one attempt may take; results stand in the order of the deliveries. If all are refused, for a reason that may
    /// be that of one of them (rejected, too large, malformed), each is tried singly by the pipeline, so that a bad one fails alone; so whatever the remote took
    /// of a batch that it refused has to do no harm when it is taken again.
    async fn deliver_many(&self, deliveries: &[Delivery<'_>]) -> Vec<Result<Receipt, DeliveryError>> {
        let mut results = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            results.push(self.deliver(delivery).await);
        }
        results
    }

    /// How many deliveries [`deliver_many`](Self::deliver_many) takes at once.
    fn max_batch(&self) -> usize {
        1
    }

    /// Whether a failure for this reason says that the sink is down as a whole. Where each target has a login of its own, a login that is refused concerns that
    /// target alone.
    fn takes_down(&self, reason: Reason) -> bool {
        reason.concerns_sink()
    }

    /// Whether the remote can be reached and takes us.
    ///
    /// # Errors
    /// [`DeliveryError`], as an attempt would give it.
    async fn check(&self) -> Result<Receipt, DeliveryError>;
}

/// One attempt.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The idempotency key: the same for every attempt of this delivery.
    pub key: DeliveryId,
    /// The event.
    pub event: &'a Event,
    /// To where within the sink.
    pub target: &'a Target,
    /// What to send.
    pub message: &'a Message,
    /// 1 for the first attempt.
    pub attempt: u32,
}
