//! Lists and dumps, and what can go wrong with either.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::simulator::site::{App, AppContent, AppObject, EngineFault, EngineNotice, On};

#[tokio::test]
async fn the_apps_of_a_site_are_listed_in_its_order() {
    let world = World::new().await;
    let apps = world.client().apps().await.unwrap();
    let expected: Vec<_> = world.site.state().apps.into_iter().map(|app| AppSummary { id: app.id.to_string(), name: app.name }).collect();
    assert_eq!(apps, expected);
    assert_eq!(world.ended().await, EngineSessions { open: 0, opened: 1, closed: 1 });
    let [call] = world.site.engine_calls().try_into().unwrap();
    assert_eq!((call.path.as_str(), call.handle, call.method.as_str(), call.delta), ("/", -1, "GetDocList", false));
    world.site.change(|state| state.apps.clear());
    assert_eq!(world.client().apps().await.unwrap(), []);
}

#[tokio::test]
async fn a_dump_shows_everything_that_is_in_an_app() {
    let world = World::new().await;
    let dump = world.client().dump(&SALES.to_string()).await.unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&dump).unwrap());
    assert_eq!(world.ended().await, EngineSessions { open: 0, opened: 1, closed: 1 });
    let calls = world.site.engine_calls();
    assert!(calls.iter().all(|call| call.path == "/app/engineData" && !call.delta));
    assert_eq!(world.calls()[0], format!(r#"OpenDoc ["{SALES}","","","",true]"#));
    let definitions: Vec<_> = world.calls().into_iter().filter(|call| call.starts_with("CreateSessionObject")).collect();
    insta::assert_snapshot!(definitions.join("\n"), @r#"
    CreateSessionObject [{"qAppObjectListDef":{"qType":"sheet","qData":{"id":"/qInfo/qId"}},"qInfo":{"qId":"sheetList","qType":"sheetList"},"qMetaDef":{},"qExtendsId":""}]
    CreateSessionObject [{"qAppObjectListDef":{"qType":"story","qData":{"id":"/qInfo/qId"}},"qInfo":{"qId":"storyList","qType":"storyList"},"qMetaDef":{},"qExtendsId":""}]
    CreateSessionObject [{"qAppObjectListDef":{"qType":"masterobject","qData":{"id":"/qInfo/qId"}},"qInfo":{"qId":"masterobjectList","qType":"masterobjectList"},"qMetaDef":{},"qExtendsId":""}]
    CreateSessionObject [{"qAppObjectListDef":{"qType":"appprops","qData":{"id":"/qInfo/qId"}},"qInfo":{"qId":"apppropsList","qType":"apppropsList"},"qMetaDef":{},"qExtendsId":""}]
    CreateSessionObject [{"qDimensionListDef":{"qType":"dimension","qData":{"info":"/qDimInfos"},"qMeta":{}},"qInfo":{"qId":"DimensionList","qType":"DimensionList"}}]
    CreateSessionObject [{"qMeasureListDef":{"qType":"measure","qData":{"info":"/qDimInfos"},"qMeta":{}},"qInfo":{"qId":"MeasureList","qType":"MeasureList"}}]
    CreateSessionObject [{"qBookmarkListDef":{"qType":"bookmark","qData":{"info":"/qDimInfos"},"qMeta":{}},"qInfo":{"qId":"BookmarkList","qType":"BookmarkList"}}]
    CreateSessionObject [{"qInfo":{"qId":"mediaList","qType":"MediaList"},"qMediaListDef":{}}]
    CreateSessionObject [{"qBookmarkListDef":{"qType":"snapshot","qData":{"info":"/qDimInfos"},"qMeta":{}},"qInfo":{"qId":"BookmarkList","qType":"BookmarkList"}}]
    CreateSessionObject [{"qFieldListDef":{"qShowSystem":true,"qShowHidden":true,"qShowSrcTables":true,"qShowSemantic":true},"qInfo":{"qId":"FieldList","qType":"FieldList"}}]
    CreateSessionObject [{"qVariableListDef":{"qType":"variable","qShowReserved":true,"qShowConfig":true,"qData":{"info":"/qDimInfos"},"qMeta":{}},"qInfo":{"qId":"VariableList","qType":"VariableList"}}]
    "#);
}

#[tokio::test]
async fn a_dump_of_an_empty_app_is_empty_lists() {
    let world = World::new().await;
    let dump = world.client().dump(&HR.to_string()).await.unwrap();
    insta::assert_snapshot!(serde_json::to_string(&dump).unwrap(), @r#"{"properties":{"qTitle":"HR dashboard","qLastReloadTime":"1753-01-01T00:00:00.000Z","qSavedInProductVersion":"12.1612.4","qThumbnail":{},"qHasSectionAccess":false},"loadScript":"","lineage":{"qLineage":[]},"sheets":[],"stories":[],"masterobjects":[],"appprops":[],"dimensions":[],"measures":[],"bookmarks":[],"snapshots":[],"embeddedmedia":[],"fields":[],"dataconnections":[],"variables":[],"appId":"deba4bcf-47e4-472e-97b2-4fe8d6498e11"}"#);
}

/// Far more than are asked for at a time.
#[tokio::test]
async fn a_dump_of_a_large_app_is_whole_and_in_order() {
    let world = World::new().await;
    let sheet =
        |number| AppObject { id: format!("s{number}"), r#type: "sheet".into(), title: format!("Sheet {number}"), ..AppObject::default() };
    let objects: Vec<_> = (0..1000).map(sheet).collect();
    world.site.change(|state| state.app_mut(HR).unwrap().content = AppContent { objects, ..AppContent::default() });
    let dump = world.client().dump(&HR.to_string()).await.unwrap();
    let ids: Vec<_> = dump["sheets"].as_array().unwrap().iter().map(|tree| tree["qProperty"]["qInfo"]["qId"].as_str().unwrap()).collect();
    assert_eq!(ids, (0..1000).map(|number| format!("s{number}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_vanishes_meanwhile_is_left_out() {
    let world = World::new().await;
    world.site.engine_fault("GetLineage", EngineFault::Error(5));
    world.site.engine_fault(On::path("GetObject").times(1), EngineFault::Error(2));
    world.site.engine_fault("GetVariableById", EngineFault::Error(2));
    let dump = world.client().dump(&SALES.to_string()).await.unwrap();
    assert!(!dump.contains_key("lineage"));
    assert_eq!((dump["sheets"].as_array().unwrap().len(), &dump["variables"]), (1, &json!([])));
    assert_eq!(dump["sheets"][0]["qProperty"]["qMetaDef"]["title"], "Details");
}

#[tokio::test]
async fn what_the_engine_refuses_is_said_and_the_session_is_closed() {
    let world = World::new().await;
    let client = world.client();
    let unknown = client.dump(&NOWHERE.to_string()).await.unwrap_err();
    assert!(unknown.is_unknown_app());
    let odd = client.dump("no id / at #all").await.unwrap_err();
    assert!(odd.is_unknown_app());
    world.site.engine_fault("GetMeasure", EngineFault::Error(5));
    let denied = client.dump(&SALES.to_string()).await.unwrap_err();
    world.site.engine_fault("GetDocList", EngineFault::Error(-32601));
    let no_list = client.apps().await.unwrap_err();
    let texts = [unknown, denied, no_list].map(|error| error.to_string().replace(&world.site.engine_address().to_string(), "sense:4747"));
    insta::assert_snapshot!(texts.join("\n"), @r#"
    site `prod`, dump of app 00000000-47e4-472e-97b2-4fe8d6498e11, engine at sense:4747: OpenDoc was refused: App not found (code 1003: there is no such app on this site)
    site `prod`, dump of app 66bc109d-286a-415b-8355-1422abb22133, engine at sense:4747: GetMeasure was refused: Access denied (code 5: the site's `user` has no right to it)
    site `prod`, list of apps, engine at sense:4747: GetDocList was refused: Method not found (code -32601: the engine knows no such method)
    "#);
    assert_eq!(world.ended().await, EngineSessions { open: 0, opened: 4, closed: 4 });
}

#[tokio::test]
async fn an_app_is_never_taken_for_another_that_is_open_in_the_same_session() {
    let world = World::new().await;
    let mut other = world.session("/app/engineData").await;
    other.call(Call::new(GLOBAL, "OpenDoc", json!([SALES, "", "", "", true]))).await.unwrap();
    // This one is shared.
    assert_eq!(world.client().dump(&SALES.to_string().to_uppercase()).await.unwrap()["properties"]["qTitle"], "Sales");
    assert!(world.site.engine_calls().iter().all(|call| call.path == "/app/engineData"));
    // And for this one there has to be a session of its own.
    assert_eq!(world.client().dump(&HR.to_string()).await.unwrap()["properties"]["qTitle"], "HR dashboard");
    let last = world.site.engine_calls().pop().unwrap();
    assert!(last.path.starts_with("/app/engineData/identity/"), "{last:?}");
    // Several at once are neither mixed up.
    let client = world.client();
    let titles = futures_util::future::join_all([SALES, HR, SALES, HR].map(async |app| {
        let dump = client.dump(&app.to_string()).await.unwrap();
        (dump["appId"].clone(), dump["properties"]["qTitle"].clone())
    }));
    let expected = [(SALES, "Sales"), (HR, "HR dashboard")].map(|(app, title)| (json!(app), json!(title)));
    assert_eq!(titles.await, [expected.clone(), expected].concat());
    other.close().await;
    assert_eq!(world.ended().await.open, 0);
}

#[tokio::test]
async fn a_call_that_the_engine_breaks_off_is_sent_again_a_few_times() {
    let world = World::new().await;
    world.site.engine_fault(On::path("GetDocList").times(3), EngineFault::Error(15));
    assert_eq!(world.client().apps().await.unwrap().len(), world.site.state().apps.len());
    assert_eq!(world.calls().len(), 4);
    world.site.engine_fault("GetDocList", EngineFault::Error(15));
    let error = world.client().apps().await.unwrap_err();
    assert!(matches!(error, EngineError::Refused { code: 15, .. }), "{error}");
    assert_eq!(world.calls().len(), 4 + 6);
}

#[tokio::test]
async fn an_engine_that_wants_no_session_says_why() {
    let notices = [
        (EngineNotice::MustAuthenticate, "wants somebody to log in"),
        (EngineNotice::LicenseAccessDenied, "No license."),
        (EngineNotice::MaxParallelSessionsExceeded, "Too many sessions"),
        (EngineNotice::SessionTimedOut, "Session timed out."),
    ];
    for (notice, words) in notices {
        for on in ["connect", "GetDocList"] {
            let world = World::new().await;
            world.site.engine_fault(on, EngineFault::Notice(notice));
            let error = world.client().apps().await.unwrap_err();
            assert!(error.to_string().contains(words), "{on} {notice:?}: {error}");
            world.ended().await;
        }
    }
}

#[tokio::test]
async fn nobody_is_let_in_without_a_known_user_and_the_sites_certificates() {
    let (world, other) = (World::new().await, World::new().await);
    let client = world.client_of(EngineSettings { user: "UserDirectory=LAB; UserId=nobody".into(), ..world.settings() });
    let error = client.apps().await.unwrap_err();
    assert!(matches!(error, EngineError::NotAuthenticated { .. }), "{error}");
    let foreign = other.settings();
    let (client_certificate, client_key) = (foreign.client_certificate.clone(), foreign.client_key.clone());
    let refused = world.client_of(EngineSettings { client_certificate, client_key, ..world.settings() }).apps().await.unwrap_err();
    assert!(matches!(&refused, EngineError::Certificate { why, .. } if why.contains("refused our client certificate")), "{refused}");
    let root_certificate = foreign.root_certificate;
    let untrusted = world.client_of(EngineSettings { root_certificate: root_certificate.clone(), ..world.settings() });
    let error = untrusted.apps().await.unwrap_err();
    assert!(
        matches!(&error, EngineError::Certificate { why, .. } if why.contains("the engine's certificate was not issued by")),
        "{error}"
    );
    let anything = world.client_of(EngineSettings { root_certificate, verify: false, ..world.settings() });
    assert!(anything.apps().await.is_ok());
    let missing = world.folder.path().join("gone.pem");
    let error = world.client_of(EngineSettings { client_key: missing, ..world.settings() }).apps().await.unwrap_err();
    assert!(matches!(&error, EngineError::Setup { why, .. } if why.contains("gone.pem")), "{error}");
}

#[tokio::test]
async fn an_engine_that_is_down_or_something_else_is_told_apart() {
    let world = World::new().await;
    let client = world.client();
    world.site.engine_fault("connect", EngineFault::Refuse(503));
    let error = client.apps().await.unwrap_err();
    assert!(matches!(error, EngineError::NoWebSocket { status: 503, .. }), "{error}");
    world.site.clear_engine_faults();
    world.site.engine_fault("GetDocList", EngineFault::Malformed);
    let error = client.apps().await.unwrap_err();
    assert!(matches!(error, EngineError::Malformed { method: "GetDocList", .. }), "{error}");
    for fault in [EngineFault::Cut, EngineFault::Close] {
        world.site.clear_engine_faults();
        world.site.engine_fault("GetDocList", fault);
        let error = client.apps().await.unwrap_err();
        assert!(matches!(error, EngineError::Lost { method: "GetDocList", .. }), "{error}");
    }
    world.site.set_down(true);
    assert!(matches!(client.apps().await.unwrap_err(), EngineError::Unreachable { .. }));
    world.site.set_down(false);
    world.site.clear_engine_faults();
    assert!(client.apps().await.is_ok());
    assert_eq!(world.ended().await.open, 0);
}

#[tokio::test]
async fn an_engine_that_hangs_is_given_up_and_so_is_a_dial() {
    let world = World::new().await;
    world.site.engine_fault("GetDocList", EngineFault::Hang);
    let client = world.client();
    let asking = async {
        world.site.wait_for_engine_calls(1).await;
        world.clock.advance(client.settings().timeout);
        // The farewell of an engine that hangs is not waited for either; this one answers it.
    };
    let (apps, ()) = tokio::join!(client.apps(), asking);
    let error = apps.unwrap_err();
    assert!(matches!(error, EngineError::Timeout { method: "GetDocList", after, .. } if after == Duration::from_secs(30)), "{error}");
    world.ended().await;

    world.site.engine_fault("connect", EngineFault::Hang);
    let dialling = async {
        world.clock.sleepers(1).await;
        world.clock.advance(Duration::from_secs(10));
    };
    let (apps, ()) = tokio::join!(client.apps(), dialling);
    assert!(matches!(apps.unwrap_err(), EngineError::Unreachable { why, .. } if why == "no connection within 10s"));
}

#[tokio::test]
async fn whoever_does_not_wait_any_more_ends_the_session() {
    let world = World::new().await;
    world.site.engine_fault("GetScript", EngineFault::Hang);
    let client = world.client();
    let dump = tokio::spawn(async move { client.dump(&SALES.to_string()).await });
    world.site.wait_for_engine(|sessions| sessions.open == 1).await;
    world.site.wait_for_engine_calls(3).await;
    dump.abort();
    assert_eq!(world.ended().await, EngineSessions { open: 0, opened: 1, closed: 0 });
}

#[tokio::test]
async fn an_app_without_a_name_is_listed_by_its_id() {
    let world = World::new().await;
    let owner = world.site.state().users[0].id;
    world.site.change(|state| state.apps = vec![App { id: NOWHERE, owner, ..App::default() }]);
    let apps = world.client().apps().await.unwrap();
    assert_eq!(apps, [AppSummary { id: NOWHERE.to_string(), name: String::new() }]);
}

/// We do not; other clients of a site do.
#[tokio::test]
async fn whoever_asks_for_patches_gets_patches() {
    let world = World::new().await;
    let request = EngineRequest { site: "prod".into(), address: world.site.engine_address().to_string(), what: "patches".into() };
    let mut socket = super::super::connect::dial(&world.settings(), "/", &request).await.unwrap();
    let mut ask = async |delta: bool| {
        let call = json!({ "jsonrpc": "2.0", "id": 7, "method": "EngineVersion", "handle": -1, "params": [], "delta": delta });
        socket.send(Message::text(call.to_string())).await.unwrap();
        loop {
            let reply: Value = serde_json::from_str(socket.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
            if reply["id"] == 7 {
                return reply.to_string();
            }
        }
    };
    insta::assert_snapshot!(ask(true).await, @r#"{"jsonrpc":"2.0","id":7,"delta":true,"result":{"qVersion":[{"op":"add","path":"/","value":{"qComponentVersion":"12.1612.4"}}]}}"#);
    insta::assert_snapshot!(ask(false).await, @r#"{"jsonrpc":"2.0","id":7,"result":{"qVersion":{"qComponentVersion":"12.1612.4"}}}"#);
}
