//! `[monitor]`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::values::Period;

const fn minutes(minutes: u64) -> Period {
    Period(Duration::from_mins(minutes))
}

/// `[monitor]`: what is watched beside the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MonitorConfig {
    /// Tasks that are late, hang, keep failing, and recover.
    pub tasks: TaskWatchConfig,
    /// How long Butler runs, and how much memory it holds.
    pub uptime: UptimeConfig,
}

/// `[monitor.uptime]`: a measurement of Butler itself, for time series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UptimeConfig {
    /// Whether it is told; if it is left out it is as soon as a route names `butler.uptime`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The time from one to the next.
    pub every: Period,
}

impl Default for UptimeConfig {
    fn default() -> Self {
        Self { enabled: None, every: Period(crate::monitor::uptime::UptimeMonitor::EVERY) }
    }
}

/// `[monitor.tasks]`: what of the tasks of all sites with certificates is told beside how they ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskWatchConfig {
    /// Whether they are watched; if it is left out they are as soon as a route takes `task.late`, `task.stuck`, `task.failing` or `task.recovered`.
    pub enabled: Option<bool>,
    /// How often the repository is asked.
    pub every: Period,
    /// How long after its time a task may start.
    pub late_after: Period,
    /// How long an execution may wait for its start.
    pub queued_after: Period,
    /// How long any task may run, whatever it usually takes.
    pub longest: Option<Period>,
    /// How often it is told of a task that it still fails (`task.failing`); never if it is left out.
    pub remind: Option<Period>,
}

impl Default for TaskWatchConfig {
    fn default() -> Self {
        Self { enabled: None, every: minutes(1), late_after: minutes(5), queued_after: minutes(30), longest: None, remind: None }
    }
}
