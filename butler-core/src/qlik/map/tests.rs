use serde_json::json;

use super::*;

const TASK: &str = r#"{
  "id": "e959f40a-67be-4a5b-ae83-a292f96ba078", "modifiedDate": "2024-05-13T04:02:11.510Z", "modifiedByUserName": "INTERNAL\\sa_scheduler",
  "customProperties": [
    {"value": "Yes", "definition": {"id": "b1b6b5c0-8d7a-4f5e-9f21-0d3f5f3c6a01", "name": "Butler_FailedTask_EmailAlertEnabled", "choiceValues": ["Yes","No"]}, "schemaPath": "CustomPropertyValue"},
    {"value": null, "definition": null}, null
  ],
  "app": {"id": "66bc109d-286a-415b-8355-1422abb22133", "name": "Sales", "stream": {"id": "aaec8d41-5201-43ab-809f-3063750dfafd", "name": "Everyone"}},
  "isManuallyTriggered": false, "isPartialReload": false,
  "operational": {
    "lastExecutionResult": {
      "id": "0c8a6c51-2222-4f5d-8a11-1f1c2d3e4f50", "executingNodeName": "sense-node-1", "status": 8,
      "startTime": "2024-05-13T04:02:02.120Z", "stopTime": "2024-05-13T04:02:11.120Z", "duration": 9000,
      "fileReferenceID": "ab0f1a35-5c3e-4d5f-b90e-1f6f7a1b2c3d", "scriptLogAvailable": true,
      "details": [
        {"detailsType": 2, "message": "Max retries reached", "detailCreatedDate": "2024-05-13T04:02:11.115Z", "privileges": null},
        {"detailsType": 2, "message": "Changing task state to Started", "detailCreatedDate": "2024-05-13T04:02:02.300Z", "privileges": null}
      ],
      "scriptLogSize": 12043
    },
    "nextExecution": "2024-05-14T04:00:00.000Z"
  },
  "name": "Reload sales", "taskType": 0, "taskSessionTimeout": 1440, "maxRetries": 0,
  "tags": [{"name": "nightly"}], "somethingNew": {"a": [1]}, "schemaPath": "ReloadTask"
}"#;

fn task_value() -> Value {
    serde_json::from_str(TASK).unwrap()
}

#[test]
fn a_reload_task() {
    insta::assert_debug_snapshot!(task(&task_value()), @r#"
    TaskFacts {
        name: "Reload sales",
        task_type: Some(
            Reload,
        ),
        app_id: Some(
            66bc109d-286a-415b-8355-1422abb22133,
        ),
        app_name: Some(
            "Sales",
        ),
        tags: [
            "nightly",
        ],
        custom_properties: [
            CustomProperty {
                name: "Butler_FailedTask_EmailAlertEnabled",
                value: "Yes",
            },
        ],
        is_manually_triggered: Some(
            false,
        ),
        is_partial_reload: Some(
            false,
        ),
        max_retries: Some(
            0,
        ),
        modified_by: Some(
            "INTERNAL\\sa_scheduler",
        ),
        modified_date: Some(
            "2024-05-13T04:02:11.510Z",
        ),
        session_timeout: Some(
            1440,
        ),
        next_execution: Some(
            "2024-05-14T04:00:00.000Z",
        ),
    }
    "#);
}

#[test]
fn its_last_execution() {
    insta::assert_debug_snapshot!(last_result(&task_value()), @r#"
    Some(
        ExecutionResult {
            id: Some(
                0c8a6c51-2222-4f5d-8a11-1f1c2d3e4f50,
            ),
            execution_id: None,
            executing_node: "sense-node-1",
            status: ExecutionStatus(
                8,
            ),
            start_time: "2024-05-13T04:02:02.120Z",
            stop_time: "2024-05-13T04:02:11.120Z",
            duration_ms: 9000,
            file_reference: Some(
                ab0f1a35-5c3e-4d5f-b90e-1f6f7a1b2c3d,
            ),
            script_log_size: 12043,
            details: [
                Detail {
                    at: "2024-05-13T04:02:02.300Z",
                    message: "Changing task state to Started",
                    details_type: 2,
                },
                Detail {
                    at: "2024-05-13T04:02:11.115Z",
                    message: "Max retries reached",
                    details_type: 2,
                },
            ],
            certain: false,
        },
    )
    "#);
}

#[test]
fn a_task_that_never_ran_has_no_result() {
    let never = json!({"operational": {"lastExecutionResult": {"status": 0, "startTime": NO_DATE, "stopTime": NO_DATE, "details": []}}});
    for task in [json!({}), json!({"operational": null}), json!({"operational": {"lastExecutionResult": null}}), never] {
        assert_eq!(last_result(&task), None);
    }
}

#[test]
fn codes_may_be_numbers_names_or_new() {
    let of = |task: Value| super::task(&task).task_type;
    assert_eq!(of(json!({"taskType": 4})), Some(TaskType::Preload));
    assert_eq!(of(json!({"taskType": "UserSync"})), Some(TaskType::UserSync));
    assert_eq!(of(json!({"taskType": "2"})), Some(TaskType::UserSync));
    assert_eq!(of(json!({"taskType": 77, "schemaPath": "ReloadTask"})), None, "an unknown type is not a reload");
    assert_eq!(of(json!({"schemaPath": "ExternalProgramTask"})), Some(TaskType::ExternalProgram));
    assert_eq!(of(json!({"taskType": null})), Some(TaskType::Reload));
    let of = |status: Value| execution_result(&json!({ "status": status })).status;
    assert_eq!(of(json!(14)), ExecutionStatus(14));
    assert_eq!(of(json!("FinishedFail")), ExecutionStatus(8));
    assert_eq!(of(json!("8")), ExecutionStatus(8));
    assert_eq!(of(json!(null)).text(), "Unknown (-1)");
}

#[test]
fn an_app() {
    let reply = json!([{
        "id": "66bc109d-286a-415b-8355-1422abb22133", "modifiedByUserName": "INTERNAL\\sa_scheduler", "customProperties": [],
        "tags": [{"name": "finance"}, {"name": "R&D #1 🚀"}],
        "owner": {"id": "d9f7a0de-8b79-4e77-9f5f-1a4f0b7b6c11", "userId": "goran", "userDirectory": "LAB", "name": "Göran Sander"},
        "name": "Sales", "publishTime": "2023-06-27T11:54:07.511Z", "published": true, "stream": {"name": "Everyone"},
        "description": null, "fileSize": 458_752, "lastReloadTime": "2024-05-12T04:02:10.000Z"
    }]);
    let id = "66bc109d-286a-415b-8355-1422abb22133".parse().unwrap();
    let found = single(&reply, id, "app").unwrap().map(|value| app(&value)).unwrap();
    assert_eq!((found.name.as_str(), found.stream.as_deref(), found.file_size), ("Sales", Some("Everyone"), Some(458_752)));
    assert_eq!(found.tags, ["finance", "R&D #1 🚀"]);
    assert_eq!(found.owner_id, "d9f7a0de-8b79-4e77-9f5f-1a4f0b7b6c11".parse().ok());
    assert_eq!(found.description, None);
}

#[test]
fn a_user_and_all_its_addresses() {
    let user = json!({
        "id": "d9f7a0de-8b79-4e77-9f5f-1a4f0b7b6c11", "userId": "goran", "userDirectory": "LAB", "name": "Göran Sander",
        "attributes": [
            {"attributeType": "Email", "attributeValue": "goran@example.com"}, {"attributeType": "group", "attributeValue": "BI"},
            {"attributeType": "email", "attributeValue": ""}, {"attributeType": "EMAIL", "attributeValue": "g@example.org"}, {"attributeValue": "x@y"}
        ]
    });
    let expected = Owner {
        name: "Göran Sander".into(),
        user_id: "goran".into(),
        directory: "LAB".into(),
        emails: vec!["goran@example.com".into(), "g@example.org".into()],
    };
    assert_eq!(owner(&user), expected);
    assert_eq!(owner(&json!({"name": "x", "attributes": null})).emails, Vec::<String>::new());
}

#[test]
fn a_reply_about_something_else_is_told_apart_from_no_reply() {
    let id = Uuid::from_u128(1);
    assert_eq!(single(&json!([]), id, "task"), Ok(None));
    assert_eq!(single(&json!({"id": id}), id, "task"), Err("expected a list of tasks, got an object".into()));
    assert!(single(&json!([{"id": Uuid::from_u128(2)}]), id, "task").is_err());
    assert!(single(&json!([null]), id, "task").is_err());
    assert!(object(json!([1]), id, "user").is_err());
    assert!(object(json!({"id": Uuid::from_u128(2)}), id, "user").is_err());
    assert!(object(json!({"attributes": []}), id, "user").is_ok());
}

proptest::proptest! {
    #[test]
    fn no_reply_makes_the_mapping_panic(text in r#"[\[\]{}":,a-z0-9 ]{0,60}"#) {
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            let _ = (task(&value), app(&value), owner(&value), last_result(&value), execution_result(&value), single(&value, Uuid::nil(), "task"));
        }
    }
}
