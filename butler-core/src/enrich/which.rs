//! Whether an execution result is that of the execution that an event is about.
//!
//! A task may have been started again before the repository is asked, so its latest result proves nothing by itself. The scheduler's id of an execution and the id of
//! its result need not be the same; where neither is equal, the moment of the log line is compared with the end of the execution. The line
//! tells local time without its zone, so the two may differ by any whole number of quarters of an hour that is a time zone.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::event::{ExecutionResult, TaskEvent, TaskOutcome};
use crate::qlik::map::moment;

/// How far the log line may be from the end of the execution.
const TOLERANCE: i64 = 5;
/// Time zones differ from UTC by multiples of this many seconds,
const ZONE_STEP: i64 = 15 * 60;
/// and by no more than this many.
const ZONE_LIMIT: i64 = 14 * 60 * 60;

/// How well a result fits an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// It bears the execution's id.
    SameId,
    /// It ended as the event says, when the event says.
    SameTime,
    /// Nothing shows that it is the one.
    Unproven,
}

/// How well a result fits what was told.
pub(super) fn fit(result: &ExecutionResult, told: &TaskEvent, outcome: Option<TaskOutcome>) -> Fit {
    if told.execution_id.is_some() && (result.execution_id == told.execution_id || result.id == told.execution_id) {
        return Fit::SameId;
    }
    let ended_so = result.status.outcome().is_some_and(|ended| agrees(ended, outcome));
    // Two ids of the same sort that differ are two executions, whatever the clock says.
    let other_execution = told.execution_id.is_some() && result.execution_id.is_some();
    match moment(&result.stop_time) {
        Some(stop) if ended_so && !other_execution && is_near(stop, &told.log_time) => Fit::SameTime,
        _ => Fit::Unproven,
    }
}

/// Whether an execution that ended so may be the one that an event of this outcome is about.
pub(super) fn agrees(ended: TaskOutcome, told: Option<TaskOutcome>) -> bool {
    told.is_some_and(|told| told == ended || told == TaskOutcome::Unsettled)
}

/// Whether a node's log may have said `log_time` at `stop`.
fn is_near(stop: Timestamp, log_time: &str) -> bool {
    if let Ok(exact) = log_time.parse::<Timestamp>() {
        return exact.duration_since(stop).abs() <= SignedDuration::from_secs(TOLERANCE);
    }
    let Ok(local) = log_time.replace(',', ".").parse::<DateTime>() else { return false };
    let Ok(as_if_utc) = TimeZone::UTC.to_timestamp(local) else { return false };
    let apart = as_if_utc.duration_since(stop).as_secs();
    let beside = apart.rem_euclid(ZONE_STEP);
    apart.abs() <= ZONE_LIMIT + TOLERANCE && beside.min(ZONE_STEP - beside) <= TOLERANCE
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::event::ExecutionStatus;

    fn result(status: i64, stop: &str) -> ExecutionResult {
        ExecutionResult {
            id: Some(Uuid::from_u128(1)),
            execution_id: None,
            executing_node: String::new(),
            status: ExecutionStatus(status),
            start_time: "2024-05-13T04:02:02.120Z".into(),
            stop_time: stop.into(),
            duration_ms: 9000,
            file_reference: None,
            script_log_size: 0,
            details: Vec::new(),
            certain: false,
        }
    }

    fn told(execution_id: Option<u128>, log_time: &str) -> TaskEvent {
        TaskEvent { execution_id: execution_id.map(Uuid::from_u128), log_time: log_time.into(), ..TaskEvent::default() }
    }

    #[test]
    fn either_id_proves_it_whatever_the_status() {
        let running = result(2, "1753-01-01T00:00:00.000Z");
        let failed = Some(TaskOutcome::Failed);
        assert_eq!(fit(&running, &told(Some(1), ""), failed), Fit::SameId);
        let named = ExecutionResult { execution_id: Some(Uuid::from_u128(2)), ..running.clone() };
        assert_eq!(fit(&named, &told(Some(2), ""), failed), Fit::SameId);
        assert_eq!(fit(&running, &told(Some(3), ""), failed), Fit::Unproven);
        assert_eq!(fit(&running, &told(None, ""), failed), Fit::Unproven);
    }

    #[test]
    fn the_time_of_the_log_line_may_be_of_any_zone() {
        let failed = result(8, "2024-05-13T04:02:11.120Z");
        for local in [
            "2024-05-13 06:02:11,123",
            "2024-05-13 04:02:14,000",
            "2024-05-13 09:47:09,900",
            "2024-05-12 21:02:11,123",
            "2024-05-13T04:02:12.5Z",
        ] {
            assert_eq!(fit(&failed, &told(Some(9), local), Some(TaskOutcome::Failed)), Fit::SameTime, "{local}");
        }
        for other in ["2024-05-13 06:02:31,123", "2024-05-13 06:07:11,123", "2024-05-14 06:02:11,123", "soon", "", "2024-05-13T05:02:11Z"] {
            assert_eq!(fit(&failed, &told(Some(9), other), Some(TaskOutcome::Failed)), Fit::Unproven, "{other}");
        }
    }

    #[test]
    fn another_outcome_or_another_execution_is_another_result() {
        let at = "2024-05-13 06:02:11,123";
        let success = result(7, "2024-05-13T04:02:11.120Z");
        assert_eq!(fit(&success, &told(None, at), Some(TaskOutcome::Failed)), Fit::Unproven);
        assert_eq!(fit(&success, &told(None, at), Some(TaskOutcome::Unsettled)), Fit::SameTime);
        let other = ExecutionResult { execution_id: Some(Uuid::from_u128(5)), ..success };
        assert_eq!(fit(&other, &told(Some(6), at), Some(TaskOutcome::Success)), Fit::Unproven);
    }
}
