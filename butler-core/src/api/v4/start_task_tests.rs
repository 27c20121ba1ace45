//! Starting tasks over `/v4`, at a simulated site.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::{Uuid, uuid};

use super::testing::{Reply, Served};
use crate::api::ApiServices;
use crate::clock::Clock;
use crate::config::EndpointsConfig;
use crate::event::SiteName;
use crate::kv::KvSettings;
use crate::qlik::RepositoryClient;
use crate::qlik::fake::HastyClock;
use crate::qlik::start::{PropertyValue, StartFilter, StartSettings, Starter};
use crate::simulator::site::{Fault, Site, SiteOptions, SiteState};
use crate::store::KvStore;
use crate::store::memory::MemoryStore;
use crate::testkit::TestClock;

const SALES: Uuid = uuid!("e959f40a-67be-4a5b-ae83-a292f96ba078");
const HR: Uuid = uuid!("0d815a99-1ca3-4131-a398-6878bd735fd8");
const SYNC: Uuid = uuid!("7552d9fc-d1bb-4975-9a38-18357de531ea");
const DISABLED: Uuid = uuid!("9c1f7d52-0f5c-4c0e-9d57-3f1c53b8a7e4");
const NOWHERE: Uuid = uuid!("00000000-1680-44ef-8dc2-e2bfb180af87");
const FAILED: &str = "Failed starting task";

pub(super) struct World {
    site: Site,
    pub(super) served: Served,
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(None, ApiServices::default()).await
    }

    pub(super) async fn with(filter: Option<StartFilter>, services: ApiServices) -> Self {
        let clock = TestClock::default();
        let folder = TempDir::new().unwrap();
        let options = SiteOptions { clock: Arc::new(clock.clone()), ..SiteOptions::default() };
        let site = Site::start(SiteState::example(), options).await.unwrap();
        site.write_certificates(folder.path()).unwrap();
        // Nobody waits for the time that only a test moves.
        let waits: Arc<dyn Clock> = Arc::new(HastyClock::default());
        let client = RepositoryClient::new(site.repository_settings("prod", folder.path()), Arc::clone(&waits)).unwrap();
        let settings = StartSettings { filter, retry_for: Duration::ZERO, key_limit: Some(2), ..StartSettings::default() };
        let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
        let sites = BTreeMap::from([(SiteName::from("prod"), Arc::new(client))]);
        let starter = Some(Arc::new(Starter::new(sites, settings, Arc::clone(&store) as _, waits)));
        let kv = KvSettings { max_keys: Some(2), ..KvSettings::default() };
        let served = Served::of(ApiServices { starter, kv, ..services }, store, clock).await;
        Self { site, served, _folder: folder }
    }

    /// Starts by an id, and with a body.
    async fn start(&self, id: &str, body: &str) -> Reply {
        self.served.json(&format!("PUT /v4/reloadtask/{id}/start"), body).await
    }

    /// The tasks that the site was told to start.
    fn told(&self) -> Vec<String> {
        let id = |path: &str| Some(path.strip_prefix("task/")?.strip_suffix("/start")?.to_owned());
        let mut told: Vec<_> =
            self.site.requests().iter().filter(|request| request.method == "POST").filter_map(|request| id(&request.path)).collect();
        told.sort();
        told
    }

    async fn pair(&self, key: &str) -> Option<String> {
        self.served.store.get("etl", key).await.unwrap().pair().map(|pair| pair.value)
    }
}

fn nothing() -> Value {
    json!({ "tasksId": { "started": [], "invalid": [], "denied": [] }, "tasksTag": [], "tasksTagDenied": [], "tasksCP": [], "tasksCPDenied": [] })
}

/// The answer in which all lists are empty but those that are named here, by their paths.
fn answer(lists: &[(&str, Value)]) -> Value {
    let mut answer = nothing();
    for (path, list) in lists {
        match answer.pointer_mut(path) {
            Some(place) => *place = list.clone(),
            None => answer[path.trim_start_matches('/')] = list.clone(),
        }
    }
    answer
}

#[track_caller]
fn says(reply: &Reply, lists: &[(&str, Value)]) {
    assert_eq!((reply.status, reply.header("content-type")), (200, "text/plain; charset=utf-8"), "{}", reply.body);
    assert_eq!(reply.value(), answer(lists));
}

fn sales() -> Value {
    json!({ "taskId": SALES, "taskName": "Reload sales" })
}

#[tokio::test]
async fn a_task_is_started_by_the_id_in_the_address_with_or_without_a_body() {
    let world = World::new().await;
    let path = format!("/v4/reloadtask/{SALES}/start");
    let reply = world.served.ask(&format!("PUT {path}")).await;
    let expected = format!(
        "{{\n  \"tasksId\": {{\n    \"started\": [\n      {{\n        \"taskId\": \"{SALES}\",\n        \"taskName\": \"Reload sales\"\n      }}\n    ],\n    \"invalid\": [],\n    \
         \"denied\": []\n  }},\n  \"tasksTag\": [],\n  \"tasksTagDenied\": [],\n  \"tasksCP\": [],\n  \"tasksCPDenied\": []\n}}"
    );
    reply.is_text(200, &expected);
    let started = [("/tasksId/started", json!([sales()]))];
    says(&world.served.ask(&format!("POST {path}")).await, &started);
    for body in ["[]", "null"] {
        says(&world.served.json(&format!("POST {path}"), body).await, &started);
    }
    let upper = SALES.to_string().to_uppercase();
    says(&world.served.send(&format!("POST /v4/reloadtask/{upper}/start"), "x-http-method-override: PUT", "").await, &started);
    // As helpers of load scripts send it: without a type.
    says(&world.served.send(&format!("POST {path}"), "", "[]").await, &started);
    assert_eq!(world.told().len(), 6);
}

#[tokio::test]
async fn bodies_that_make_no_sense_start_nothing() {
    let world = World::new().await;
    let id = SALES.to_string();
    for (body, message) in [
        ("{}", "body must be array"),
        ("[1]", "body/0 must be object"),
        ("[{\"type\": \"restart\", \"payload\": {}}]", "body/0/type must be equal to one of the allowed values"),
        ("[{}, {\"type\": \"starttaskid\"}]", "body/1 must have required property 'payload'"),
        ("[{\"type\": \"starttaskid\", \"payload\": 7}]", "body/0/payload must be object"),
    ] {
        world.start(&id, body).await.is_invalid(message);
    }
    world.served.send(&format!("PUT /v4/reloadtask/{id}/start"), "content-type: text/plain", "x").await.is_invalid("body must be array");
    let query = format!("PUT /v4/reloadtask/{id}/start?allTaskIdsMustExist=1");
    world.served.json(&query, "[]").await.is_invalid("querystring/allTaskIdsMustExist must be boolean");
    let missing = "Required parameter (task ID) missing. Should be a task ID or \"-\" if task info is passed in body";
    for body in ["", "[]"] {
        world.served.send("POST /v4/reloadtask//start", "", body).await.is_fault(400, missing);
    }
    assert_eq!(world.told(), [] as [String; 0]);
    // Items without a type are passed over.
    says(&world.start("-", "[{}]").await, &[]);
}

#[tokio::test]
async fn tasks_are_started_in_every_way_at_once_and_each_once() {
    let world = World::new().await;
    let body = json!([
        { "type": "starttaskid", "payload": { "taskId": SYNC } },
        { "type": "starttaskid", "payload": { "taskId": "bad" } },
        { "type": "starttaskid", "payload": {} },
        { "type": "starttasktag", "payload": { "tag": "hr" } },
        { "type": "starttasktag", "payload": { "tag": "" } },
        { "type": "starttaskcustomproperty", "payload": { "customPropertyName": "Butler_FailedTask_EmailAlertEnabled", "customPropertyValue": "No" } },
        { "type": "starttaskcustomproperty", "payload": {} },
    ]);
    let expected = [
        ("/tasksId/started", json!([sales(), { "taskId": SYNC, "taskName": "Sync AD users" }])),
        ("/tasksId/invalid", json!([{ "taskId": "bad" }, { "taskId": "" }])),
        ("/tasksTag", json!([{ "taskId": HR, "taskName": "Reload HR" }])),
        ("/tasksCP", json!([{ "taskId": HR, "taskName": "Reload HR" }])),
    ];
    says(&world.start(&SALES.to_string(), &body.to_string()).await, &expected);
    let mut all = [SALES, SYNC, HR].map(|id| id.to_string());
    all.sort();
    assert_eq!(world.told(), all);
    // An empty id in the address stands for the body alone.
    let reply = world
        .served
        .json("POST /v4/reloadtask//start", &json!([{ "type": "starttaskid", "payload": { "taskId": SALES } }]).to_string())
        .await;
    says(&reply, &[("/tasksId/started", json!([sales()]))]);
}

#[tokio::test]
async fn unless_all_ids_are_tasks_none_is_started_if_that_is_wanted() {
    let world = World::new().await;
    let body = json!([
        { "type": "starttaskid", "payload": { "taskId": NOWHERE } },
        { "type": "starttasktag", "payload": { "tag": "hr" } },
    ]);
    let reply = world.served.json(&format!("PUT /v4/reloadtask/{SALES}/start?allTaskIdsMustExist=true"), &body.to_string()).await;
    let expected = [
        ("/tasksId/invalid", json!([{ "taskId": NOWHERE }])),
        ("/tasksId/denied", json!([{ "taskId": SALES }])),
        ("/tasksTag", json!([{ "taskId": HR, "taskName": "Reload HR" }])),
    ];
    says(&reply, &expected);
    assert_eq!(world.told(), [HR.to_string()]);
}

#[tokio::test]
async fn what_the_filter_does_not_allow_is_denied() {
    let listed = PropertyValue { name: "Butler_FailedTask_EmailAlertEnabled".into(), value: "No".into() };
    let filter = StartFilter::new([SALES], [], [listed]);
    let world = World::with(Some(filter), ApiServices::default()).await;
    let body = json!([
        { "type": "starttaskid", "payload": { "taskId": SYNC.to_string().to_uppercase() } },
        { "type": "starttasktag", "payload": { "tag": "nobody bears it" } },
        { "type": "starttaskcustomproperty", "payload": { "customPropertyName": "a", "customPropertyValue": "b" } },
    ]);
    let expected = [
        ("/tasksId/started", json!([sales()])),
        ("/tasksId/denied", json!([{ "taskId": SYNC.to_string().to_uppercase() }])),
        ("/tasksTagDenied", json!([{ "tag": "nobody bears it" }])),
        ("/tasksCPDenied", json!([{ "name": "a", "value": "b" }])),
    ];
    says(&world.start(&SALES.to_string(), &body.to_string()).await, &expected);
}

#[tokio::test]
async fn pairs_are_stored_before_anything_is_started() {
    let world = World::new().await;
    let pair = |key: &str, value: Value, ttl: Value| json!({ "type": "keyvaluestore", "payload": { "namespace": "etl", "key": key, "value": value, "ttl": ttl } });
    let body = json!([
        pair("a", json!("1"), json!("")),
        pair("b", json!({ "x": [1, true] }), json!("5000")),
        pair("c", json!(""), json!(null)),
        pair("d", json!(0), json!(1))
    ]);
    says(&world.start(&SALES.to_string(), &body.to_string()).await, &[("/tasksId/started", json!([sales()]))]);
    assert_eq!((world.pair("a").await.as_deref(), world.pair("b").await.as_deref()), (Some("1"), Some("{\"x\":[1,true]}")));
    assert_eq!((world.pair("c").await, world.pair("d").await), (None, None));
    world.served.clock.advance(Duration::from_millis(5001));
    assert_eq!((world.pair("a").await.as_deref(), world.pair("b").await), (Some("1"), None));
    // As many keys as there may be.
    let body = json!([pair("e", json!(true), json!(0)), pair("f", json!(12), json!(0))]);
    world.start(&SALES.to_string(), &body.to_string()).await.is_fault(400, "Max number of keys (2) reached in namespace: etl");
    assert_eq!((world.pair("e").await.as_deref(), world.told().len()), (Some("true"), 1));

    let endpoints = EndpointsConfig { key_value_store: false, ..EndpointsConfig::default() };
    let without = World::with(None, ApiServices { endpoints, ..ApiServices::default() }).await;
    says(
        &without.start(&SALES.to_string(), &json!([pair("a", json!("1"), json!(""))]).to_string()).await,
        &[("/tasksId/started", json!([sales()]))],
    );
    assert_eq!(without.pair("a").await, None);
}

#[tokio::test]
async fn what_could_not_be_started_is_told_task_by_task() {
    let world = World::new().await;
    let body = json!([{ "type": "starttaskid", "payload": { "taskId": SALES } }]);
    let reply = world.start(&DISABLED.to_string(), &body.to_string()).await;
    let answer = reply.value();
    assert_eq!(answer["tasksId"], json!({ "started": [sales()], "invalid": [], "denied": [] }));
    let failed = &answer["tasksFailed"][0];
    assert_eq!((&failed["taskId"], &failed["mayRun"]), (&json!(DISABLED), &json!(false)));
    assert!(failed["message"].as_str().is_some_and(|why| why.contains("The task is disabled")), "{failed}");
}

#[tokio::test]
async fn while_the_repository_is_down_ids_are_no_tasks_and_of_tags_nothing_is_known() {
    let world = World::new().await;
    world.site.set_down(true);
    let body = json!([{ "type": "keyvaluestore", "payload": { "namespace": "etl", "key": "a", "value": "1" } }, { "type": "starttaskid", "payload": { "taskId": "bad" } }]);
    let expected = [("/tasksId/invalid", json!([{ "taskId": SALES }, { "taskId": "bad" }]))];
    says(&world.start(&SALES.to_string(), &body.to_string()).await, &expected);
    assert_eq!(world.pair("a").await.as_deref(), Some("1"));
    let body = json!([{ "type": "starttasktag", "payload": { "tag": "hr" } }]);
    world.start("-", &body.to_string()).await.is_fault(500, FAILED);

    // One that answers, but not with what was asked for, has no such task.
    let world = World::new().await;
    world.site.fault("*", Fault::Status(500));
    says(&world.start("-", &body.to_string()).await, &[]);
    says(&world.start(&SALES.to_string(), "[]").await, &[("/tasksId/invalid", json!([{ "taskId": SALES }]))]);
}

#[tokio::test]
async fn without_a_site_there_are_no_tasks() {
    let served = Served::with(ApiServices::default()).await;
    served.json(&format!("PUT /v4/reloadtask/{SALES}/start"), "[]").await.is_fault(500, FAILED);
}

#[tokio::test]
async fn who_may_start_tasks_stores_pairs_only_with_leave_for_that_too() {
    let world = World::new().await;
    let token = async |name: &str, scopes: &[&str]| {
        let made = world.served.json("POST /api/tokens", &json!({ "name": name, "scopes": scopes }).to_string()).await;
        format!("content-type: application/json\nauthorization: Bearer {}", made.value()["secret"].as_str().unwrap())
    };
    let (starts, stores) = (token("starts", &["tasks:start"]).await, token("stores", &["tasks:start", "kv:write"]).await);
    let path = format!("PUT /v4/reloadtask/{SALES}/start");
    let pair = json!({ "namespace": "etl", "key": "a", "value": "1" });
    let script = json!([{ "type": "keyvaluestore", "payload": pair }]).to_string();
    let ours = json!({ "tasks": [SALES], "pairs": [pair] }).to_string();
    let message = "token starts may not do this: it takes the scope `kv:write`. `butler-cli token create` makes a token with other scopes.";
    world.served.send(&path, &starts, &script).await.is_fault(403, message);
    assert_eq!(world.served.send("POST /api/tasks/start", &starts, &ours).await.status, 403);
    assert_eq!((world.told(), world.pair("a").await), (vec![], None));
    // Without pairs, or where none could be stored, there is nothing to ask leave for.
    says(&world.served.send(&path, &starts, "[]").await, &[("/tasksId/started", json!([sales()]))]);
    assert_eq!(world.served.send("POST /api/tasks/start", &starts, &json!({ "tasks": [SALES] }).to_string()).await.status, 200);
    says(&world.served.send(&path, &stores, &script).await, &[("/tasksId/started", json!([sales()]))]);
    assert_eq!(world.pair("a").await.as_deref(), Some("1"));
}
