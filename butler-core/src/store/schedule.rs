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
/// * Work that a run began and that has not ended is listed by `open_runs`, oldest first, until `update_run` has stored how it ended. An update of what is no run changes nothing and
///   gives `false`.
/// * `prune_runs` removes the outcomes that were stored before a moment, and no claim. Whoever claims such an occurrence again gets it; so prune only what nobody looks back to.
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

    /// Runs with work that has not ended, oldest first.
    async fn open_runs(&self, max: usize) -> Result<Vec<OpenRun>, StoreError>;

    /// Stores what is known of a run by now, in place of what was; when it was stored first stays.
    async fn update_run(&self, schedule: &str, occurrence: Timestamp, outcome: RunOutcome) -> Result<bool, StoreError>;

    /// Removes what was stored before; how much that was.
    async fn prune_runs(&self, before: Timestamp) -> Result<u64, StoreError>;
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
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum RunOutcome {
    /// The action did its work; what it said.
    Done {
        /// In words.
        detail: String,
        /// What it began that goes on elsewhere.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        work: Vec<Work>,
    },
    /// The action failed, at least in part.
    Failed {
        /// Why.
        why: String,
        /// What it began nonetheless.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        work: Vec<Work>,
    },
    /// It was not run, on purpose or because its time had passed.
    Missed {
        /// Why.
        why: String,
    },
}

/// Something that an action began and that goes on elsewhere, such as an execution of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Work {
    /// By what the action finds it again, such as the id of a task.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where it goes on, if there are several places: the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// When it began.
    #[cfg_attr(feature = "api", schema(value_type = String))]
    pub since: Timestamp,
    /// How it ended; none while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<WorkEnd>,
}

/// How something ended that an action began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct WorkEnd {
    /// When; when it was seen, if nobody says.
    #[cfg_attr(feature = "api", schema(value_type = String))]
    pub at: Timestamp,
    /// How, in words: `FinishedSuccess`.
    pub how: String,
}

impl RunOutcome {
    /// What was begun.
    #[must_use]
    pub fn work(&self) -> &[Work] {
        match self {
            Self::Done { work, .. } | Self::Failed { work, .. } => work,
            Self::Missed { .. } => &[],
        }
    }

    /// What was begun, to note how it ended.
    pub fn work_mut(&mut self) -> &mut [Work] {
        match self {
            Self::Done { work, .. } | Self::Failed { work, .. } => work,
            Self::Missed { .. } => &mut [],
        }
    }

    /// Whether something that was begun has not ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.work().iter().any(|work| work.end.is_none())
    }
}

/// A past occurrence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct ScheduleRun {
    /// When it was due.
    #[cfg_attr(feature = "api", schema(value_type = String))]
    pub occurrence: Timestamp,
    /// When its outcome was stored.
    #[cfg_attr(feature = "api", schema(value_type = String))]
    pub at: Timestamp,
    /// What became of it.
    pub outcome: RunOutcome,
}

/// A past occurrence with work that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    /// Of this schedule.
    pub schedule: String,
    /// The occurrence.
    pub run: ScheduleRun,
}
