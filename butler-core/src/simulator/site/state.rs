//! What is in a site: tasks, apps, users, streams, and how executions went.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::content::AppContent;
use super::outcome::Outcome;
use crate::event::{ExecutionStatus, TaskType};

/// How many executions of a task are remembered.
const HISTORY: usize = 50;

/// Everything that is in a site.
///
/// The file form of it is TOML or JSON with the same names; see [`SiteState::EXAMPLE`] for a commented one. Tags, custom property definitions and the
/// like have no table of their own: they are where they are used, and have ids that follow from their names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiteState {
    /// Name of the node that runs tasks and writes logs.
    pub node: String,
    /// The release, as `about` tells it.
    pub version: String,
    /// Time zone of the node's logs, by its IANA name; the machine's if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// In which ways script logs can be asked for.
    pub script_log_api: ScriptLogApi,
    /// Whether the scheduler's id of an execution is also the id of its result.
    pub execution_ids: ExecutionIds,
    /// What is shown as the last result of a task that never ran.
    pub never_ran: NeverRan,
    /// Streams.
    pub streams: Vec<Stream>,
    /// Users. Requests are taken on behalf of those that are here and active.
    pub users: Vec<User>,
    /// Apps.
    pub apps: Vec<App>,
    /// Tasks of all types.
    pub tasks: Vec<Task>,
    /// Executions; of each task the latest comes last.
    pub executions: Vec<ExecutionRecord>,
}

/// In which ways script logs can be asked for: releases up to spring 2025 know the old one, later ones the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScriptLogApi {
    /// `reloadtask/{id}/scriptlog`
    Old,
    /// `reloadtask/{id}/scriptlogfile`
    New,
    /// Either.
    #[default]
    Both,
}

/// How the scheduler's id of an execution and the id of its result are related.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionIds {
    /// They are two ids.
    #[default]
    Separate,
    /// They are the same.
    Same,
}

/// What is shown as the last result of a task that never ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NeverRan {
    /// A result with the status `NeverStarted`.
    #[default]
    NeverStarted,
    /// Nothing: `null`.
    Null,
}

/// A stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

/// A value of a custom property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Property {
    /// Name of its definition.
    pub name: String,
    /// The value.
    pub value: String,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct User {
    /// Its id.
    pub id: Uuid,
    /// User directory.
    pub directory: String,
    /// Id within the directory.
    pub user_id: String,
    /// Full name.
    pub name: String,
    /// Email addresses, as attributes.
    pub emails: Vec<String>,
    /// Groups, as attributes.
    pub groups: Vec<String>,
    /// Roles.
    pub roles: Vec<String>,
    /// Names of its tags.
    pub tags: Vec<String>,
    /// Its custom properties.
    pub custom_properties: Vec<Property>,
    /// Nobody may act on its behalf.
    pub inactive: bool,
    /// Blocked.
    pub blacklisted: bool,
    /// No longer in its directory.
    pub removed_externally: bool,
}

/// An app.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct App {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// The user who owns it.
    pub owner: Uuid,
    /// The stream that it is published to; it is unpublished if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<Uuid>,
    /// Names of its tags.
    pub tags: Vec<String>,
    /// Its custom properties.
    pub custom_properties: Vec<Property>,
    /// Bytes.
    pub file_size: u64,
    /// The last reload that succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_reload: Option<Timestamp>,
    /// What the engine shows of it.
    pub content: AppContent,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Task {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub task_type: TaskType,
    /// The app that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<Uuid>,
    /// Whether it can be started.
    pub enabled: bool,
    /// How often it is tried again when it fails.
    pub max_retries: u32,
    /// Minutes after which it is stopped.
    pub session_timeout: u32,
    /// Made by somebody who reloaded an app by hand.
    pub manually_triggered: bool,
    /// Reloads only in part.
    pub partial_reload: bool,
    /// Names of its tags.
    pub tags: Vec<String>,
    /// Its custom properties.
    pub custom_properties: Vec<Property>,
    /// When it will run next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_execution: Option<Timestamp>,
    /// How it ends when it is started through the repository.
    pub when_started: Outcome,
}

impl Default for Task {
    fn default() -> Self {
        Self {
            id: Uuid::nil(),
            name: String::new(),
            task_type: TaskType::Reload,
            app: None,
            enabled: true,
            max_retries: 0,
            session_timeout: 1440,
            manually_triggered: false,
            partial_reload: false,
            tags: Vec::new(),
            custom_properties: Vec::new(),
            next_execution: None,
            when_started: Outcome::Success,
        }
    }
}

/// How one execution of a task went, or goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutionRecord {
    /// Id of the result.
    pub id: Uuid,
    /// The scheduler's id.
    pub execution_id: Uuid,
    /// The task.
    pub task: Uuid,
    /// The code of its status.
    pub status: ExecutionStatus,
    /// When it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Timestamp>,
    /// What happened on the way.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// The script log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script_log: Option<LogFile>,
}

/// A step of an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// What.
    pub message: String,
}

/// The script log of an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogFile {
    /// By which it is asked for.
    pub reference: Uuid,
    /// Since when the result names it.
    pub named: Timestamp,
    /// Since when it can be downloaded.
    pub ready: Timestamp,
    /// The text; lines end in CR LF when it is sent.
    pub text: String,
}

impl SiteState {
    /// The task of this id.
    #[must_use]
    pub fn task(&self, id: Uuid) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == id)
    }

    /// The task of this id, to be changed.
    pub fn task_mut(&mut self, id: Uuid) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|task| task.id == id)
    }

    /// The app of this id.
    #[must_use]
    pub fn app(&self, id: Uuid) -> Option<&App> {
        self.apps.iter().find(|app| app.id == id)
    }

    /// The app of this id, to be changed.
    pub fn app_mut(&mut self, id: Uuid) -> Option<&mut App> {
        self.apps.iter_mut().find(|app| app.id == id)
    }

    /// The user of this id.
    #[must_use]
    pub fn user(&self, id: Uuid) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    /// The user of this id, to be changed.
    pub fn user_mut(&mut self, id: Uuid) -> Option<&mut User> {
        self.users.iter_mut().find(|user| user.id == id)
    }

    /// The stream of this id.
    #[must_use]
    pub fn stream(&self, id: Uuid) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.id == id)
    }

    /// The execution whose result has this id.
    #[must_use]
    pub fn execution(&self, result: Uuid) -> Option<&ExecutionRecord> {
        self.executions.iter().find(|execution| execution.id == result)
    }

    pub(super) fn execution_mut(&mut self, result: Uuid) -> Option<&mut ExecutionRecord> {
        self.executions.iter_mut().find(|execution| execution.id == result)
    }

    /// The latest execution of a task.
    #[must_use]
    pub fn last_execution(&self, task: Uuid) -> Option<&ExecutionRecord> {
        self.executions.iter().rfind(|execution| execution.task == task)
    }

    /// Adds an execution, the latest of its task. Of each task the last fifty are kept.
    pub fn add_execution(&mut self, execution: ExecutionRecord) {
        let task = execution.task;
        self.executions.push(execution);
        if self.executions.iter().filter(|known| known.task == task).count() > HISTORY
            && let Some(oldest) = self.executions.iter().position(|known| known.task == task)
        {
            self.executions.remove(oldest);
        }
    }
}
