//! Schedules as they are asked for.

use serde::{Deserialize, Serialize};
use serde_json::Map;
use utoipa::ToSchema;

use crate::api::ApiState;
use crate::api::problem::Refusal;
use crate::schedule::{PropertyTarget, Rules, Schedule, Startup, Targets, is_task_id, time_zone};

/// A schedule that is to be made, or put in the place of another. Its members are those of `[scheduler.schedules.ID]` in the configuration, of which `missed`, `skip_running`,
/// `jitter` and `only` stand in `rules` here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSchedule {
    /// Tells it from all others; a new one is made up if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What people call it; its `when` if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A cron expression such as `0 2 * * *`, or words such as `every 5 minutes`.
    pub when: String,
    /// IANA name of its time zone; that of `[scheduler]` if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Whether it runs.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Ids of tasks to start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<String>,
    /// Tags: every task that bears one is started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub task_tags: Vec<String>,
    /// Values of custom properties: every task that has one is started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub task_properties: Vec<PropertyTarget>,
    /// The site of the tasks; that of `[tasks]` if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// An action of the program that embeds Butler, instead of tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// How its occurrences are treated.
    #[serde(default)]
    pub rules: Rules,
    /// For people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

fn yes() -> bool {
    true
}

impl NewSchedule {
    /// The schedule, if its parts make sense beside the configuration; whether it can be told when it is due is not looked at.
    pub(super) fn schedule(self, state: &ApiState) -> Result<Schedule, Refusal> {
        let Self { id, name, when, timezone, enabled, tasks, task_tags, task_properties, site, action, rules, tags } = self;
        if let Some(zone) = timezone.as_deref().filter(|zone| time_zone(zone).is_none()) {
            let refusal = Refusal::bad_request(format!("there is no time zone `{zone}`"));
            return Err(refusal.remedy("Write an IANA name such as `Europe/Stockholm` or `UTC`."));
        }
        if let Some(site) = site.as_deref().filter(|site| !state.plan().sites.contains_key(*site)) {
            let known: Vec<_> = state.plan().sites.keys().map(|site| site.as_str()).collect();
            return Err(Refusal::bad_request(format!("there is no site `{site}`")).remedy(format!("Known: {}.", known.join(", "))));
        }
        if let Some(task) = tasks.iter().find(|task| !is_task_id(task)) {
            let refusal = Refusal::bad_request(format!("`{task}` is no id of a task"));
            return Err(refusal.remedy("Write a whole id; to name tasks otherwise, give them a tag and use `task_tags`."));
        }
        let starts = Targets { tasks, tags: task_tags, custom_properties: task_properties, site };
        if action.is_some() && !starts.names_none() {
            return Err(Refusal::bad_request("a schedule runs an action or starts tasks, and not both"));
        }
        // The first task is the one that the original's form has a place for.
        let (task, rest) = match starts.tasks.split_first() {
            Some((first, rest)) => (Some(first.clone()), rest.to_vec()),
            None => (None, Vec::new()),
        };
        let startup = if enabled { Startup::Started } else { Startup::Stopped };
        let made = Schedule::new(name.unwrap_or_else(|| when.clone()), when);
        Ok(Schedule {
            timezone: timezone.unwrap_or_default(),
            task,
            startup,
            state: startup.state(),
            tags: Some(tags).filter(|tags| !tags.is_empty()),
            id: id.unwrap_or_else(|| made.id.clone()),
            starts: Targets { tasks: rest, ..starts },
            action,
            rules,
            more: Map::new(),
            ..made
        })
    }
}
