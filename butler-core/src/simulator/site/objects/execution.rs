//! How executions went.

use serde_json::{Value, json};
use uuid::Uuid;

use super::View;
use super::parts::{NO_DATE, date, id_of};
use crate::simulator::site::script_log::with_crlf;
use crate::simulator::site::state::{ExecutionRecord, LogFile, NeverRan, Step};

impl View<'_> {
    /// The latest result of a task, as the task shows it. It does not say the scheduler's id.
    pub(super) fn last_result(&self, task: Uuid) -> Value {
        match self.state.last_execution(task) {
            Some(execution) => self.result(execution),
            None if self.state.never_ran == NeverRan::Null => Value::Null,
            None => json!({
                "id": id_of("never ran", &task.to_string()),
                "executingNodeName": "",
                "status": 0,
                "startTime": NO_DATE,
                "stopTime": NO_DATE,
                "duration": 0,
                "fileReferenceID": Uuid::nil(),
                "scriptLogAvailable": false,
                "details": [],
                "scriptLogLocation": "",
                "scriptLogSize": 0,
                "privileges": null,
            }),
        }
    }

    /// A result by itself, with all that it is about.
    pub(in super::super) fn execution_result(&self, execution: &ExecutionRecord) -> Value {
        let app = self.state.task(execution.task).and_then(|task| task.app).unwrap_or_default();
        let mut whole = json!({
            "id": execution.id,
            "createdDate": date(execution.start),
            "modifiedDate": date(execution.steps.last().map(|step| step.at)),
            "modifiedByUserName": "INTERNAL\\sa_scheduler",
            "taskID": execution.task,
            "executionID": execution.execution_id,
            "appID": app,
            "executingNodeID": id_of("node", &self.state.node),
        });
        if let (Some(whole), Value::Object(result)) = (whole.as_object_mut(), self.result(execution)) {
            whole.extend(result);
            whole.insert("schemaPath".into(), "ExecutionResult".into());
        }
        whole
    }

    fn result(&self, execution: &ExecutionRecord) -> Value {
        let log = self.named_log(execution);
        let (start, stop) = (execution.start, execution.stop);
        let took = start.map_or(0, |start| stop.unwrap_or(self.now).duration_since(start).as_millis());
        let location = execution.start.filter(|_| log.is_some()).map(|start| {
            let app = self.state.task(execution.task).and_then(|task| task.app).unwrap_or_default();
            format!("{}/Log/{app}.{}.log", self.state.node, start.strftime("%Y%m%dT%H%M%S.%3fZ"))
        });
        json!({
            "id": execution.id,
            "executingNodeName": self.state.node,
            "status": execution.status,
            "startTime": date(start),
            "stopTime": date(stop),
            "duration": i64::try_from(took).unwrap_or_default().max(0),
            "fileReferenceID": log.map_or(Uuid::nil(), |log| log.reference),
            "scriptLogAvailable": log.is_some(),
            "details": execution.steps.iter().enumerate().map(|(index, step)| detail(execution.id, index, step)).collect::<Vec<_>>(),
            "scriptLogLocation": location.unwrap_or_default(),
            "scriptLogSize": log.map_or(0, |log| with_crlf(&log.text).encode_utf16().count()),
            "privileges": null,
        })
    }

    /// The script log of an execution, as soon as its result names it.
    pub(in super::super) fn named_log<'e>(&self, execution: &'e ExecutionRecord) -> Option<&'e LogFile> {
        execution.script_log.as_ref().filter(|log| log.named <= self.now)
    }
}

fn detail(result: Uuid, index: usize, step: &Step) -> Value {
    json!({
        "id": id_of("detail", &format!("{result}/{index}")),
        "detailsType": 2,
        "message": step.message,
        "detailCreatedDate": date(Some(step.at)),
        "privileges": null,
    })
}
