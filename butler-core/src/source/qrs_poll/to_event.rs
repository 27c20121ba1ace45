//! From an execution that ended to an event.

use jiff::tz::TimeZone;

use crate::event::{Body, DedupKey, Kind, NewEvent, SiteName, SourceName, TaskEvent, TaskFacts, TaskOutcome};
use crate::qlik::EndedExecution;

/// Makes the event that a result tells of; none if the execution did not end as anybody would tell.
///
/// `task` is what is known of its task. Without it the task's id stands for its name, and no event is lost for that.
pub(super) fn to_event(
    site: &SiteName,
    source: &SourceName,
    zone: &TimeZone,
    ended: &EndedExecution,
    task: Option<&TaskFacts>,
) -> Option<NewEvent> {
    let EndedExecution { task_id, app_id, stopped, result } = ended;
    let outcome = result.status.outcome()?;
    let task_id = task_id.unwrap_or_default();
    let kind = Kind::Task { task_type: task.and_then(|task| task.task_type), outcome };
    let body = TaskEvent {
        host: result.executing_node.clone(),
        task_name: task.map_or_else(|| task_id.to_string(), |task| task.name.clone()),
        app_name: task.and_then(|task| task.app_name.clone()).unwrap_or_default(),
        user: String::new(),
        task_id,
        app_id: app_id.or_else(|| task.and_then(|task| task.app_id)),
        log_time: stopped.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S,%3f").to_string(),
        log_level: String::new(),
        // The result's own id finds the execution as well.
        execution_id: result.execution_id.or(result.id),
        message: result.details.last().map_or_else(|| result.status.text(), |step| step.message.clone()),
        names_unsure: false,
    };
    let keys = keys(site, &kind, ended, body.task_id);
    Some(NewEvent { site: site.clone(), kind, at: *stopped, source: source.clone(), keys, body: Body::Task(body) })
}

/// A datagram names the scheduler's id of an execution, which may also be the id of its result. Where the repository shows no such id, task and time have to do, and they
/// do only beside no key that is exact.
fn keys(site: &SiteName, kind: &Kind, ended: &EndedExecution, task: uuid::Uuid) -> Vec<DedupKey> {
    let by_time = DedupKey::task_time(site, kind, task, ended.stopped);
    let Some(execution) = ended.result.execution_id else { return vec![by_time] };
    // Of a distribution the datagram says no more than that it goes on elsewhere.
    let unsettled = Kind::task(TaskOutcome::Unsettled);
    let mut keys = vec![DedupKey::execution(site, kind, execution), DedupKey::execution(site, &unsettled, execution)];
    if let Some(result) = ended.result.id {
        keys.extend([DedupKey::result(site, kind, result), DedupKey::execution(site, kind, result)]);
    }
    keys.push(by_time);
    keys
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::event::{ExecutionResult, ExecutionStatus};

    fn ended(status: i64, execution_id: Option<Uuid>) -> EndedExecution {
        let result = ExecutionResult {
            id: Some(Uuid::from_u128(1)),
            execution_id,
            executing_node: "node".into(),
            status: ExecutionStatus(status),
            start_time: String::new(),
            stop_time: String::new(),
            duration_ms: 0,
            file_reference: None,
            script_log_size: 0,
            details: Vec::new(),
            certain: false,
        };
        EndedExecution { task_id: Some(Uuid::from_u128(3)), app_id: None, stopped: Timestamp::constant(1_715_580_131, 0), result }
    }

    use jiff::Timestamp;

    fn event(ended: &EndedExecution, task: Option<&TaskFacts>) -> Option<NewEvent> {
        to_event(&"prod".into(), &"qrs_poll".into(), &TimeZone::UTC, ended, task)
    }

    #[test]
    fn only_an_execution_that_ended_is_an_event() {
        let kinds = (0..16).map(|status| event(&ended(status, None), None).map(|event| event.kind.to_string()));
        let kinds: Vec<_> = kinds.enumerate().filter_map(|(status, kind)| Some((status, kind?))).collect();
        let expected = [(6, "task.aborted"), (7, "task.success"), (8, "task.failed"), (11, "task.failed")];
        assert_eq!(kinds, expected.map(|(status, kind)| (status, kind.to_owned())));
    }

    #[test]
    fn a_task_that_is_gone_loses_no_event() {
        let event = event(&ended(8, None), None).expect("an event");
        let Body::Task(task) = event.body else { panic!("no task: {:?}", event.body) };
        assert_eq!((task.task_name, task.message), (Uuid::from_u128(3).to_string(), "FinishedFail".to_owned()));
        assert_eq!((task.log_time.as_str(), task.execution_id), ("2024-05-13 06:02:11,000", Some(Uuid::from_u128(1))));
    }

    #[test]
    fn without_an_id_that_a_datagram_names_too_the_time_decides() {
        let exact = |event: &NewEvent| event.keys.iter().filter(|key| matches!(key, DedupKey::Exact(_))).count();
        let (with, without) = (event(&ended(8, Some(Uuid::from_u128(2))), None), event(&ended(8, None), None));
        assert_eq!(with.map(|event| (exact(&event), event.keys.len())), Some((4, 5)));
        assert_eq!(without.map(|event| (exact(&event), event.keys.len())), Some((0, 1)));
    }
}
