//! What a datagram says, and the words in which it says so.

use crate::event::{EngineReload, TaskOutcome};
use crate::source::RejectReason;

/// The first field of what the engine sends.
pub const ENGINE_RELOAD_FAILED: &str = "/engine-reload-failed/";

/// What a datagram says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The scheduler: a task ended.
    Scheduler(SchedulerMessage),
    /// The engine: a reload failed.
    Engine(EngineReload),
}

/// What the scheduler says about a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulerMessage {
    /// How it ended.
    pub outcome: TaskOutcome,
    /// Which task, and the rest of the line.
    pub task: crate::event::TaskEvent,
}

/// The first field of what the scheduler sends. Several words mean the same: log appenders of several generations are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SchedulerPrefix {
    /// `/scheduler-task-failed/`, of the current log appender.
    TaskFailed,
    /// `/scheduler-reload-failed/`
    ReloadFailed,
    /// `/scheduler-reloadtask-failed/`
    ReloadTaskFailed,
    /// `/scheduler-task-aborted/`, of the current log appender.
    TaskAborted,
    /// `/scheduler-reload-aborted/`
    ReloadAborted,
    /// `/scheduler-task-success//`, with the doubled slash of the current log appender.
    TaskSuccessDoubled,
    /// `/scheduler-task-success/`
    TaskSuccess,
    /// `/scheduler-reloadtask-success/`
    ReloadTaskSuccess,
    /// `/scheduler-distribute/`: a distribute task ended, the repository knows how.
    Distribute,
}

impl SchedulerPrefix {
    /// Every prefix.
    pub const ALL: [Self; 9] = [
        Self::TaskFailed,
        Self::ReloadFailed,
        Self::ReloadTaskFailed,
        Self::TaskAborted,
        Self::ReloadAborted,
        Self::TaskSuccessDoubled,
        Self::TaskSuccess,
        Self::ReloadTaskSuccess,
        Self::Distribute,
    ];

    /// The field as it is sent.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TaskFailed => "/scheduler-task-failed/",
            Self::ReloadFailed => "/scheduler-reload-failed/",
            Self::ReloadTaskFailed => "/scheduler-reloadtask-failed/",
            Self::TaskAborted => "/scheduler-task-aborted/",
            Self::ReloadAborted => "/scheduler-reload-aborted/",
            Self::TaskSuccessDoubled => "/scheduler-task-success//",
            Self::TaskSuccess => "/scheduler-task-success/",
            Self::ReloadTaskSuccess => "/scheduler-reloadtask-success/",
            Self::Distribute => "/scheduler-distribute/",
        }
    }

    /// What it says of the task.
    #[must_use]
    pub fn outcome(self) -> TaskOutcome {
        match self {
            Self::TaskFailed | Self::ReloadFailed | Self::ReloadTaskFailed => TaskOutcome::Failed,
            Self::TaskAborted | Self::ReloadAborted => TaskOutcome::Aborted,
            Self::TaskSuccessDoubled | Self::TaskSuccess | Self::ReloadTaskSuccess => TaskOutcome::Success,
            Self::Distribute => TaskOutcome::Unsettled,
        }
    }

    /// The prefix that the log appender in use today writes for an outcome.
    #[must_use]
    pub fn current(outcome: TaskOutcome) -> Self {
        match outcome {
            TaskOutcome::Failed => Self::TaskFailed,
            TaskOutcome::Aborted => Self::TaskAborted,
            TaskOutcome::Success => Self::TaskSuccessDoubled,
            TaskOutcome::Unsettled => Self::Distribute,
        }
    }

    /// The prefix that a first field names, whatever its case and however many slashes end it.
    pub(super) fn parse(field: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|prefix| is_same_word(prefix.as_str(), field))
    }
}

/// Whether a first field is `word`, whatever its case and however many slashes end it.
pub(super) fn is_same_word(word: &str, field: &str) -> bool {
    word.trim_end_matches('/').eq_ignore_ascii_case(field.trim_end_matches('/'))
}

/// Why a datagram says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct DecodeError {
    /// Under which reason it is counted.
    pub reason: RejectReason,
    /// What is wrong, in words and with the start of the text; at most about 200 characters.
    pub detail: String,
}
