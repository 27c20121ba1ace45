//! Tasks of all types.

use serde_json::{Value, json};

use super::View;
use super::parts::{CREATED, date, id_of, properties, tags};
use crate::event::TaskType;
use crate::simulator::site::state::Task;

impl View<'_> {
    /// A task, whole.
    pub(in super::super) fn task(&self, task: &Task) -> Value {
        let last_step = self.state.last_execution(task.id).and_then(|execution| execution.steps.last());
        let mut whole = json!({
            "id": task.id,
            "createdDate": CREATED,
            "modifiedDate": last_step.map_or_else(|| CREATED.to_owned(), |step| date(Some(step.at))),
            "modifiedByUserName": "INTERNAL\\sa_scheduler",
            "customProperties": properties(*self, task.id, &task.custom_properties),
        });
        let members = [self.about_what(task), self.how_it_stands(task)].into_iter();
        if let Some(whole) = whole.as_object_mut() {
            whole.extend(members.filter_map(|part| if let Value::Object(part) = part { Some(part) } else { None }).flatten());
        }
        whole
    }

    /// A task, as lists show it.
    pub(in super::super) fn task_condensed(&self, task: &Task) -> Value {
        json!({
            "id": task.id,
            "name": task.name,
            "taskType": code(task),
            "enabled": task.enabled,
            "taskSessionTimeout": task.session_timeout,
            "maxRetries": task.max_retries,
            "privileges": null,
        })
    }

    /// What tasks of its type have and others have not.
    fn about_what(&self, task: &Task) -> Value {
        let app = || task.app.and_then(|app| self.state.app(app)).map_or(Value::Null, |app| self.app_condensed(app));
        match task.task_type {
            TaskType::ExternalProgram => json!({
                "path": "C:\\Tools\\export.exe",
                "parameters": "--all",
                "qlikUser": null,
            }),
            TaskType::UserSync => json!({
                "userDirectory": {
                    "id": id_of("user directory", "LAB"),
                    "name": "LAB",
                    "userDirectoryName": "LAB",
                    "type": "Repository.UserDirectoryConnectors.LDAP.ActiveDirectory",
                    "privileges": null,
                },
            }),
            TaskType::Reload | TaskType::Distribute | TaskType::Preload => json!({
                "app": app(),
                "isManuallyTriggered": task.manually_triggered,
                "isPartialReload": task.partial_reload,
                "preloadNodes": self.preload_nodes(task),
                "timeToLive": if task.task_type == TaskType::Preload { 60 } else { 0 },
            }),
        }
    }

    fn preload_nodes(&self, task: &Task) -> Value {
        match task.task_type {
            TaskType::Preload => json!([{"id": id_of("node", &self.state.node), "name": self.state.node}]),
            _ => json!([]),
        }
    }

    fn how_it_stands(&self, task: &Task) -> Value {
        json!({
            "operational": {
                "id": id_of("operational", &task.id.to_string()),
                "lastExecutionResult": self.last_result(task.id),
                "nextExecution": date(task.next_execution),
                "privileges": null,
            },
            "name": task.name,
            "taskType": code(task),
            "enabled": task.enabled,
            "taskSessionTimeout": task.session_timeout,
            "maxRetries": task.max_retries,
            "tags": tags(&task.tags),
            "privileges": null,
            "schemaPath": schema(task.task_type),
        })
    }
}

fn code(task: &Task) -> usize {
    TaskType::ALL.iter().position(|known| *known == task.task_type).unwrap_or_default()
}

/// The newer types are kept among the reload tasks.
fn schema(task_type: TaskType) -> &'static str {
    match task_type {
        TaskType::Reload | TaskType::Distribute | TaskType::Preload => "ReloadTask",
        TaskType::ExternalProgram => "ExternalProgramTask",
        TaskType::UserSync => "UserSyncTask",
    }
}
