//! What a sink would send, without sending it; and sending it to see whether it arrives.
//!
//! The pipeline is not involved: nothing is stored, nothing is repeated, no rate limit counts.

use std::time::Duration;

use super::{Delivery, DeliveryError, Message, Reason, Receipt, Rendering, Sink, SiteInfo, TargetRequest};
use crate::event::{DeliveryId, Event, Facts, SinkName, Target};

/// A message that would go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsed {
    /// To where within the sink.
    pub target: Target,
    /// What would be sent.
    pub message: Message,
    /// Why it is in plain words, if the template could not be used.
    pub fault: Option<String>,
}

/// What a sink would send about an event, given what is known of it; nothing if it tells nobody of such events.
#[must_use]
pub fn rehearse(sink: &dyn Sink, event: &Event, facts: &Facts, site: &SiteInfo) -> Vec<Rehearsed> {
    let missing = facts.missing();
    let one = |target: Target| {
        let rendering = Rendering { event, facts, target: &target, site, held_back: 0, missing: &missing };
        let (message, fault) = match sink.render(&rendering) {
            Ok(message) => (message, None),
            Err(error) => (sink.plain(&rendering, &error.0), Some(error.0)),
        };
        Rehearsed { target, message, fault }
    };
    sink.targets(&TargetRequest { event, facts, recipients: None }).into_iter().map(one).collect()
}

/// Sends one of these, once.
///
/// # Errors
/// As [`Sink::deliver`], and [`Reason::Timeout`] when `timeout` is up.
///
/// # Cancellation
/// Dropping the future gives the attempt up; whether the message arrived is then unknown.
pub async fn send(sink: (&SinkName, &dyn Sink), event: &Event, rehearsed: &Rehearsed, timeout: Duration) -> Result<Receipt, DeliveryError> {
    let (name, sink) = sink;
    let Rehearsed { target, message, .. } = rehearsed;
    let delivery = Delivery { key: DeliveryId::of(event.id, name, target), event, target, message, attempt: 1 };
    tokio::time::timeout(timeout, sink.deliver(&delivery)).await.unwrap_or_else(|_| {
        Err(DeliveryError::transient(Reason::Timeout, format!("no answer within {}", humantime::format_duration(timeout))))
    })
}

impl Reason {
    /// What it usually means, and what to do, in a sentence for whoever has set the sink up.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::Unreachable => {
                "Nobody could be talked to at that address. See that the address and the port are right, that the service runs, and that every firewall in between lets this machine through."
            }
            Self::Timeout => {
                "Somebody may be there and does not answer in time. See that the address is right and that no firewall swallows what is sent; if the service is only slow, raise the sink's `timeout`."
            }
            Self::Tls => {
                "The encrypted connection could not be set up. See that the name in the address is the one in the certificate, and that its issuer is known here: set `ca` to the issuer's certificate if it is your own."
            }
            Self::Refused => {
                "The service knows what is wanted and does not allow it. See that login, token or key are right, still valid, and may do this."
            }
            Self::Rejected => {
                "The service was reached and does not want this message. What it answered says why; most often an address, a name or a path in the options is wrong."
            }
            Self::Throttled => {
                "The service was reached and has had enough for now. Try again later; alerts are held and repeated by themselves."
            }
            Self::ServerError => {
                "The service was reached and has a fault of its own. Try again later, or ask whoever runs it; alerts are repeated by themselves."
            }
            Self::Protocol => {
                "What answers there does not speak as expected. See that the address and the port belong to the right service, and that no proxy is in between."
            }
            Self::TooLarge => {
                "The message is longer than the service takes. Alerts then go out in plain words; make the template show less."
            }
            Self::Malformed => {
                "The service could not read the message. Alerts then go out in plain words; `butler-cli render` shows what is sent, so that the template can be mended."
            }
            Self::Expired | Self::Lost | Self::Panicked | Self::Overflow | Self::Unreadable => {
                "This is a fault of Butler's own: please report it."
            }
        }
    }
}

#[cfg(all(test, feature = "testkit"))]
mod tests {
    use super::*;
    use crate::event::{EventId, TaskOutcome};
    use crate::sink::Retry;
    use crate::sink::sample::Sample;
    use crate::testkit::FakeSink;

    #[tokio::test]
    async fn what_is_rehearsed_is_what_is_sent() {
        let sample = Sample::reload(TaskOutcome::Failed);
        let sink = FakeSink::default();
        let all = rehearse(&sink, &sample.event, &sample.facts, &sample.site);
        assert_eq!(all.len(), 1);
        send((&"ops".into(), &sink), &sample.event, &all[0], Duration::from_secs(60)).await.unwrap_or_else(|error| panic!("{error}"));
    }

    #[test]
    fn a_test_is_marked_where_people_look() {
        let now = jiff::Timestamp::constant(1_715_580_131, 0);
        for (name, sample) in Sample::all() {
            let site = sample.site.clone();
            let marked = sample.marked_as_test(EventId(uuid::Uuid::nil()), now, site);
            let shown = serde_json::to_string(&marked.event.body).unwrap_or_default();
            assert!(shown.contains("[TEST]") && marked.event.at == now, "{name}: {shown}");
        }
    }

    #[test]
    fn every_reason_has_its_advice() {
        let error = DeliveryError::transient(Reason::Tls, "no");
        assert!(error.reason.advice().contains("`ca`") && error.retry == Retry::Backoff);
    }
}
