//! What is remembered of a task between two looks at it, also across restarts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::usual::Usual;

/// What is remembered of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct TaskMemory {
    /// How long it usually runs.
    #[serde(rename = "usual")]
    pub(super) usual: Usual,
    /// The latest execution whose end was taken note of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ended_at: Option<Timestamp>,
    /// When it should start next, or should have started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expected: Option<Timestamp>,
    /// The start that was missed and told of, until it starts again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) late: Option<Timestamp>,
    /// The execution of which it was told that it runs too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stuck: Option<String>,
    /// The execution of which it was told that it waits too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) queued: Option<String>,
    /// How it fails, if its latest execution that was not aborted did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failing: Option<Failing>,
    /// The execution that is under way and does not say since when, and when it was first seen.
    #[serde(skip)]
    pub(super) seen: Option<(String, Timestamp)>,
}

/// A row of failures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failing {
    /// When the first of them ended.
    pub(super) since: Timestamp,
    /// How many were seen.
    pub(super) count: u32,
    /// How many times the interval of reminders had passed when it was last reminded of.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) reminded: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}
