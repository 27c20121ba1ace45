//! Attempts that fail: for which reason, and whether they are tried again.

use std::time::Duration;

use super::attempts::{attempt, error, error_when, failed};
use super::{Remote, SinkHarness};
use crate::simulator::inbox::Gate;
use crate::sink::{Reason, Retry};

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

/// Who finds a certificate that is not trusted reads what to do about it.
pub async fn an_unknown_issuer_is_explained<H: SinkHarness>() {
    let harness = H::start().await;
    if let Some(sink) = harness.untrusted().await {
        let words = error(&*sink).await.to_string();
        assert!(words.contains("issuer") && words.contains("set `ca`"), "{words}");
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
