//! One attempt of one delivery: from the lease to what is to be settled. It never fails and never panics; whatever goes wrong is its result.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};

use super::backoff::asked;
use super::breaker::Sign;
use super::lookup::FactDesk;
use super::plan::{Plan, SinkPlan};
use super::route::missing_lines;
use crate::clock::Clock;
use crate::event::{Event, Facts, SinkName};
use crate::sink::words::by_reason;
use crate::sink::{Delivery, DeliveryError, Message, Reason, Receipt, Rendering, Retry};
use crate::store::{Lease, LeaseToken, LimitState, Settlement, Suppression};

/// A lane's head that keeps failing while its sink delivers others is overtaken after this time.
const OVERTAKE_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// After so many leases that never returned a message goes out in plain words and without a look-up: one of the two may be what takes the process down.
const PLAIN_AFTER_LOST: u32 = 2;

/// What every attempt of a sink needs.
#[derive(Debug)]
pub(super) struct Attempts {
    pub(super) name: SinkName,
    pub(super) sink: SinkPlan,
    pub(super) plan: Arc<Plan>,
    pub(super) desk: Arc<FactDesk>,
    pub(super) clock: Arc<dyn Clock>,
}

/// How an attempt ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) token: LeaseToken,
    pub(super) event: Arc<Event>,
    pub(super) settlement: Settlement,
    pub(super) sign: Sign,
}

impl Attempts {
    /// Makes an attempt. `last_delivered` is when the sink last accepted something, for the question whether a failing head is overtaken.
    pub(super) async fn make(&self, lease: Lease, last_delivered: Option<Timestamp>) -> Ended {
        let (token, event) = (lease.token, Arc::clone(&lease.event));
        let now = self.clock.now();
        if now >= lease.expires {
            let since = lease.failing_since.map_or_else(String::new, |since| format!("; it has been failing since {since:.0}"));
            let error =
                DeliveryError::permanent(Reason::Expired, format!("too old: it was to be delivered by {:.0}{since}", lease.expires));
            return Ended { token, event, settlement: Settlement::Dead { error }, sign: Sign::None };
        }
        let mut held_back = 0;
        if let Some(LimitState { held_by, held_back: count }) = &lease.limit {
            if let Some((held_by, until)) = *held_by {
                let settlement = Settlement::Suppressed(Suppression::RateLimit { held_by, until });
                return Ended { token, event, settlement, sign: Sign::None };
            }
            held_back = *count;
        }
        let (result, message, fault, took) = self.send(&lease, held_back).await;
        let sign = match &result {
            Err(error) if self.sink.sink.takes_down(error.reason) => Sign::Fails(asked(error.retry)),
            Err(error) if error.reason == Reason::Panicked => Sign::None,
            _ => Sign::Works,
        };
        let settlement = match result {
            Ok(receipt) => Settlement::Delivered { receipt, preview: message.preview(), took, fault },
            Err(error) => self.failed(&lease, error, last_delivered),
        };
        Ended { token, event, settlement, sign }
    }

    fn failed(&self, lease: &Lease, error: DeliveryError, last_delivered: Option<Timestamp>) -> Settlement {
        let Some(wait) = self.sink.retry.wait(lease.attempt, error.retry) else {
            return Settlement::Dead { error };
        };
        let now = self.clock.now();
        let due = now.saturating_add(SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MAX);
        let overtake = lease.has_followers
            && lease.failing_since.is_some_and(|since| {
                now.duration_since(since) >= OVERTAKE_AFTER && last_delivered.is_some_and(|delivered| delivered > since)
            });
        Settlement::Retry { error, due, overtake }
    }

    /// Renders and sends; a message that can't be rendered or is too long leaves in plain words.
    async fn send(&self, lease: &Lease, held_back: u64) -> (Result<Receipt, DeliveryError>, Message, Option<String>, Duration) {
        let needs = self.sink.sink.needs();
        let lost = (lease.lost >= PLAIN_AFTER_LOST).then(|| format!("{} earlier attempts never returned", lease.lost));
        let facts = match &lost {
            Some(why) => {
                let mut facts = Facts::clone(&lease.facts);
                facts.give_up(needs, &format!("left out, because {why}"));
                Arc::new(facts)
            }
            None => self.desk.facts(&lease.event, &lease.facts, needs).await,
        };
        let missing = missing_lines(needs, &facts);
        let site = self.plan.site_info(&lease.event.site);
        let rendering = Rendering { event: &lease.event, facts: &facts, target: &lease.target, site: &site, held_back, missing: &missing };
        let (mut message, mut fault) = match lost {
            Some(why) => (self.plain(&rendering, &why), Some(why)),
            None => self.render(&rendering),
        };
        let started = self.clock.monotonic();
        let mut result = self.deliver(lease, &message).await;
        if let Err(DeliveryError { reason: reason @ (Reason::TooLarge | Reason::Malformed), message: why, .. }) = &result
            && fault.is_none()
        {
            let why = format!("the message was {}: {why}", if *reason == Reason::TooLarge { "too long" } else { "not understood" });
            message = self.plain(&rendering, &why);
            fault = Some(why);
            result = self.deliver(lease, &message).await;
        }
        let gone = by_reason(&missing);
        if let (None, false) = (&fault, gone.is_empty()) {
            fault = Some(format!("sent without {}", gone.join("; ")));
        }
        (result, message, fault, self.clock.monotonic().saturating_sub(started))
    }

    fn render(&self, rendering: &Rendering<'_>) -> (Message, Option<String>) {
        let why = match catch_unwind(AssertUnwindSafe(|| self.sink.sink.render(rendering))) {
            Ok(Ok(message)) => return (message, None),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "rendering the message panicked".to_owned(),
        };
        tracing::warn!(sink = %self.name, event = %rendering.event.id, fault = %why, "A message leaves in plain words.");
        (self.plain(rendering, &why), Some(why))
    }

    fn plain(&self, rendering: &Rendering<'_>, why: &str) -> Message {
        catch_unwind(AssertUnwindSafe(|| self.sink.sink.plain(rendering, why))).unwrap_or_else(|_| {
            let body = format!("{} at {} ({why})", rendering.event.kind, rendering.event.at);
            Message { subject: Some(body.clone()), content_type: "text/plain; charset=utf-8".into(), body, text: None }
        })
    }

    async fn deliver(&self, lease: &Lease, message: &Message) -> Result<Receipt, DeliveryError> {
        let delivery = Delivery { key: lease.token.delivery, event: &lease.event, target: &lease.target, message, attempt: lease.attempt };
        let attempt = AssertUnwindSafe(self.sink.sink.deliver(&delivery)).catch_unwind();
        tokio::select! {
            biased;
            result = attempt => result.unwrap_or_else(|_| {
                Err(DeliveryError { reason: Reason::Panicked, retry: Retry::Backoff, message: "the sink panicked".into(), source: None })
            }),
            () = self.clock.sleep(self.sink.timeout) => {
                let timeout = humantime::format_duration(self.sink.timeout);
                Err(DeliveryError::transient(Reason::Timeout, format!("no answer within {timeout}")))
            }
        }
    }
}

/// How long a lease is held: longer than its attempt can take, and the one before it for which it waits, so that it runs out only when something is very wrong.
pub(super) fn hold(plan: &Plan, sink: &SinkPlan) -> Duration {
    let attempt = plan.budgets.showing + 2 * sink.timeout;
    2 * attempt + Duration::from_secs(30)
}
