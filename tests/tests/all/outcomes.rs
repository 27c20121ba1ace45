//! Every sort of task, and every way in which it can end: from the line that Sense logs to the route and the message.

use butler_core::simulator::site::{Execution, Failure, Outcome, Run};
use butler_tests::{Sender, Sense, Settings, eventually, within};
use insta::assert_snapshot;
use serde_json::Value;

use crate::PROGRAM;

const TYPES: [&str; 5] = ["reload_task", "external_program_task", "user_sync_task", "distribute_task", "preload_task"];

/// A site whose datagrams nobody gets, and a Butler with one route for each kind of event, each to an address that is the kind.
async fn start() -> Sense {
    let kinds = TYPES.iter().flat_map(|task_type| ["failed", "aborted", "success"].map(|outcome| format!("{task_type}.{outcome}")));
    let mut routes = String::from("when.task = \"no task\"\n");
    let mut sinks = String::new();
    for kind in kinds.chain(["engine_reload.failed".to_owned()]) {
        let name = kind.replace('.', "-");
        routes += &format!("[[routes]]\nname = \"{kind}\"\nevents = [\"{kind}\"]\nsinks = [\"{name}\", \"mail\"]\n");
        sinks += &format!("[sinks.{name}]\ntype = \"webhook\"\noptions.url = \"HOOK/{kind}\"\n");
    }
    // It is the datagrams that are looked at here: what is found without them comes at its own time.
    let site = "reconcile.enabled = false";
    let sense = Sense::start(PROGRAM, Settings { site, route: &routes, more: &sinks, ..Settings::default() }).await;
    sense.site.send_datagrams_to(None);
    sense
}

/// What the site's log appender would have said, under another of the names that it has for that.
fn datagram(execution: &Execution, name: &str) -> String {
    let text = String::from_utf8(execution.datagram.clone()).expect("a text");
    let (_, rest) = text.split_once(';').expect("fields");
    format!("{name};{rest}")
}

/// What came of the latest datagram, once there are so many: the kind, and what the messages say.
async fn told(sense: &Sense, count: usize) -> String {
    let request = sense.world.received(count).await.remove(count - 1);
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    let mail = within("the mail", sense.mail.wait_for(count)).await.remove(count - 1);
    let text = mail.text().expect("a text part");
    let line = |label: &str| text.lines().find_map(|line| line.strip_prefix(label)).map(str::trim).unwrap_or("-").to_owned();
    let (subject, event) = (mail.header("Subject").unwrap_or_default(), body["event"].as_str().unwrap_or_default());
    let kind = request.path.rsplit('/').next().unwrap_or_default();
    assert!(body["kind"].is_null() || body["kind"] == kind, "{body}");
    format!("{kind}: {event} | {subject} | {} | {} | {}\n", line("Status:"), line("App owner:"), line("Why it failed:"))
}

#[tokio::test]
async fn every_task_and_every_outcome_has_its_kind_and_its_words() {
    let sense = start().await;
    let sender = Sender::to(&sense.butler);
    let failed = |why| Outcome::Failed(why);
    let table = [
        ("Reload sales", failed(Failure::Memory), "/scheduler-reload-failed/"),
        ("Reload sales", failed(Failure::Connection), "/scheduler-reloadtask-failed/"),
        ("Räkna om", failed(Failure::Syntax), "/scheduler-task-failed/"),
        ("Reload HR", failed(Failure::MissingField), "/Scheduler-Task-Failed"),
        ("Reload sales", Outcome::Aborted, "/scheduler-reload-aborted/"),
        ("Reload HR", Outcome::Aborted, "/scheduler-task-aborted/"),
        ("Reload sales", Outcome::Success, "/scheduler-reloadtask-success/"),
        ("Reload HR", Outcome::Success, "/scheduler-task-success//"),
        ("Nightly export", failed(Failure::MissingFile), "/scheduler-task-failed/"),
        ("Nightly export", Outcome::Aborted, "/scheduler-task-aborted/"),
        ("Nightly export", Outcome::Success, "/scheduler-task-success//"),
        ("Sync AD users", failed(Failure::MissingFile), "/scheduler-task-failed/"),
        ("Sync AD users", Outcome::Aborted, "/scheduler-task-aborted/"),
        ("Sync AD users", Outcome::Success, "/scheduler-task-success/"),
        ("Distribute sales", failed(Failure::MissingFile), "/scheduler-distribute/"),
        ("Distribute sales", failed(Failure::MissingFile), "/scheduler-task-failed/"),
        ("Distribute sales", Outcome::Aborted, "/scheduler-distribute/"),
        ("Distribute sales", Outcome::Aborted, "/scheduler-task-aborted/"),
        ("Distribute sales", Outcome::Success, "/scheduler-distribute/"),
        ("Distribute sales", Outcome::Success, "/scheduler-task-success//"),
        ("Preload finance", failed(Failure::MissingFile), "/scheduler-task-failed/"),
        ("Preload finance", Outcome::Aborted, "/scheduler-task-aborted/"),
        ("Preload finance", Outcome::Success, "/scheduler-task-success//"),
    ];
    let mut all = String::new();
    for (number, (name, outcome, said)) in table.into_iter().enumerate() {
        let execution = sense.site.run(sense.task(name).id, outcome).await.expect("a run");
        sender.raw(datagram(&execution, said).as_bytes());
        all += &told(&sense, number + 1).await;
    }
    assert_snapshot!(all, @r#"
    reload_task.failed: Qlik Sense reload failed | Qlik Sense: Reload task failed: Reload sales | FinishedFail after 9 s | Göran Sander | Error: Out of virtual and/or logical memory, allocating 4MB
    reload_task.failed: Qlik Sense reload failed | Qlik Sense: Reload task failed: Reload sales | FinishedFail after 9 s | Göran Sander | Error: Connector reply error: SQL##f - SqlState: 08S01, ErrorCode: 10054, ErrorMsg: [Microsoft][ODBC Driver 17 for SQL Server]TCP Provider: An existing connection was forcibly closed by the remote host.
    reload_task.failed: Qlik Sense reload failed | Qlik Sense: Reload task failed: Räkna om «Lager»; it's 100% R&D #1 + 🚀 | FinishedFail after 9 s | Anna O'Neill-Åkesson | Error: Unexpected token: 'FROM', expected one of: 'OPERATOR_PLUS', 'OPERATOR_MINUS', 'OPERATOR_NOT', 'LITERAL_NUMBER', 'LITERAL_STRING', ...
    reload_task.failed: Qlik Sense reload failed | Qlik Sense: Reload task failed: Reload HR | FinishedFail after 9 s | Anna O'Neill-Åkesson | Error: Field 'Rate' not found
    reload_task.aborted: Qlik Sense reload aborted | Qlik Sense: Reload task was aborted: Reload sales | Aborted after 10 s | Göran Sander | -
    reload_task.aborted: Qlik Sense reload aborted | Qlik Sense: Reload task was aborted: Reload HR | Aborted after 10 s | Anna O'Neill-Åkesson | -
    reload_task.success: Qlik Sense reload task succeeded | Qlik Sense: Reload task succeeded: Reload sales | FinishedSuccess after 9 s | Göran Sander | -
    reload_task.success: Qlik Sense reload task succeeded | Qlik Sense: Reload task succeeded: Reload HR | FinishedSuccess after 9 s | Anna O'Neill-Åkesson | -
    external_program_task.failed: Qlik Sense external program task failed | Qlik Sense: External program task failed: Nightly export | FinishedFail after 9 s | - | -
    external_program_task.aborted: Qlik Sense external program task was aborted | Qlik Sense: External program task was aborted: Nightly export | Aborted after 10 s | - | -
    external_program_task.success: Qlik Sense external program task succeeded | Qlik Sense: External program task succeeded: Nightly export | FinishedSuccess after 9 s | - | -
    user_sync_task.failed: Qlik Sense user sync task failed | Qlik Sense: User sync task failed: Sync AD users | FinishedFail after 9 s | - | -
    user_sync_task.aborted: Qlik Sense user sync task was aborted | Qlik Sense: User sync task was aborted: Sync AD users | Aborted after 10 s | - | -
    user_sync_task.success: Qlik Sense user sync task succeeded | Qlik Sense: User sync task succeeded: Sync AD users | FinishedSuccess after 9 s | - | -
    distribute_task.failed: Qlik Sense distribute task failed | Qlik Sense: Distribute task failed: Distribute sales app | FinishedFail after 18 s | Göran Sander | -
    distribute_task.failed: Qlik Sense distribute task failed | Qlik Sense: Distribute task failed: Distribute sales app | FinishedFail after 18 s | Göran Sander | -
    distribute_task.failed: Qlik Sense distribute task failed | Qlik Sense: Distribute task failed: Distribute sales app | Aborted after 10 s | Göran Sander | -
    distribute_task.aborted: Qlik Sense distribute task was aborted | Qlik Sense: Distribute task was aborted: Distribute sales app | Aborted after 10 s | Göran Sander | -
    distribute_task.success: Qlik Sense distribute task succeeded | Qlik Sense: Distribute task succeeded: Distribute sales app | FinishedSuccess after 18 s | Göran Sander | -
    distribute_task.success: Qlik Sense distribute task succeeded | Qlik Sense: Distribute task succeeded: Distribute sales app | FinishedSuccess after 18 s | Göran Sander | -
    preload_task.failed: Qlik Sense preload task failed | Qlik Sense: Preload task failed: Preload finance | FinishedFail after 9 s | Göran Sander | -
    preload_task.aborted: Qlik Sense preload task was aborted | Qlik Sense: Preload task was aborted: Preload finance | Aborted after 10 s | Göran Sander | -
    preload_task.success: Qlik Sense preload task succeeded | Qlik Sense: Preload task succeeded: Preload finance | FinishedSuccess after 9 s | Göran Sander | -
    "#);
    let engine = [
        "/engine-reload-failed/;sense-node-1;66bc109d-286a-415b-8355-1422abb22133;a9f1c0de-0c2f-4a7e-9a0b-6a1f3f1f9d10;LAB;goran;2024-05-13 06:02:11,123;ERROR;Reload failed in Engine. Check engine or script logs",
        "/engine-reload-failed/;sense-node-2;;;INTERNAL;sa_engine;2024-05-13 22:10:01,007;WARN;Reload aborted",
    ];
    let mut all = String::new();
    for (number, datagram) in engine.into_iter().enumerate() {
        sender.raw(datagram.as_bytes());
        all += &told(&sense, table.len() + number + 1).await;
    }
    assert_snapshot!(all, @r#"
    engine_reload.failed: Qlik Sense engine reload failed | Qlik Sense: App reload failed: Sales | - | - | -
    engine_reload.failed: Qlik Sense engine reload failed | Qlik Sense: App reload failed: an app that is not named | - | - | -
    "#);
    assert_eq!(sense.world.hook.count(), table.len() + engine.len());
    let listed = sense.world.json(&sense.butler, &["events", "list", "--max", "100"]).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(table.len() + engine.len()));
}

#[tokio::test]
async fn what_is_told_is_this_execution_and_no_later_one() {
    let sense = start().await;
    let id = sense.task("Reload sales").id;
    let first = sense.site.carry_out(Run { user: Some(r"LAB\\eva".to_owned()), ..Run::new(id, Outcome::FAILED) }).await.expect("a run");
    sense.site.run(id, Outcome::Success).await.expect("a run");
    let sender = Sender::to(&sense.butler);
    sender.raw(&first.datagram);
    let told = told(&sense, 1).await;
    assert!(told.contains("FinishedFail") && told.contains("Cannot open file: 'lib://Data/Sales.qvd'"), "{told}");
    let body = sense.hook_body(1).await;
    assert_eq!((body["user"].as_str(), body["executionId"].as_str()), (Some(r"LAB\eva"), Some(first.execution_id.to_string().as_str())));
    let explained = sense.world.says(&sense.butler, &["events", "explain", "latest"]).await;
    for part in [
        "execution result: FinishedFail on sense-node-1\n",
        "why it failed: Error: Cannot open file",
        "    0019 LOAD * FROM [lib://Data/Sales.qvd] (qvd)\n",
    ] {
        assert!(explained.contains(part), "no {part:?} in {explained}");
    }
}

#[tokio::test]
async fn good_news_is_told_of_the_tasks_that_have_the_property() {
    let routes = r#"
        when.task = "no task"
        [[routes]]
        name = "wanted"
        events = ["reload_task.success", "external_program_task.success"]
        when.custom_property.Butler_FailedTask_EmailAlertEnabled = "Yes"
        sinks = ["tags"]
    "#;
    let template = "{ \"text\": \"{{event}} of {{taskName}}, task: {{#each taskTags}}{{this}}.{{/each}} app: {{#each appTags}}{{this}}.{{/each}} {{#each taskCustomProperties}}{{name}}={{value}}{{/each}}\" }";
    let sense = Sense::start(
        PROGRAM,
        Settings {
            route: routes,
            more: "[sinks.tags]\ntype = \"slack\"\noptions.webhook_url = \"SLACK\"\noptions.template_file = \"tags.handlebars\"",
            files: &[("tags.handlebars", template)],
            ..Settings::default()
        },
    )
    .await;
    for name in ["Reload HR", "Nightly export", "Reload sales"] {
        sense.site.run(sense.task(name).id, Outcome::Success).await.expect("a run");
    }
    let message = within("Slack", sense.slack.wait_for(1)).await.remove(0);
    let message: Value = serde_json::from_str(&message.body).expect("JSON");
    assert_eq!(
        message["text"],
        "reload_task.success of Reload sales, task: nightly. app: finance. Butler_FailedTask_EmailAlertEnabled=Yes"
    );
    // The others were heard of, and nobody is told.
    eventually("three events to be routed", async || {
        let events = butler_tests::api(&sense.butler, "/api/events").await;
        let routed = events.as_array()?.iter().filter(|event| !event["routed"].is_null()).count();
        (routed == 3).then_some(())
    })
    .await;
    assert_eq!(sense.slack.count(), 1);
    let explained = sense.world.json(&sense.butler, &["events", "list", "--kind", "external_program_task.success"]).await;
    assert_eq!(explained.as_array().map(Vec::len), Some(1));
}
