//! What the tests of the stages share.

use jiff::Timestamp;
use uuid::Uuid;

use crate::event::{Body, Event, EventId, Kind, NewEvent, TaskEvent, TaskFacts, TaskOutcome, TaskType};

pub(crate) fn a_task() -> TaskEvent {
    TaskEvent {
        host: "sense-node-1".into(),
        task_name: "Reload sales".into(),
        app_name: "Sales".into(),
        user: r"LAB\goran".into(),
        task_id: Uuid::from_u128(0xe959_f40a),
        app_id: Some(Uuid::from_u128(0x66bc_109d)),
        log_time: "2024-05-13 06:02:11,123".into(),
        log_level: "INFO".into(),
        execution_id: Some(Uuid::from_u128(0x0c8a_6c51)),
        message: "Max retries reached".into(),
        names_unsure: false,
    }
}

pub(crate) fn a_task_event() -> Event {
    Event {
        id: EventId(Uuid::from_u128(1)),
        site: "prod".into(),
        kind: Kind::task(TaskOutcome::Failed),
        at: Timestamp::constant(1_715_580_131, 0),
        received: Timestamp::constant(1_715_580_131, 0),
        source: "udp".into(),
        body: Body::Task(a_task()),
    }
}

pub(crate) fn a_new_event(task: u128) -> NewEvent {
    NewEvent {
        site: "prod".into(),
        kind: Kind::task(TaskOutcome::Failed),
        at: Timestamp::constant(1_715_580_131, 0),
        source: "test".into(),
        keys: Vec::new(),
        body: Body::Task(TaskEvent { task_id: Uuid::from_u128(task), ..a_task() }),
    }
}

pub(crate) fn known_task() -> TaskFacts {
    TaskFacts { name: "Reload sales".into(), task_type: Some(TaskType::Reload), ..TaskFacts::default() }
}
