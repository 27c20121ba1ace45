//! Why a schedule could not be changed.

use super::when::WhenError;
use crate::store::StoreError;

/// Why a schedule could not be found, made or changed. Nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// There is none with this id.
    #[error("there is no schedule with the id `{0}`")]
    Unknown(String),
    /// There is one with this id already.
    #[error("there is a schedule with the id `{0}` already")]
    Exists(String),
    /// It stands in the configuration.
    #[error("the schedule `{0}` is defined in the configuration, under `[scheduler.schedules]`; change it there")]
    Declared(String),
    /// The scheduler is switched off.
    #[error("the scheduler is switched off: `enabled = false` in `[scheduler]`")]
    Disabled,
    /// Nobody can tell when it is due.
    #[error("`{text}` can't be read as times: {why}")]
    When {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: WhenError,
    },
    /// There is nothing that it could do.
    #[error("the schedule `{0}` names no task and no action")]
    NothingToDo(String),
    /// The program that embeds Butler has no such action.
    #[error("there is no action `{0}`; a program that embeds Butler adds it before it starts")]
    NoAction(String),
    /// An id, a name or a text is empty or far too long.
    #[error("{0}")]
    Malformed(String),
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Butler ends, or is at fault itself.
    #[error("the change was broken off; see the log")]
    BrokenOff,
}
