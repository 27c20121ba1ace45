//! The keys by which the same event is recognised when it is told twice.

use jiff::{SignedDuration, Timestamp};

use super::{Kind, SiteName};
use uuid::Uuid;

/// One key of an event's set; any one that matches an earlier event's makes it a duplicate.
///
/// The outcome is part of every key: one execution may rightly be reported as aborted and then as failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DedupKey {
    /// Matches an equal text.
    Exact(String),
    /// Matches a key of the same scope whose time is no further away than the tolerance, and only if at least one of the two
    /// events has no exact key: two events that both name their execution are told apart by that alone.
    Near {
        /// What the event is about, without its time.
        scope: String,
        /// When it happened.
        at: Timestamp,
        /// How far two clocks may be apart.
        tolerance: SignedDuration,
    },
}

impl DedupKey {
    /// Site, kind and `executionID` of the scheduler.
    #[must_use]
    pub fn execution(site: &SiteName, kind: &Kind, execution: Uuid) -> Self {
        Self::Exact(format!("{site}|{}|x|{}", word(kind), execution.simple()))
    }

    /// Site, kind and id of the execution result; it need not be the same thing as the `executionID`.
    #[must_use]
    pub fn result(site: &SiteName, kind: &Kind, result: Uuid) -> Self {
        Self::Exact(format!("{site}|{}|r|{}", word(kind), result.simple()))
    }

    /// Site, kind, task and time, for an event that names neither.
    #[must_use]
    pub fn task_time(site: &SiteName, kind: &Kind, task: Uuid, at: Timestamp) -> Self {
        let scope = format!("{site}|{}|t|{}", word(kind), task.simple());
        Self::Near { scope, at, tolerance: SignedDuration::from_secs(5) }
    }
}

/// The part of a kind that does not change when the task's type becomes known.
fn word(kind: &Kind) -> String {
    kind.outcome().map_or_else(|| kind.to_string(), |outcome| outcome.suffix().to_owned())
}
