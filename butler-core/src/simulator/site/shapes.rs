//! The shape of each sort of object: one of everything, so that a filter's members can be told from mistakes.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::collection::{Collection, Pick};
use super::objects::View;
use super::state::{App, ExecutionRecord, Property, SiteState, Step, Stream, Task, User};
use crate::event::{ExecutionStatus, TaskType};

/// The shapes of all collections.
#[derive(Debug)]
pub(super) struct Shapes(Vec<(Collection, Value)>);

impl Default for Shapes {
    fn default() -> Self {
        let state = one_of_everything();
        let view = View { state: &state, now: Timestamp::UNIX_EPOCH };
        let shape = |(_, collection): (&str, Collection)| (collection, Value::Array(collection.objects(view, Pick::ALL)));
        Self(Collection::ALL.into_iter().map(shape).collect())
    }
}

impl Shapes {
    /// One object of each form that a collection's objects have, with every member and every list filled.
    pub(super) fn of(&self, collection: Collection) -> &Value {
        self.0.iter().find(|(known, _)| *known == collection).map_or(&Value::Null, |(_, shape)| shape)
    }
}

fn one_of_everything() -> SiteState {
    let id = Uuid::from_u128(1);
    let text = || "x".to_owned();
    let tags = || vec![text()];
    let custom_properties = || vec![Property { name: text(), value: text() }];
    let task = |(number, task_type): (u128, TaskType)| Task {
        id: Uuid::from_u128(number + 1),
        task_type,
        app: Some(id),
        tags: tags(),
        custom_properties: custom_properties(),
        ..Task::default()
    };
    let execution = |task: &Task| ExecutionRecord {
        id: task.id,
        execution_id: id,
        task: task.id,
        status: ExecutionStatus(7),
        start: Some(Timestamp::UNIX_EPOCH),
        stop: Some(Timestamp::UNIX_EPOCH),
        steps: vec![Step { at: Timestamp::UNIX_EPOCH, message: text() }],
        script_log: None,
    };
    let tasks: Vec<_> = (0..).zip(TaskType::ALL).map(task).collect();
    SiteState {
        streams: vec![Stream { id, name: text() }],
        users: vec![User { id, emails: tags(), tags: tags(), custom_properties: custom_properties(), ..User::default() }],
        apps: vec![App { id, owner: id, stream: Some(id), tags: tags(), custom_properties: custom_properties(), ..App::default() }],
        executions: tasks.iter().map(execution).collect(),
        tasks,
        ..SiteState::default()
    }
}
