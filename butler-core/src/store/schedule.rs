//! Schedules, and the occurrences at which they fire.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::StoreError;

/// Keeps schedules and makes each occurrence fire once.
///
/// # Contract
/// * `upsert_schedule` is durable when it returns; `schedules` gives them in the order in which they were first stored.
/// * `claim_occurrence` gives an occurrence to one caller: to nobody else while that claim holds, and to nobody any more once `record_run` has stored its outcome.
///   A claim that ran out, or was open when the store was last closed, is handed out again with `attempt` one higher, so that the caller can
///   find out what became of the first before starting anything.
/// * `record_run` with a claim that is not the latest changes nothing and gives `false`.
/// * Removing a schedule removes its runs and claims. What has no schedule can't be claimed.
#[async_trait]
pub trait ScheduleStore: std::fmt::Debug + Send + Sync + 'static {
    /// Every schedule.
    async fn schedules(&self) -> Result<Vec<ScheduleRecord>, StoreError>;

    /// Stores a schedule, in place of one with the same id.
    async fn upsert_schedule(&self, schedule: ScheduleRecord) -> Result<(), StoreError>;

    /// Removes a schedule; `false` if there was none.
    async fn remove_schedule(&self, id: &str) -> Result<bool, StoreError>;

    /// Takes an occurrence, if nobody holds or has done it.
    async fn claim_occurrence(&self, schedule: &str, occurrence: Timestamp, hold: Duration) -> Result<Option<OccurrenceClaim>, StoreError>;

    /// Stores the outcome of a claimed occurrence.
    async fn record_run(&self, claim: &OccurrenceClaim, outcome: RunOutcome) -> Result<bool, StoreError>;

    /// The latest runs of a schedule, newest first.
    async fn runs(&self, schedule: &str, max: usize) -> Result<Vec<ScheduleRun>, StoreError>;
}

/// A schedule, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleRecord {
    /// Its id.
    pub id: String,
    /// Its definition, as JSON; the scheduler knows how to read it.
    pub definition: String,
}

/// The right to run one occurrence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OccurrenceClaim {
    /// Of this schedule.
    pub schedule: String,
    /// At this time.
    pub occurrence: Timestamp,
    /// 1 for the first claim; higher means that earlier claims never returned.
    pub attempt: u32,
}

/// What became of an occurrence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum RunOutcome {
    /// The action did its work; what it said.
    Done {
        /// In words.
        detail: String,
    },
    /// The action failed.
    Failed {
        /// Why.
        why: String,
    },
    /// It was not run, on purpose or because its time had passed.
    Missed {
        /// Why.
        why: String,
    },
}

/// A past occurrence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleRun {
    /// When it was due.
    pub occurrence: Timestamp,
    /// When its outcome was stored.
    pub at: Timestamp,
    /// What became of it.
    pub outcome: RunOutcome,
}
