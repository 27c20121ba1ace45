//! Schedules as they are told of.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schedule::{ListedSchedule, Origin, PropertyTarget, Rules, SchedulerSettings, State, Targets, When};

/// A schedule as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ShownSchedule {
    /// Tells it from all others.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// A cron expression, or words.
    pub when: String,
    /// The time zone that it names; empty if it names none.
    pub timezone: String,
    /// The time zone whose clocks count; none if nobody can tell when it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Whether it runs when Butler starts.
    pub enabled: bool,
    /// Whether it runs now.
    pub state: State,
    /// When it is due next; none if it does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub next: Option<Timestamp>,
    /// Ids of tasks that it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<String>,
    /// Tags of tasks that it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub task_tags: Vec<String>,
    /// Values of custom properties of tasks that it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub task_properties: Vec<PropertyTarget>,
    /// The site of the tasks; that of `[tasks]` if there is none here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The action of the program that embeds Butler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// How its occurrences are treated.
    pub rules: Rules,
    /// For people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Where it is defined.
    pub origin: Origin,
    /// Why nobody can tell when it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What whoever wrote it may not expect of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// When a schedule is due next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NextRuns {
    /// The time zone whose clocks count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The times, the nearest first.
    #[schema(value_type = Vec<String>)]
    pub times: Vec<Timestamp>,
}

impl ShownSchedule {
    pub(super) fn of(listed: &ListedSchedule, settings: &SchedulerSettings) -> Self {
        let schedule = &*listed.schedule;
        let when = When::parse(&schedule.when, settings.months);
        let Targets { tasks, tags, custom_properties, site } = schedule.targets();
        Self {
            id: schedule.id.clone(),
            name: schedule.name.clone(),
            when: schedule.when.clone(),
            timezone: schedule.timezone.clone(),
            zone: zone(listed),
            enabled: schedule.startup.state() == State::Started,
            state: schedule.state,
            next: listed.next,
            tasks,
            task_tags: tags,
            task_properties: custom_properties,
            site,
            action: schedule.action.clone(),
            rules: schedule.rules.clone(),
            tags: schedule.tags.clone().unwrap_or_default(),
            created: schedule.created.clone(),
            origin: schedule.origin,
            problem: when.as_ref().err().map(ToString::to_string),
            warnings: when.map(|when| when.warnings().to_vec()).unwrap_or_default(),
        }
    }
}

impl NextRuns {
    pub(super) fn of(listed: &ListedSchedule, times: Vec<Timestamp>) -> Self {
        Self { zone: zone(listed), times }
    }
}

/// The name of the zone; what has none is the machine's.
fn zone(listed: &ListedSchedule) -> Option<String> {
    listed.zone.as_ref().map(|zone| zone.iana_name().unwrap_or("local").to_owned())
}
