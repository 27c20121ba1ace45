//! `[scheduler]`: what is done at which times.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::values::Period;
use crate::schedule::{Missed, PropertyTarget, Window};

/// `[scheduler]`: whether there are schedules, how they are read, and those that are defined here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SchedulerConfig {
    /// Whether there are any.
    pub enabled: bool,
    /// How cron expressions number the months: `1-12`, or `0-11` as the original does.
    pub cron_months: CronMonths,
    /// IANA name of the time zone of schedules that name none; that of this machine if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// How long it is tried again to start a task while the repository can't be reached.
    pub retry_for: Period,
    /// What was missed longer ago than this is left alone.
    pub catch_up: Period,
    /// Schedules by their ids.
    pub schedules: BTreeMap<String, ScheduleConfig>,
}

/// How cron expressions number the months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum CronMonths {
    /// January is 1.
    #[default]
    #[serde(rename = "1-12")]
    FromOne,
    /// January is 0.
    #[serde(rename = "0-11")]
    FromZero,
}

/// A schedule of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    /// What people call it; its id if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A cron expression, or an interval in words.
    pub when: String,
    /// IANA name of its time zone; that of `[scheduler]` if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Whether it runs.
    pub enabled: bool,
    /// Ids of tasks to start.
    pub tasks: Vec<String>,
    /// Tags: every task that bears one is started.
    pub task_tags: Vec<String>,
    /// Values of custom properties: every task that has one is started.
    pub task_properties: Vec<PropertyTarget>,
    /// The site of the tasks; that of `[tasks]` if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// An action of the program that embeds Butler, instead of tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// What becomes of occurrences that passed while Butler was down.
    pub missed: Missed,
    /// Whether nothing is started while a task still runs.
    pub skip_running: bool,
    /// Occurrences are put off by a time of their own, up to this.
    pub jitter: Period,
    /// The times at which there are occurrences at all.
    pub only: Window,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            cron_months: CronMonths::default(),
            timezone: None,
            retry_for: Period(std::time::Duration::from_mins(10)),
            catch_up: Period(std::time::Duration::from_hours(24)),
            schedules: BTreeMap::new(),
        }
    }
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            name: None,
            when: String::new(),
            timezone: None,
            enabled: true,
            tasks: Vec::new(),
            task_tags: Vec::new(),
            task_properties: Vec::new(),
            site: None,
            action: None,
            missed: Missed::default(),
            skip_running: false,
            jitter: Period::default(),
            only: Window::default(),
        }
    }
}
