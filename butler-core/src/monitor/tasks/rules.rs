//! When a task is late, stuck or waits too long.

use std::time::Duration;

/// What is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskWatchRules {
    /// How often the repository is asked.
    pub every: Duration,
    /// How long after its time a task may start; also how long whoever was away is given to catch up.
    pub late_after: Duration,
    /// How long an execution may wait for its start.
    pub queued_after: Duration,
    /// How long any task may run, whatever it usually takes; `None` for no such limit.
    pub longest: Option<Duration>,
    /// How often it is said of a task that it still fails; `None` for never.
    pub remind: Option<Duration>,
}

impl Default for TaskWatchRules {
    fn default() -> Self {
        Self {
            every: Duration::from_mins(1),
            late_after: Duration::from_mins(5),
            queued_after: Duration::from_mins(30),
            longest: None,
            remind: None,
        }
    }
}
