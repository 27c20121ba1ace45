//! How every task of a site stands now: when it runs next, and how its latest execution went or goes.
//!
//! A site may have thousands of tasks, each of which the repository describes with all it knows. One after the other is read, and only what is needed of it is kept.

use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::Value;
use uuid::Uuid;

use super::ask::Ask;
use super::client::RepositoryClient;
use super::error::QlikError;
use super::map;
use crate::event::{ExecutionResult, ExecutionStatus};

/// How a task stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskStanding {
    /// The task.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The app that it is about.
    pub app_id: Option<Uuid>,
    /// Name of that app; empty if there is none.
    pub app_name: String,
    /// Whether it is started at all.
    pub enabled: bool,
    /// Minutes after which a try of it is stopped; zero if it never is.
    pub session_timeout: u32,
    /// How often it is tried again.
    pub max_retries: u32,
    /// When it runs next; `None` if no trigger says so.
    pub next: Option<Timestamp>,
    /// Its latest execution; `None` if it never ran.
    pub last: Option<LatestExecution>,
}

/// The latest execution of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestExecution {
    /// Id of its result; the moment of its start if the repository shows none.
    pub key: String,
    /// How it stands.
    pub status: ExecutionStatus,
    /// When it was triggered, or started; whichever the repository knows.
    pub start: Option<Timestamp>,
    /// When it stopped.
    pub stop: Option<Timestamp>,
    /// Milliseconds.
    pub duration_ms: i64,
}

impl LatestExecution {
    /// What of a result is needed.
    pub(crate) fn of(result: &ExecutionResult) -> Self {
        let first_step = result.details.first().and_then(|step| map::moment(&step.at));
        let start = map::moment(&result.start_time).or(first_step);
        Self {
            key: result.id.map_or_else(|| start.map(|start| start.to_string()).unwrap_or_default(), |id| id.simple().to_string()),
            status: result.status,
            start,
            stop: map::moment(&result.stop_time),
            duration_ms: result.duration_ms,
        }
    }
}

impl RepositoryClient {
    /// How all tasks stand, in one request. Nothing of it is remembered.
    ///
    /// # Errors
    /// [`QlikError`], when it could not be found out.
    pub async fn standings(&self) -> Result<Vec<TaskStanding>, QlikError> {
        self.each_task(standing).await
    }

    /// What `keep` keeps of each task, in one request.
    pub(super) async fn each_task<T>(&self, keep: fn(&Value) -> Option<T>) -> Result<Vec<T>, QlikError> {
        self.read(&Ask::path("task/full"), |body| {
            let mut reader = serde_json::Deserializer::from_slice(body);
            let tasks = reader.deserialize_seq(Each { keep, tasks: PhantomData })?;
            reader.end().map(|()| tasks)
        })
        .await
    }
}

/// Reads a list whose elements are never held all at once.
struct Each<T> {
    keep: fn(&Value) -> Option<T>,
    tasks: PhantomData<T>,
}

impl<'de, T> Visitor<'de> for Each<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tasks")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut kept = Vec::new();
        while let Some(task) = list.next_element::<Value>()? {
            kept.extend((self.keep)(&task));
        }
        Ok(kept)
    }
}

/// What is needed of a task; none if it does not even say its id.
fn standing(task: &Value) -> Option<TaskStanding> {
    let id = task["id"].as_str()?.trim().parse().ok()?;
    let facts = map::task(task);
    let small = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok()).unwrap_or_default();
    let last = map::last_result(task).map(|result| LatestExecution::of(&result));
    Some(TaskStanding {
        id,
        name: facts.name,
        app_id: facts.app_id,
        app_name: facts.app_name.unwrap_or_default(),
        enabled: map::is_enabled(task),
        session_timeout: small(facts.session_timeout),
        max_retries: small(facts.max_retries),
        next: facts.next_execution.as_deref().and_then(map::moment),
        last,
    })
}

#[cfg(all(test, feature = "testkit"))]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::qlik::fake::{Answer, Fake};
    use crate::testkit::TestClock;

    const ID: &str = "e959f40a-67be-4a5b-ae83-a292f96ba078";

    #[tokio::test]
    async fn only_what_is_needed_is_kept() {
        let tasks = json!([
            {
                "id": ID, "name": "Reload sales", "enabled": true, "taskSessionTimeout": 1440, "maxRetries": 2,
                "app": {"id": "66bc109d-286a-415b-8355-1422abb22133", "name": "Sales"},
                "operational": {
                    "nextExecution": "2024-05-14T04:00:00.000Z",
                    "lastExecutionResult": {
                        "id": ID, "status": 7, "duration": 127_335, "startTime": "2024-05-13T04:00:03.100Z", "stopTime": "2024-05-13T04:02:10.435Z",
                    },
                },
            },
            {"id": "dec2a02a-1680-44ef-8dc2-e2bfb180af87", "enabled": false, "operational": {"nextExecution": "1753-01-01T00:00:00.000Z", "lastExecutionResult": {
                "status": "Queued", "startTime": "1753-01-01T00:00:00.000Z",
                "details": [{"detailCreatedDate": "2024-05-13T04:00:01Z"}, {"detailCreatedDate": "2024-05-13T04:00:00Z"}],
            }}},
            {"name": "without an id"},
        ]);
        let fake = Fake::start(move |_| Answer::Json(tasks.clone())).await;
        let standings = fake.client(TestClock::default()).standings().await.unwrap();
        assert_eq!(fake.asked(), ["task/full"]);
        let time = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let sales = &standings[0];
        assert_eq!((sales.name.as_str(), sales.app_name.as_str(), sales.enabled), ("Reload sales", "Sales", true));
        assert_eq!((sales.session_timeout, sales.max_retries, sales.next), (1440, 2, time("2024-05-14T04:00:00Z")));
        let last = LatestExecution {
            key: "e959f40a67be4a5bae83a292f96ba078".into(),
            status: ExecutionStatus(7),
            start: time("2024-05-13T04:00:03.1Z"),
            stop: time("2024-05-13T04:02:10.435Z"),
            duration_ms: 127_335,
        };
        assert_eq!(sales.last, Some(last));
        let queued = standings[1].last.as_ref().unwrap();
        assert_eq!((queued.status, queued.start, queued.stop), (ExecutionStatus(3), time("2024-05-13T04:00:00Z"), None));
        assert_eq!((standings[1].enabled, standings[1].next, standings.len()), (false, None, 2));
    }

    #[tokio::test]
    async fn what_is_no_list_of_tasks_is_said_to_be_none() {
        let fake = Fake::start(|_| Answer::Json(json!({"tasks": []}))).await;
        let error = fake.client(TestClock::default()).standings().await.unwrap_err().to_string();
        assert!(error.contains("expected a list of tasks"), "{error}");
    }
}
