//! What became of a request.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::request::Selector;
use crate::event::SiteName;

/// What became of a [`StartRequest`](super::StartRequest), choice by choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct StartReport {
    /// The site.
    pub site: SiteName,
    /// One for each id, then each tag, then each custom property of the request, in its order.
    pub selections: Vec<Selection>,
}

/// The tasks that one choice came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Selection {
    /// By what they were chosen.
    pub by: Selector,
    /// Whether the filter allows none of it, or not all.
    pub denied: bool,
    /// Why the repository could not say which tasks these are; it did answer.
    pub error: Option<String>,
    /// The tasks: exactly one for an id, as many as there are for all else.
    pub tasks: Vec<TaskReport>,
}

/// What became of one task. One that was chosen several times is started once, and reported with each choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct TaskReport {
    /// Its id as the repository writes it; as it was given if there is no such task, or none that may be started.
    pub id: String,
    /// Its name, if it is known.
    pub name: Option<String>,
    /// What became of it.
    pub outcome: StartOutcome,
}

/// What became of one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum StartOutcome {
    /// The repository has taken it; so it does, and lets it go on, if the task runs already.
    Started {
        /// The scheduler's id of the execution, where the repository tells it.
        execution: Option<Uuid>,
    },
    /// The filter does not allow it.
    Denied,
    /// This is no id of a task.
    InvalidId,
    /// There is no such task.
    NotFound,
    /// It could have been started, but not all ids of the request are tasks.
    HeldBack,
    /// It runs, or waits for its start, and the request leaves such tasks alone.
    Running,
    /// It could not be started.
    Failed {
        /// Why.
        why: String,
        /// Whether it may run nonetheless: the repository got the request, or may have, and did not say what became of it.
        may_run: bool,
    },
}

impl StartOutcome {
    /// Whether it was started.
    #[must_use]
    pub fn is_started(&self) -> bool {
        matches!(self, Self::Started { .. })
    }
}

impl StartReport {
    /// Every task of every choice.
    pub fn tasks(&self) -> impl Iterator<Item = &TaskReport> {
        self.selections.iter().flat_map(|selection| &selection.tasks)
    }
}
