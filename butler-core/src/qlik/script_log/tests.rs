use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use serde_json::json;

use super::*;
use crate::event::ExecutionStatus;
use crate::qlik::fake::{Answer, Fake, HastyClock};

const TASK: Uuid = Uuid::from_u128(1);
const RESULT: Uuid = Uuid::from_u128(2);
const REFERENCE: Uuid = Uuid::from_u128(3);
const LINES: LogLines = LogLines { head: 1, tail: 1 };
const LOG: &str = "\u{feff}Execution started.\r\nError: Räkna 🚀\r\nExecution finished.\r\n";

fn result(reference: Uuid) -> ExecutionResult {
    ExecutionResult {
        id: Some(RESULT),
        execution_id: None,
        executing_node: String::new(),
        status: ExecutionStatus(8),
        start_time: String::new(),
        stop_time: String::new(),
        duration_ms: 0,
        file_reference: Some(reference),
        script_log_size: 0,
        details: Vec::new(),
        certain: true,
    }
}

/// A repository that knows one way; the log is there after some polls.
async fn site(way: &'static str, not_yet: usize) -> Fake {
    let polls = Arc::new(AtomicUsize::new(0));
    Fake::start(move |what| {
        if what.starts_with("reloadtask") && what.contains(way) {
            Answer::Json(json!({"value": "ticket 1", "schemaPath": "x"}))
        } else if what == "download/reloadtask/ticket 1/scriptlog.txt" {
            if polls.fetch_add(1, Ordering::Relaxed) < not_yet { Answer::Status(404, "") } else { Answer::Bytes(LOG.into()) }
        } else {
            Answer::Status(404, "Not Found")
        }
    })
    .await
}

#[tokio::test]
async fn the_way_that_works_is_remembered() {
    let fake = site("scriptlogfile?", 0).await;
    let client = fake.client(HastyClock::default());
    for _ in 0..2 {
        let log = client.script_log(TASK, &result(REFERENCE), LINES).await.unwrap().unwrap();
        assert_eq!((log.head, log.tail, log.rows), (vec!["Execution started.".into()], vec!["Execution finished.".into()], 3));
    }
    let old = format!("reloadtask/{TASK}/scriptlog?fileReferenceId={REFERENCE}");
    let new = format!("reloadtask/{TASK}/scriptlogfile?executionResultId={RESULT}");
    let log = "download/reloadtask/ticket 1/scriptlog.txt";
    assert_eq!(fake.asked(), [old.as_str(), &new, log, &new, log]);
}

#[tokio::test]
async fn the_old_way_works_too_and_a_late_log_is_waited_for() {
    let fake = site("scriptlog?", 3).await;
    let clock = HastyClock::default();
    let log = fake.client(clock.clone()).script_log(TASK, &result(REFERENCE), LINES).await.unwrap();
    assert_eq!(log.map(|log| log.rows), Some(3));
    assert_eq!(clock.slept(), [POLL_EVERY; 3]);
}

#[tokio::test]
async fn without_a_reference_nothing_is_asked() {
    let fake = site("scriptlog", 0).await;
    let client = fake.client(HastyClock::default());
    assert_eq!(client.script_log(TASK, &result(Uuid::nil()), LINES).await.unwrap(), None);
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn a_release_without_references_is_asked_by_the_result() {
    let fake = site("scriptlogfile?", 0).await;
    let client = fake.client(HastyClock::default());
    let without = ExecutionResult { file_reference: None, ..result(REFERENCE) };
    assert_eq!(client.script_log(TASK, &without, LINES).await.unwrap().map(|log| log.rows), Some(3));
    assert_eq!(fake.asked().len(), 2);
    let neither = ExecutionResult { id: None, ..without };
    assert_eq!(client.script_log(TASK, &neither, LINES).await.unwrap(), None);
}

#[tokio::test]
async fn an_object_in_place_of_the_log_is_none() {
    let fake = Fake::start(|what| match what.starts_with("download") {
        true => Answer::Typed("application/json; charset=utf-8", r#"{"error":"no such ticket"}"#),
        false => Answer::Json(json!({"value": "ticket"})),
    })
    .await;
    let client = fake.client(HastyClock::default());
    let error = client.script_log(TASK, &result(REFERENCE), LINES).await.unwrap_err();
    assert!(matches!(error, QlikError::Malformed { .. }) && error.to_string().contains("it is no plain text"), "{error}");
    assert_eq!(fake.asked().len(), 4, "both ways are tried");
}

#[tokio::test]
async fn neither_way_is_an_error() {
    let fake = site("no such way", 0).await;
    let client = fake.client(HastyClock::default());
    assert!(matches!(client.script_log(TASK, &result(REFERENCE), LINES).await, Err(QlikError::NotFound { .. })));
}

#[tokio::test]
async fn a_log_that_is_never_there_is_given_up() {
    let fake = site("scriptlog", 99).await;
    let client = fake.client(HastyClock::default());
    assert!(client.script_log(TASK, &result(REFERENCE), LINES).await.is_err());
    assert_eq!(fake.asked().len(), 2 * (1 + POLLS + 1));
}
