//! Finding out what happened.
//!
//! An [`Enricher`] is asked for the facts that somebody needs, and writes each into a [`FactSheet`] as it finds it. It never fails:
//! what can't be found is a fact too, with the reason. The pipeline bounds its time by dropping it.

mod logs;
#[cfg(feature = "qlik")]
mod qlik;
#[cfg(feature = "qlik")]
mod qlik_logs;
#[cfg(feature = "qlik")]
mod which;

pub use logs::{LogDesk, LogError, LogPieces, LogReference, LogSource};
#[cfg(feature = "qlik")]
pub use qlik::QlikEnricher;

use async_trait::async_trait;

use crate::clock::Deadline;
use crate::event::{Event, FactSheet, Needs};

/// Finds facts about events of one site.
///
/// # Contract
/// * Only what `needs` names, and what that can't be found without, is looked for; what the sheet knows already is not asked again.
/// * Each fact is written as it is found. When the deadline has come, what is missing is written as such; a missing fact is data.
/// * While the one it asks is known to be down, it does not wait: events share one wait.
/// * Facts are of this very event, or say that they may not be (`ExecutionResult::certain`).
///
/// # Cancellation
/// Dropping the future keeps what was written.
#[async_trait]
pub trait Enricher: std::fmt::Debug + Send + Sync + 'static {
    /// Looks for what `needs` names.
    async fn enrich(&self, event: &Event, needs: Needs, sheet: &FactSheet, deadline: Deadline);
}
