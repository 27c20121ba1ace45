//! The client finds out what is there.

use super::*;
use crate::clock::Deadline;
use crate::enrich::{Enricher, QlikEnricher};
use crate::event::{Event, EventId, FactSheet, Facts, LogLines, Needs, TaskType};
use crate::qlik::fake::HastyClock;
use crate::source::Datagram;
use crate::source::decode::to_event;

const LINES: LogLines = LogLines { head: 2, tail: 3 };
const EVERYTHING: Needs = Needs { task: true, app: true, owner: true, result: true, script_log: Some(LINES) };

/// What the enricher finds out about a run that was told by its datagram.
async fn facts(world: &World, run: &Execution) -> Facts {
    let clock = HastyClock::default();
    let datagram =
        Datagram { bytes: run.datagram.clone().into(), from: None, site: "prod".into(), source: "udp".into(), received: world.clock.now() };
    let new = to_event(&datagram).unwrap();
    let (site, kind, at, source, body) = (new.site, new.kind, new.at, new.source, new.body);
    let event = Event { id: EventId(Uuid::from_u128(1)), received: world.clock.now(), site, kind, at, source, body };
    let sheet = FactSheet::new(Facts::default());
    let deadline = Deadline::after(&clock, Duration::from_mins(1));
    QlikEnricher::new(world.client(clock)).enrich(&event, EVERYTHING, &sheet, deadline).await;
    sheet.snapshot()
}

#[tokio::test]
async fn a_failed_reload_is_found_out_whole() {
    let world = World::new().await;
    let run = world.site.run(ODD, Outcome::Failed(Failure::MissingField)).await.unwrap();
    let facts = facts(&world, &run).await;
    assert_eq!(facts.missing(), Vec::<String>::new());
    let task = facts.task.known().unwrap();
    assert_eq!((task.name.as_str(), task.task_type), ("Räkna om «Lager»; it's 100% R&D #1 + 🚀", Some(TaskType::Reload)));
    assert_eq!(task.tags, ["R&D; #1", "100%", "a+b", "räksmörgås 🍤", "O'Neill"]);
    assert_eq!(task.custom_properties.iter().map(|property| property.value.as_str()).collect::<Vec<_>>(), ["O'Neill; #2", "50 % + 🍤"]);
    let app = facts.app.known().unwrap();
    assert_eq!((app.name.as_str(), app.stream.as_deref()), ("It's 100% R&D; #1 + «Lager» 🚀", Some("R&D #1; 100 % 'secret'")));
    let owner = facts.owner.known().unwrap();
    assert_eq!((owner.name.as_str(), owner.directory.as_str()), ("Anna O'Neill-Åkesson", "LAB"));
    assert_eq!(owner.emails, ["anna@example.com", "anna.oneill@example.com"]);
    let result = facts.result.known().unwrap();
    assert_eq!((result.certain, result.id, result.execution_id), (true, Some(run.result_id), Some(run.execution_id)));
    assert_eq!((result.status.0, result.duration_ms, result.executing_node.as_str()), (8, 9_300, "sense-node-1"));
    let log = facts.script_log.known().unwrap();
    assert!(log.head[0].ends_with("Execution started.") && log.tail[0].ends_with("Error: Field 'Rate' not found"), "{log:?}");
    assert_eq!(u64::try_from(result.script_log_size).unwrap(), log.characters);
}

#[tokio::test]
async fn an_execution_is_found_though_its_task_ran_again() {
    let world = World::new().await;
    let run = world.site.run(SALES, Outcome::FAILED).await.unwrap();
    world.site.run(SALES, Outcome::Success).await.unwrap();
    let result = facts(&world, &run).await.result;
    assert_eq!(result.known().map(|result| (result.certain, result.id, result.status.0)), Some((true, Some(run.result_id), 8)));
}

#[tokio::test]
async fn an_execution_whose_ids_are_the_same_is_found_too() {
    let world = World::new().await;
    world.site.change(|state| state.execution_ids = ExecutionIds::Same);
    let run = world.site.run(SALES, Outcome::Aborted).await.unwrap();
    assert_eq!(run.execution_id, run.result_id);
    let result = facts(&world, &run).await.result;
    assert_eq!(result.known().map(|result| (result.certain, result.status.0)), Some((true, 6)));
    assert_eq!(world.site.count("executionresult/full"), 0);
}

#[tokio::test]
async fn script_logs_come_by_either_way() {
    let world = World::new().await;
    let run = world.site.run(SALES, Outcome::FAILED).await.unwrap();
    for (api, asked) in [(ScriptLogApi::Old, [1, 0]), (ScriptLogApi::New, [2, 1]), (ScriptLogApi::Both, [3, 1])] {
        world.site.change(|state| state.script_log_api = api);
        assert!(facts(&world, &run).await.script_log.known().is_some(), "{api:?}");
        let counts = ["reloadtask/*/scriptlog", "reloadtask/*/scriptlogfile"].map(|path| world.site.count(path));
        assert_eq!(counts, asked, "{api:?}");
    }
}

#[tokio::test]
async fn tasks_are_found_by_odd_tags_and_properties() {
    let world = World::new().await;
    let client = world.client(HastyClock::default());
    for tag in ["R&D; #1", "100%", "a+b", "RÄKSMÖRGÅS 🍤", "O'Neill"] {
        let found = client.tasks_with_tag(tag).await.unwrap();
        assert_eq!(found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [ODD], "{tag}");
    }
    let found = client.tasks_with_property("Avdelning & ägare", "50 % + 🍤").await.unwrap();
    assert_eq!(found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [ODD]);
    assert_eq!(client.tasks_with_tag("nightly").await.unwrap().len(), 3);
    assert_eq!(client.tasks_with_tag("no such tag").await.unwrap(), []);
}

#[tokio::test]
async fn every_type_of_task_has_its_place() {
    let world = World::new().await;
    let client = world.client(HastyClock::default());
    for task in world.site.state().tasks {
        let facts = client.task(task.id).await.unwrap().unwrap();
        assert_eq!((facts.name.as_str(), facts.task_type, facts.app_id), (task.name.as_str(), Some(task.task_type), task.app));
        if task.id != SALES {
            assert_eq!(client.last_result(task.id, facts.task_type).await.unwrap(), None, "{} never ran", task.name);
        }
        world.site.change(|state| state.never_ran = NeverRan::Null);
        world.site.run(task.id, Outcome::Success).await.unwrap();
        let result = client.last_result(task.id, facts.task_type).await.unwrap().unwrap();
        assert_eq!(result.status.0, 7, "{}", task.name);
    }
    assert_eq!(world.site.count("task/full"), 9, "each has its own place, and the list is not needed for results");
    assert_eq!(world.ask("task?filter=name%20sw%20'reload'").await.1.matches("\"taskType\":0").count(), 3);
    assert_eq!(world.ask("stream").await.0, 200);
}

#[tokio::test]
async fn objects_have_all_their_members() {
    let world = World::new().await;
    let pretty = async |path: &str| {
        let value: serde_json::Value = serde_json::from_str(&world.ask(path).await.1).unwrap();
        serde_json::to_string_pretty(&value).unwrap()
    };
    insta::assert_snapshot!("reload_task", pretty(&format!("reloadtask/{SALES}")).await);
    insta::assert_snapshot!("condensed_task", pretty(&format!("task?filter=id%20eq%20{SALES}")).await);
    insta::assert_snapshot!("external_program_task", pretty("externalprogramtask/b2c2a02a-1680-44ef-8dc2-e2bfb180af90").await);
    insta::assert_snapshot!("user_sync_task", pretty("usersynctask/7552d9fc-d1bb-4975-9a38-18357de531ea").await);
    insta::assert_snapshot!("preload_task", pretty("reloadtask/fb0f317d-da91-4b86-aafa-0174ae1e8c8f").await);
    insta::assert_snapshot!("app", pretty("app/66bc109d-286a-415b-8355-1422abb22133").await);
    insta::assert_snapshot!("user", pretty("user/d9f7a0de-8b79-4e77-9f5f-1a4f0b7b6c11").await);
    insta::assert_snapshot!(
        "execution_result",
        pretty("executionresult/full?filter=executionID%20eq%204f8a6c51-9999-4f5d-8a11-1f1c2d3e4f57").await
    );
    insta::assert_snapshot!("about", pretty("about").await);
}
