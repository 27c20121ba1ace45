//! What only remotes over HTTP do; sinks of another sort pass without a try.

use super::SinkHarness;
use super::attempts::{all_words, attempt, error, failed};
use crate::simulator::inbox::{Answer, ReceivedRequest};
use crate::sink::{Reason, Retry};
use crate::testkit::HttpRemote;

/// A harness whose remote gives every request this answer; `None` if it does not speak HTTP.
async fn answering<H: SinkHarness>(answer: impl FnOnce(&H) -> Answer) -> Option<H> {
    let harness = H::start().await;
    let answer = answer(&harness);
    harness.http()?.inbox.answer_always(Some(answer));
    Some(harness)
}

fn everything(request: &ReceivedRequest) -> String {
    format!("{request:?}")
}

/// Whoever redirects to another host does not get a secret there, in whatever way it redirects; and an attempt that was not followed is no success.
pub async fn a_redirect_takes_no_secret_along<H: SinkHarness>() {
    for status in [301, 302, 303, 307, 308] {
        let other = HttpRemote::start().await;
        let location = other.inbox.url("/taken");
        let Some(harness) = answering::<H>(|_| Answer::status(status).header("Location", location)).await else { return };
        let result = attempt(&*harness.sink(), failed(), 1).await;
        assert_eq!(result.is_ok(), other.inbox.count() > 0, "{status}: {result:?}");
        for request in other.inbox.requests() {
            for secret in harness.secrets() {
                assert!(!everything(&request).contains(&secret), "{status}: the secret {secret} went to another host: {request:?}");
            }
        }
    }
}

/// A remote that redirects to itself is not followed for ever.
pub async fn redirects_without_end_end<H: SinkHarness>() {
    let Some(harness) = answering::<H>(|_| Answer::status(307).header("Location", "/again")).await else { return };
    error(&*harness.sink()).await;
    assert!(harness.http().is_some_and(|remote| remote.inbox.count() <= 10));
}

/// 413 is told apart: the message then leaves in plain words.
pub async fn a_message_that_is_too_long_is_said_to_be<H: SinkHarness>() {
    let Some(harness) = answering::<H>(|_| Answer::status(413)).await else { return };
    let error = error(&*harness.sink()).await;
    assert_eq!((error.reason, error.retry), (Reason::TooLarge, Retry::Never), "{error}");
}

/// A long answer is neither kept nor shown.
pub async fn long_answers_are_not_waited_for<H: SinkHarness>() {
    let long = "x ".repeat(256 << 10);
    let Some(harness) = answering::<H>(|_| Answer::status(500).body(long)).await else { return };
    let error = error(&*harness.sink()).await;
    assert_eq!((error.reason, error.retry), (Reason::ServerError, Retry::Backoff), "{error}");
    assert!(all_words(&error).len() < 2000);
}

/// A remote that shows in its answer what it was asked with does not make the secret known.
pub async fn what_the_remote_echoes_is_cleaned<H: SinkHarness>() {
    for status in [400, 401, 404, 500] {
        let echo = |harness: &H| Answer::status(status).body(harness.secrets().join(", "));
        let Some(harness) = answering::<H>(echo).await else { return };
        let words = all_words(&error(&*harness.sink()).await);
        for secret in harness.secrets() {
            assert!(!words.contains(&secret), "{status}: the secret {secret} stands in: {words}");
        }
    }
}

/// Statuses of remotes that are in trouble, and not those that the message is to blame for, are tried again.
pub async fn statuses_that_pass_are_tried_again<H: SinkHarness>() {
    let statuses = [(408, true), (425, true), (500, true), (502, true), (503, true), (504, true), (404, false), (410, false), (422, false)];
    for (status, passes) in statuses {
        let Some(harness) = answering::<H>(|_| Answer::status(status)).await else { return };
        let passes = passes || status == 404 && harness.may_lack_its_place();
        let error = error(&*harness.sink()).await;
        assert_eq!(error.retry, if passes { Retry::Backoff } else { Retry::Never }, "{status}: {error}");
    }
}

/// What is no HTTP is no answer.
pub async fn an_answer_that_is_none_is_tried_again<H: SinkHarness>() {
    let Some(harness) = answering::<H>(|_| Answer::gibberish()).await else { return };
    let error = error(&*harness.sink()).await;
    assert_eq!(error.retry, Retry::Backoff, "{error}");
    assert!(matches!(error.reason, Reason::Unreachable | Reason::Protocol), "{error:?}");
}
