//! Apps over `/v4`, through the real program, at a simulated engine.

use butler_core::simulator::site::EngineFault;
use butler_tests::{Sense, Settings, eventually, http, within};
use serde_json::{Value, json};

use crate::PROGRAM;

/// Nobody may start a task by hand; what follows a reload is started all the same.
const NO_STARTS: &str = "[tasks.start_filter]\nenabled = true\ntag = \"no task bears it\"";

/// The status and the body of an answer.
async fn ask(sense: &Sense, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let url = format!("http://{}{path}", sense.butler.address("api"));
    let request = http().request(method.parse().expect("a method"), url);
    let request = match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    };
    let response = within("an answer", request.send()).await.expect("an answer");
    (response.status().as_u16(), serde_json::from_str(&response.text().await.expect("a body")).expect("JSON"))
}

fn app(sense: &Sense, name: &str) -> String {
    sense.site.state().apps.iter().find(|app| app.name == name).expect("an app").id.to_string()
}

/// Waits until a task was started through the repository.
async fn started(sense: &Sense, task: &str) {
    eventually("the task that follows", async || (sense.site.count(&format!("task/{task}/start")) > 0).then_some(())).await;
}

#[tokio::test]
async fn apps_are_listed_dumped_and_reloaded_and_tasks_follow() {
    let sense = Sense::start(PROGRAM, Settings { more: NO_STARTS, ..Settings::default() }).await;
    let (status, apps) = ask(&sense, "GET", "/v4/apps/list", None).await;
    assert_eq!((status, &apps[0], apps.as_array().map(Vec::len)), (200, &json!({ "id": app(&sense, "Sales"), "name": "Sales" }), Some(5)));
    let sales = app(&sense, "Sales");
    let (status, dump) = ask(&sense, "GET", &format!("/v4/app/{sales}/dump"), None).await;
    assert_eq!((status, &dump["appId"], dump["sheets"].as_array().map(Vec::len)), (200, &json!(sales), Some(2)));
    assert_eq!(dump["bookmarks"][0]["qData"]["qBookMark"]["qStateData"][0]["qFieldItems"][0]["qDef"]["qName"], "Region");

    let (first, second) = (sense.task("Sync AD").id.to_string(), sense.task("Nightly export").id.to_string());
    let order = json!({ "startQSEoWTaskOnSuccess": [first], "startQSEoWTaskOnFailure": [second] });
    let (status, accepted) = ask(&sense, "PUT", &format!("/v4/app/{sales}/reload"), Some(order.clone())).await;
    assert_eq!((status, accepted), (201, json!({ "appId": sales })));
    started(&sense, &first).await;
    assert_eq!(sense.site.count(&format!("task/{second}/start")), 0);

    // One whose script fails.
    let failing = app(&sense, "HR dashboard");
    let (status, _) = ask(&sense, "PUT", &format!("/v4/app/{failing}/reload"), Some(order.clone())).await;
    assert_eq!(status, 201);
    started(&sense, &second).await;
    // One whose engine is gone in the middle of it.
    let third = sense.task("Reload HR").id.to_string();
    sense.site.engine_fault("DoReload", EngineFault::Cut);
    let (status, _) = ask(&sense, "PUT", &format!("/v4/app/{sales}/reload"), Some(json!({ "startQSEoWTaskOnFailure": third }))).await;
    assert_eq!(status, 201);
    started(&sense, &third).await;
    assert_eq!(sense.site.count(&format!("task/{first}/start")), 1);

    let sessions = within("no session is left", sense.site.wait_for_engine(|sessions| sessions.open == 0)).await;
    // All but the one that was cut were closed by us.
    assert_eq!((sessions.opened, sessions.closed), (5, 4));
    let log = sense.butler.log();
    for words in ["The app was reloaded and saved.", "The reload of the app failed", "The reload of the app did not come to an end"] {
        assert!(log.contains(words), "{words}: {log}");
    }
}

#[tokio::test]
async fn an_engine_that_is_down_is_told_to_the_script_and_in_the_log() {
    let sense = Sense::start(PROGRAM, Settings::default()).await;
    let sales = app(&sense, "Sales");
    sense.site.engine_fault("connect", EngineFault::Cut);
    let fault = |words: &str| (500, json!({ "statusCode": 500, "error": "Internal Server Error", "message": words }));
    assert_eq!(ask(&sense, "GET", "/v4/senselistapps", None).await, fault("Failed getting list of Sense apps"));
    assert_eq!(ask(&sense, "GET", &format!("/v4/senseappdump/{sales}"), None).await, fault("Failed dumping app"));
    assert_eq!(ask(&sense, "PUT", &format!("/v4/app/{sales}/reload"), Some(json!({}))).await, fault("Failed reloading app"));
    sense.site.clear_engine_faults();
    let nowhere = "/v4/app/00000000-286a-415b-8355-1422abb22133/dump";
    assert_eq!(ask(&sense, "GET", nowhere, None).await, fault("Failed dumping app"));
    let log = sense.butler.log();
    assert!(log.contains("is the Qlik Sense Engine Service running") && log.contains("there is no such app on this site"), "{log}");
    assert_eq!(within("no session is left", sense.site.wait_for_engine(|sessions| sessions.open == 0)).await.closed, 1);
}

/// A reload that is under way at the end is waited for as long as the grace allows, and no longer.
#[tokio::test]
async fn what_is_being_reloaded_at_the_end_is_named() {
    let Sense { site, world, butler, .. } = Sense::start(PROGRAM, Settings::default()).await;
    butler.kill().await;
    let mut butler = world.run(&["serve", "--grace", "1"]).ready().await;
    let sales = site.state().apps[0].id.to_string();
    site.engine_fault("DoReload", EngineFault::Hang);
    let url = format!("http://{}/v4/app/{sales}/reload", butler.address("api"));
    let accepted = http().put(url).header("content-type", "application/json").body("{}").send().await.expect("an answer");
    assert_eq!(accepted.status().as_u16(), 201);
    within("the reload", site.wait_for_engine_calls(3)).await;
    butler.terminate().await;
    butler.ended().await;
    let named = async || butler.log().lines().any(|line| line.contains("still being reloaded") && line.contains(&sales)).then_some(());
    eventually("the app is named", named).await;
    assert_eq!(within("no session is left", site.wait_for_engine(|sessions| sessions.open == 0)).await.closed, 0);
}

#[tokio::test]
async fn our_own_api_says_why() {
    let sense = Sense::start(PROGRAM, Settings::default()).await;
    let sales = app(&sense, "Sales");
    let (status, apps) = ask(&sense, "GET", "/api/apps?site=prod", None).await;
    assert_eq!((status, &apps[0]["id"]), (200, &json!(sales)));
    let (status, dump) = ask(&sense, "GET", &format!("/api/apps/{sales}/dump"), None).await;
    assert_eq!((status, &dump["properties"]["qTitle"]), (200, &json!("Sales")));
    let task = sense.task("Sync AD").id.to_string();
    let order = json!({ "app": sales, "mode": "ignore", "partial": true, "on_success": [task] });
    assert_eq!(ask(&sense, "POST", "/api/apps/reload", Some(order)).await, (202, json!({ "app": sales })));
    started(&sense, &task).await;
    let mut said = Vec::new();
    for (method, path, body) in [
        ("GET", "/api/apps?site=test", None),
        ("GET", "/api/apps/no-app/dump", None),
        ("POST", "/api/apps/reload", Some(json!({ "app": "no-app" }))),
        ("POST", "/api/apps/reload", Some(json!({ "id": "no-app" }))),
    ] {
        let (status, body) = ask(&sense, method, path, body).await;
        said.push(format!("{status} {}", body["error"].as_str().expect("words")));
    }
    let engine = sense.site.engine_address().to_string();
    insta::assert_snapshot!(said.join("\n").replace(&engine, "ENGINE"), @"
    400 there is no site `test` whose engine can be asked; there are: prod
    404 site `prod`, dump of app no-app, engine at ENGINE: OpenDoc was refused: App not found (code 1003: there is no such app on this site)
    404 site `prod`, reload of app no-app, engine at ENGINE: OpenDoc was refused: App not found (code 1003: there is no such app on this site)
    400 the body can't be read: unknown field `id`, expected one of `site`, `app`, `mode`, `partial`, `on_success`, `on_failure` at line 1 column 5
    ");
    sense.site.set_down(true);
    assert_eq!(ask(&sense, "GET", "/api/apps", None).await.0, 502);
}
