//! Against a fake that answers from a table: what is asked, and what becomes of the answers.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::sync::Mutex;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::*;
use crate::event::{EngineReload, EventId, ExecutionStatus, Kind, Notice};
use crate::qlik::fake::{Answer, Fake, HastyClock, closed_port, settings};
use crate::testkit::TestClock;

const TASK: Uuid = Uuid::from_u128(0x7a);
const APP: Uuid = Uuid::from_u128(0xa);
const USER: Uuid = Uuid::from_u128(0xb);
const RESULT: Uuid = Uuid::from_u128(0xc);
const EXECUTION: Uuid = Uuid::from_u128(0xe);
const EVERYTHING: Needs = Needs { task: true, app: true, owner: true, result: true, script_log: Some(LogLines { head: 1, tail: 1 }) };
const STOP: &str = "2024-05-13T06:02:11.000Z";

/// A site: what each question is answered, in turn; the last answer stays. What is not in the table is unknown.
#[derive(Clone, Default)]
struct Site(Arc<Mutex<HashMap<String, Vec<Value>>>>);

impl Site {
    /// A reload task that failed, its app, the app's owner, and the script log.
    fn with_a_failed_reload() -> Self {
        let site = Self::default();
        site.set(&format!("task/full?filter=id eq {TASK}"), [json!([task(0)])]);
        site.set(&format!("reloadtask/{TASK}"), [json!({"id": TASK, "operational": {"lastExecutionResult": result(8, RESULT)}})]);
        let found = json!([{"id": RESULT, "executionID": EXECUTION, "status": 8}]);
        site.set(&format!("executionresult/full?filter=executionID eq {EXECUTION}"), [found]);
        let app = json!({"id": APP, "name": "Sales", "tags": [{"name": "R&D; #1"}], "owner": {"id": USER}, "stream": {"name": "Everyone"}});
        site.set(&format!("app/full?filter=id eq {APP}"), [json!([app])]);
        let emails = json!([{"attributeType": "Email", "attributeValue": "goran@example.com"}]);
        site.set(
            &format!("user/{USER}"),
            [json!({"id": USER, "name": "Göran", "userId": "goran", "userDirectory": "LAB", "attributes": emails})],
        );
        site.set(&format!("reloadtask/{TASK}/scriptlog?fileReferenceId={}", Uuid::from_u128(0xf)), [json!({"value": "t"})]);
        site.set("download/reloadtask/t/scriptlog.txt", [json!("Execution started.\r\nExecution failed.\r\n")]);
        site
    }

    fn set(&self, what: &str, answers: impl IntoIterator<Item = Value>) {
        self.0.lock().unwrap().insert(what.to_owned(), answers.into_iter().collect());
    }

    fn answer(&self, what: &str) -> Answer {
        match self.0.lock().unwrap().get_mut(what) {
            Some(answers) if answers.len() > 1 => Answer::Json(answers.remove(0)),
            Some(answers) => match &answers[0] {
                Value::String(text) => Answer::Bytes(text.clone().into_bytes()),
                Value::Number(status) => Answer::Status(u16::try_from(status.as_u64().unwrap()).unwrap(), "on command"),
                json => Answer::Json(json.clone()),
            },
            None if what.contains("filter") => Answer::Json(json!([])),
            None => Answer::Status(404, "Not Found"),
        }
    }

    async fn start(&self) -> Fake {
        let site = self.clone();
        Fake::start(move |what| site.answer(what)).await
    }
}

fn task(task_type: i64) -> Value {
    json!({"id": TASK, "name": "Reload sales", "taskType": task_type, "app": {"id": APP, "name": "Sales"}, "tags": [{"name": "nightly"}]})
}

fn result(status: i64, id: Uuid) -> Value {
    let stop = if matches!(status, 6..=8) { STOP } else { "1753-01-01T00:00:00.000Z" };
    json!({
        "id": id, "executingNodeName": "sense-node-1", "status": status, "startTime": "2024-05-13T06:02:02.000Z", "stopTime": stop,
        "duration": 9000, "fileReferenceID": Uuid::from_u128(0xf), "scriptLogSize": 41, "details": []
    })
}

fn event(body: Body, kind: Kind) -> Event {
    let at: Timestamp = "2024-05-13T06:02:11.500Z".parse().unwrap();
    Event { id: EventId(Uuid::from_u128(1)), site: "prod".into(), kind, at, received: at, source: "udp".into(), body }
}

fn task_event(outcome: TaskOutcome) -> Event {
    let body = TaskEvent {
        task_id: TASK,
        app_id: Some(APP),
        execution_id: Some(EXECUTION),
        log_time: "2024-05-13 08:02:11,123".into(),
        ..TaskEvent::default()
    };
    event(Body::Task(body), Kind::task(outcome))
}

fn failed() -> Event {
    task_event(TaskOutcome::Failed)
}

fn change(mut event: Event, write: impl FnOnce(&mut TaskEvent)) -> Event {
    if let Body::Task(told) = &mut event.body {
        write(told);
    }
    event
}

/// Enriches within a minute, with short waits that pass at once.
async fn enrich(fake: &Fake, event: &Event, needs: Needs) -> Facts {
    enrich_from(fake, event, needs, Facts::default()).await
}

async fn enrich_from(fake: &Fake, event: &Event, needs: Needs, known: Facts) -> Facts {
    let clock = HastyClock::default();
    let deadline = Deadline::after(&clock, Duration::from_mins(1));
    let sheet = FactSheet::new(known);
    QlikEnricher::new(fake.client(clock)).enrich(event, needs, &sheet, deadline).await;
    sheet.snapshot()
}

fn missing(why: &str, is_final: bool) -> (Option<String>, bool) {
    (Some(why.to_owned()), is_final)
}

fn gap<T>(fact: &Fact<T>) -> (Option<String>, bool) {
    (fact.missing().map(str::to_owned), !fact.is_open())
}

#[tokio::test]
async fn a_failed_reload_is_found_out_whole_and_each_thing_is_asked_once() {
    let fake = Site::with_a_failed_reload().start().await;
    let facts = enrich(&fake, &failed(), EVERYTHING).await;
    assert_eq!(facts.missing(), Vec::<String>::new());
    assert_eq!(facts.task.known().map(|task| (task.name.as_str(), task.task_type)), Some(("Reload sales", Some(TaskType::Reload))));
    assert_eq!(facts.app.known().map(|app| (app.stream.as_deref(), app.tags.clone())), Some((Some("Everyone"), vec!["R&D; #1".into()])));
    assert_eq!(
        facts.owner.known().map(|owner| (owner.name.as_str(), owner.emails.clone())),
        Some(("Göran", vec!["goran@example.com".into()]))
    );
    let result = facts.result.known().unwrap();
    assert_eq!((result.certain, result.status, result.execution_id), (true, ExecutionStatus(8), Some(EXECUTION)));
    assert_eq!(result.executing_node, "sense-node-1", "the latest is more complete than what was found by the execution's id");
    assert_eq!(facts.script_log.known().map(|log| (log.head.clone(), log.rows)), Some((vec!["Execution started.".into()], 2)));
    let mut asked = fake.asked();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), fake.asked().len(), "asked twice: {:?}", fake.asked());
}

#[tokio::test]
async fn only_what_is_needed_and_open_is_asked() {
    let fake = Site::with_a_failed_reload().start().await;
    let nothing = enrich(&fake, &failed(), Needs::NONE).await;
    assert_eq!((nothing, fake.asked()), (Facts::default(), vec![]));
    let whole = enrich(&fake, &failed(), EVERYTHING).await;
    let before = fake.asked().len();
    assert_eq!(enrich_from(&fake, &failed(), EVERYTHING, whole.clone()).await, whole);
    assert_eq!(fake.asked().len(), before, "asked although everything is known");
    let needs = Needs { owner: true, ..Needs::NONE };
    let facts = enrich(&fake, &failed(), needs).await;
    assert!(facts.owner.known().is_some() && facts.task == Fact::Unasked && facts.result == Fact::Unasked);
    assert_eq!(fake.asked()[before..], [format!("app/full?filter=id eq {APP}"), format!("user/{USER}")]);
    let before = fake.asked().len();
    let known = Facts { app: facts.app, ..Facts::default() };
    enrich_from(&fake, &failed(), needs, known).await;
    assert_eq!(fake.asked()[before..], [format!("user/{USER}")], "the app that is known was asked again");
}

#[tokio::test]
async fn the_app_is_that_of_the_task_if_the_event_names_none() {
    let fake = Site::with_a_failed_reload().start().await;
    let event = change(failed(), |told| told.app_id = None);
    let facts = enrich(&fake, &event, Needs { app: true, ..Needs::NONE }).await;
    assert!(facts.app.known().is_some() && facts.task.known().is_some());
}

#[tokio::test]
async fn what_does_not_exist_is_missing_for_good() {
    let site = Site::with_a_failed_reload();
    site.set(&format!("task/full?filter=id eq {TASK}"), [json!([])]);
    site.set(&format!("user/{USER}"), [json!(404)]);
    let fake = site.start().await;
    let facts = enrich(&fake, &failed(), EVERYTHING).await;
    assert!(facts.app.known().is_some(), "the app stands in the event");
    let no_task = missing("the repository knows no task 00000000-0000-0000-0000-00000000007a; it may have been deleted", true);
    assert_eq!([gap(&facts.task), gap(&facts.result), gap(&facts.script_log)], [no_task.clone(), no_task.clone(), no_task]);
    assert_eq!(
        gap(&facts.owner),
        missing("the repository knows no user 00000000-0000-0000-0000-00000000000b; it may have been deleted", true)
    );
}

#[tokio::test]
async fn events_share_the_wait_for_a_repository_that_is_down() {
    let (_held, address) = closed_port();
    let clock = HastyClock::default();
    let client = Arc::new(RepositoryClient::unencrypted(settings(address), Arc::new(clock.clone())).unwrap());
    let enricher = QlikEnricher::new(Arc::clone(&client));
    for _ in 0..2 {
        let waited = clock.slept().len();
        let sheet = FactSheet::default();
        enricher.enrich(&failed(), EVERYTHING, &sheet, Deadline::after(&clock, Duration::from_mins(1))).await;
        let facts = sheet.snapshot();
        assert_eq!(EVERYTHING.open_in(&facts), EVERYTHING, "a repository that is down is no reason to give up for good");
        let lines = facts.missing();
        assert_eq!(lines.len(), 5);
        assert!(lines.iter().all(|line| line.contains(&format!("the repository at {address} "))), "{lines:?}");
        assert!(waited == 0 || clock.slept().len() == waited, "the second event waited too");
    }
    assert!(client.down_since().is_some());
}

#[tokio::test]
async fn at_the_deadline_open_facts_are_missing_with_the_reason() {
    let fake = Fake::start(|_| Answer::Hang).await;
    let clock = TestClock::default();
    let enricher = QlikEnricher::new(fake.client(clock.clone()));
    let sheet = Arc::new(FactSheet::default());
    let (at, written) = (clock.clone(), Arc::clone(&sheet));
    let run = tokio::spawn(async move {
        enricher.enrich(&failed(), EVERYTHING, &written, Deadline::after(&at, Duration::from_secs(10))).await;
    });
    fake.under_way(2).await;
    clock.advance(Duration::from_secs(10));
    run.await.unwrap();
    let lines = sheet.snapshot().missing().join("\n").replace(&fake.settings().port.to_string(), "4242");
    insta::assert_snapshot!(lines, @"
    task: the repository at 127.0.0.1:4242 did not answer within 10s
    app: the repository at 127.0.0.1:4242 did not answer within 10s
    app owner: the repository at 127.0.0.1:4242 did not answer within 10s
    execution result: the repository at 127.0.0.1:4242 did not answer within 10s
    script log: the repository at 127.0.0.1:4242 did not answer within 10s
    ");
}

#[tokio::test]
async fn dropping_it_keeps_what_was_found() {
    let site = Site::with_a_failed_reload();
    let (_never, gate) = watch::channel(false);
    let fake = Fake::start(move |what| match what.starts_with("user") {
        true => Answer::Held(gate.clone(), json!({})),
        false => site.answer(what),
    })
    .await;
    let sheet = FactSheet::default();
    let clock = TestClock::default();
    let enricher = QlikEnricher::new(fake.client(clock.clone()));
    let event = failed();
    let needs = Needs { task: true, app: true, owner: true, ..Needs::NONE };
    tokio::select! {
        () = enricher.enrich(&event, needs, &sheet, Deadline::after(&clock, Duration::from_mins(1))) => panic!("the owner was never answered"),
        () = async {
            while sheet.snapshot().app.known().is_none() || sheet.snapshot().task.known().is_none() {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    assert_eq!(sheet.snapshot().owner, Fact::Unasked);
}

#[tokio::test]
async fn a_lying_repository_costs_facts_and_nothing_else() {
    let site = Site::with_a_failed_reload();
    site.set(&format!("task/full?filter=id eq {TASK}"), [json!({"value": 7})]);
    site.set(&format!("app/full?filter=id eq {APP}"), [json!("<html>")]);
    let fake = site.start().await;
    let facts = enrich(&fake, &failed(), EVERYTHING).await;
    assert_eq!(EVERYTHING.open_in(&facts), EVERYTHING);
    assert!(facts.missing().iter().all(|line| line.ends_with("gave a reply that can't be understood")), "{:?}", facts.missing());
}

#[tokio::test]
async fn an_execution_that_goes_on_is_waited_for() {
    let site = Site::with_a_failed_reload();
    let last = |status| json!({"operational": {"lastExecutionResult": result(status, EXECUTION)}});
    site.set(&format!("reloadtask/{TASK}"), [last(2), last(2), last(8)]);
    let fake = site.start().await;
    let facts = enrich(&fake, &failed(), Needs { result: true, ..Needs::NONE }).await;
    assert_eq!(facts.result.known().map(|result| (result.status, result.certain)), Some((ExecutionStatus(8), true)));
    assert_eq!(fake.asked().iter().filter(|what| what.starts_with("reloadtask")).count(), 3);
}

#[tokio::test]
async fn an_end_that_never_comes_is_told_as_it_stands_but_settles_nothing() {
    let site = Site::with_a_failed_reload();
    site.set(&format!("reloadtask/{TASK}"), [json!({"operational": {"lastExecutionResult": result(14, EXECUTION)}})]);
    let fake = site.start().await;
    let needs = Needs { result: true, ..Needs::NONE };
    let facts = enrich(&fake, &failed(), needs).await;
    assert_eq!(facts.result.known().map(|result| result.status), Some(ExecutionStatus(14)));
    let facts = enrich(&fake, &task_event(TaskOutcome::Unsettled), needs).await;
    assert_eq!(gap(&facts.result), missing("the repository says that the execution is still `DistributionRunning`", false));
}

#[tokio::test]
async fn a_task_that_was_started_again_does_not_lend_its_result() {
    let site = Site::with_a_failed_reload();
    site.set(&format!("reloadtask/{TASK}"), [json!({"operational": {"lastExecutionResult": result(2, Uuid::from_u128(99))}})]);
    let mut own = result(8, RESULT);
    own["executionID"] = json!(EXECUTION);
    site.set(&format!("executionresult/full?filter=executionID eq {EXECUTION}"), [json!([own])]);
    let fake = site.start().await;
    let facts = enrich(&fake, &failed(), EVERYTHING).await;
    assert_eq!(facts.result.known().map(|result| (result.id, result.certain)), Some((Some(RESULT), true)));
    assert!(facts.script_log.known().is_some());
}

#[tokio::test]
async fn without_a_way_to_tell_executions_apart_the_time_decides() {
    let site = Site::with_a_failed_reload();
    site.set(&format!("executionresult/full?filter=executionID eq {EXECUTION}"), [json!(400)]);
    let fake = site.start().await;
    let needs = Needs { result: true, ..Needs::NONE };
    let certain = |facts: Facts| facts.result.known().map(|result| result.certain);
    assert_eq!(certain(enrich(&fake, &failed(), needs).await), Some(true));
    let other_time = change(failed(), |told| told.log_time = "2024-05-13 08:07:11,123".into());
    assert_eq!(certain(enrich(&fake, &other_time, needs).await), Some(false));
    let mut later = failed();
    later.received = "2024-05-14T06:02:11Z".parse().unwrap();
    let later = change(later, |told| told.log_time = String::new());
    let before = fake.asked().len();
    assert_eq!(certain(enrich(&fake, &later, needs).await), Some(false));
    assert!(fake.asked().len() > before + RESULT_POLLS, "yesterday's result was taken without a wait for today's");
}

#[tokio::test]
async fn the_script_log_comes_after_its_reference() {
    let site = Site::with_a_failed_reload();
    let mut early = result(8, EXECUTION);
    early["fileReferenceID"] = json!(Uuid::nil());
    let last = |result: &Value| json!({"operational": {"lastExecutionResult": result}});
    site.set(&format!("reloadtask/{TASK}"), [last(&early), last(&early), last(&result(8, EXECUTION))]);
    let fake = site.start().await;
    let facts = enrich(&fake, &failed(), EVERYTHING).await;
    assert_eq!(facts.script_log.known().map(|log| log.rows), Some(2));
    site.set(&format!("reloadtask/{TASK}"), [last(&early)]);
    let facts = enrich(&fake, &failed(), EVERYTHING).await;
    assert_eq!(gap(&facts.script_log), missing("the repository has no script log of this execution", false));
    assert!(facts.result.known().is_some(), "a missing log takes nothing else with it");
}

#[tokio::test]
async fn a_task_of_another_type_has_no_app_and_no_log() {
    let site = Site::default();
    site.set(&format!("task/full?filter=id eq {TASK}"), [json!([{"id": TASK, "name": "Nightly export", "taskType": 1}])]);
    let mut last = result(8, EXECUTION);
    last["executingNodeName"] = json!("node 2");
    site.set(&format!("externalprogramtask/{TASK}"), [json!({"id": TASK, "operational": {"lastExecutionResult": last}})]);
    let fake = site.start().await;
    let event = change(failed(), |told| told.app_id = None);
    let facts = enrich(&fake, &event, EVERYTHING).await;
    assert_eq!(facts.result.known().map(|result| result.executing_node.as_str()), Some("node 2"));
    let absent = |why: &str| why.to_owned();
    assert_eq!(facts.app, Fact::Absent { why: absent("the task has no app") });
    assert_eq!(facts.owner, Fact::Absent { why: absent("the task has no app") });
    assert_eq!(facts.script_log, Fact::Absent { why: absent("only reload tasks have a script log") });
    assert_eq!(facts.missing(), Vec::<String>::new(), "nobody misses what there never was");
    // Nor is it looked for again.
    let asked = fake.asked().len();
    enrich_from(&fake, &event, EVERYTHING, facts).await;
    assert_eq!(fake.asked().len(), asked);
}

#[tokio::test]
async fn a_reload_in_the_engine_has_an_app_and_an_owner() {
    let fake = Site::with_a_failed_reload().start().await;
    let named = event(Body::EngineReload(EngineReload { app_id: Some(APP), ..EngineReload::default() }), Kind::EngineReloadFailed);
    let facts = enrich(&fake, &named, EVERYTHING).await;
    assert!(facts.app.known().is_some() && facts.owner.known().is_some());
    assert_eq!(facts.task, Fact::Absent { why: "a reload in the engine belongs to no task".into() });
    let unnamed = event(Body::EngineReload(EngineReload::default()), Kind::EngineReloadFailed);
    let facts = enrich(&fake, &unnamed, EVERYTHING).await;
    assert_eq!(gap(&facts.app), missing("the event names no app", true));
    let before = fake.asked().len();
    let notice = event(Body::Notice(Notice::default()), Kind::Other("butler.test".into()));
    let facts = enrich(&fake, &notice, EVERYTHING).await;
    assert!(EVERYTHING.open_in(&facts).is_none() && fake.asked().len() == before, "nothing is open and nothing was asked");
}
