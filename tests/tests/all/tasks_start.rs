//! Starting tasks over the API and by `tasks`, at a simulated site.

use std::process::Output;
use std::time::Duration;

use butler_core::simulator::site::Fault;
use butler_tests::{Sense, Settings, World, api, eventually, http};
use insta::assert_snapshot;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::PROGRAM;

/// How often a task was started through the repository.
fn starts(sense: &Sense, task: Uuid) -> usize {
    sense.site.count(&format!("task/{task}/start"))
}

/// All starts.
fn all_starts(sense: &Sense) -> usize {
    sense.site.count("task/*/start")
}

async fn says(sense: &Sense, args: &[&str]) -> String {
    sense.world.says(&sense.butler, args).await
}

/// The status and the body of the answer to a start.
async fn post(sense: &Sense, body: &Value) -> (u16, Value) {
    let url = format!("http://{}/api/tasks/start", sense.butler.address("api"));
    let request = http().post(url).header("content-type", "application/json").body(body.to_string()).timeout(Duration::from_mins(2));
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), serde_json::from_str(&response.text().await.expect("a body")).expect("JSON"))
}

#[tokio::test]
async fn tasks_are_started_by_id_tag_property_and_all_of_them() {
    let sense = Sense::start(PROGRAM, Settings::default()).await;
    let (sales, hr, odd, sync) = (sense.task("Reload sales"), sense.task("Reload HR"), sense.task("Räkna om"), sense.task("Sync AD"));
    assert_snapshot!(says(&sense, &["tasks", "start", &sync.id.to_string().to_uppercase()]).await, @"
    exit code 0
    stdout:
    TASK                                  NAME           CHOSEN BY  OUTCOME
    ID  Sync AD users  id         started
    ");
    assert_snapshot!(says(&sense, &["tasks", "start", "--tag", "hr"]).await, @"
    exit code 0
    stdout:
    TASK                                  NAME       CHOSEN BY  OUTCOME
    ID  Reload HR  tag hr     started
    ");
    assert_snapshot!(says(&sense, &["tasks", "start", "--property", "Avdelning & ägare=O'Neill; #2"]).await, @"
    exit code 0
    stdout:
    TASK                                  NAME                                    CHOSEN BY                               OUTCOME
    ID  Räkna om «Lager»; it's 100% R&D #1 + 🚀  property Avdelning & ägare=O'Neill; #2  started
    ");
    assert_eq!([&sync, &hr, &odd, &sales].map(|task| starts(&sense, task.id)), [1, 1, 1, 0]);
    let mixed = ["tasks", "start", &sales.id.to_string(), "--tag", "nightly", "--tag", "O'Neill", "--set", "etl/first=1", "--ttl", "1h"];
    assert_snapshot!(says(&sense, &mixed).await, @"
    exit code 0
    stdout:
    TASK                                  NAME                                    CHOSEN BY    OUTCOME
    ID  Reload sales                            id           started
    ID  Reload sales                            tag nightly  started
    ID  Reload HR                               tag nightly  started
    ID  Nightly export                          tag nightly  started
    ID  Räkna om «Lager»; it's 100% R&D #1 + 🚀  tag O'Neill  started
    ");
    assert_eq!([&sync, &hr, &odd, &sales].map(|task| starts(&sense, task.id)), [1, 2, 2, 1]);
    // What ran is there: each start came to one execution.
    eventually("all executions", async || {
        let state = sense.site.state();
        let ended = |task: Uuid| state.executions.iter().filter(|execution| execution.task == task && execution.stop.is_some()).count();
        ([&sync, &hr, &odd].map(|task| ended(task.id)) == [1, 2, 2]).then_some(())
    })
    .await;
    // The failures among them arrive as alerts; see below. A program reads the same.
    let report = sense.world.json(&sense.butler, &["tasks", "start", &sales.id.to_string()]).await;
    let task = &report["selections"][0]["tasks"][0];
    assert_eq!((&report["site"], &task["name"], &task["outcome"]["result"]), (&json!("prod"), &json!("Reload sales"), &json!("started")));
}

#[tokio::test]
async fn a_started_reload_that_fails_is_told_of() {
    let sense = Sense::start(PROGRAM, Settings::default()).await;
    let hr = sense.task("Reload HR");
    let started = sense.world.run(&["tasks", "start", &hr.id.to_string()]).about(&sense.butler).output().await;
    assert!(started.status.success());
    let body = sense.hook_body(1).await;
    assert_eq!((&body["event"], &body["taskName"]), (&json!("Qlik Sense reload failed"), &json!("Reload HR")), "{body}");
    let (slack, html) = sense.shown().await;
    assert!(slack.contains("Reload HR") && html.contains("Reload HR"));
    let execution = sense.site.state().last_execution(hr.id).expect("it ran").execution_id;
    assert_eq!(body["executionId"], json!(execution));
    assert_eq!((all_starts(&sense), sense.world.hook.count()), (1, 1));
}

#[tokio::test]
async fn the_filter_decides_by_task() {
    let filter = r#"
        [tasks.start_filter]
        task = "7552D9FC-D1BB-4975-9A38-18357DE531EA"
        tag = "hr"
        custom_property = { "Avdelning & ägare" = ["50 % + 🍤"] }
    "#;
    let sense = Sense::start(PROGRAM, Settings { more: filter, ..Settings::default() }).await;
    assert_snapshot!(says(&sense, &["tasks", "list"]).await, @"
    exit code 0
    stdout:
    TASK                                  SITE  CAN BE STARTED            LATEST EXECUTION                  NEXT                 NAME                                                 TAGS
    ID  prod  no, denied by the filter                                                         Distribute sales app
    ID  prod  no, denied by the filter                                                         Manually triggered reload of Test failing reloads 2
    ID  prod  no, denied by the filter                                                         Nightly export                                       nightly
    ID  prod  no, denied by the filter                                                         Preload finance
    ID  prod  yes                                                                              Reload HR                                            nightly, hr
    ID  prod  no, denied by the filter                                                         Reload of an app that is no longer used
    ID  prod  no, denied by the filter  FinishedFail TIME  TIME  Reload sales                                         nightly
    ID  prod  yes                                                                              Räkna om «Lager»; it's 100% R&D #1 + 🚀               R&D; #1, 100%, a+b, räksmörgås 🍤, O'Neill
    ID  prod  yes                                                                              Sync AD users
    ");
    let ids = ["Reload sales", "Reload HR", "Räkna om", "Sync AD"].map(|name| sense.task(name).id.to_string());
    let all: Vec<&str> = ["tasks", "start"].into_iter().chain(ids.iter().map(String::as_str)).collect();
    assert_snapshot!(says(&sense, &all).await, @"
    exit code 64
    butler-cli: 1 of 4 tasks were not started
    stdout:
    TASK                                  NAME                                    CHOSEN BY  OUTCOME
    ID                                          id         denied by the filter
    ID  Reload HR                               id         started
    ID  Räkna om «Lager»; it's 100% R&D #1 + 🚀  id         started
    ID  Sync AD users                           id         started
    ");
    assert_snapshot!(says(&sense, &["tasks", "start", "--tag", "nightly", "--property", "nobody=has it"]).await, @"
    exit code 64
    butler-cli: 2 of 3 tasks were not started
    stdout:
    TASK                                  NAME            CHOSEN BY               OUTCOME
    ID  Reload sales    tag nightly             denied by the filter
    ID  Reload HR       tag nightly             started
    ID  Nightly export  tag nightly             denied by the filter
                                                          property nobody=has it  denied by the filter
    ");
    assert_eq!(starts(&sense, sense.task("Reload sales").id), 0);
    assert_eq!(all_starts(&sense), 4);
    let listed = sense.world.json(&sense.butler, &["tasks", "list", "--site", "prod"]).await;
    let allowed: Vec<_> =
        listed.as_array().expect("a list").iter().filter(|task| task["allowed"] == true).map(|task| &task["id"]).collect();
    assert_eq!(allowed.len(), 3, "{listed}");
    let log = sense.butler.log();
    assert!(log.contains("A task was not started.") && log.contains("A task was started on somebody's word."), "{log}");
}

#[tokio::test]
async fn what_fails_for_one_is_told_of_it_alone() {
    let sense = Sense::start(PROGRAM, Settings::default()).await;
    let (sales, disabled) = (sense.task("Reload sales").id.to_string(), sense.task("no longer used").id.to_string());
    assert_snapshot!(says(&sense, &["tasks", "start", &sales, "Reload HR", "00000000-0000-4000-8000-000000000000"]).await, @"
    exit code 64
    butler-cli: 2 of 3 tasks were not started
    stdout:
    TASK                                  NAME          CHOSEN BY  OUTCOME
    ID  Reload sales  id         started
    Reload HR                                           id         this is no id of a task
    ID                id         there is no such task
    ");
    assert_snapshot!(says(&sense, &["tasks", "start", &sales, &disabled, "--tag", "no such tag"]).await, @"
    exit code 69
    butler-cli: 1 of 2 tasks were not started
    stdout:
    TASK                                  NAME                                     CHOSEN BY        OUTCOME
    ID  Reload sales                             id               started
    ID  Reload of an app that is no longer used  id               FAILED: the repository at 127.0.0.1:PORT answered with status 400: The task is disabled and can't be started.
                                                                                   tag no such tag  no task
    ");
    let none = ["tasks", "start", "--all-ids-must-exist", &sales, "00000000-0000-4000-8000-000000000000", "--tag", "hr"];
    assert_snapshot!(says(&sense, &none).await, @"
    exit code 64
    butler-cli: 2 of 3 tasks were not started
    stdout:
    TASK                                  NAME          CHOSEN BY  OUTCOME
    ID  Reload sales  id         held back, for not all ids are tasks
    ID                id         there is no such task
    ID  Reload HR     tag hr     started
    ");
    assert_eq!((starts(&sense, sense.task("Reload sales").id), starts(&sense, sense.task("Reload HR").id)), (2, 1));
}

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_not_told_again() {
    let sense = Sense::start(PROGRAM, Settings::default()).await;
    let hr = sense.task("Reload HR").id;
    sense.site.fault("task/*/start", Fault::Cut);
    let output: Output = sense.world.run(&["tasks", "start", &hr.to_string(), "--tag", "hr"]).about(&sense.butler).output().await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!((output.status.code(), said.matches("UNCERTAIN, it may run: ").count()), (Some(69), 2), "{said}");
    // It did run, once, and its failure is told.
    assert_eq!(sense.hook_body(1).await["taskName"], "Reload HR");
    assert_eq!((starts(&sense, hr), sense.site.state().executions.iter().filter(|execution| execution.task == hr).count()), (1, 1));
    sense.site.clear_faults();
    sense.site.fault("task/*/start", Fault::Status(403));
    assert_snapshot!(says(&sense, &["tasks", "start", &hr.to_string()]).await, @"
    exit code 69
    butler-cli: 1 of 1 tasks were not started
    stdout:
    TASK                                  NAME       CHOSEN BY  OUTCOME
    ID  Reload HR  id         FAILED: the repository at 127.0.0.1:PORT refused the request (status 403): on command
    ");
    assert_eq!(starts(&sense, hr), 2);
}

#[tokio::test]
async fn a_repository_that_is_down_at_first_is_waited_for() {
    let sense = Sense::start(PROGRAM, Settings { more: "[tasks]\nretry_for = \"1m\"", ..Settings::default() }).await;
    let sales = sense.task("Reload sales").id;
    sense.site.set_down(true);
    let task = sales.to_string();
    let order = json!({ "tasks": [task], "tags": ["hr"], "pairs": [{ "namespace": "etl", "key": "a", "value": "1" }] });
    let ((status, report), ()) = tokio::join!(post(&sense, &order), async {
        eventually("the outage is known", async || {
            let status = api(&sense.butler, "/api/status").await;
            status["health"]["sites"]["prod"]["down_since"].is_string().then_some(())
        })
        .await;
        sense.site.set_down(false);
    });
    assert_eq!(status, 200, "{report}");
    let results: Vec<_> = (0..2).map(|index| &report["selections"][index]["tasks"][0]["outcome"]["result"]).collect();
    assert_eq!(results, ["started", "started"], "{report}");
    assert_eq!((starts(&sense, sales), all_starts(&sense)), (1, 2));
}

#[tokio::test]
async fn one_that_stays_down_starts_nothing() {
    let sense = Sense::start(PROGRAM, Settings { more: "[tasks]\nretry_for = \"0s\"", ..Settings::default() }).await;
    sense.site.set_down(true);
    let output = sense.world.run(&["tasks", "start", &sense.task("Reload sales").id.to_string()]).about(&sense.butler).output().await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(
        said.contains("503 Service Unavailable: nothing was started, for it can't be found out which tasks there are: site `prod`"),
        "{said}"
    );
    let (status, body) = post(&sense, &json!({ "tags": ["nightly"] })).await;
    assert_eq!(status, 503, "{body}");
    assert_eq!(all_starts(&sense), 0);
}

#[tokio::test]
async fn orders_that_make_no_sense_are_refused() {
    let sense = Sense::start(PROGRAM, Settings::default()).await;
    let mut said = Vec::new();
    for order in [
        json!({ "task": ["x"] }),
        json!({ "tasks": "x" }),
        json!({ "site": "test", "tasks": ["x"] }),
        json!({ "pairs": [{ "namespace": "a", "key": "", "value": "b" }] }),
    ] {
        let (status, body) = post(&sense, &order).await;
        said.push(format!("{status} {}", body["error"].as_str().expect("words")));
    }
    assert_snapshot!(said.join("\n"), @r#"
    400 the body can't be read: unknown field `task`, expected one of `site`, `tasks`, `tags`, `custom_properties`, `all_ids_must_exist`, `skip_running`, `pairs` at line 1 column 7
    400 the body can't be read: invalid type: string "x", expected a sequence at line 1 column 12
    400 there is no site `test` whose repository can be asked; there are: prod
    400 pair 1 has no namespace or no key, so nothing was stored and no task was started
    "#);
    // A web page can't start anything.
    let url = format!("http://{}/api/tasks/start", sense.butler.address("api"));
    let form = http().post(&url).body("{}").send().await.expect("an answer");
    let foreign = http().post(&url).header("content-type", "application/json").header("origin", "http://evil.example").body("{}");
    assert_eq!((form.status(), foreign.send().await.expect("an answer").status()), (415.try_into().unwrap(), 403.try_into().unwrap()));
    assert_eq!(all_starts(&sense), 0);
}

#[tokio::test]
async fn without_a_site_that_can_be_asked_nothing_can_be_started() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let butler = world.serve().await;
    assert_snapshot!(world.says(&butler, &["tasks", "start", "e959f40a-67be-4a5b-ae83-a292f96ba078"]).await, @"
    exit code 64
    butler-cli: no site has certificates to ask its repository with, so no task can be started; add `certificates` to a site
    ");
    assert_snapshot!(world.says(&butler, &["tasks", "list"]).await, @"
    exit code 64
    butler-cli: no site has certificates to ask its repository with, so no task can be started; add `certificates` to a site
    ");
}

#[tokio::test]
async fn a_slow_repository_is_waited_for_and_told_once() {
    let sense = Sense::start(PROGRAM, Settings::default()).await;
    let sales = sense.task("Reload sales").id;
    sense.site.fault("task/*/start", Fault::Delay(Duration::from_millis(400)));
    let (_, report) = post(&sense, &json!({ "tasks": [sales, sales] })).await;
    let started = json!({ "result": "started", "execution": null });
    assert_eq!((&report["selections"][0]["tasks"][0]["outcome"], &report["selections"][1]["tasks"][0]["outcome"]), (&started, &started));
    assert_eq!(starts(&sense, sales), 1);
}
