//! Tasks that do not start, hang, and recover: what the repository shows and no datagram tells.

use butler_core::simulator::site::Outcome;
use butler_tests::{Sense, Settings, eventually};
use serde_json::Value;

use crate::PROGRAM;

/// The body of the webhook's call about an event of this kind.
async fn told(sense: &Sense, kind: &str) -> Value {
    eventually(kind, async || {
        let bodies = sense.world.hook.requests().into_iter().filter_map(|request| serde_json::from_str::<Value>(&request.body).ok());
        bodies.into_iter().find(|body| body["kind"] == kind)
    })
    .await
}

/// How many messages there were about this kind. A message whose process was killed before it knew of the answer comes again under its own key.
fn count(sense: &Sense, kind: &str) -> usize {
    let about = format!("\"kind\":\"{kind}\"");
    let requests = sense.world.hook.requests();
    let keys = requests.iter().filter(|request| request.body.contains(&about)).map(|request| request.header("idempotency-key"));
    keys.collect::<std::collections::BTreeSet<_>>().len()
}

#[tokio::test]
async fn a_task_that_does_not_start_one_that_hangs_and_one_that_recovers_are_told_of() {
    let settings = Settings {
        route: r#"
            [[routes]]
            events = ["task.late", "task.stuck", "task.recovered"]
            when.tag = "hr"
            sinks = ["hook", "slack", "mail"]
        "#,
        more: r#"
            [monitor.tasks]
            every = "100ms"
            late_after = "500ms"
            longest = "1s"
        "#,
        ..Settings::default()
    };
    let sense = Sense::start(PROGRAM, settings).await;
    let task = sense.task("Reload HR");
    assert!(task.tags.iter().any(|tag| tag == "hr"), "{task:?}");
    let other = sense.task("Reload sales");
    // Neither starts; one is tagged, and its message goes out.
    let soon = jiff::Timestamp::now();
    sense.site.change(|state| {
        for id in [task.id, other.id] {
            state.task_mut(id).expect("the task").next_execution = Some(soon);
        }
    });
    let late = told(&sense, "task.late").await;
    assert_eq!((late["taskName"].as_str(), late["taskId"].as_str()), (Some("Reload HR"), Some(task.id.to_string().as_str())));
    assert!(late["event"].as_str().is_some_and(|title| title.starts_with("Not started: Reload HR, due at ")), "{late}");
    let (slack, html) = sense.shown().await;
    for part in ["Not started: Reload HR", "should have started at", "HR dashboard"] {
        assert!(slack.contains(part) && html.contains(part), "no {part:?} in {slack}\n{html}");
    }

    let hanging = sense.site.hang(task.id).expect("it starts");
    let stuck = told(&sense, "task.stuck").await;
    assert_eq!((stuck["taskName"].as_str(), stuck["fields"]["reason"].as_str()), (Some("Reload HR"), Some("running")));
    sense.site.change(|state| state.executions.retain(|execution| execution.id != hanging));

    sense.site.run(task.id, Outcome::FAILED).await.expect("a run");
    // It has to be looked at, or nobody knows that there was a failure.
    let asked = sense.site.count("task/full");
    eventually("two looks", async || (sense.site.count("task/full") > asked + 4).then_some(())).await;
    sense.site.run(task.id, Outcome::Success).await.expect("a run");
    let recovered = told(&sense, "task.recovered").await;
    assert_eq!(recovered["event"], "Recovered: Reload HR, after 1 failure");

    // Each was told once, also across a restart, and the other task's messages went nowhere.
    let Sense { site, world, slack, mail, butler } = sense;
    butler.kill().await;
    let butler = world.serve().await;
    let sense = Sense { site, world, slack, mail, butler };
    let asked = sense.site.count("task/full");
    eventually("further looks", async || (sense.site.count("task/full") > asked + 15).then_some(())).await;
    assert_eq!(["task.late", "task.stuck", "task.recovered"].map(|kind| count(&sense, kind)), [1, 1, 1]);
    assert!(sense.world.hook.requests().iter().all(|request| !request.body.contains("Reload sales")));
}
