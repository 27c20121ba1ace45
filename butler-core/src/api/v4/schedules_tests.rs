//! Every row of what scripts and tools know of schedules, request in and exact answer out.

use std::sync::Arc;

use serde_json::{Value, json};

use super::testing::{Reply, Served, scheduler_settings, schedules};
use crate::api::ApiServices;
use crate::config::EndpointsConfig;
use crate::schedule::{Origin, Schedule, SchedulerSettings, Schedules, Startup, State};
use crate::store::memory::MemoryStore;
use crate::store::{ScheduleRecord, ScheduleStore, Store};
use crate::testkit::{FaultyStore, Logs, StoreFault, TestClock};

const TASK: &str = "210832b5-6174-4572-bd19-3e61eda675ef";
const NEW: &str = r#"{"name":"n1","cronSchedule":"0,30 6 * * 1-5","timezone":"Europe/Stockholm","qlikSenseTaskId":"210832b5-6174-4572-bd19-3e61eda675ef","startupState":"stopped","tags":["a"]}"#;

struct World {
    served: Served,
    schedules: Schedules,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With schedules that are treated so.
    async fn with(set: impl FnOnce(&mut SchedulerSettings)) -> Self {
        let clock = TestClock::at("2026-11-22T08:09:39.693Z".parse().unwrap());
        let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
        Self::of(store, clock, set).await
    }

    async fn of(store: Arc<MemoryStore>, clock: TestClock, set: impl FnOnce(&mut SchedulerSettings)) -> Self {
        let mut settings = scheduler_settings();
        set(&mut settings);
        let schedules = schedules(settings, Arc::clone(&store) as _, &clock).await;
        let services = ApiServices { schedules: Some(schedules.clone()), ..ApiServices::default() };
        Self { served: Served::of(services, store, clock).await, schedules }
    }

    async fn ask(&self, line: &str) -> Reply {
        self.served.ask(line).await
    }

    async fn json(&self, line: &str, body: &str) -> Reply {
        self.served.json(line, body).await
    }

    /// Makes one that is known, under this id.
    async fn there_is(&self, id: &str, change: impl FnOnce(Schedule) -> Schedule) {
        let schedule = Schedule::new("n1", "0 2 * * *").with_id(id).in_zone("Europe/Stockholm").starting(TASK);
        self.schedules.create(change(schedule)).await.unwrap();
    }

    /// The states of all, and whether they are due at some time.
    fn states(&self) -> Vec<(String, State, bool)> {
        self.schedules.all().iter().map(|one| (one.schedule.id.clone(), one.schedule.state, one.next.is_some())).collect()
    }

    /// What the store has, under the ids.
    async fn stored(&self) -> Vec<(String, Value)> {
        let stored = self.served.store.schedules().await.unwrap();
        stored.iter().map(|ScheduleRecord { id, definition }| (id.clone(), serde_json::from_str(definition).unwrap())).collect()
    }
}

/// What `World::there_is` makes, as it is shown in full.
fn full(id: &str, state: &str) -> String {
    format!(
        r#"{{"name":"n1","cronSchedule":"0 2 * * *","timezone":"Europe/Stockholm","qlikSenseTaskId":"{TASK}","startupState":"started","id":"{id}","created":"2026-11-22T08:09:39.693Z","lastKnownState":"{state}"}}"#
    )
}

#[track_caller]
fn is_nothing(reply: &Reply) {
    assert_eq!((reply.status, reply.header("content-type"), reply.body.as_str()), (204, "", ""), "{reply:?}");
}

#[tokio::test]
async fn all_are_listed_in_brief_and_one_is_shown_whole() {
    let world = World::new().await;
    world.there_is("task-1", |schedule| schedule).await;
    let more = [("owner".to_owned(), json!({ "b": 1, "a": null }))].into_iter().collect();
    world.there_is("å/1", |schedule| Schedule { tags: Some(vec!["Sales".into()]), startup: Startup::Stop, more, ..schedule }).await;
    let all = world.ask("GET /v4/schedules").await;
    assert_eq!((all.status, all.header("content-type")), (200, "application/json; charset=utf-8"));
    let line = |id: &str, startup: &str, tags: &str, state: &str| {
        format!(
            r#"{{"id":"{id}","created":"2026-11-22T08:09:39.693Z","name":"n1","cronSchedule":"0 2 * * *","timezone":"Europe/Stockholm","qlikSenseTaskId":"{TASK}","startupState":"{startup}",{tags}"lastKnownState":"{state}"}}"#
        )
    };
    let expected = [line("task-1", "started", "", "started"), line("å/1", "stop", r#""tags":["Sales"],"#, "stopped")];
    assert_eq!(all.body, format!("[{}]", expected.join(",")));
    world.ask("GET /v4/schedules?id=task-1").await.is_text(200, &format!("[{}]", full("task-1", "started")));
    let whole = full("å/1", "stopped").replace(r#""started","id""#, r#""stop","tags":["Sales"],"id""#);
    let whole = format!(r#"[{},"owner":{{"b":1,"a":null}}}}]"#, whole.strip_suffix('}').unwrap());
    world.ask("GET /v4/schedules?id=%C3%A5%2F1").await.is_text(200, &whole);
    world.ask("GET /v4/schedules?id=zz").await.is_fault(400, "REST SCHEDULER: Schedule ID zz not found.");
    world.ask("GET /v4/schedules?id=").await.is_fault(400, "REST SCHEDULER: Schedule ID  not found.");
    world.ask("GET /v4/schedules?id=task-1&id=zz").await.is_invalid("querystring/id must be string");
}

#[tokio::test]
async fn one_is_made_as_it_is_sent() {
    let world = World::new().await;
    let reply = world.json("POST /v4/schedules", NEW).await;
    let id = reply.value()["id"].as_str().unwrap().to_owned();
    let expected =
        format!(r#"{},"id":"{id}","created":"2026-11-22T08:09:39.693Z","lastKnownState":"stopped"}}"#, NEW.strip_suffix('}').unwrap());
    reply.is_text(201, &expected);
    let uuid: uuid::Uuid = id.parse().unwrap();
    assert_eq!((uuid.get_version_num(), uuid.to_string()), (4, id.clone()));
    assert_eq!(world.states(), [(id.clone(), State::Stopped, false)]);
    assert_eq!(world.stored().await, [(id.clone(), serde_json::from_str(&expected).unwrap())]);
    world.ask(&format!("GET /v4/schedules?id={id}")).await.is_text(200, &format!("[{expected}]"));
}

#[tokio::test]
async fn what_is_sent_is_met_half_way_and_what_is_ours_is_not_taken() {
    let world = World::new().await;
    let with = |changes: Value| {
        let mut body: Value = serde_json::from_str(NEW).unwrap();
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        body.to_string()
    };
    for (changes, member, expected) in [
        (json!({ "startupState": "start" }), "lastKnownState", json!("started")),
        (json!({ "startupState": "started" }), "lastKnownState", json!("started")),
        (json!({ "startupState": "stop" }), "lastKnownState", json!("stopped")),
        (json!({ "startupState": ["stop"] }), "startupState", json!("stop")),
        (json!({ "lastKnownState": "started" }), "lastKnownState", json!("stopped")),
        (json!({ "created": "never" }), "created", json!("2026-11-22T08:09:39.693Z")),
        (json!({ "origin": "configuration" }), "origin", json!(null)),
        (json!({ "name": 7 }), "name", json!("7")),
        (json!({ "name": null }), "name", json!("")),
        (json!({ "tags": "b" }), "tags", json!(["b"])),
        (json!({ "tags": [1, true] }), "tags", json!(["1", "true"])),
        (json!({ "timezone": "Mars/Olympus" }), "timezone", json!("Mars/Olympus")),
        (json!({ "qlikSenseTaskId": "no GUID" }), "qlikSenseTaskId", json!("no GUID")),
        (json!({ "cronSchedule": "*/30 * * * * *" }), "cronSchedule", json!("*/30 * * * * *")),
        (json!({ "owner": { "deep": [1, null] } }), "owner", json!({ "deep": [1, null] })),
        (json!({ "rules": { "missed": "once", "jitter": "10m" } }), "rules", json!({ "missed": "once", "jitter": "10m" })),
        (json!({ "rules": null, "action": null }), "rules", json!(null)),
        (json!({ "starts": { "tasks": [TASK], "tags": ["x"] } }), "starts", json!({ "tasks": [TASK], "tags": ["x"] })),
    ] {
        let reply = world.json("POST /v4/schedules", &with(changes.clone())).await;
        assert_eq!((reply.status, &reply.value()[member]), (201, &expected), "{changes}");
    }
    let reply = world.json("POST /v4/schedules", &with(json!({ "id": "mine" }))).await;
    assert!(reply.value()["id"].as_str().unwrap().parse::<uuid::Uuid>().is_ok(), "{reply:?}");
    let count = world.states().len();
    for (changes, message) in [
        (json!({ "cronSchedule": "0 25 * * *" }), "REST SCHEDULER: Invalid cronSchedule \"0 25 * * *\"."),
        (json!({ "cronSchedule": "" }), "REST SCHEDULER: Invalid cronSchedule \"\"."),
        (json!({ "cronSchedule": "0 0 1 0 *" }), "REST SCHEDULER: Invalid cronSchedule \"0 0 1 0 *\"."),
        (
            json!({ "rules": { "mised": "once" } }),
            "REST SCHEDULER: `rules` can't be used: unknown field `mised`, expected one of `missed`, `skip_running`, `jitter`, `only`.",
        ),
        (
            json!({ "rules": { "only": { "hours": ["8-18"] } } }),
            "REST SCHEDULER: `rules` can't be used: `8-18` is no time of the day; write the first and the last hour, such as `08:00-18:00`.",
        ),
        (json!({ "starts": { "tasks": ["Reload sales"] } }), "REST SCHEDULER: `starts` can't be used: `Reload sales` is no id of a task."),
        (json!({ "starts": { "site": "test" } }), "REST SCHEDULER: `starts` can't be used: there is no site `test`."),
        (json!({ "action": "tidy" }), "REST SCHEDULER: there is no action `tidy`; a program that embeds Butler adds it before it starts."),
        (json!({ "name": "n".repeat(256) }), "REST SCHEDULER: the name of a schedule has at most 255 characters."),
    ] {
        world.json("POST /v4/schedules", &with(changes.clone())).await.is_fault(400, message);
    }
    assert_eq!((world.states().len(), world.stored().await.len()), (count, count));
}

#[tokio::test]
async fn what_is_no_schedule_is_refused() {
    let world = World::new().await;
    for (body, message) in [
        ("null", "body must be object"),
        ("[]", "body must be object"),
        ("{}", "body must have required property 'name'"),
        (r#"{"name":"n"}"#, "body must have required property 'cronSchedule'"),
        (r#"{"name":"n","cronSchedule":""}"#, "body must have required property 'timezone'"),
        (r#"{"name":"n","cronSchedule":"","timezone":""}"#, "body must have required property 'qlikSenseTaskId'"),
        (r#"{"name":"n","cronSchedule":"","timezone":"","qlikSenseTaskId":""}"#, "body must have required property 'startupState'"),
        (r#"{"name":{},"cronSchedule":"","timezone":"","qlikSenseTaskId":"","startupState":"start"}"#, "body/name must be string"),
        (
            r#"{"name":"","cronSchedule":"","timezone":"","qlikSenseTaskId":"","startupState":"running"}"#,
            "body/startupState must be equal to one of the allowed values",
        ),
        (r#"{"name":"","cronSchedule":"","timezone":"","qlikSenseTaskId":"","startupState":"stop","tags":{}}"#, "body/tags must be array"),
        (
            r#"{"name":"","cronSchedule":"","timezone":"","qlikSenseTaskId":"","startupState":"stop","tags":["a",{}]}"#,
            "body/tags/1 must be string",
        ),
    ] {
        world.json("POST /v4/schedules", body).await.is_invalid(message);
    }
    world.ask("POST /v4/schedules").await.is_invalid("body must be object");
    assert!(world.states().is_empty());
}

#[tokio::test]
async fn what_may_be_a_mistake_is_said_in_the_log() {
    let logs = Logs::keep();
    let world = World::new().await;
    let body = NEW.replace("Europe/Stockholm", "Mars/Olympus").replace(TASK, "Reload sales");
    assert_eq!(world.json("POST /v4/schedules", &body).await.status, 201);
    let lines = logs.lines().join("\n");
    assert!(lines.contains("The time zone of a schedule is not known") && lines.contains("Mars/Olympus"), "{lines}");
    assert!(lines.contains("names a task by what is no id of a task") && lines.contains("Reload sales"), "{lines}");
}

#[tokio::test]
async fn one_is_changed_in_part() {
    let world = World::new().await;
    let more = [("owner".to_owned(), json!("a")), ("kept".to_owned(), json!(1))].into_iter().collect();
    world.there_is("t", |schedule| Schedule { more, ..schedule }).await;
    let whole = |state: &str| format!(r#"{},"owner":"a","kept":1}}"#, full("t", state).strip_suffix('}').unwrap());
    world.json("PUT /v4/schedules/t", "{}").await.is_text(200, &whole("started"));
    // What was shown can be sent back, and changes nothing: neither what is ours, nor whether it runs.
    world.ask("PUT /v4/schedules/t/stop").await;
    let shown = world.ask("GET /v4/schedules?id=t").await.value()[0].to_string();
    world.json("PUT /v4/schedules/t", &shown).await.is_text(200, &whole("stopped"));
    world
        .json("PUT /v4/schedules/t", r#"{"id":"u","created":"never","lastKnownState":"started","origin":"configuration"}"#)
        .await
        .is_text(200, &whole("stopped"));
    for (body, member, expected) in [
        (json!({ "name": 7 }), "name", json!("7")),
        (json!({ "cronSchedule": "*/5 * * * *" }), "cronSchedule", json!("*/5 * * * *")),
        (json!({ "timezone": "Mars/Olympus" }), "timezone", json!("Mars/Olympus")),
        (json!({ "qlikSenseTaskId": "x" }), "qlikSenseTaskId", json!("x")),
        (json!({ "tags": "b" }), "tags", json!(["b"])),
        (json!({ "owner": ["b"] }), "owner", json!(["b"])),
        (json!({ "rules": { "missed": "all" } }), "rules", json!({ "missed": "all" })),
        (json!({ "rules": null }), "rules", json!(null)),
        (json!({ "starts": { "tags": ["x"] } }), "starts", json!({ "tags": ["x"] })),
        (json!({ "starts": null }), "starts", json!(null)),
        // A new state to begin with counts at once.
        (json!({ "startupState": "stop" }), "lastKnownState", json!("stopped")),
        (json!({ "startupState": "start" }), "lastKnownState", json!("started")),
        (json!({ "startupState": "stopped" }), "lastKnownState", json!("stopped")),
    ] {
        let reply = world.json("PUT /v4/schedules/t", &body.to_string()).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, "text/plain; charset=utf-8"), "{body}");
        assert_eq!(reply.value()[member], expected, "{body}");
    }
    let expected = json!({
        "name": "7", "cronSchedule": "*/5 * * * *", "timezone": "Mars/Olympus", "qlikSenseTaskId": "x", "startupState": "stopped", "tags": ["b"],
        "id": "t", "created": "2026-11-22T08:09:39.693Z", "lastKnownState": "stopped", "owner": ["b"], "kept": 1,
    });
    assert_eq!(world.stored().await, [("t".to_owned(), expected)]);
    world.json("POST /v4/schedules/t", "{}").await.is_route_of_none("POST:/v4/schedules/t");
    let by_header = "content-type: application/json\nx-http-method-override: PUT";
    assert_eq!(world.served.send("POST /v4/schedules/t", by_header, r#"{"name":"n2"}"#).await.value()["name"], "n2");
}

impl Reply {
    #[track_caller]
    fn is_route_of_none(&self, route: &str) {
        self.is_json(404, &json!({ "message": format!("Route {route} not found"), "error": "Not Found", "statusCode": 404 }));
    }
}

#[tokio::test]
async fn a_change_that_makes_no_sense_is_none() {
    let world = World::new().await;
    world.there_is("t", |schedule| schedule).await;
    let before = world.stored().await;
    for (body, message) in [
        (r#"{"cronSchedule":"0 25 * * *"}"#, "REST SCHEDULER: Invalid cronSchedule \"0 25 * * *\"."),
        (r#"{"rules":7}"#, "REST SCHEDULER: `rules` can't be used: invalid type: integer `7`, expected struct Rules."),
    ] {
        world.json("PUT /v4/schedules/t", body).await.is_fault(400, message);
    }
    for (body, message) in [
        ("null", "body must be object"),
        ("[]", "body must be object"),
        (r#"{"name":{}}"#, "body/name must be string"),
        (r#"{"startupState":"running"}"#, "body/startupState must be equal to one of the allowed values"),
        (r#"{"tags":{}}"#, "body/tags must be array"),
    ] {
        world.json("PUT /v4/schedules/t", body).await.is_invalid(message);
    }
    world.ask("PUT /v4/schedules/t").await.is_invalid("body must be object");
    world.json("PUT /v4/schedules/zz", "{}").await.is_fault(400, "REST SCHEDULER: Update for schedule ID zz failed.");
    world.json("PUT /v4/schedules/", "{}").await.is_fault(400, "REST SCHEDULER: Update for schedule ID  failed.");
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn one_whose_times_nobody_can_tell_is_mended() {
    let clock = TestClock::default();
    let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    let broken = full("t", "started").replace("0 2 * * *", "0 25 * * *");
    store.upsert_schedule(ScheduleRecord { id: "t".into(), definition: broken }).await.unwrap();
    let world = World::of(store, clock, |_| {}).await;
    world.there_is("u", |schedule| schedule).await;
    assert_eq!(world.states(), [("t".into(), State::Stopped, false), ("u".into(), State::Started, true)]);
    world.ask("PUT /v4/schedules/t/start").await.is_fault(400, "REST SCHEDULER: Failed starting schedule ID t.");
    let all = world.ask("PUT /v4/schedules/startall").await;
    assert_eq!((all.status, &all.value()[0]["lastKnownState"]), (200, &json!("stopped")));
    world.ask("GET /v4/schedules/status").await.is_text(200, "{\n'u': 0 2 * * * status: Running \n}");
    world.json("PUT /v4/schedules/t", r#"{"name":"n2"}"#).await.is_fault(400, "REST SCHEDULER: Invalid cronSchedule \"0 25 * * *\".");
    let mended = world.json("PUT /v4/schedules/t", r#"{"cronSchedule":"0 3 * * *"}"#).await;
    assert_eq!((mended.status, &mended.value()["lastKnownState"]), (200, &json!("started")));
    assert_eq!(world.states(), [("t".into(), State::Started, true), ("u".into(), State::Started, true)]);
}

#[tokio::test]
async fn one_is_deleted() {
    let world = World::new().await;
    for id in ["t", "å/1", "status", "startall", "stopall", "u"] {
        world.there_is(id, |schedule| schedule).await;
    }
    for id in ["t", "%C3%A5%2F1", "status", "startall", "stopall"] {
        is_nothing(&world.ask(&format!("DELETE /v4/schedules/{id}")).await);
    }
    world.ask("DELETE /v4/schedules/t").await.is_fault(400, "REST SCHEDULER: Delete for schedule ID t failed.");
    world.ask("DELETE /v4/schedules/").await.is_fault(400, "REST SCHEDULER: Delete for schedule ID  failed.");
    assert_eq!(world.states(), [("u".into(), State::Started, true)]);
    assert_eq!(world.stored().await.len(), 1);
    is_nothing(&world.json("DELETE /v4/schedules/u", "").await);
    assert!(world.stored().await.is_empty());
}

#[tokio::test]
async fn one_is_started_and_stopped() {
    let world = World::new().await;
    world.there_is("t", |schedule| schedule).await;
    for (what, state) in [("stop", "stopped"), ("stop", "stopped"), ("start", "started"), ("start", "started")] {
        world.ask(&format!("PUT /v4/schedules/t/{what}")).await.is_text(200, &format!("[{}]", full("t", state)));
        assert_eq!(world.states()[0].2, state == "started");
        assert_eq!(world.stored().await[0].1["lastKnownState"], state);
    }
    for (id, shown) in [("nope", "nope"), ("", ""), ("%C3%A5", "å")] {
        let (start, stop) = (format!("PUT /v4/schedules/{id}/start"), format!("PUT /v4/schedules/{id}/stop"));
        world.ask(&start).await.is_fault(400, &format!("REST SCHEDULER: Failed starting schedule ID {shown}."));
        world.ask(&stop).await.is_fault(400, &format!("REST SCHEDULER: Failed stopping schedule ID {shown}."));
    }
    world.json("PUT /v4/schedules/t/stop", "").await.is_text(200, &format!("[{}]", full("t", "stopped")));
}

#[tokio::test]
async fn all_are_started_and_stopped() {
    let world = World::new().await;
    world.ask("PUT /v4/schedules/startall").await.is_text(200, "[]");
    world.ask("GET /v4/schedules/status").await.is_text(200, "{\n}");
    world.there_is("t", |schedule| schedule).await;
    world.there_is("u", |schedule| schedule).await;
    for (what, state, status) in [("stopall", "stopped", "Stopped"), ("startall", "started", "Running"), ("startall", "started", "Running")]
    {
        let expected = format!("[{},{}]", full("t", state), full("u", state));
        world.ask(&format!("PUT /v4/schedules/{what}")).await.is_text(200, &expected);
        let lines = format!("{{\n't': 0 2 * * * status: {status} \n'u': 0 2 * * * status: {status} \n}}");
        world.ask("GET /v4/schedules/status").await.is_text(200, &lines);
    }
    world.ask("PUT /v4/schedules/u/stop").await;
    let lines = "{\n't': 0 2 * * * status: Running \n'u': 0 2 * * * status: Stopped \n}";
    world.ask("GET /v4/schedules/status").await.is_text(200, lines);
}

#[tokio::test]
async fn those_of_the_configuration_are_changed_there() {
    let declared = Schedule { origin: Origin::Configuration, ..Schedule::new("Nightly", "0 2 * * *").with_id("nightly").starting(TASK) };
    let world = World::with(|settings| settings.declared = vec![declared]).await;
    let said = "REST SCHEDULER: the schedule `nightly` is defined in the configuration, under `[scheduler.schedules]`; change it there.";
    world.json("PUT /v4/schedules/nightly", r#"{"name":"n2"}"#).await.is_fault(400, said);
    world.ask("DELETE /v4/schedules/nightly").await.is_fault(400, said);
    assert_eq!(world.states(), [("nightly".into(), State::Started, true)]);
    let stopped = world.ask("PUT /v4/schedules/nightly/stop").await;
    assert_eq!((stopped.status, &stopped.value()[0]["lastKnownState"]), (200, &json!("stopped")));
    assert_eq!(stopped.value()[0]["origin"], "configuration");
    assert_eq!(world.ask("PUT /v4/schedules/nightly/start").await.status, 200);
    assert_eq!(world.ask("PUT /v4/schedules/stopall").await.status, 200);
    assert_eq!(world.states(), [("nightly".into(), State::Stopped, false)]);
}

#[tokio::test]
async fn without_a_scheduler_nothing_is_changed() {
    let clock = TestClock::default();
    let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    store.upsert_schedule(ScheduleRecord { id: "t".into(), definition: full("t", "started") }).await.unwrap();
    let world = World::of(store, clock, |settings| settings.enabled = false).await;
    let before = world.stored().await;
    world.ask("GET /v4/schedules").await.is_json(200, &json!([]));
    world.ask("GET /v4/schedules?id=t").await.is_fault(400, "REST SCHEDULER: Schedule ID t not found.");
    world.ask("GET /v4/schedules/status").await.is_text(200, "{\n}");
    let said = "REST SCHEDULER: the scheduler is switched off: `enabled = false` in `[scheduler]`.";
    world.json("POST /v4/schedules", NEW).await.is_fault(400, said);
    world.json("PUT /v4/schedules/t", "{}").await.is_fault(400, said);
    for line in ["DELETE /v4/schedules/t", "PUT /v4/schedules/t/start", "PUT /v4/schedules/t/stop"] {
        world.ask(line).await.is_fault(400, said);
    }
    for line in ["PUT /v4/schedules/startall", "PUT /v4/schedules/stopall"] {
        world.ask(line).await.is_fault(400, said);
    }
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn what_can_not_be_stored_has_not_happened() {
    let clock = TestClock::default();
    let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    store.upsert_schedule(ScheduleRecord { id: "t".into(), definition: full("t", "started") }).await.unwrap();
    let refusing: Arc<dyn Store> = Arc::new(FaultyStore::new(Arc::clone(&store) as _, StoreFault::RefusesSchedules));
    let schedules = schedules(scheduler_settings(), refusing, &clock).await;
    let services = ApiServices { schedules: Some(schedules.clone()), ..ApiServices::default() };
    let world = World { served: Served::of(services, store, clock).await, schedules };
    let before = (world.ask("GET /v4/schedules").await.body, world.stored().await);
    world.json("POST /v4/schedules", NEW).await.is_fault(500, "Failed adding new schedule");
    world.json("PUT /v4/schedules/t", r#"{"name":"n2"}"#).await.is_fault(500, "Failed updating schedule");
    world.ask("DELETE /v4/schedules/t").await.is_fault(500, "Failed deleting schedule");
    world.ask("PUT /v4/schedules/t/start").await.is_fault(500, "Failed starting schedule");
    world.ask("PUT /v4/schedules/t/stop").await.is_fault(500, "Failed stopping schedule");
    world.ask("PUT /v4/schedules/stopall").await.is_fault(500, "Failed stopping schedule");
    assert_eq!((world.ask("GET /v4/schedules").await.body, world.stored().await), before);
    assert_eq!(world.states(), [("t".into(), State::Started, true)]);
}

#[tokio::test]
async fn each_operation_is_switched_off_by_its_own_key() {
    const OPERATIONS: [(&str, &str); 9] = [
        ("create_new_schedule", "POST /v4/schedules"),
        ("get_schedule", "GET /v4/schedules"),
        ("get_schedule_status_all", "GET /v4/schedules/status"),
        ("update_schedule", "PUT /v4/schedules/t"),
        ("delete_schedule", "DELETE /v4/schedules/t"),
        ("start_schedule", "PUT /v4/schedules/t/start"),
        ("start_schedule", "PUT /v4/schedules/startall"),
        ("stop_schedule", "PUT /v4/schedules/t/stop"),
        ("stop_schedule", "PUT /v4/schedules/stopall"),
    ];
    let keys: std::collections::BTreeSet<_> = OPERATIONS.iter().map(|(key, _)| *key).collect();
    let gone = async |off: &[&str]| {
        let switches: String = off.iter().map(|key| format!("{key} = false\n")).collect();
        let endpoints: EndpointsConfig = toml::from_str(&switches).unwrap();
        let served = Served::with(ApiServices { endpoints, ..ApiServices::default() }).await;
        let mut gone = Vec::new();
        for (key, line) in OPERATIONS {
            if served.ask(line).await.status == 404 {
                gone.push(key);
            }
        }
        gone
    };
    for key in &keys {
        let expected: Vec<_> = OPERATIONS.iter().map(|(key, _)| *key).filter(|other| other == key).collect();
        assert_eq!(gone(&[key]).await, expected, "{key}");
    }
    // An address of all is not taken for one of them.
    let off = ["delete_schedule", "start_schedule", "stop_schedule"];
    assert_eq!(gone(&off).await, ["delete_schedule", "start_schedule", "start_schedule", "stop_schedule", "stop_schedule"]);
    let names = Served::with(ApiServices::default()).await.ask("GET /v4/configfile/endpointsenabled").await.value();
    let names: Vec<_> = names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let from = names.iter().position(|name| *name == "postNewRelicEvent").unwrap();
    let order = [
        "postNewRelicEvent",
        "createNewSchedule",
        "getSchedule",
        "getScheduleStatusAll",
        "updateSchedule",
        "deleteSchedule",
        "startSchedule",
        "stopSchedule",
        "senseAppReload",
    ];
    assert_eq!(names[from..from + order.len()], order);
}

#[tokio::test]
async fn whoever_may_read_sees_them_and_whoever_has_to_do_with_them_changes_them() {
    let world = World::new().await;
    world.there_is("t", |schedule| schedule).await;
    for (scope, sees, changes) in [("read", true, false), ("schedules", true, true), ("tasks:start", false, false), ("admin", true, true)] {
        let made = world.json("POST /api/tokens", &json!({ "name": scope.replace(':', "-"), "scopes": [scope] }).to_string()).await.value();
        let as_who = format!("content-type: application/json\nauthorization: Bearer {}", made["secret"].as_str().unwrap());
        for (line, body, may) in [
            ("GET /v4/schedules", "", sees),
            ("GET /v4/schedules?id=t", "", sees),
            ("GET /v4/schedules/status", "", sees),
            ("POST /v4/schedules", NEW, changes),
            ("PUT /v4/schedules/t", "{}", changes),
            ("PUT /v4/schedules/t/start", "", changes),
            ("PUT /v4/schedules/t/stop", "", changes),
            ("PUT /v4/schedules/startall", "", changes),
            ("PUT /v4/schedules/stopall", "", changes),
            ("DELETE /v4/schedules/t", "", changes),
        ] {
            let status = world.served.send(line, &as_who, body).await.status;
            assert_eq!(matches!(status, 200..300), may, "{scope}: {line}: {status}");
            assert!(may || status == 403, "{scope}: {line}: {status}");
        }
        if changes {
            world.there_is("t", |schedule| schedule).await;
        }
    }
}
