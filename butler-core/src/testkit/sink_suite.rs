//! The suite that every sink must pass: each test is a promise of [`Sink`]'s contract.
//!
//! Whoever writes a sink writes a [`SinkHarness`] for it, a remote that behaves as it is told, and names it in [`sink_suite!`](crate::sink_suite):
//!
//! ```ignore
//! butler_core::sink_suite!(pager_keeps_the_contract, PagerHarness);
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;

use super::Logs;
use super::sink_samples::Sample;
use crate::event::{DeliveryId, SinkName, TaskOutcome, TaskType};
use crate::simulator::inbox::Gate;
use crate::sink::{Delivery, DeliveryError, Message, Reason, Receipt, Retry, Sink};

/// The longest that an attempt of the sinks in the suite may take: harnesses make their sinks with it.
pub const TIMEOUT: Duration = Duration::from_secs(3);

/// A text that tries to start a line, and a header, of its own.
pub const INJECTION: &str = "x\r\nX-Injected: yes\r\n\r\n.\r\nMAIL FROM:<evil@example.com>\r\n";

/// How the remote answers the next attempts, until it is told otherwise.
#[derive(Debug, Clone)]
pub enum Remote {
    /// It accepts.
    Accepts,
    /// It takes the message and does not answer before the gate is open.
    Silent(Gate),
    /// Too many messages; it may say how long to wait.
    Throttles(Option<Duration>),
    /// It does not know who we are.
    RefusesLogin,
    /// It knows who we are, and that is the reason.
    Forbids,
    /// It does not want this message, now or later.
    RefusesMessage,
    /// It can't at the moment.
    IsBusy,
    /// It closes the connection instead of answering.
    Resets,
    /// It closes the connection in the middle of its answer.
    AnswersByHalf,
}

/// What arrived at the remote.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// The idempotency key, if the remote has a place for one.
    pub key: Option<String>,
    /// Headers or the like, for a remote that has such.
    pub headers: Vec<(String, String)>,
    /// Everything that was said, decoded.
    pub text: String,
}

/// A remote that behaves as it is told, and a sink that sends to it.
#[async_trait]
pub trait SinkHarness: Send + Sync + Sized + 'static {
    /// A remote that accepts, and its sink, made with [`TIMEOUT`].
    async fn start() -> Self;

    /// The sink.
    fn sink(&self) -> Arc<dyn Sink>;

    /// Changes how the remote answers. `false`: a remote of this sort never does that.
    fn remote(&self, remote: Remote) -> bool;

    /// What arrived and was, as far as the remote is concerned, accepted.
    fn received(&self) -> Vec<Received>;

    /// Every secret that the sink was made with: passwords, tokens, addresses.
    fn secrets(&self) -> Vec<String>;

    /// A sink like it, whose remote nobody listens for.
    async fn unreachable(&self) -> Arc<dyn Sink>;

    /// A sink like it, whose remote shows a certificate that is not trusted; `None` for remotes without TLS.
    async fn untrusted(&self) -> Option<Arc<dyn Sink>>;
}

fn failed() -> Sample {
    Sample::reload(TaskOutcome::Failed)
}

/// The sample as the sink's first target has it, and its message.
fn prepared(sink: &dyn Sink, mut sample: Sample) -> (Sample, Message) {
    sample.target = sink.targets(&sample.request()).into_iter().next().unwrap_or_else(|| panic!("{sink:?} sends this nowhere"));
    let rendered = sink.render(&sample.rendering());
    let message = rendered.unwrap_or_else(|fault| sink.plain(&sample.rendering(), &fault.to_string()));
    (sample, message)
}

async fn attempt(sink: &dyn Sink, sample: Sample, attempt: u32) -> Result<Receipt, DeliveryError> {
    let (sample, message) = prepared(sink, sample);
    let key = DeliveryId::of(sample.event.id, &SinkName::from("under-test"), &sample.target);
    sink.deliver(&Delivery { key, event: &sample.event, target: &sample.target, message: &message, attempt }).await
}

async fn error(sink: &dyn Sink) -> DeliveryError {
    match attempt(sink, failed(), 1).await {
        Ok(receipt) => panic!("the attempt succeeded: {receipt:?}"),
        Err(error) => error,
    }
}

/// The error that the remote's behaviour leads to; `None` if it never behaves so.
async fn error_when<H: SinkHarness>(remote: Remote) -> Option<DeliveryError> {
    let harness = H::start().await;
    if !harness.remote(remote) {
        return None;
    }
    Some(error(&*harness.sink()).await)
}

/// Everything that an error says, with what lies beneath.
fn all_words(error: &DeliveryError) -> String {
    let mut words = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        words.push_str(&format!(" {inner} {inner:?}"));
        source = inner.source();
    }
    words
}

/// An accepted message arrives once, and the receipt says something.
pub async fn accepted_is_ok<H: SinkHarness>() {
    let harness = H::start().await;
    let receipt = attempt(&*harness.sink(), failed(), 1).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(!receipt.detail.is_empty() && !receipt.detail.contains('\n'), "{receipt:?}");
    assert_eq!(harness.received().len(), 1);
}

/// Every sort of event can be sent, with everything known and with nothing.
pub async fn every_sample_arrives<H: SinkHarness>() {
    let harness = H::start().await;
    let samples = Sample::all();
    for (name, sample) in samples.iter().cloned() {
        attempt(&*harness.sink(), sample, 1).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert_eq!(harness.received().len(), samples.len());
}

/// The end of a task of every type can be sent, and of one whose type nobody knows.
pub async fn every_kind_of_task_arrives<H: SinkHarness>() {
    let harness = H::start().await;
    let mut count = 0;
    for task_type in TaskType::ALL.into_iter().map(Some).chain([None]) {
        for outcome in [TaskOutcome::Failed, TaskOutcome::Aborted, TaskOutcome::Success, TaskOutcome::Unsettled] {
            let sample = Sample::task_of(task_type, outcome);
            let kind = sample.event.kind.to_string();
            attempt(&*harness.sink(), sample, 1).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
            count += 1;
        }
    }
    assert_eq!(harness.received().len(), count);
}

/// A remote that does not answer is given up on in time, and tried again.
pub async fn silence_ends_in_a_timeout<H: SinkHarness>() {
    let gate = Gate::closed();
    if let Some(error) = error_when::<H>(Remote::Silent(gate.clone())).await {
        assert_eq!((error.reason, error.retry), (Reason::Timeout, Retry::Backoff), "{error}");
    }
}

/// 429 and its like.
pub async fn throttling_is_tried_again<H: SinkHarness>() {
    if let Some(error) = error_when::<H>(Remote::Throttles(None)).await {
        assert_eq!((error.reason, error.retry), (Reason::Throttled, Retry::Backoff), "{error}");
    }
}

/// The wait that the remote asks for is handed on.
pub async fn throttling_with_a_time_is_tried_after_it<H: SinkHarness>() {
    let wait = Duration::from_secs(7);
    if let Some(error) = error_when::<H>(Remote::Throttles(Some(wait))).await {
        assert_eq!((error.reason, error.retry), (Reason::Throttled, Retry::After(wait)), "{error}");
    }
}

/// A refused login is told apart from a refused message.
pub async fn a_refused_login_is_refused<H: SinkHarness>() {
    for remote in [Remote::RefusesLogin, Remote::Forbids] {
        if let Some(error) = error_when::<H>(remote).await {
            assert_eq!(error.reason, Reason::Refused, "{error}");
        }
    }
}

/// A message that the remote does not want is not tried again.
pub async fn a_refused_message_is_not_tried_again<H: SinkHarness>() {
    if let Some(error) = error_when::<H>(Remote::RefusesMessage).await {
        assert_eq!((error.reason, error.retry), (Reason::Rejected, Retry::Never), "{error}");
    }
}

/// A fault of the remote passes.
pub async fn a_busy_remote_is_tried_again<H: SinkHarness>() {
    if let Some(error) = error_when::<H>(Remote::IsBusy).await {
        assert_eq!((error.reason, error.retry), (Reason::ServerError, Retry::Backoff), "{error}");
    }
}

/// A connection that breaks is tried again.
pub async fn a_broken_connection_is_tried_again<H: SinkHarness>() {
    if let Some(error) = error_when::<H>(Remote::Resets).await {
        assert_eq!((error.reason, error.retry), (Reason::Unreachable, Retry::Backoff), "{error}");
    }
}

/// Half an answer is none: nobody knows whether the message was accepted, so it is tried again.
pub async fn half_an_answer_is_tried_again<H: SinkHarness>() {
    if let Some(error) = error_when::<H>(Remote::AnswersByHalf).await {
        assert_eq!(error.retry, Retry::Backoff, "{error}");
        assert!(matches!(error.reason, Reason::Unreachable | Reason::Protocol), "{error:?}");
    }
}

/// Nobody there: tried again.
pub async fn an_unreachable_remote_is_tried_again<H: SinkHarness>() {
    let harness = H::start().await;
    let error = error(&*harness.unreachable().await).await;
    assert_eq!((error.reason, error.retry), (Reason::Unreachable, Retry::Backoff), "{error}");
}

/// A certificate of somebody unknown is refused, as such, and nothing is sent.
pub async fn an_unknown_issuer_is_refused<H: SinkHarness>() {
    let harness = H::start().await;
    if let Some(sink) = harness.untrusted().await {
        let error = error(&*sink).await;
        assert_eq!((error.reason, error.retry), (Reason::Tls, Retry::Backoff), "{error}");
        assert!(harness.received().is_empty());
    }
}

/// After a failure the same sink delivers again, once.
pub async fn a_failed_attempt_leaves_the_sink_usable<H: SinkHarness>() {
    let harness = H::start().await;
    for remote in [Remote::IsBusy, Remote::Resets, Remote::AnswersByHalf, Remote::RefusesMessage] {
        if harness.remote(remote) {
            error(&*harness.sink()).await;
        }
    }
    harness.remote(Remote::Accepts);
    attempt(&*harness.sink(), failed(), 2).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(harness.received().len(), 1);
}

/// The same delivery goes out under the same key, another one under another.
pub async fn the_key_is_the_same_for_every_attempt<H: SinkHarness>() {
    let harness = H::start().await;
    let sink = harness.sink();
    for number in [1, 2] {
        attempt(&*sink, failed(), number).await.unwrap_or_else(|error| panic!("{error}"));
    }
    let mut other = failed();
    other.event.id = crate::event::EventId(uuid::Uuid::from_u128(7));
    attempt(&*sink, other, 1).await.unwrap_or_else(|error| panic!("{error}"));
    let keys: Vec<_> = harness.received().into_iter().map(|received| received.key).collect();
    if keys.iter().any(Option::is_some) {
        assert_eq!(keys[0], keys[1]);
        assert_ne!(keys[0], keys[2]);
    }
}

/// No error, no `Debug`, no message, no target and no log line holds a secret.
pub async fn secrets_are_never_shown<H: SinkHarness>() {
    let all = [
        Remote::Throttles(None),
        Remote::RefusesLogin,
        Remote::Forbids,
        Remote::RefusesMessage,
        Remote::IsBusy,
        Remote::Resets,
        Remote::AnswersByHalf,
        Remote::Silent(Gate::closed()),
    ];
    let logs = Logs::keep();
    let harness = H::start().await;
    let sink = harness.sink();
    let mut shown = vec![format!("{sink:?} {sink:#?}")];
    for (_, sample) in Sample::all() {
        let (sample, message) = prepared(&*sink, sample);
        shown.push(format!("{message:?} {:?} {}", sample.target, message.preview()));
    }
    for remote in all {
        if harness.remote(remote) {
            shown.push(all_words(&error(&*sink).await));
        }
    }
    let unreachable = harness.unreachable().await;
    shown.push(format!("{unreachable:?} {}", all_words(&error(&*unreachable).await)));
    if let Err(error) = unreachable.check().await {
        shown.push(all_words(&error));
    }
    if let Some(untrusted) = harness.untrusted().await {
        shown.push(format!("{untrusted:?} {}", all_words(&error(&*untrusted).await)));
    }
    shown.extend(logs.lines());
    for secret in harness.secrets() {
        for shown in &shown {
            assert!(!shown.contains(&secret), "the secret {secret} stands in: {shown}");
        }
    }
}

/// What an error says fits on a line and in a list.
pub async fn errors_are_one_short_line<H: SinkHarness>() {
    let harness = H::start().await;
    let mut errors = vec![error(&*harness.unreachable().await).await];
    if let Some(untrusted) = harness.untrusted().await {
        errors.push(error(&*untrusted).await);
    }
    for remote in [Remote::RefusesLogin, Remote::RefusesMessage, Remote::IsBusy, Remote::Resets, Remote::Throttles(None)] {
        errors.extend(error_when::<H>(remote).await);
    }
    for error in errors {
        let words = error.to_string();
        assert!((10..500).contains(&words.len()) && !words.contains(['\n', '\r']), "{words:?}");
    }
}

/// Who finds a certificate that is not trusted reads what to do about it.
pub async fn an_unknown_issuer_is_explained<H: SinkHarness>() {
    let harness = H::start().await;
    if let Some(sink) = harness.untrusted().await {
        let words = error(&*sink).await.to_string();
        assert!(words.contains("issuer") && words.contains("set `ca`"), "{words}");
    }
}

/// Rendering gives the same again, and so do targets and needs.
pub async fn rendering_is_pure<H: SinkHarness>() {
    let harness = H::start().await;
    let sink = harness.sink();
    for (name, sample) in Sample::all() {
        assert_eq!(sink.targets(&sample.request()), sink.targets(&sample.request()), "{name}");
        let (sample, message) = prepared(&*sink, sample);
        assert_eq!(sink.render(&sample.rendering()).ok().as_ref(), Some(&message), "{name}");
        assert_eq!(sink.plain(&sample.rendering(), "a fault"), sink.plain(&sample.rendering(), "a fault"), "{name}");
    }
    assert_eq!((sink.needs(), sink.deciding_needs()), (sink.needs(), sink.deciding_needs()));
    assert!(harness.received().is_empty());
}

/// What went wrong is sent somewhere, also when nothing is known about it; and nowhere twice.
pub async fn what_went_wrong_has_a_target<H: SinkHarness>() {
    let harness = H::start().await;
    for (name, sample) in Sample::all() {
        let targets = harness.sink().targets(&sample.request());
        let distinct: BTreeSet<_> = targets.iter().collect();
        assert_eq!(distinct.len(), targets.len(), "{name}: {targets:?}");
        assert!(!targets.is_empty() || !sample.event.kind.went_wrong(), "{name}");
    }
}

/// A plain message names the event and the fault, and is delivered like any other.
pub async fn plain_messages_say_what_is_wrong<H: SinkHarness>() {
    let harness = H::start().await;
    let sink = harness.sink();
    let long: String = "<&é\\\"💥 ".chars().cycle().take(60_000).collect();
    let nasty = [
        ("long", failed().with_text(&long)),
        ("injection", failed().with_text(INJECTION)),
        ("unknown", failed().unknown().with_text(&long)),
    ];
    for (name, sample) in Sample::all().into_iter().chain(nasty) {
        let (sample, _) = prepared(&*sink, sample);
        let message = sink.plain(&sample.rendering(), "the template `t`, line 3: there is no helper `foo`");
        let key = DeliveryId::of(sample.event.id, &SinkName::from("plain"), &sample.target);
        let delivery = Delivery { key, event: &sample.event, target: &sample.target, message: &message, attempt: 1 };
        sink.deliver(&delivery).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let received = harness.received().pop().unwrap_or_default();
        assert!(received.text.contains("there is no helper"), "{name}: {}", received.text);
        assert!(!received.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("x-injected")), "{received:?}");
    }
}

/// A text of any length is sent, shortened if it must be.
pub async fn long_texts_arrive<H: SinkHarness>() {
    let harness = H::start().await;
    for length in [149, 150, 151, 2_999, 3_000, 3_001, 60_000] {
        let text: String = "<&é\\\"💥 ".chars().cycle().take(length).collect();
        attempt(&*harness.sink(), failed().with_text(&text), 1).await.unwrap_or_else(|error| panic!("{length}: {error}"));
    }
    assert_eq!(harness.received().len(), 7);
}

/// Letters of all scripts arrive as they are.
pub async fn every_script_arrives<H: SinkHarness>() {
    let harness = H::start().await;
    let text = "Räkna om 予算 💥 бюджет";
    attempt(&*harness.sink(), failed().with_text(text), 1).await.unwrap_or_else(|error| panic!("{error}"));
    let received = harness.received().pop().unwrap_or_default();
    assert!(received.text.contains(text), "{}", received.text);
}

/// Backslashes and quotes arrive, and break nothing.
pub async fn awkward_characters_arrive<H: SinkHarness>() {
    let harness = H::start().await;
    let text = r#"C:\new\q "x" ';--{{taskId}}"#;
    attempt(&*harness.sink(), failed().with_text(text), 1).await.unwrap_or_else(|error| panic!("{error}"));
    let received = harness.received().pop().unwrap_or_default();
    assert!(received.text.contains(r"C:\new\q"), "{}", received.text);
    assert!(!received.text.contains("--dec2a02a"), "{}", received.text);
}

/// No text makes a header, a command or a message of its own.
pub async fn no_text_becomes_a_header<H: SinkHarness>() {
    let harness = H::start().await;
    for sample in [failed(), failed().unknown(), Sample::engine_reload(), Sample::notice()] {
        attempt(&*harness.sink(), sample.with_text(INJECTION), 1).await.unwrap_or_else(|error| panic!("{error}"));
    }
    let received = harness.received();
    assert_eq!(received.len(), 4);
    for (name, _) in received.iter().flat_map(|received| &received.headers) {
        assert!(!name.eq_ignore_ascii_case("x-injected"), "{received:?}");
    }
}

/// Many at a time, each arrives.
pub async fn deliveries_run_side_by_side<H: SinkHarness>() {
    let harness = H::start().await;
    let sink = harness.sink();
    let many = (0..20).map(|_| attempt(&*sink, failed(), 1));
    for result in join_all(many).await {
        result.unwrap_or_else(|error| panic!("{error}"));
    }
    assert_eq!(harness.received().len(), 20);
}

/// A dropped attempt gives back what it held.
pub async fn a_dropped_attempt_does_no_harm<H: SinkHarness>() {
    let harness = H::start().await;
    let sink = harness.sink();
    let gate = Gate::closed();
    if harness.remote(Remote::Silent(gate.clone())) {
        tokio::select! {
            result = attempt(&*sink, failed(), 1) => panic!("the remote answered: {result:?}"),
            () = gate.reached_by(1) => {}
        }
    }
    harness.remote(Remote::Accepts);
    gate.open();
    attempt(&*sink, failed(), 2).await.unwrap_or_else(|error| panic!("{error}"));
}

/// Results of several stand in the order of the deliveries.
pub async fn several_are_answered_in_order<H: SinkHarness>() {
    let harness = H::start().await;
    let sink = harness.sink();
    assert!(sink.max_batch() >= 1);
    let (sample, message) = prepared(&*sink, failed());
    let key = DeliveryId::of(sample.event.id, &SinkName::from("several"), &sample.target);
    let delivery = Delivery { key, event: &sample.event, target: &sample.target, message: &message, attempt: 1 };
    let results = sink.deliver_many(&vec![delivery; sink.max_batch().min(3)]).await;
    assert_eq!(results.len(), sink.max_batch().min(3));
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

/// A check reaches the remote and sends nothing to anybody.
pub async fn a_check_sends_nothing<H: SinkHarness>() {
    let harness = H::start().await;
    let receipt = harness.sink().check().await.unwrap_or_else(|error| panic!("{error}"));
    assert!(!receipt.detail.is_empty());
    assert!(harness.received().is_empty());
    assert!(harness.unreachable().await.check().await.is_err_and(|error| error.reason == Reason::Unreachable));
}

/// Makes a module of tests, one for each promise of a sink's contract, for a [`SinkHarness`](crate::testkit::sink_suite::SinkHarness)
/// that is in scope.
#[macro_export]
macro_rules! sink_suite {
    ($module:ident, $harness:ty) => {
        mod $module {
            use super::*;

            $crate::sink_suite!(@tests $harness:
                accepted_is_ok, every_sample_arrives, every_kind_of_task_arrives, silence_ends_in_a_timeout, throttling_is_tried_again,
                throttling_with_a_time_is_tried_after_it, a_refused_login_is_refused, a_refused_message_is_not_tried_again,
                a_busy_remote_is_tried_again, a_broken_connection_is_tried_again, half_an_answer_is_tried_again,
                an_unreachable_remote_is_tried_again, an_unknown_issuer_is_refused, an_unknown_issuer_is_explained, a_failed_attempt_leaves_the_sink_usable,
                the_key_is_the_same_for_every_attempt, secrets_are_never_shown, errors_are_one_short_line, rendering_is_pure,
                what_went_wrong_has_a_target, plain_messages_say_what_is_wrong, long_texts_arrive, every_script_arrives,
                awkward_characters_arrive, no_text_becomes_a_header, deliveries_run_side_by_side, a_dropped_attempt_does_no_harm,
                several_are_answered_in_order, a_check_sends_nothing
            );
        }
    };
    (@tests $harness:ty: $($name:ident),+) => {
        $(
            #[tokio::test]
            async fn $name() {
                $crate::testkit::sink_suite::$name::<$harness>().await;
            }
        )+
    };
}

#[cfg(test)]
#[cfg(feature = "sink-webhook")]
#[path = "sink_suite_tests.rs"]
mod tests;
