use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::event::ExecutionStatus;
use crate::qlik::fake::{Answer, Fake};
use crate::testkit::TestClock;

const FROM: Timestamp = Timestamp::constant(1_715_580_131, 0);
const FILTER: &str = "(stopTime ge '2024-05-13T06:02:11.000Z') and (status eq 6 or status eq 8 or status eq 11)";

fn span(successes: bool) -> EndedSpan {
    EndedSpan { from: FROM, before: None, successes }
}

fn result(number: u128, status: i64, stop: &str) -> Value {
    json!({"id": Uuid::from_u128(number), "taskID": Uuid::from_u128(7), "appID": Uuid::nil(), "status": status, "stopTime": stop})
}

#[tokio::test]
async fn what_is_asked_for_is_what_ended_badly_since_and_more_on_request() {
    let fake = Fake::start(|_| Answer::Json(json!({"value": 3}))).await;
    let client = fake.client(TestClock::default());
    assert_eq!(client.count_ended(span(false)).await.unwrap(), Some(3));
    client.count_ended(EndedSpan { before: Some(FROM), ..span(true) }).await.unwrap();
    let asked = fake.asked();
    assert_eq!(asked[0], format!("executionresult/count?filter={FILTER}"));
    let end = "and (stopTime lt '2024-05-13T06:02:11.000Z')) and (status eq 6 or status eq 8 or status eq 11 or status eq 7)";
    assert!(asked[1].ends_with(end), "{}", asked[1]);
}

#[tokio::test]
async fn a_list_is_in_order_and_holds_nothing_else() {
    let list = json!([
        result(1, 8, "2024-05-13T06:05:00.000Z"),
        result(2, 6, "2024-05-13T06:04:00.000Z"),
        result(3, 7, "2024-05-13T06:04:00.000Z"),
        result(4, 2, "1753-01-01T00:00:00.000Z"),
        null,
    ]);
    let fake = Fake::start(move |_| Answer::Json(list.clone())).await;
    let ended = fake.client(TestClock::default()).ended(span(false)).await.unwrap();
    let seen: Vec<_> = ended.iter().map(|ended| (ended.result.id, ended.result.status, ended.app_id)).collect();
    let expected = [(2, 6), (1, 8)].map(|(id, status)| (Some(Uuid::from_u128(id)), ExecutionStatus(status), None));
    assert_eq!(seen, expected);
    assert_eq!(ended[0].task_id, Some(Uuid::from_u128(7)));
}

#[tokio::test]
async fn a_repository_that_knows_neither_states_nor_counts_is_asked_for_less() {
    let list = json!([result(1, 8, "2024-05-13T06:05:00.000Z"), result(2, 7, "2024-05-13T06:05:00.000Z")]);
    let fake = Fake::start(move |what| match what {
        _ if what.contains("status") => Answer::Status(400, "Cannot parse the expression"),
        _ if what.contains("count") => Answer::Status(404, "Not Found"),
        _ => Answer::Json(list.clone()),
    })
    .await;
    let client = fake.client(TestClock::default());
    assert_eq!(client.count_ended(span(false)).await.unwrap(), None);
    assert_eq!(client.ended(span(false)).await.unwrap().len(), 1);
    assert_eq!(client.ended(span(true)).await.unwrap().len(), 2);
    // It refuses to look for states once, and is not asked to again.
    let by_state = fake.asked().iter().filter(|what| what.starts_with("executionresult/full") && what.contains("status")).count();
    assert_eq!(by_state, 1);
}
