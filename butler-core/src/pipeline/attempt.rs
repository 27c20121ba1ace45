//! The attempt of a delivery: from the lease to what is to be settled. It never fails and never panics; whatever goes wrong is its result.

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

/// How a delivery's attempt ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) token: LeaseToken,
    pub(super) event: Arc<Event>,
    pub(super) settlement: Settlement,
    pub(super) sign: Sign,
}

/// A delivery whose message is made.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) lease: Lease,
    pub(super) message: Message,
    facts: Arc<Facts>,
    missing: Vec<String>,
    held_back: u64,
    /// What the message leaves in spite of.
    fault: Option<String>,
}

impl Attempts {
    /// Makes the message of a delivery, unless it is settled without one.
    pub(super) async fn prepare(&self, lease: Lease) -> Result<Prepared, Ended> {
        let (token, event) = (lease.token, Arc::clone(&lease.event));
        let now = self.clock.now();
        if now >= lease.expires {
            let since = lease.failing_since.map_or_else(String::new, |since| format!("; it has been failing since {since:.0}"));
            let error =
                DeliveryError::permanent(Reason::Expired, format!("too old: it was to be delivered by {:.0}{since}", lease.expires));
            return Err(Ended { token, event, settlement: Settlement::Dead { error }, sign: Sign::None });
        }
        let mut held_back = 0;
        if let Some(LimitState { held_by, held_back: count }) = &lease.limit {
            if let Some((held_by, until)) = *held_by {
                let settlement = Settlement::Suppressed(Suppression::RateLimit { held_by, until });
                return Err(Ended { token, event, settlement, sign: Sign::None });
            }
            held_back = *count;
        }
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
        let mut prepared = Prepared { lease, message: Message::default(), facts, missing, held_back, fault: None };
        (prepared.message, prepared.fault) = match lost {
            Some(why) => (self.plain(&prepared, &why), Some(why)),
            None => self.render(&prepared),
        };
        Ok(prepared)
    }

    /// Makes the attempt of a single delivery; a message that is too long or not understood leaves in plain words. `last_delivered` is when the sink last accepted
    /// something, for the question whether a failing head is overtaken.
    pub(super) async fn send(&self, mut prepared: Prepared, last_delivered: Option<Timestamp>) -> Ended {
        let started = self.clock.monotonic();
        let mut result = self.deliver(&prepared).await;
        if let Err(DeliveryError { reason: reason @ (Reason::TooLarge | Reason::Malformed), message: why, .. }) = &result
            && prepared.fault.is_none()
        {
            let why = format!("the message was {}: {why}", if *reason == Reason::TooLarge { "too long" } else { "not understood" });
            prepared.message = self.plain(&prepared, &why);
            prepared.fault = Some(why);
            result = self.deliver(&prepared).await;
        }
        self.ended(prepared, result, self.clock.monotonic().saturating_sub(started), last_delivered)
    }

    /// What came of a delivery's attempt.
    pub(super) fn ended(
        &self,
        prepared: Prepared,
        result: Result<Receipt, DeliveryError>,
        took: Duration,
        last_delivered: Option<Timestamp>,
    ) -> Ended {
        let Prepared { lease, message, missing, mut fault, .. } = prepared;
        let sign = match &result {
            Err(error) if self.sink.sink.takes_down(error.reason) => Sign::Fails(asked(error.retry)),
            Err(error) if error.reason == Reason::Panicked => Sign::None,
            _ => Sign::Works,
        };
        let gone = by_reason(&missing);
        if let (None, false) = (&fault, gone.is_empty()) {
            fault = Some(format!("sent without {}", gone.join("; ")));
        }
        let settlement = match result {
            Ok(receipt) => Settlement::Delivered { receipt, preview: message.preview(), took, fault },
            Err(error) => self.failed(&lease, error, last_delivered),
        };
        Ended { token: lease.token, event: lease.event, settlement, sign }
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

    fn render(&self, prepared: &Prepared) -> (Message, Option<String>) {
        let why = match catch_unwind(AssertUnwindSafe(|| self.with_rendering(prepared, |rendering| self.sink.sink.render(rendering)))) {
            Ok(Ok(message)) => return (message, None),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "rendering the message panicked".to_owned(),
        };
        tracing::warn!(sink = %self.name, event = %prepared.lease.event.id, fault = %why, "A message leaves in plain words.");
        (self.plain(prepared, &why), Some(why))
    }

    fn plain(&self, prepared: &Prepared, why: &str) -> Message {
        let made = AssertUnwindSafe(|| self.with_rendering(prepared, |rendering| self.sink.sink.plain(rendering, why)));
        catch_unwind(made).unwrap_or_else(|_| {
            let event = &prepared.lease.event;
            let body = format!("{} at {} ({why})", event.kind, event.at);
            Message { subject: Some(body.clone()), content_type: "text/plain; charset=utf-8".into(), body, text: None }
        })
    }

    fn with_rendering<R>(&self, prepared: &Prepared, make: impl FnOnce(&Rendering<'_>) -> R) -> R {
        let Prepared { lease, facts, missing, held_back, .. } = prepared;
        let site = self.plan.site_info(&lease.event.site);
        make(&Rendering { event: &lease.event, facts, target: &lease.target, site: &site, held_back: *held_back, missing })
    }

    async fn deliver(&self, prepared: &Prepared) -> Result<Receipt, DeliveryError> {
        self.within_its_time(self.sink.sink.deliver(&prepared.delivery())).await.and_then(|result| result)
    }

    /// What the sink says, unless it panics or takes too long.
    pub(super) async fn within_its_time<T>(&self, attempt: impl Future<Output = T>) -> Result<T, DeliveryError> {
        tokio::select! {
            biased;
            result = AssertUnwindSafe(attempt).catch_unwind() => result.map_err(|_| {
                DeliveryError { reason: Reason::Panicked, retry: Retry::Backoff, message: "the sink panicked".into(), source: None }
            }),
            () = self.clock.sleep(self.sink.timeout) => {
                let timeout = humantime::format_duration(self.sink.timeout);
                Err(DeliveryError::transient(Reason::Timeout, format!("no answer within {timeout}")))
            }
        }
    }
}

impl Prepared {
    /// What the sink is given.
    pub(super) fn delivery(&self) -> Delivery<'_> {
        let Self { lease, message, .. } = self;
        Delivery { key: lease.token.delivery, event: &lease.event, target: &lease.target, message, attempt: lease.attempt }
    }
}

/// How long a lease is held: longer than its attempt can take, and the one before it for which it waits, so that it runs out only when something is very wrong.
/// A delivery of a refused batch is attempted once more.
pub(super) fn hold(plan: &Plan, sink: &SinkPlan) -> Duration {
    let attempt = plan.budgets.showing + 2 * sink.timeout;
    let attempts = if sink.sink.max_batch() > 1 { 3 } else { 2 };
    attempts * attempt + Duration::from_secs(30)
}
