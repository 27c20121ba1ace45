use serde_json::json;
use tokio::sync::watch;

use super::*;
use crate::qlik::fake::{Answer, Fake, HastyClock};
use crate::testkit::TestClock;

const ID: Uuid = Uuid::from_u128(0xe959_f40a_67be_4a5b_ae83_a292_f96b_a078);

fn task(id: Uuid) -> serde_json::Value {
    json!({"id": id, "name": "Reload sales", "taskType": 0, "operational": {"lastExecutionResult": {"id": Uuid::from_u128(9), "status": 8}}})
}

#[tokio::test]
async fn the_same_task_is_asked_for_once_and_remembered_for_a_while() {
    let (open, gate) = watch::channel(false);
    let fake = Fake::start(move |_| Answer::Held(gate.clone(), json!([task(ID)]))).await;
    let clock = TestClock::default();
    let client = fake.client(clock.clone());
    let asking: Vec<_> = (0..5)
        .map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.task(ID).await })
        })
        .collect();
    fake.under_way(1).await;
    open.send_replace(true);
    for asked in asking {
        assert_eq!(asked.await.unwrap().unwrap().map(|task| task.name.clone()), Some("Reload sales".into()));
    }
    clock.advance(Duration::from_secs(59));
    assert!(client.task(ID).await.is_ok());
    assert_eq!(fake.asked(), [format!("task/full?filter=id eq {ID}")]);
    clock.advance(Duration::from_secs(1));
    assert!(client.task(ID).await.is_ok());
    assert_eq!(fake.asked().len(), 2);
}

#[tokio::test]
async fn nothing_is_remembered_for_no_time() {
    let fake = Fake::start(|_| Answer::Json(json!([task(ID)]))).await;
    let settings = super::super::RepositorySettings { cache: Duration::ZERO, ..fake.settings() };
    let client = RepositoryClient::unencrypted(settings, Arc::new(TestClock::default())).unwrap();
    for _ in 0..2 {
        assert!(matches!(client.task(ID).await, Ok(Some(_))));
    }
    assert_eq!(fake.asked().len(), 2);
}

#[tokio::test]
async fn that_there_is_no_such_object_is_remembered_briefly() {
    let fake = Fake::start(|what| if what.starts_with("user") { Answer::Status(404, "Not Found") } else { Answer::Json(json!([])) }).await;
    let clock = TestClock::default();
    let client = fake.client(clock.clone());
    for _ in 0..3 {
        assert!(matches!(client.app(ID).await, Ok(None)));
        assert!(matches!(client.user(ID).await, Ok(None)));
    }
    assert_eq!(fake.asked(), [format!("app/full?filter=id eq {ID}"), format!("user/{ID}")]);
    clock.advance(ABSENT_FOR);
    assert!(matches!(client.app(ID).await, Ok(None)));
    assert_eq!(fake.asked().len(), 3);
}

#[tokio::test]
async fn a_failure_is_never_remembered() {
    let fake = Fake::start(|_| Answer::Json(json!({"not": "a list"}))).await;
    let client = fake.client(TestClock::default());
    for _ in 0..2 {
        assert!(matches!(client.task(ID).await, Err(QlikError::Malformed { .. })));
    }
    assert_eq!(fake.asked().len(), 2);
}

#[tokio::test]
async fn dropping_one_who_asks_does_not_harm_the_others() {
    let (open, gate) = watch::channel(false);
    let fake = Fake::start(move |_| Answer::Held(gate.clone(), json!([task(ID)]))).await;
    let client = fake.client(TestClock::default());
    let (one, other) = (Arc::clone(&client), Arc::clone(&client));
    let one = tokio::spawn(async move { one.task(ID).await });
    fake.under_way(1).await;
    let other = tokio::spawn(async move { other.task(ID).await });
    one.abort();
    let _ = one.await;
    open.send_replace(true);
    assert!(matches!(other.await.unwrap(), Ok(Some(_))));
}

#[tokio::test]
async fn each_type_of_task_has_its_place_and_the_list_helps_out() {
    let fake = Fake::start(|what| match what.split('/').next() {
        Some("task") => Answer::Json(json!([task(ID)])),
        Some("usersynctask") => Answer::Json(task(ID)),
        _ => Answer::Status(404, ""),
    })
    .await;
    let client = fake.client(TestClock::default());
    for task_type in [Some(TaskType::Distribute), Some(TaskType::ExternalProgram), Some(TaskType::UserSync), None] {
        let found = client.last_result(ID, task_type).await.unwrap();
        assert_eq!(found.and_then(|result| result.id), Some(Uuid::from_u128(9)));
    }
    let list = format!("task/full?filter=id eq {ID}");
    let expected =
        [format!("reloadtask/{ID}"), list.clone(), format!("externalprogramtask/{ID}"), list.clone(), format!("usersynctask/{ID}"), list];
    assert_eq!(fake.asked(), expected);
}

#[tokio::test]
async fn an_execution_is_found_by_either_id() {
    let (execution, result) = (Uuid::from_u128(5), Uuid::from_u128(6));
    let fake = Fake::start(move |what| {
        if what == format!("executionresult/full?filter=executionID eq {execution}") {
            Answer::Json(json!([{"id": result, "executionID": execution, "status": "FinishedFail"}]))
        } else if what == format!("executionresult/{result}") {
            Answer::Json(json!({"id": result, "status": 8}))
        } else if what.starts_with("executionresult/full") {
            Answer::Json(json!([]))
        } else {
            Answer::Status(404, "")
        }
    })
    .await;
    let client = fake.client(TestClock::default());
    assert_eq!(
        client.execution(execution).await.unwrap().map(|found| (found.id, found.execution_id)),
        Some((Some(result), Some(execution)))
    );
    assert_eq!(client.execution(result).await.unwrap().and_then(|found| found.id), Some(result));
    assert_eq!(client.execution(Uuid::from_u128(7)).await.unwrap(), None);
}

#[tokio::test]
async fn a_list_that_may_be_of_anything_proves_nothing() {
    let fake = Fake::start(|what| match what.contains("filter") {
        true => Answer::Json(json!([{"id": Uuid::from_u128(1)}, {"id": Uuid::from_u128(2), "executionID": Uuid::from_u128(3)}])),
        false => Answer::Status(404, ""),
    })
    .await;
    let client = fake.client(TestClock::default());
    assert_eq!(client.execution(ID).await.unwrap(), None);
    assert_eq!(client.execution(Uuid::from_u128(3)).await.unwrap().and_then(|found| found.id), Some(Uuid::from_u128(2)));
}

#[tokio::test]
async fn a_repository_that_cannot_filter_executions_is_asked_so_only_once() {
    let fake =
        Fake::start(|what| if what.contains("filter") { Answer::Status(400, "Cannot parse") } else { Answer::Status(404, "") }).await;
    let client = fake.client(TestClock::default());
    for _ in 0..2 {
        assert_eq!(client.execution(ID).await.unwrap(), None);
    }
    assert_eq!(fake.asked().iter().filter(|what| what.contains("filter")).count(), 1);
}

#[tokio::test]
async fn names_with_reserved_characters_arrive_whole_and_are_checked_in_the_reply() {
    let (tag, property) = ("It's 100% R&D #1+2; 🚀", "Måste köras?");
    let fake = Fake::start(move |_| {
        let value = |name: &str, value: &str| json!({"definition": {"name": name}, "value": value});
        let crossed = json!({"id": Uuid::from_u128(2), "customProperties": [value(property, "no"), value("other", "ja & nej")]});
        let right = json!({"id": ID, "tags": [{"name": tag}], "customProperties": [value(property, "ja & nej")]});
        Answer::Json(json!([crossed, right, {"name": "without an id"}]))
    })
    .await;
    let client = fake.client(HastyClock::default());
    let ids = |found: Vec<(Uuid, TaskFacts)>| found.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(ids(client.tasks_with_tag(tag).await.unwrap()), [ID]);
    assert_eq!(ids(client.tasks_with_property(property, "ja & nej").await.unwrap()), [ID], "the value stood on another property");
    assert_eq!(
        fake.asked(),
        [
            "task/full?filter=tags.name eq 'It''s 100% R&D #1+2; 🚀'",
            "task/full?filter=(customProperties.definition.name eq 'Måste köras?') and (customProperties.value eq 'ja & nej')"
        ]
    );
}
