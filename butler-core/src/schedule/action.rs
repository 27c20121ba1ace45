//! What a schedule does.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::definition::Schedule;
use crate::store::{Work, WorkEnd};

/// What a schedule does at each of its occurrences.
///
/// # Contract
/// * `run` is called once for an occurrence, whatever it gives. It is never tried again: what it gives stands in the history.
/// * Where Butler ended while `run` was under way, `recover` is called at the next start in its place. Only if that gives `None`, which says that `run` surely did nothing, is `run` called
///   again, and only if the schedule's rule for what was missed wants that.
/// * `look` has an answer for each piece of work, in the same order.
///
/// # Errors
/// [`ActionError`], which goes to the history and into an event: `schedule.failed` or `schedule.missed`. A panic is a failure.
///
/// # Cancellation
/// The futures are dropped when Butler ends.
#[async_trait]
pub trait Action: Debug + Send + Sync + 'static {
    /// Does it.
    async fn run(&self, context: &ActionContext) -> Result<ActionReport, ActionError>;

    /// What became of a run that never came back. Unless an action can tell, that is not known, and the occurrence counts as missed.
    async fn recover(&self, _: &ActionContext) -> Result<Option<ActionReport>, ActionError> {
        Err(ActionError::skipped("Butler ended while it was under way; whether it did its work is not known"))
    }

    /// How work ended that a run began; none while it goes on, or if nobody can tell right now.
    async fn look(&self, work: &[Work]) -> Vec<Option<WorkEnd>> {
        vec![None; work.len()]
    }
}

/// Which occurrence of which schedule it is about.
#[derive(Debug, Clone)]
pub struct ActionContext {
    /// The schedule.
    pub schedule: Arc<Schedule>,
    /// When it was due.
    pub occurrence: Timestamp,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ActionReport {
    /// In words.
    pub detail: String,
    /// What it began that goes on elsewhere.
    pub work: Vec<Work>,
}

/// Why a run did not do its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// It failed, at least in part.
    #[error("{why}")]
    Failed {
        /// Why.
        why: String,
        /// What it began nonetheless.
        work: Vec<Work>,
    },
    /// There was a reason not to run.
    #[error("{why}")]
    Skipped {
        /// Which.
        why: String,
    },
}

impl ActionReport {
    /// That it is done.
    #[must_use]
    pub fn done(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), work: Vec::new() }
    }
}

impl ActionError {
    /// That it failed.
    #[must_use]
    pub fn failed(why: impl Into<String>) -> Self {
        Self::Failed { why: why.into(), work: Vec::new() }
    }

    /// That there was a reason not to run.
    #[must_use]
    pub fn skipped(why: impl Into<String>) -> Self {
        Self::Skipped { why: why.into() }
    }
}
