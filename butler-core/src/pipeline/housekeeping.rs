//! What has to be done now and then: give up what is too old, and remove what is no longer needed.

use std::sync::Arc;
use std::time::Duration;

use super::plan::Plan;
use super::report::Reporter;
use crate::clock::Clock;
use crate::source::Stop;
use crate::store::{DeliveryState, Journal, PrunePolicy, StoreError};

/// How often.
const EVERY: Duration = Duration::from_mins(1);

/// Keeps the journal tidy.
#[derive(Debug)]
pub(super) struct Housekeeper {
    pub(super) plan: Arc<Plan>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) reporter: Reporter,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) policy: PrunePolicy,
    pub(super) stop: Stop,
}

impl Housekeeper {
    /// Works until it is told to stop.
    pub(super) async fn run(&mut self) {
        if let Err(error) = self.find_orphans().await {
            tracing::warn!(%error, "It can't be found out whether deliveries of sinks that are gone still wait.");
        }
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.clock.sleep(EVERY) => {}
            }
            if let Err(error) = self.tidy().await {
                tracing::error!(%error, "The journal can't be tidied; trying again in a minute.");
            }
        }
    }

    /// Says which sinks are no longer configured although deliveries wait for them: nobody makes these, and they age until they are given up.
    async fn find_orphans(&self) -> Result<(), StoreError> {
        for (sink, state, count) in self.journal.stats().await?.deliveries {
            if state == DeliveryState::Pending && count > 0 && !self.plan.sinks.contains_key(&sink) {
                tracing::warn!(
                    %sink,
                    count,
                    "Deliveries wait for a sink that is no longer configured, and will be given up when they are too old. `sinks.NAME.was = [\"{sink}\"]` lets another \
                     sink make them; `butler-cli deliveries list --state orphaned` lists them."
                );
            }
        }
        Ok(())
    }

    async fn tidy(&self) -> Result<(), StoreError> {
        let expired = self.journal.expire().await?;
        if expired > 0 {
            self.reporter.expired(expired);
        }
        loop {
            let report = self.journal.prune(self.policy.clone()).await?;
            if report.overflowed > 0 {
                tracing::error!(given_up = report.overflowed, "The store has reached its configured size; waiting messages were given up.");
            }
            if !report.more || self.stop.is_cancelled() {
                return Ok(());
            }
        }
    }
}
