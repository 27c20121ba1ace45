//! The sorts of objects that the repository keeps.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::objects::View;
use crate::event::TaskType;

/// Which objects of a collection are made at all: an object that is looked for by its id is not looked for among thousands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pick {
    pub(super) id: Option<Uuid>,
    /// The scheduler's id, of executions.
    pub(super) execution: Option<Uuid>,
    /// When executions ended, at the earliest and at the latest.
    pub(super) stopped: Range,
}

/// From when to when, both included; open where there is none.
pub(super) type Range = (Option<Timestamp>, Option<Timestamp>);

impl Pick {
    pub(super) const ALL: Self = Self { id: None, execution: None, stopped: (None, None) };

    pub(super) fn id(id: Uuid) -> Self {
        Self { id: Some(id), ..Self::ALL }
    }
}

/// A sort of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Collection {
    Task,
    ReloadTask,
    ExternalProgramTask,
    UserSyncTask,
    App,
    User,
    Stream,
    ExecutionResult,
}

impl Collection {
    pub(super) const ALL: [(&'static str, Self); 8] = [
        ("task", Self::Task),
        ("reloadtask", Self::ReloadTask),
        ("externalprogramtask", Self::ExternalProgramTask),
        ("usersynctask", Self::UserSyncTask),
        ("app", Self::App),
        ("user", Self::User),
        ("stream", Self::Stream),
        ("executionresult", Self::ExecutionResult),
    ];

    pub(super) fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, collection)| collection)
    }

    /// Those that are picked, whole.
    pub(super) fn objects(self, view: View<'_>, pick: Pick) -> Vec<Value> {
        let state = view.state;
        let wanted = |own: Uuid| pick.id.is_none_or(|id| id == own);
        match self {
            Self::App => state.apps.iter().filter(|app| wanted(app.id)).map(|app| view.app(app)).collect(),
            Self::User => state.users.iter().filter(|user| wanted(user.id)).map(|user| view.user(user)).collect(),
            Self::Stream => state.streams.iter().filter(|stream| wanted(stream.id)).map(|stream| view.stream(stream)).collect(),
            Self::ExecutionResult => {
                let picked = |own: Uuid| pick.execution.is_none_or(|id| id == own);
                let (first, last) = pick.stopped;
                // One that goes on has a stop time too, which is before all others.
                let in_time =
                    |stop: Option<Timestamp>| first.is_none_or(|first| stop >= Some(first)) && last.is_none_or(|last| stop <= Some(last));
                let here = state
                    .executions
                    .iter()
                    .filter(|execution| wanted(execution.id) && picked(execution.execution_id) && in_time(execution.stop));
                here.map(|execution| view.execution_result(execution)).collect()
            }
            _ => {
                let here = state.tasks.iter().filter(|task| wanted(task.id) && self.holds(task.task_type));
                here.map(|task| view.task(task)).collect()
            }
        }
    }

    fn holds(self, task_type: TaskType) -> bool {
        match self {
            // The newer types are kept among the reload tasks.
            Self::ReloadTask => matches!(task_type, TaskType::Reload | TaskType::Distribute | TaskType::Preload),
            Self::ExternalProgramTask => task_type == TaskType::ExternalProgram,
            Self::UserSyncTask => task_type == TaskType::UserSync,
            _ => self == Self::Task,
        }
    }

    /// An object as a list without `/full` shows it.
    pub(super) fn condensed(self, view: View<'_>, whole: Value) -> Value {
        let Some(id) = whole["id"].as_str().and_then(|id| id.parse().ok()) else { return whole };
        let condensed = match self {
            Self::App => view.state.app(id).map(|app| view.app_condensed(app)),
            Self::User => view.state.user(id).map(|user| view.user_condensed(user)),
            Self::Stream => Some(json!({"id": id, "name": whole["name"], "privileges": null})),
            Self::ExecutionResult => None,
            _ => view.state.task(id).map(|task| view.task_condensed(task)),
        };
        condensed.unwrap_or(whole)
    }
}
