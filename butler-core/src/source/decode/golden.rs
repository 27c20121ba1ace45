//! The datagrams that sites send, and those that they should not.

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::event::{Body, DedupKey, EngineReload, Kind, TaskEvent, TaskOutcome};
use crate::source::{Datagram, RejectReason};

const SALES_TASK: &str = "e959f40a-67be-4a5b-ae83-a292f96ba078";
const SALES_APP: &str = "66bc109d-286a-415b-8355-1422abb22133";

/// Every form that is in use, with what it says: outcome, task, app, user, task id, app id, execution id, message.
const SCHEDULER: &[(&str, TaskOutcome, [&str; 7])] = &[
    (
        r"/scheduler-reload-failed/;sense-node-1;Manually triggered reload of Test failing reloads 2;Test failing reloads 2;LAB\goran;dec2a02a-1680-44ef-8dc2-e2bfb180af87;e7af59a0-c243-480d-9571-08727551a66f;2021-02-16 09:24:59,099;INFO;14a81bf5-f81c-4047-b1a1-193b0920de28;Max retries reached",
        TaskOutcome::Failed,
        [
            "Manually triggered reload of Test failing reloads 2",
            "Test failing reloads 2",
            r"LAB\goran",
            "dec2a02a-1680-44ef-8dc2-e2bfb180af87",
            "e7af59a0-c243-480d-9571-08727551a66f",
            "14a81bf5-f81c-4047-b1a1-193b0920de28",
            "Max retries reached",
        ],
    ),
    (
        r"/scheduler-reload-failed/;sense-node-3;Reload HR;HR dashboard;INTERNAL\sa_scheduler;0d815a99-1ca3-4131-a398-6878bd735fd8;deba4bcf-47e4-472e-97b2-4fe8d6498e11;2022-04-06 15:36:12,441;WARN;3f1d2b7a-9c1e-4f36-8c53-2d7b31c8d0aa;Max retries reached",
        TaskOutcome::Failed,
        [
            "Reload HR",
            "HR dashboard",
            r"INTERNAL\sa_scheduler",
            "0d815a99-1ca3-4131-a398-6878bd735fd8",
            "deba4bcf-47e4-472e-97b2-4fe8d6498e11",
            "3f1d2b7a-9c1e-4f36-8c53-2d7b31c8d0aa",
            "Max retries reached",
        ],
    ),
    (
        r"/scheduler-task-failed/;sense-node-1;Sync AD users;;INTERNAL\sa_scheduler;7552d9fc-d1bb-4975-9a38-18357de531ea;;2024-05-13 02:00:31,800;INFO;b3c1b7de-5e2b-4d0c-8c7b-6bb2a2a3d001;Max retries reached",
        TaskOutcome::Failed,
        [
            "Sync AD users",
            "",
            r"INTERNAL\sa_scheduler",
            "7552d9fc-d1bb-4975-9a38-18357de531ea",
            "",
            "b3c1b7de-5e2b-4d0c-8c7b-6bb2a2a3d001",
            "Max retries reached",
        ],
    ),
    (
        r"/scheduler-task-failed/;sense-node-2;Preload finance;Finance;INTERNAL\sa_scheduler;fb0f317d-da91-4b86-aafa-0174ae1e8c8f;47d38f73-628f-44e1-a62c-841604b123ff;2024-05-13 05:10:00,012;ERROR;5d3c6b11-77aa-4b6f-9a11-a7a2a6a1f002;Failed to start session",
        TaskOutcome::Failed,
        [
            "Preload finance",
            "Finance",
            r"INTERNAL\sa_scheduler",
            "fb0f317d-da91-4b86-aafa-0174ae1e8c8f",
            "47d38f73-628f-44e1-a62c-841604b123ff",
            "5d3c6b11-77aa-4b6f-9a11-a7a2a6a1f002",
            "Failed to start session",
        ],
    ),
    (
        r"/scheduler-reloadtask-failed/;sense-node-1;Reload sales;Sales;INTERNAL\sa_scheduler;e959f40a-67be-4a5b-ae83-a292f96ba078;66bc109d-286a-415b-8355-1422abb22133;2024-05-13 06:02:11,123;INFO;0c8a6c51-2222-4f5d-8a11-1f1c2d3e4f50;Max retries reached",
        TaskOutcome::Failed,
        [
            "Reload sales",
            "Sales",
            r"INTERNAL\sa_scheduler",
            SALES_TASK,
            SALES_APP,
            "0c8a6c51-2222-4f5d-8a11-1f1c2d3e4f50",
            "Max retries reached",
        ],
    ),
    (
        r"/scheduler-reloadtask-failed/;SENSE-NODE-2;Räkna om lager;Lager;LAB\anna;11c2a02a-1680-44ef-8dc2-e2bfb180af87;22af59a0-c243-480d-9571-08727551a66f;2024-05-13 23:59:59,999;INFO;;Max retries reached",
        TaskOutcome::Failed,
        [
            "Räkna om lager",
            "Lager",
            r"LAB\anna",
            "11c2a02a-1680-44ef-8dc2-e2bfb180af87",
            "22af59a0-c243-480d-9571-08727551a66f",
            "",
            "Max retries reached",
        ],
    ),
    (
        r"/scheduler-reload-aborted/;sense-node-1;Reload sales;Sales;LAB\goran;e959f40a-67be-4a5b-ae83-a292f96ba078;66bc109d-286a-415b-8355-1422abb22133;2024-05-13 10:44:02,310;INFO;9a0c6c51-3333-4f5d-8a11-1f1c2d3e4f51;Execution State Change to Aborting",
        TaskOutcome::Aborted,
        [
            "Reload sales",
            "Sales",
            r"LAB\goran",
            SALES_TASK,
            SALES_APP,
            "9a0c6c51-3333-4f5d-8a11-1f1c2d3e4f51",
            "Execution State Change to Aborting",
        ],
    ),
    (
        r"/scheduler-reload-aborted/;sense-node-2;Reload HR;HR dashboard;INTERNAL\sa_api;0d815a99-1ca3-4131-a398-6878bd735fd8;deba4bcf-47e4-472e-97b2-4fe8d6498e11;2024-05-13 10:45:40,002;WARN;1b0c6c51-4444-4f5d-8a11-1f1c2d3e4f52;Execution State Change to Aborting",
        TaskOutcome::Aborted,
        [
            "Reload HR",
            "HR dashboard",
            r"INTERNAL\sa_api",
            "0d815a99-1ca3-4131-a398-6878bd735fd8",
            "deba4bcf-47e4-472e-97b2-4fe8d6498e11",
            "1b0c6c51-4444-4f5d-8a11-1f1c2d3e4f52",
            "Execution State Change to Aborting",
        ],
    ),
    (
        r"/scheduler-task-aborted/;sense-node-1;Reload sales;Sales;LAB\goran;e959f40a-67be-4a5b-ae83-a292f96ba078;66bc109d-286a-415b-8355-1422abb22133;2024-05-13 10:44:02,310;INFO;7a0c6c51-5555-4f5d-8a11-1f1c2d3e4f53;Execution State Change to Aborting",
        TaskOutcome::Aborted,
        [
            "Reload sales",
            "Sales",
            r"LAB\goran",
            SALES_TASK,
            SALES_APP,
            "7a0c6c51-5555-4f5d-8a11-1f1c2d3e4f53",
            "Execution State Change to Aborting",
        ],
    ),
    (
        r"/scheduler-task-aborted/;sense-node-1;Nightly export;(null);LAB\goran;7552d9fc-d1bb-4975-9a38-18357de531ea;(null);2024-05-13 11:00:00,000;INFO;8a0c6c51-6666-4f5d-8a11-1f1c2d3e4f54;Execution State Change to Aborting",
        TaskOutcome::Aborted,
        [
            "Nightly export",
            "",
            r"LAB\goran",
            "7552d9fc-d1bb-4975-9a38-18357de531ea",
            "",
            "8a0c6c51-6666-4f5d-8a11-1f1c2d3e4f54",
            "Execution State Change to Aborting",
        ],
    ),
    (
        r"/scheduler-reloadtask-success/;sense-node-1;Reload sales;Sales;INTERNAL\sa_scheduler;e959f40a-67be-4a5b-ae83-a292f96ba078;66bc109d-286a-415b-8355-1422abb22133;2024-05-13 06:02:11,123;INFO;2d8a6c51-7777-4f5d-8a11-1f1c2d3e4f55;Reload complete",
        TaskOutcome::Success,
        [
            "Reload sales",
            "Sales",
            r"INTERNAL\sa_scheduler",
            SALES_TASK,
            SALES_APP,
            "2d8a6c51-7777-4f5d-8a11-1f1c2d3e4f55",
            "Reload complete",
        ],
    ),
    (
        r"/scheduler-reloadtask-success/;sense-node-2;Reload HR;HR dashboard;LAB\goran;0d815a99-1ca3-4131-a398-6878bd735fd8;deba4bcf-47e4-472e-97b2-4fe8d6498e11;2024-05-13 07:00:09,008;INFO;3e8a6c51-8888-4f5d-8a11-1f1c2d3e4f56;Execution State Change to FinishedSuccess",
        TaskOutcome::Success,
        [
            "Reload HR",
            "HR dashboard",
            r"LAB\goran",
            "0d815a99-1ca3-4131-a398-6878bd735fd8",
            "deba4bcf-47e4-472e-97b2-4fe8d6498e11",
            "3e8a6c51-8888-4f5d-8a11-1f1c2d3e4f56",
            "Execution State Change to FinishedSuccess",
        ],
    ),
    (
        r"/scheduler-task-success//;sense-node-1;Reload sales;Sales;INTERNAL\sa_scheduler;e959f40a-67be-4a5b-ae83-a292f96ba078;66bc109d-286a-415b-8355-1422abb22133;2024-05-13 06:02:11,123;INFO;4f8a6c51-9999-4f5d-8a11-1f1c2d3e4f57;Execution State Change to FinishedSuccess",
        TaskOutcome::Success,
        [
            "Reload sales",
            "Sales",
            r"INTERNAL\sa_scheduler",
            SALES_TASK,
            SALES_APP,
            "4f8a6c51-9999-4f5d-8a11-1f1c2d3e4f57",
            "Execution State Change to FinishedSuccess",
        ],
    ),
    (
        r"/scheduler-task-success/;sense-node-1;Sync AD users;;INTERNAL\sa_scheduler;7552d9fc-d1bb-4975-9a38-18357de531ea;;2024-05-13 02:00:31,800;INFO;5a8a6c51-aaaa-4f5d-8a11-1f1c2d3e4f58;Execution State Change to FinishedSuccess",
        TaskOutcome::Success,
        [
            "Sync AD users",
            "",
            r"INTERNAL\sa_scheduler",
            "7552d9fc-d1bb-4975-9a38-18357de531ea",
            "",
            "5a8a6c51-aaaa-4f5d-8a11-1f1c2d3e4f58",
            "Execution State Change to FinishedSuccess",
        ],
    ),
    (
        r"/scheduler-distribute/;sense-node-1;Distribute sales app;Sales;INTERNAL\sa_scheduler;c1c2a02a-1680-44ef-8dc2-e2bfb180af87;66bc109d-286a-415b-8355-1422abb22133;2024-05-13 08:15:00,500;INFO;6b8a6c51-bbbb-4f5d-8a11-1f1c2d3e4f59;Exiting execute of Distribute task request.",
        TaskOutcome::Unsettled,
        [
            "Distribute sales app",
            "Sales",
            r"INTERNAL\sa_scheduler",
            "c1c2a02a-1680-44ef-8dc2-e2bfb180af87",
            SALES_APP,
            "6b8a6c51-bbbb-4f5d-8a11-1f1c2d3e4f59",
            "Exiting execute of Distribute task request.",
        ],
    ),
    (
        r"/scheduler-distribute/;sense-node-2;Distribute HR;;LAB\goran;d2c2a02a-1680-44ef-8dc2-e2bfb180af87;;2024-05-13 08:16:00,500;INFO;7c8a6c51-cccc-4f5d-8a11-1f1c2d3e4f60;Exiting execute of Distribute task request.;extra;fields",
        TaskOutcome::Unsettled,
        [
            "Distribute HR",
            "",
            r"LAB\goran",
            "d2c2a02a-1680-44ef-8dc2-e2bfb180af87",
            "",
            "7c8a6c51-cccc-4f5d-8a11-1f1c2d3e4f60",
            "Exiting execute of Distribute task request.;extra;fields",
        ],
    ),
];

fn id(text: &str) -> Option<Uuid> {
    (!text.is_empty()).then(|| text.parse().expect("an id of the table"))
}

/// A line of the scheduler in which everything is as it should be, but for what `change` does to its fields.
fn line(change: impl FnOnce(&mut Vec<String>)) -> Vec<u8> {
    let (text, ..) = SCHEDULER[4];
    let mut fields = text.split(';').map(str::to_owned).collect();
    change(&mut fields);
    fields.join(";").into_bytes()
}

fn task(bytes: &[u8]) -> (TaskOutcome, TaskEvent) {
    match decode(bytes) {
        Ok(Message::Scheduler(message)) => (message.outcome, message.task),
        other => panic!("no message of the scheduler: {other:?}"),
    }
}

fn reason(bytes: &[u8]) -> RejectReason {
    decode(bytes).expect_err("was taken").reason
}

fn datagram(bytes: Vec<u8>) -> Datagram {
    let received = Timestamp::constant(1_715_580_131, 0);
    Datagram { bytes: Bytes::from(bytes), from: None, site: "prod".into(), source: "udp".into(), received }
}

fn keys(bytes: Vec<u8>) -> Vec<DedupKey> {
    to_event(&datagram(bytes)).expect("an event").keys
}

#[test]
fn every_form_in_use_is_read() {
    for (text, outcome, [task_name, app_name, user, task_id, app_id, execution_id, message]) in SCHEDULER {
        let (found, task) = task(text.as_bytes());
        let fields: Vec<&str> = text.split(';').collect();
        assert_eq!(found, *outcome, "{text}");
        let expected = TaskEvent {
            host: fields[1].into(),
            task_name: (*task_name).into(),
            app_name: (*app_name).into(),
            user: (*user).into(),
            task_id: id(task_id).expect("a task id"),
            app_id: id(app_id),
            log_time: fields[7].into(),
            log_level: fields[8].into(),
            execution_id: id(execution_id),
            message: (*message).into(),
            names_unsure: false,
        };
        assert_eq!(task, expected, "{text}");
    }
}

#[test]
fn the_engine_is_read() {
    let text = "/engine-reload-failed/;sense-node-1;e7af59a0-c243-480d-9571-08727551a66f;a9f1c0de-0c2f-4a7e-9a0b-6a1f3f1f9d10;LAB;goran;2024-05-13 06:02:11,123;ERROR;Reload failed in Engine. Check engine or script logs";
    let expected = EngineReload {
        host: "sense-node-1".into(),
        app_id: id("e7af59a0-c243-480d-9571-08727551a66f"),
        session_id: "a9f1c0de-0c2f-4a7e-9a0b-6a1f3f1f9d10".into(),
        user_directory: "LAB".into(),
        user_id: "goran".into(),
        log_time: "2024-05-13 06:02:11,123".into(),
        log_level: "ERROR".into(),
        message: "Reload failed in Engine. Check engine or script logs".into(),
    };
    assert_eq!(decode(text.as_bytes()), Ok(Message::Engine(expected.clone())));
    // What is too much belongs to the message.
    let message = format!("{}; twice;", expected.message);
    assert_eq!(decode(format!("{text}; twice;").as_bytes()), Ok(Message::Engine(EngineReload { message, ..expected })));

    let text = "/engine-reload-failed/;sense-node-2;;;INTERNAL;sa_engine;2024-05-13 22:10:01,007;WARN;Reload aborted";
    let Ok(Message::Engine(reload)) = decode(text.as_bytes()) else { panic!("not the engine") };
    assert_eq!((reload.app_id, reload.session_id.as_str(), reload.user_id.as_str()), (None, "", "sa_engine"));

    assert_eq!(reason(b"/engine-reload-failed/;h;not-a-guid;s;d;u;t;l;m"), RejectReason::BadId);
    assert_eq!(reason(b"/engine-reload-failed/;h;;s;d;u;t;l"), RejectReason::Truncated);
}

#[test]
fn the_first_field_is_known_in_any_case_and_with_any_number_of_slashes() {
    for (word, outcome) in [
        ("/Scheduler-Task-Failed/", TaskOutcome::Failed),
        ("/SCHEDULER-TASK-SUCCESS//", TaskOutcome::Success),
        ("/scheduler-task-success", TaskOutcome::Success),
        ("/scheduler-task-success///", TaskOutcome::Success),
        ("/scheduler-reload-aborted//", TaskOutcome::Aborted),
        ("\u{feff}/scheduler-distribute/", TaskOutcome::Unsettled),
        (" /scheduler-task\u{1}-failed/\t", TaskOutcome::Failed),
    ] {
        assert_eq!(task(&line(|fields| fields[0] = word.into())).0, outcome, "{word}");
    }
    for word in ["", "/", "scheduler-task-failed", "/scheduler-task-failed/x", "/scheduler-task-started/", "/engine-reload-failed"] {
        let expected = if word == "/engine-reload-failed" { RejectReason::BadId } else { RejectReason::UnknownType };
        assert_eq!(reason(&line(|fields| fields[0] = word.into())), expected, "{word}");
    }
}

#[test]
fn a_cut_line_is_refused() {
    for count in 1..11 {
        assert_eq!(reason(&line(|fields| fields.truncate(count))), RejectReason::Truncated, "{count} fields");
    }
    assert_eq!(reason(b""), RejectReason::UnknownType);
}

#[test]
fn fields_are_cleaned_and_cut() {
    let (_, task) = task(&line(|fields| {
        fields[1] = "ho\u{1}st\t".into();
        fields[2] = "x".repeat(600);
        fields[10] = format!("{}\r\n", "🙂".repeat(300));
    }));
    assert_eq!((task.host.as_str(), task.task_name.len(), task.message), ("host", 500, "🙂".repeat(250)));
}

#[test]
fn ids_are_ids() {
    let replaced = |index: usize, value: &str| line(|fields| fields[index] = value.into());
    assert_eq!(reason(&replaced(5, "not-a-guid")), RejectReason::BadId);
    assert_eq!(reason(&replaced(5, "")), RejectReason::NoTaskId);
    assert_eq!(reason(&replaced(5, "(null)")), RejectReason::NoTaskId);
    assert_eq!(reason(&replaced(6, "1; DROP TABLE")), RejectReason::BadId);
    for absent in ["", "(null)", "00000000-0000-0000-0000-000000000000"] {
        assert_eq!(task(&replaced(6, absent)).1.app_id, None);
    }
    for absent in ["", "(null)", "not-a-guid", "00000000-0000-0000-0000-000000000000"] {
        assert_eq!(task(&replaced(9, absent)).1.execution_id, None);
    }
}

#[test]
fn a_semicolon_in_a_name_leaves_all_but_the_names() {
    let (outcome, task) = task(&line(|fields| {
        fields[2] = "Reload; then tell; everybody".into();
        fields[10] = "Max; retries; dec2a02a-1680-44ef-8dc2-e2bfb180af87;".into();
    }));
    assert_eq!(outcome, TaskOutcome::Failed);
    let expected = TaskEvent {
        host: "sense-node-1".into(),
        task_name: "Reload; then tell; everybody;Sales".into(),
        app_name: String::new(),
        user: r"INTERNAL\sa_scheduler".into(),
        task_id: id(SALES_TASK).expect("a task id"),
        app_id: id(SALES_APP),
        log_time: "2024-05-13 06:02:11,123".into(),
        log_level: "INFO".into(),
        execution_id: id("0c8a6c51-2222-4f5d-8a11-1f1c2d3e4f50"),
        message: "Max; retries; dec2a02a-1680-44ef-8dc2-e2bfb180af87;".into(),
        names_unsure: true,
    };
    assert_eq!(task, expected);
}

#[test]
fn a_semicolon_in_a_name_of_a_task_without_an_app_is_no_obstacle() {
    let (_, task) = task(&line(|fields| {
        fields[2] = "a;b".into();
        fields[3] = "(null)".into();
        fields[6] = "(null)".into();
    }));
    assert_eq!((task.task_name.as_str(), task.app_id, task.names_unsure), ("a;b;(null)", None, true));
    assert_eq!(task.user, r"INTERNAL\sa_scheduler");
}

#[test]
fn too_many_fields_without_a_task_id_are_refused() {
    assert_eq!(reason(&line(|fields| fields[5] = "no;id".into())), RejectReason::BadId);
    let empty = line(|fields| {
        fields[5].clear();
        fields[6].clear();
        fields[10] = "a;b".into();
    });
    assert_eq!(reason(&empty), RejectReason::NoTaskId);
    // An id too close to the end to have the other fields behind it.
    let late = format!("/scheduler-task-failed/{}{SALES_TASK};", ";".repeat(11));
    assert_eq!(reason(late.as_bytes()), RejectReason::NoTaskId);
}

#[test]
fn refusals_read_well() {
    let detail = |bytes: &[u8]| decode(bytes).expect_err("was taken").to_string();
    let long = line(|fields| fields[1] = "h".repeat(300));
    let mut broken = long.clone();
    broken[60] = 0xff;
    let details = [
        detail(b""),
        detail(b"/scheduler-task-started/;x"),
        detail(b"\x1b[31mred\xc2\x9b;x"),
        detail(&long[..200]),
        detail(&broken),
        detail(&line(|fields| fields[5].clear())),
        detail(&line(|fields| fields[5] = "not-a-guid".into())),
        detail(&line(|fields| fields[6] = "y".repeat(500))),
        detail(&line(|fields| fields[5] = "no;id".into())),
    ];
    insta::assert_snapshot!(details.join("\n"), @r#"
    the datagram is empty
    no known message: `/scheduler-task-started/`
    no known message: `[31mred`
    2 fields where there should be 11: `/scheduler-reloadtask-failed/;hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh…`
    not UTF-8 at byte 60; set `<encoding value="utf-8" />` in the log appender. It starts `/scheduler-reloadtask-failed/;hhhhhhhhhhhhhhhhhhhhhhhhhhhhhh`
    the task id is empty: `/scheduler-reloadtask-failed/;sense-node-1;Reload sales;Sales;INTERNAL\sa_schedu…`
    the task id `not-a-guid` is not an id: `/scheduler-reloadtask-failed/;sense-node-1;Reload sales;Sales;INTERNAL\sa_schedu…`
    the app id `yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy` is not an id: `/scheduler-reloadtask-failed/;sense-node-1;Reload sales;Sales;INTERNAL\sa_schedu…`
    12 fields, and none from the sixth on is a task id: `/scheduler-reloadtask-failed/;sense-node-1;Reload sales;Sales;INTERNAL\sa_schedu…`
    "#);
    assert!(details.iter().all(|detail| detail.chars().count() <= 200), "{details:?}");
}

#[test]
fn a_repetition_has_the_same_key_and_another_outcome_has_not() {
    let with = |prefix: &str| line(|fields| fields[0] = prefix.into());
    let failed = keys(with("/scheduler-task-failed/"));
    assert!(matches!(failed[..], [DedupKey::Exact(_), DedupKey::Near { .. }]), "{failed:?}");
    assert_eq!(keys(with("/scheduler-reload-failed/")), failed);
    for other in ["/scheduler-task-aborted/", "/scheduler-task-success//", "/scheduler-distribute/"] {
        assert_ne!(keys(with(other)), failed, "{other}");
    }
    let without_execution = keys(line(|fields| fields[9].clear()));
    assert!(matches!(without_execution[..], [DedupKey::Near { .. }]), "{without_execution:?}");
}

#[test]
fn the_engine_has_a_key_of_the_whole_line() {
    let key = |text: &str| keys(text.as_bytes().to_vec());
    let failed = key("/engine-reload-failed/;h;;s;d;u;2024-05-13 06:02:11,123;ERROR;failed");
    assert!(matches!(failed[..], [DedupKey::Near { .. }]), "{failed:?}");
    assert_eq!(key("/Engine-Reload-Failed//;h;(null);s;d;u;2024-05-13 06:02:11,123;WARN;failed"), failed);
    assert_ne!(key("/engine-reload-failed/;h;;s;d;u;2024-05-13 06:02:11,124;ERROR;failed"), failed);
    assert_ne!(key("/engine-reload-failed/;h;;s;d;u;2024-05-13 06:02:11,123;ERROR;failed again"), failed);
    assert_eq!(key("/engine-reload-failed/;h;;s;d;u;;ERROR;failed"), []);
}

#[test]
fn a_datagram_becomes_an_event_of_its_site() {
    let datagram = datagram(line(|_| ()));
    let event = to_event(&datagram).expect("an event");
    assert_eq!((event.site.as_str(), event.source.as_str(), event.at), ("prod", "udp", datagram.received));
    assert_eq!(event.kind, Kind::task(TaskOutcome::Failed));
    assert!(matches!(event.body, Body::Task(task) if task.app_name == "Sales"));
}

#[test]
fn a_refused_datagram_names_its_sender() {
    let from = Some("192.0.2.7:5000".parse().expect("an address"));
    let datagram = Datagram { from, ..datagram(b"hello".to_vec()) };
    let rejection = to_event(&datagram).expect_err("was taken");
    assert_eq!((rejection.from, rejection.reason, rejection.at), (from, RejectReason::UnknownType, datagram.received));
}
