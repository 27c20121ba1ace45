//! The API over its socket.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::api::ApiServices;
use crate::api::v4::testing::{Reply, Served};
use crate::schedule::cron::Months;
use crate::schedule::{Action, ActionContext, ActionError, ActionReport, Origin, Schedule, SchedulerParts, SchedulerSettings, Schedules};
use crate::source::Intake;
use crate::store::memory::MemoryStore;
use crate::testkit::TestClock;

const TASK: &str = "e959f40a-67be-4a5b-ae83-a292f96ba078";

/// Does its work, or fails if the schedule's name says so.
#[derive(Debug)]
struct Act;

#[async_trait]
impl Action for Act {
    async fn run(&self, context: &ActionContext) -> Result<ActionReport, ActionError> {
        match context.schedule.name.as_str() {
            "fails" => Err(ActionError::failed("as it was told")),
            _ => Ok(ActionReport::done("done")),
        }
    }
}

async fn serve_with(enabled: bool) -> Served {
    let clock = TestClock::at("2026-03-10T12:34:56Z".parse().unwrap());
    let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    let declared = Schedule { origin: Origin::Configuration, ..Schedule::new("Nightly", "0 2 * * *").with_id("nightly").running("act") };
    let settings = SchedulerSettings {
        enabled,
        months: Months::FromOne,
        zone: TimeZone::UTC,
        catch_up: Duration::from_hours(24),
        keep: Duration::from_hours(24),
        declared: vec![declared],
        site: "prod".into(),
    };
    let actions = BTreeMap::from([("act".to_owned(), Arc::new(Act) as Arc<dyn Action>)]);
    let (intake, _queue) = Intake::channel();
    let parts = SchedulerParts { store: Arc::clone(&store) as _, clock: Arc::new(clock.clone()), intake, tasks: None, actions };
    let schedules = Schedules::open(settings, parts).await.unwrap();
    Served::of(ApiServices { schedules: Some(schedules), ..ApiServices::default() }, store, clock).await
}

async fn serve() -> Served {
    serve_with(true).await
}

#[track_caller]
fn is_refused(reply: &Reply, status: u16, words: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert!(reply.value()["error"].as_str().is_some_and(|error| error.contains(words)), "{words}: {reply:?}");
}

async fn make(served: &Served, body: Value) -> Value {
    let reply = served.json("POST /api/schedules", &body.to_string()).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.value()
}

#[tokio::test]
async fn a_schedule_is_made_shown_changed_and_removed() {
    let served = serve().await;
    let wanted = json!({ "name": "Sales", "when": "30 6 * * mon-fri", "timezone": "Europe/Stockholm", "tasks": [TASK],
        "task_tags": ["nightly"], "rules": { "missed": "once", "jitter": "10m" } });
    let made = make(&served, wanted).await;
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        made,
        json!({ "id": id, "name": "Sales", "when": "30 6 * * mon-fri", "timezone": "Europe/Stockholm", "zone": "Europe/Stockholm",
            "enabled": true, "state": "started", "next": "2026-03-11T05:30:00Z", "tasks": [TASK], "task_tags": ["nightly"],
            "rules": { "missed": "once", "jitter": "10m" }, "created": "2026-03-10T12:34:56.000Z", "origin": "api" })
    );
    assert_eq!(served.ask(&format!("GET /api/schedule?id={id}")).await.value(), made);
    let all = served.ask("GET /api/schedules").await.value();
    assert_eq!((&all[0]["id"], &all[0]["origin"], &all[0]["zone"]), (&json!("nightly"), &json!("configuration"), &json!("UTC")));
    assert_eq!(all[1], made);

    let next = served.ask(&format!("GET /api/schedule/next?id={id}&count=2")).await.value();
    assert_eq!(next, json!({ "zone": "Europe/Stockholm", "times": ["2026-03-11T05:30:00Z", "2026-03-12T05:30:00Z"] }));

    let other = json!({ "when": "every 7 minutes", "task_tags": ["x"], "enabled": false }).to_string();
    let changed = served.json(&format!("PUT /api/schedule?id={id}"), &other).await.value();
    assert_eq!(
        (&changed["name"], &changed["state"], &changed["created"]),
        (&json!("every 7 minutes"), &json!("stopped"), &made["created"])
    );
    assert_eq!((&changed["next"], &changed["tasks"], changed["warnings"].as_array().unwrap().len()), (&Value::Null, &Value::Null, 1));
    // Whether or not it runs it is known when it would.
    assert_eq!(served.ask(&format!("GET /api/schedule/next?id={id}")).await.value()["times"].as_array().unwrap().len(), 5);

    assert_eq!(served.ask(&format!("DELETE /api/schedule?id={id}")).await.status, 204);
    is_refused(&served.ask(&format!("GET /api/schedule?id={id}")).await, 404, "there is no schedule with the id");
}

#[tokio::test]
async fn an_id_may_be_of_any_characters() {
    let served = serve().await;
    for (id, query) in [(".", "."), ("..", ".."), ("Nightly / räkna?", "Nightly%20%2F%20r%C3%A4kna%3F"), ("import", "import")] {
        make(&served, json!({ "id": id, "when": "@daily", "task_tags": ["x"] })).await;
        assert_eq!(served.ask(&format!("GET /api/schedule?id={query}")).await.value()["id"], id);
    }
}

#[tokio::test]
async fn it_is_switched_on_and_off_for_good_or_for_now() {
    let served = serve().await;
    make(&served, json!({ "id": "a", "when": "@daily", "task_tags": ["x"] })).await;
    for (what, enabled, state) in [
        ("stop", true, "stopped"),
        ("start", true, "started"),
        ("disable", false, "stopped"),
        ("start", false, "started"),
        ("enable", true, "started"),
    ] {
        let reply = served.json(&format!("POST /api/schedule/{what}?id=a"), "").await;
        assert_eq!((reply.status, &reply.value()["enabled"], &reply.value()["state"]), (200, &json!(enabled), &json!(state)), "{what}");
    }
    // One of the configuration is switched for now alone.
    assert_eq!(served.json("POST /api/schedule/stop?id=nightly", "").await.value()["state"], "stopped");
    is_refused(&served.json("POST /api/schedule/disable?id=nightly", "").await, 409, "is defined in the configuration");
}

#[tokio::test]
async fn a_run_tells_what_became_of_it_and_is_on_record() {
    let served = serve().await;
    make(&served, json!({ "id": "b", "name": "fails", "when": "@daily", "action": "act", "enabled": false })).await;
    let done = served.json("POST /api/schedule/run?id=nightly", "").await;
    assert_eq!((done.status, done.value()), (200, json!({ "outcome": "done", "detail": "done" })));
    let failed = served.json("POST /api/schedule/run?id=b", "{}").await.value();
    assert_eq!((&failed["outcome"], &failed["why"]), (&json!("failed"), &json!("as it was told")));
    let history = served.ask("GET /api/schedule/history?id=nightly").await.value();
    assert_eq!(history[0]["outcome"], json!({ "outcome": "done", "detail": "done" }));
    assert_eq!(served.ask("GET /api/schedule/history?id=b&max=0").await.value(), json!([]));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_words() {
    let served = serve().await;
    for (body, status, words) in [
        (json!({ "task_tags": ["x"] }), 400, "missing field `when`"),
        (json!({ "when": "60 * * * *", "task_tags": ["x"] }), 400, "`60 * * * *` can't be read as times"),
        (json!({ "when": "@daily" }), 400, "names no task and no action"),
        (json!({ "when": "@daily", "tasks": ["Reload sales"] }), 400, "`Reload sales` is no id of a task"),
        (json!({ "when": "@daily", "action": "tidy" }), 400, "there is no action `tidy`"),
        (json!({ "when": "@daily", "action": "act", "task_tags": ["x"] }), 400, "and not both"),
        (json!({ "when": "@daily", "task_tags": ["x"], "timezone": "Mars/Olympus" }), 400, "there is no time zone `Mars/Olympus`"),
        (json!({ "when": "@daily", "task_tags": ["x"], "site": "test" }), 400, "there is no site `test`"),
        (json!({ "when": "@daily", "task_tags": ["x"], "cron": "x" }), 400, "unknown field `cron`"),
        (json!({ "when": "@daily", "task_tags": ["x"], "id": "" }), 400, "the id of a schedule has 1 to"),
        (json!({ "when": "@daily", "task_tags": ["x"], "id": "nightly" }), 409, "there is a schedule with the id `nightly` already"),
    ] {
        is_refused(&served.json("POST /api/schedules", &body.to_string()).await, status, words);
    }
    let fine = json!({ "when": "@daily", "task_tags": ["x"] }).to_string();
    is_refused(&served.json("PUT /api/schedule?id=none", &fine).await, 404, "there is no schedule with the id `none`");
    is_refused(&served.json("PUT /api/schedule?id=nightly", &fine).await, 409, "is defined in the configuration");
    is_refused(&served.json("PUT /api/schedule?id=a", &json!({ "id": "b", "when": "@daily" }).to_string()).await, 400, "can't be changed");
    is_refused(&served.ask("DELETE /api/schedule?id=nightly").await, 409, "is defined in the configuration");
    is_refused(&served.ask("DELETE /api/schedule").await, 400, "missing field `id`");
    is_refused(&served.json("POST /api/schedule/run?id=none", "").await, 404, "there is no schedule");
    // No form of a web page can do it.
    is_refused(&served.ask("POST /api/schedule/run?id=nightly").await, 415, "has to be JSON");
    assert_eq!(served.ask("GET /api/schedules").await.value().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn without_schedules_there_are_none() {
    let off = serve_with(false).await;
    assert_eq!(off.ask("GET /api/schedules").await.value(), json!([]));
    let fine = json!({ "when": "@daily", "task_tags": ["x"] }).to_string();
    is_refused(&off.json("POST /api/schedules", &fine).await, 409, "the scheduler is switched off");
    let none = Served::with(ApiServices::default()).await;
    is_refused(&none.ask("GET /api/schedules").await, 404, "put together without schedules");
}

const FILE: &str = "butlerSchedule:\n  - name: New year\n    cronSchedule: 0 6 1 0 *\n    timezone: America/New_York\n    \
    qlikSenseTaskId: e959f40a-67be-4a5b-ae83-a292f96ba078\n    startupState: started\n    id: a\n    owner: Anna\n  \
    - { name: Broken, cronSchedule: 0 0 1 12 *, id: b }\n";

async fn import(served: &Served, query: &str, file: &str) -> Value {
    let reply = served.send(&format!("POST /api/schedules/import?{query}"), "content-type: application/yaml", file).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.value()
}

#[tokio::test]
async fn a_file_is_imported_once_and_exported() {
    let served = serve().await;
    let told = async |query: &str, file: &str| {
        let report = import(&served, query, file).await;
        let fates: Vec<_> = report["schedules"].as_array().unwrap().iter().map(|one| one["fate"].as_str().unwrap().to_owned()).collect();
        fates.join(" ")
    };
    let tried = import(&served, "original_zone=Europe/Stockholm&dry_run=true", FILE).await;
    let remarks: Vec<_> =
        tried["schedules"][0]["remarks"].as_array().unwrap().iter().map(|one| (one["line"].clone(), one["level"].clone())).collect();
    assert_eq!(remarks, [(json!(3), json!("note")), (json!(4), json!("warning"))], "{tried}");
    assert_eq!((&tried["added"], &tried["refused"], &tried["dry_run"]), (&json!(1), &json!(1), &json!(true)));
    assert_eq!(served.ask("GET /api/schedule?id=a").await.status, 404);

    assert_eq!(told("original_zone=UTC&time_zone=local", FILE).await, "added refused");
    assert_eq!(told("original_zone=UTC&time_zone=local", FILE).await, "unchanged refused");
    let made = served.ask("GET /api/schedule?id=a").await.value();
    assert_eq!((&made["when"], &made["timezone"], &made["next"]), (&json!("0 6 1 1 *"), &json!("UTC"), &json!("2027-01-01T06:00:00Z")));
    assert_eq!(told("original_zone=UTC", FILE).await, "kept refused");
    assert_eq!(told("original_zone=UTC&replace=true", FILE).await, "replaced refused");
    assert_eq!(served.ask("GET /api/schedule?id=a").await.value()["timezone"], "America/New_York");

    let exported = served.ask("GET /api/schedules/export").await;
    assert_eq!((exported.status, exported.header("content-type")), (200, "application/yaml"));
    assert!(exported.body.contains("0 6 1 0 *") && exported.body.contains("owner: Anna"), "{}", exported.body);
    // The one of the configuration is as it is there.
    assert_eq!(told("original_zone=UTC&replace=true", &exported.body).await, "refused unchanged");
    assert_eq!(told("original_zone=UTC", &exported.body).await, "kept unchanged");
}

#[tokio::test]
async fn what_is_no_file_is_refused() {
    let served = serve().await;
    let send = async |query: &str, declared: &str, file: &str| {
        served.send(&format!("POST /api/schedules/import?{query}"), &format!("content-type: {declared}"), file).await
    };
    is_refused(&send("", "text/plain", FILE).await, 415, "has to be YAML");
    is_refused(&send("", "application/yaml", "a: [").await, 400, "line ");
    is_refused(&send("", "application/yaml", "a: 1").await, 400, "there is no list `butlerSchedule`");
    is_refused(&send("original_zone=Mars", "application/yaml", FILE).await, 400, "there is no time zone `Mars`");
    is_refused(&send("time_zone=utc", "application/yaml", FILE).await, 400, "the query can't be read");
}
