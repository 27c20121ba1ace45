//! What the latest execution of a task says.

use std::time::Duration;

use crate::event::TaskOutcome;
use crate::qlik::LatestExecution;

/// Where an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It waits for somebody to start it.
    Queued,
    /// It is being done, or being ended.
    Running,
    /// It has ended.
    Ended(TaskOutcome),
    /// It never began, or says something that this version does not know.
    Idle,
}

pub(super) fn phase(execution: &LatestExecution) -> Phase {
    match (execution.status.outcome(), execution.status.0) {
        (Some(outcome), _) => Phase::Ended(outcome),
        // Triggered, Queued, DistributionQueue.
        (None, 1 | 3 | 13) => Phase::Queued,
        // Started, AbortInitiated, Aborting, Retry, DistributionRunning.
        (None, 2 | 4 | 5 | 10 | 14) => Phase::Running,
        _ => Phase::Idle,
    }
}

/// How long it took, as it says itself.
pub(super) fn took(execution: &LatestExecution) -> Option<Duration> {
    let told = u64::try_from(execution.duration_ms).ok().filter(|millis| *millis > 0).map(Duration::from_millis);
    let between = || Duration::try_from(execution.stop?.duration_since(execution.start?)).ok();
    told.or_else(between)
}
