//! What a schedule is.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::rules::Rules;
use super::targets::Targets;

/// A schedule: when something is to be done, what, and what if that can't be.
///
/// Its form as JSON is that of the original's schedule file and of the `/v4` API, so that both can be passed on as they are; members that nobody knows are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Schedule {
    /// What people call it.
    pub name: String,
    /// A cron expression, or an interval in words such as `every 5 minutes`.
    #[serde(rename = "cronSchedule")]
    pub when: String,
    /// Name of an IANA time zone; one that is not known stands for the machine's.
    pub timezone: String,
    /// The task that is started, as the original names the only one that it can start.
    #[serde(rename = "qlikSenseTaskId", default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Whether it runs when Butler starts.
    #[serde(rename = "startupState")]
    pub startup: Startup,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Tells it from all others.
    pub id: String,
    /// When it was made, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Whether it runs.
    #[serde(rename = "lastKnownState")]
    pub state: State,
    /// Further tasks that are started.
    #[serde(default, skip_serializing_if = "Targets::is_empty")]
    pub starts: Targets,
    /// An action of the program that embeds Butler, instead of tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// How its occurrences are treated.
    #[serde(default, skip_serializing_if = "Rules::is_default")]
    pub rules: Rules,
    /// Where it is defined.
    #[serde(default, skip_serializing_if = "Origin::is_api")]
    pub origin: Origin,
    /// Members that nobody here knows.
    #[serde(flatten)]
    #[cfg_attr(feature = "api", schema(value_type = Object))]
    pub more: Map<String, Value>,
}

/// Whether a schedule runs when Butler starts. Both forms of the original are kept as they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Startup {
    /// It runs.
    Start,
    /// It runs.
    #[default]
    Started,
    /// It does not.
    Stop,
    /// It does not.
    Stopped,
}

/// Whether a schedule runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It runs.
    Started,
    /// It does not.
    Stopped,
}

/// Where a schedule is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// It was made over the API, the command line, or by the program that embeds Butler, and can be changed there.
    #[default]
    Api,
    /// In the configuration, and only there.
    Configuration,
}

impl Schedule {
    /// A schedule that does nothing yet, in the machine's time zone. It has an id of its own and runs.
    #[must_use]
    pub fn new(name: impl Into<String>, when: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            when: when.into(),
            timezone: String::new(),
            task: None,
            startup: Startup::Started,
            tags: None,
            id: Uuid::new_v4().to_string(),
            created: None,
            state: State::Started,
            starts: Targets::default(),
            action: None,
            rules: Rules::default(),
            origin: Origin::Api,
            more: Map::new(),
        }
    }

    /// The same under this id.
    #[must_use]
    pub fn with_id(self, id: impl Into<String>) -> Self {
        Self { id: id.into(), ..self }
    }

    /// The same in this IANA time zone.
    #[must_use]
    pub fn in_zone(self, timezone: impl Into<String>) -> Self {
        Self { timezone: timezone.into(), ..self }
    }

    /// The same, starting this task of Qlik Sense.
    #[must_use]
    pub fn starting(self, task: impl Into<String>) -> Self {
        Self { task: Some(task.into()), ..self }
    }

    /// The same, running this action of the program that embeds Butler.
    #[must_use]
    pub fn running(self, action: impl Into<String>) -> Self {
        Self { action: Some(action.into()), ..self }
    }

    /// The same with these rules.
    #[must_use]
    pub fn with_rules(self, rules: Rules) -> Self {
        Self { rules, ..self }
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state == State::Started
    }

    /// Every task that it starts.
    #[must_use]
    pub fn targets(&self) -> Targets {
        let mut targets = self.starts.clone();
        if let Some(task) = &self.task
            && !targets.tasks.contains(task)
        {
            targets.tasks.insert(0, task.clone());
        }
        targets
    }
}

impl Startup {
    /// The state with which it begins.
    #[must_use]
    pub fn state(self) -> State {
        match self {
            Self::Start | Self::Started => State::Started,
            Self::Stop | Self::Stopped => State::Stopped,
        }
    }
}

impl Origin {
    fn is_api(&self) -> bool {
        *self == Self::Api
    }
}
