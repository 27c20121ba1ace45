//! A run that is wanted, and what it has come to.

use uuid::Uuid;

use super::outcome::Outcome;

/// A task to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The task.
    pub task: Uuid,
    /// How it ends.
    pub outcome: Outcome,
    /// `DIRECTORY\user` that the datagram names; the scheduler's if there is none, or the owner's of the app if somebody stops the task.
    pub user: Option<String>,
    /// The script log, in place of one that fits the outcome.
    pub script_log: Option<String>,
}

impl Run {
    /// A run of a task that ends so.
    #[must_use]
    pub fn new(task: Uuid, outcome: Outcome) -> Self {
        Self { task, outcome, user: None, script_log: None }
    }
}

/// An execution that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// The task.
    pub task: Uuid,
    /// Its name.
    pub task_name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The scheduler's id of it; the datagram names it.
    pub execution_id: Uuid,
    /// The id of its result in the repository.
    pub result_id: Uuid,
    /// The datagram that the site's log appender sends about it.
    pub datagram: Vec<u8>,
    /// It got lost on its way; see [`Site::lose_datagrams`](super::Site::lose_datagrams).
    pub lost: bool,
}
