//! Apps over `/v4`, at a simulated site.

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
use crate::qlik::RepositoryClient;
use crate::qlik::engine::{Apps, EngineClient};
use crate::qlik::start::{StartFilter, StartSettings, Starter};
use crate::simulator::site::{EngineFault, EngineNotice, Site, SiteOptions, SiteState};
use crate::store::memory::MemoryStore;
use crate::testkit::TestClock;

const SALES: Uuid = uuid!("66bc109d-286a-415b-8355-1422abb22133");
const HR: Uuid = uuid!("deba4bcf-47e4-472e-97b2-4fe8d6498e11");
const NOWHERE: Uuid = uuid!("00000000-286a-415b-8355-1422abb22133");
const TASK: &str = "e959f40a-67be-4a5b-ae83-a292f96ba078";
const OTHER: &str = "7552d9fc-d1bb-4975-9a38-18357de531ea";

struct World {
    site: Site,
    served: Served,
    apps: Arc<Apps>,
    _folder: TempDir,
}

impl World {
    /// No filter lets anybody start a task.
    async fn new() -> Self {
        let (clock, folder) = (TestClock::default(), TempDir::new().unwrap());
        let options = SiteOptions { clock: Arc::new(clock.clone()), ..SiteOptions::default() };
        let site = Site::start(SiteState::example(), options).await.unwrap();
        site.write_certificates(folder.path()).unwrap();
        let waits: Arc<dyn Clock> = Arc::new(clock.clone());
        let prod = SiteName::from("prod");
        let repository = RepositoryClient::new(site.repository_settings("prod", folder.path()), Arc::clone(&waits)).unwrap();
        let engine = EngineClient::new(site.engine_settings("prod", folder.path()), Arc::clone(&waits)).unwrap();
        let settings = StartSettings { filter: Some(StartFilter::default()), ..StartSettings::default() };
        let store = Arc::new(MemoryStore::new(Arc::clone(&waits)));
        let repositories = BTreeMap::from([(prod.clone(), Arc::new(repository))]);
        let starter = Arc::new(Starter::new(repositories, settings, Arc::clone(&store) as _, Arc::clone(&waits)));
        let apps = Arc::new(Apps::new(BTreeMap::from([(prod, Arc::new(engine))]), starter, waits));
        let services = ApiServices { apps: Some(Arc::clone(&apps)), ..ApiServices::default() };
        let served = Served::of(services, store, clock).await;
        Self { site, served, apps, _folder: folder }
    }

    async fn reload(&self, app: &str, body: &str) -> Reply {
        self.served.json(&format!("PUT /v4/app/{app}/reload"), body).await
    }

    /// How the engine was told to reload, and which tasks were started then, once all is done.
    async fn done(&self) -> (Vec<String>, Vec<String>) {
        self.apps.shutdown(Duration::from_hours(1)).await;
        self.site.wait_for_engine(|sessions| sessions.open == 0).await;
        let calls = self.site.engine_calls().into_iter().filter(|call| call.method == "DoReload" || call.method == "DoSave");
        let started = self.site.requests().into_iter().map(|request| request.path);
        (calls.map(|call| format!("{}{}", call.method, call.params)).collect(), started.collect())
    }
}

#[tokio::test]
async fn apps_are_listed_at_either_address() {
    let world = World::new().await;
    let expected: Vec<_> = world.site.state().apps.into_iter().map(|app| json!({ "id": app.id, "name": app.name })).collect();
    for path in ["/v4/apps/list", "/v4/senselistapps", "/v4/senselistapps?odd=1"] {
        world.served.ask(&format!("GET {path}")).await.is_json(200, &Value::Array(expected.clone()));
    }
    assert_eq!(world.site.wait_for_engine(|sessions| sessions.open == 0).await.closed, 3);
    world.site.change(|state| state.apps.clear());
    world.served.ask("GET /v4/apps/list").await.is_json(200, &json!([]));
}

#[tokio::test]
async fn a_dump_has_every_member_and_the_id_as_it_was_given() {
    let world = World::new().await;
    for path in [format!("/v4/app/{SALES}/dump"), format!("/v4/senseappdump/{}", SALES.to_string().to_uppercase())] {
        let reply = world.served.ask(&format!("GET {path}")).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, "application/json; charset=utf-8"));
        let dump = reply.value();
        let members: Vec<_> = dump.as_object().unwrap().keys().map(String::as_str).collect();
        insta::allow_duplicates! {
            insta::assert_snapshot!(members.join(" "), @"properties loadScript lineage sheets stories masterobjects appprops dimensions measures bookmarks snapshots embeddedmedia fields dataconnections variables appId");
        }
        assert!(path.contains(dump["appId"].as_str().unwrap()));
        assert!(dump["lineage"]["qLineage"].is_array());
        let empty: Vec<_> = dump.as_object().unwrap().iter().filter(|(_, value)| value.as_array().is_some_and(Vec::is_empty)).collect();
        assert!(empty.is_empty(), "{empty:?}");
    }
    world.site.engine_fault("GetLineage", EngineFault::Error(5));
    assert!(world.served.ask(&format!("GET /v4/app/{SALES}/dump")).await.value().get("lineage").is_none());
}

#[tokio::test]
async fn what_the_engine_does_not_do_is_a_fault_in_the_words_of_the_endpoint() {
    let faults = [
        EngineFault::Cut,
        EngineFault::Refuse(503),
        EngineFault::Notice(EngineNotice::MustAuthenticate),
        EngineFault::Notice(EngineNotice::LicenseAccessDenied),
    ];
    let world = World::new().await;
    for fault in faults {
        world.site.engine_fault("connect", fault);
        world.served.ask("GET /v4/apps/list").await.is_fault(500, "Failed getting list of Sense apps");
        world.served.ask(&format!("GET /v4/app/{SALES}/dump")).await.is_fault(500, "Failed dumping app");
        world.reload(&SALES.to_string(), "{}").await.is_fault(500, "Failed reloading app");
        world.site.clear_engine_faults();
    }
    for app in [NOWHERE.to_string(), "no-id".into(), "%C3%A5%20b".into()] {
        world.served.ask(&format!("GET /v4/senseappdump/{app}")).await.is_fault(500, "Failed dumping app");
        world.reload(&app, "{}").await.is_fault(500, "Failed reloading app");
    }
    world.site.set_down(true);
    world.served.ask("GET /v4/senselistapps").await.is_fault(500, "Failed getting list of Sense apps");
    assert_eq!(world.done().await, (vec![], vec![]));
}

#[tokio::test]
async fn a_reload_is_accepted_once_the_app_is_open() {
    let rows = [
        ("{}", "DoReload[0,false]", vec![]),
        (r#"{"reloadMode":1,"partialReload":true}"#, "DoReload[1,true]", vec![]),
        (r#"{"reloadMode":"2","partialReload":"false"}"#, "DoReload[2,false]", vec![]),
        (r#"{"reloadMode":2.0,"partialReload":1}"#, "DoReload[2,true]", vec![]),
        (r#"{"reloadMode":7,"partialReload":null,"odd":true}"#, "DoReload[0,false]", vec![]),
        (r#"{"reloadMode":-1e300}"#, "DoReload[0,false]", vec![]),
        (r#"{"reloadMode":null,"startQSEoWTaskOnSuccess":[],"startQSEoWTaskOnFailure":["x"]}"#, "DoReload[0,false]", vec![]),
        (r#"{"startQSEoWTaskOnSuccess":"ID","startQSEoWTaskOnFailure":"x"}"#, "DoReload[0,false]", vec![TASK]),
        (r#"{"startQSEoWTaskOnSuccess":["ID",null,"OTHER"]}"#, "DoReload[0,false]", vec![TASK, OTHER]),
    ];
    for (body, reload, tasks) in rows {
        let world = World::new().await;
        let reply = world.reload(&SALES.to_string(), &body.replace("ID", TASK).replace("OTHER", OTHER)).await;
        reply.is_json(201, &json!({ "appId": SALES }));
        let (calls, mut started) = world.done().await;
        assert_eq!(calls, [reload, "DoSave[]"], "{body}");
        started.sort_by_key(|path| path.contains(OTHER));
        assert_eq!(started, tasks.iter().map(|task| format!("task/{task}/start")).collect::<Vec<_>>(), "{body}");
    }
}

#[tokio::test]
async fn a_reload_that_fails_is_followed_by_the_tasks_for_failure() {
    let body = json!({ "startQSEoWTaskOnSuccess": [TASK], "startQSEoWTaskOnFailure": [OTHER] }).to_string();
    for (app, fault) in [(HR, None), (SALES, Some(EngineFault::Cut)), (SALES, Some(EngineFault::Error(1007)))] {
        let world = World::new().await;
        if let Some(fault) = fault {
            world.site.engine_fault("DoReload", fault);
        }
        // Scripts have no other method.
        let headers = "content-type: application/json\nx-http-method-override: PUT";
        let reply = world.served.send(&format!("POST /v4/app/{app}/reload"), headers, &body).await;
        reply.is_json(201, &json!({ "appId": app }));
        let (calls, started) = world.done().await;
        assert_eq!((calls, started), (vec!["DoReload[0,false]".to_owned()], vec![format!("task/{OTHER}/start")]));
    }
}

#[tokio::test]
async fn bodies_that_make_no_sense_are_refused_before_the_engine_is_asked() {
    let world = World::new().await;
    let app = SALES.to_string();
    for (body, words) in [
        ("null", "body must be object"),
        ("[]", "body must be object"),
        (r#"{"reloadMode":"x"}"#, "body/reloadMode must be integer"),
        (r#"{"reloadMode":1.5}"#, "body/reloadMode must be integer"),
        (r#"{"partialReload":"yes"}"#, "body/partialReload must be boolean"),
        (r#"{"startQSEoWTaskOnSuccess":{}}"#, "body/startQSEoWTaskOnSuccess must be array"),
        (r#"{"startQSEoWTaskOnFailure":[{}]}"#, "body/startQSEoWTaskOnFailure/0 must be string"),
    ] {
        world.reload(&app, body).await.is_invalid(words);
    }
    world.served.ask(&format!("PUT /v4/app/{app}/reload")).await.is_invalid("body must be object");
    let empty = "Body cannot be empty when content-type is set to 'application/json'";
    world.reload(&app, "").await.is_coded(400, "FST_ERR_CTP_EMPTY_JSON_BODY", empty);
    // The helper of load scripts declares nothing.
    world.served.send(&format!("PUT /v4/app/{app}/reload"), "", "{}").await.is_json(201, &json!({ "appId": app }));
    assert_eq!(world.done().await.0, ["DoReload[0,false]", "DoSave[]"]);
}

#[tokio::test]
async fn without_a_site_and_where_it_is_switched_off_there_is_nothing() {
    let none = Served::with(ApiServices::default()).await;
    none.ask("GET /v4/apps/list").await.is_fault(500, "Failed getting list of Sense apps");
    none.ask("GET /v4/app/x/dump").await.is_fault(500, "Failed dumping app");
    none.json("PUT /v4/app/x/reload", "{}").await.is_fault(500, "Failed reloading app");
    let endpoints =
        EndpointsConfig { sense_app_reload: false, sense_app_dump: false, sense_list_apps: false, ..EndpointsConfig::default() };
    let off = Served::with(ApiServices { endpoints, ..ApiServices::default() }).await;
    for line in ["GET /v4/apps/list", "GET /v4/senselistapps", "GET /v4/app/x/dump", "GET /v4/senseappdump/x", "PUT /v4/app/x/reload"] {
        let route = line.replacen(' ', ":", 1);
        let reply = off.json(line, "{}").await;
        reply.is_json(404, &json!({ "message": format!("Route {route} not found"), "error": "Not Found", "statusCode": 404 }));
    }
}

#[tokio::test]
async fn our_own_addresses_ask_the_filter_and_a_dump_takes_a_scope_of_its_own() {
    let world = World::new().await;
    let reload = async |body: Value| {
        let reply = world.served.json("POST /api/apps/reload", &body.to_string()).await;
        (reply.status, reply.value()["error"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(reload(json!({})).await, (400, "no app is named; name one by its id in `app`".into()));
    let denied = format!("nothing is reloaded, for `[tasks.start_filter]` does not allow tasks that are to follow: {TASK}");
    assert_eq!(reload(json!({ "app": SALES, "on_success": [TASK] })).await, (403, denied));
    assert_eq!(reload(json!({ "app": SALES })).await.0, 202);
    assert_eq!(world.done().await.0, ["DoReload[0,false]", "DoSave[]"]);
    for (scope, status) in [("read", 403), ("apps:dump", 200)] {
        let made = world.served.json("POST /api/tokens", &json!({ "name": scope.replace(':', "-"), "scopes": [scope] }).to_string()).await;
        let token = format!("authorization: Bearer {}", made.value()["secret"].as_str().unwrap());
        for path in [format!("/api/apps/{SALES}/dump"), format!("/v4/app/{SALES}/dump"), format!("/v4/senseappdump/{SALES}")] {
            assert_eq!(world.served.send(&format!("GET {path}"), &token, "").await.status, status, "{scope} {path}");
        }
        assert_eq!(world.served.send("GET /api/apps", &token, "").await.status, if status == 403 { 200 } else { 403 }, "{scope}");
    }
}
