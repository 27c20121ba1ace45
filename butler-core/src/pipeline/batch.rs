//! The attempt of several deliveries at once, for sinks that take many together.
//!
//! Each delivery has a verdict of its own. Where the sink refuses all of them, for a reason that need not be all of theirs, nothing is settled yet: each is tried by
//! itself then, so that a bad one fails alone. Its message is made already, and its lease still holds.

use futures_util::future::join_all;
use jiff::Timestamp;

use super::attempt::{Attempts, Ended, Prepared};
use super::breaker::Sign;
use crate::sink::{Delivery, DeliveryError, Reason, Receipt};
use crate::store::Lease;

/// What came of an attempt.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// What is to be settled.
    pub(super) ended: Vec<Ended>,
    /// What is to be tried singly.
    pub(super) refused: Vec<Prepared>,
}

impl Attempts {
    /// Makes an attempt of all of these together.
    pub(super) async fn make(&self, leases: Vec<Lease>, last_delivered: Option<Timestamp>) -> Round {
        let mut round = Round::default();
        let mut all = Vec::with_capacity(leases.len());
        for made in join_all(leases.into_iter().map(|lease| self.prepare(lease))).await {
            match made {
                Ok(prepared) => all.push(prepared),
                Err(ended) => round.ended.push(ended),
            }
        }
        if all.len() > 1 {
            self.send_many(all, last_delivered, &mut round).await;
        } else if let Some(prepared) = all.pop() {
            round.ended.push(self.send(prepared, last_delivered).await);
        }
        round
    }

    async fn send_many(&self, all: Vec<Prepared>, last_delivered: Option<Timestamp>, round: &mut Round) {
        let started = self.clock.monotonic();
        let results = self.deliver_many(&all).await;
        let took = self.clock.monotonic().saturating_sub(started);
        if results.iter().all(is_refusal) {
            round.refused = all;
            return;
        }
        let mut last = Sign::None;
        for (prepared, result) in all.into_iter().zip(results) {
            let mut ended = self.ended(prepared, result, took, last_delivered);
            // It was one attempt: it says each thing once.
            let sign = std::mem::replace(&mut ended.sign, Sign::None);
            if std::mem::discriminant(&sign) != std::mem::discriminant(&last) {
                ended.sign = sign;
                last = sign;
            }
            round.ended.push(ended);
        }
    }

    /// One result for each.
    async fn deliver_many(&self, all: &[Prepared]) -> Vec<Result<Receipt, DeliveryError>> {
        let deliveries: Vec<Delivery<'_>> = all.iter().map(Prepared::delivery).collect();
        match self.within_its_time(self.sink.sink.deliver_many(&deliveries)).await {
            Ok(mut results) => {
                let count = results.len();
                if count != all.len() {
                    tracing::error!(sink = %self.name, given = all.len(), count, "The sink gave another number of results than it was given deliveries. Please report this to who made it.");
                }
                results.resize_with(all.len(), || {
                    Err(DeliveryError::transient(Reason::Protocol, "the sink said nothing about this delivery"))
                });
                results
            }
            Err(DeliveryError { reason, retry, message, .. }) => {
                all.iter().map(|_| Err(DeliveryError { reason, retry, message: message.clone(), source: None })).collect()
            }
        }
    }
}

/// Whether this may be the fault of another delivery of the same attempt.
fn is_refusal(result: &Result<Receipt, DeliveryError>) -> bool {
    let reasons = [Reason::Rejected, Reason::TooLarge, Reason::Malformed, Reason::Panicked];
    result.as_ref().is_err_and(|error| reasons.contains(&error.reason))
}
