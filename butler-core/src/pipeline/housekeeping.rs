//! What has to be done now and then: give up what is too old, and remove what is no longer needed.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::source::Stop;
use crate::store::{Journal, PrunePolicy, StoreError};

/// How often.
const EVERY: Duration = Duration::from_mins(1);

/// Keeps the journal tidy.
#[derive(Debug)]
pub(super) struct Housekeeper {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) policy: PrunePolicy,
    pub(super) stop: Stop,
}

impl Housekeeper {
    /// Works until it is told to stop.
    pub(super) async fn run(&mut self) {
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

    async fn tidy(&self) -> Result<(), StoreError> {
        let expired = self.journal.expire().await?;
        if expired > 0 {
            tracing::error!(
                expired,
                "Messages were given up because they were too old; `butler-cli deliveries list --state dead` lists them."
            );
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
