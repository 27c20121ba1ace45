//! Single attempts, as the suite makes them.

use super::{Remote, SinkHarness};
use crate::event::{DeliveryId, SinkName, TaskOutcome};
use crate::sink::{Delivery, DeliveryError, Message, Receipt, Sink};
use crate::testkit::sink_samples::Sample;

pub(super) fn failed() -> Sample {
    Sample::reload(TaskOutcome::Failed)
}

/// The sample as the sink's first target has it, and its message.
pub(super) fn prepared(sink: &dyn Sink, mut sample: Sample) -> (Sample, Message) {
    sample.target = sink.targets(&sample.request()).into_iter().next().unwrap_or_else(|| panic!("{sink:?} sends this nowhere"));
    let rendered = sink.render(&sample.rendering());
    let message = rendered.unwrap_or_else(|fault| sink.plain(&sample.rendering(), &fault.to_string()));
    (sample, message)
}

pub(super) async fn attempt(sink: &dyn Sink, sample: Sample, attempt: u32) -> Result<Receipt, DeliveryError> {
    let (sample, message) = prepared(sink, sample);
    let key = DeliveryId::of(sample.event.id, &SinkName::from("under-test"), &sample.target);
    sink.deliver(&Delivery { key, event: &sample.event, target: &sample.target, message: &message, attempt }).await
}

pub(super) async fn error(sink: &dyn Sink) -> DeliveryError {
    match attempt(sink, failed(), 1).await {
        Ok(receipt) => panic!("the attempt succeeded: {receipt:?}"),
        Err(error) => error,
    }
}

/// The error that the remote's behaviour leads to; `None` if it never behaves so.
pub(super) async fn error_when<H: SinkHarness>(remote: Remote) -> Option<DeliveryError> {
    let harness = H::start().await;
    if !harness.remote(remote) {
        return None;
    }
    Some(error(&*harness.sink()).await)
}

/// Everything that an error says, with what lies beneath.
pub(super) fn all_words(error: &DeliveryError) -> String {
    let mut words = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        words.push_str(&format!(" {inner} {inner:?}"));
        source = inner.source();
    }
    words
}
