//! The suite that every sink must pass: each test is a promise of [`Sink`]'s contract.
//!
//! Whoever writes a sink writes a [`SinkHarness`] for it, a remote that behaves as it is told, and names it in [`sink_suite!`](crate::sink_suite):
//!
//! ```ignore
//! butler_core::sink_suite!(pager_keeps_the_contract, PagerHarness);
//! ```

mod arriving;
mod attempts;
mod failing;
mod over_http;
mod secrets;
mod texts;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::simulator::inbox::Gate;
use crate::sink::Sink;
use crate::testkit::HttpRemote;

pub use arriving::*;
pub use failing::*;
pub use over_http::*;
pub use secrets::*;
pub use texts::*;

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

    /// The remote, if it is one over HTTP: it is then made to answer as only such remotes do.
    fn http(&self) -> Option<&HttpRemote> {
        None
    }

    /// Whether 404 says of this remote that the place is missing where messages go: that passes once somebody makes it.
    fn may_lack_its_place(&self) -> bool {
        false
    }
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
                several_are_answered_in_order, a_check_sends_nothing, a_redirect_takes_no_secret_along, redirects_without_end_end,
                a_message_that_is_too_long_is_said_to_be, long_answers_are_not_waited_for, what_the_remote_echoes_is_cleaned,
                statuses_that_pass_are_tried_again, an_answer_that_is_none_is_tried_again
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
mod tests;
