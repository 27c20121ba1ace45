//! How executions end.

use serde::{Deserialize, Serialize};

use crate::event::{ExecutionStatus, TaskOutcome};

/// How an execution ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It does its work.
    #[default]
    Success,
    /// It fails, at every try, for this reason.
    Failed(Failure),
    /// Somebody stops it.
    Aborted,
}

/// Why a reload fails; its script log ends accordingly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// A file is not there.
    #[default]
    MissingFile,
    /// A field that the script names is not there.
    MissingField,
    /// The database does not answer.
    Connection,
    /// The script makes no sense.
    Syntax,
    /// There is no more memory.
    Memory,
}

impl Failure {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::MissingFile, Self::MissingField, Self::Connection, Self::Syntax, Self::Memory];
}

impl Outcome {
    /// A failure of the most usual sort: a file is not there.
    pub const FAILED: Self = Self::Failed(Failure::MissingFile);

    /// The status that an execution ends with.
    #[must_use]
    pub fn status(self) -> ExecutionStatus {
        match self {
            Self::Success => ExecutionStatus(7),
            Self::Failed(_) => ExecutionStatus(8),
            Self::Aborted => ExecutionStatus(6),
        }
    }

    /// What a log datagram says of it.
    #[must_use]
    pub fn told(self) -> TaskOutcome {
        match self {
            Self::Success => TaskOutcome::Success,
            Self::Failed(_) => TaskOutcome::Failed,
            Self::Aborted => TaskOutcome::Aborted,
        }
    }
}
