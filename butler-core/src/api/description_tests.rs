//! The description of our own API, and whether it tells the truth.

use std::collections::BTreeSet;

use serde_json::Value;

use super::conformance::Document;
use super::v4::testing::Served;
use super::{ApiServices, admin, description};

async fn described() -> (Served, Document) {
    let served = Served::with(ApiServices::default()).await;
    let document = Document(served.ask("GET /api/openapi.json").await.value());
    (served, document)
}

#[tokio::test]
async fn every_operation_says_what_it_is() {
    let (_served, document) = described().await;
    let mut ids = BTreeSet::new();
    for operation in document.operations() {
        let (says, name) = (operation.says, format!("{} {}", operation.method, operation.path));
        assert!(says["summary"].as_str().is_some_and(|summary| !summary.is_empty() && !summary.ends_with('.')), "{name}: {says}");
        assert!(ids.insert(says["operationId"].as_str().unwrap().to_owned()), "{name}");
        let tags = document.0["tags"].as_array().unwrap();
        assert!(tags.iter().any(|tag| tag["name"] == says["tags"][0]), "{name}: {}", says["tags"]);
        for parameter in says["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string() && parameter["schema"].is_object(), "{name}: {parameter}");
        }
        let responses = says["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{name}");
        for (status, response) in responses.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
            let schema = &response["content"]["application/json"]["schema"]["$ref"];
            let is_readiness = operation.path == "/readyz" && status == "503";
            assert_eq!(
                schema,
                if is_readiness { "#/components/schemas/Readiness" } else { "#/components/schemas/Problem" },
                "{name}: {status}"
            );
        }
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    fn follow(document: &Value, value: &Value) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    if let ("$ref", Some(pointer)) = (name.as_str(), value.as_str()) {
                        assert!(document.pointer(pointer.trim_start_matches('#')).is_some(), "{pointer}");
                    }
                    if let ("description", Some(text)) = (name.as_str(), value.as_str()) {
                        assert!(!text.contains("[`"), "{text}");
                    }
                    follow(document, value);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| follow(document, item)),
            _ => {}
        }
    }
    let (_served, document) = described().await;
    follow(&document.0, &document.0);
}

/// The paths of a router, as it shows itself to those who debug it.
fn paths(router: &impl std::fmt::Debug) -> BTreeSet<String> {
    let shown = format!("{router:?}");
    let quoted = shown.split('"').skip(1).step_by(2);
    // What is not a path of ours is the router's own, for what it does not find.
    quoted.filter(|text| text.starts_with('/') && *text != "/" && !text.contains("__private__")).map(str::to_owned).collect()
}

#[tokio::test]
async fn what_is_there_is_described_and_what_is_described_is_there() {
    let (served, document) = described().await;
    let described: BTreeSet<_> = document.operations().iter().map(|operation| operation.path.to_owned()).collect();
    assert_eq!(paths(&description::described(admin::routes())), described);
    for operation in document.operations().into_iter().filter(|operation| !operation.is_endless()) {
        let target = operation.path.replace(['{', '}'], "");
        let reply = served.ask(&format!("{} {target}", operation.method)).await;
        let is_nothing =
            reply.status == 405 || reply.body.contains(&format!("there is nothing at `{target}`")) && !target.starts_with("/api/docs/");
        assert!(!is_nothing, "{} {target}: {reply:?}", operation.method);
    }
}

#[tokio::test]
async fn the_page_is_whole() {
    let served = Served::with(ApiServices::default()).await;
    let page = served.ask("GET /api/docs").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    for part in ["swagger-ui.css", "index.css", "favicon-32x32.png", "swagger-ui-bundle.js", "start.js"] {
        assert!(page.body.contains(&format!("\"/api/docs/{part}\"")), "{}", page.body);
        assert_eq!(served.ask(&format!("GET /api/docs/{part}")).await.status, 200, "{part}");
    }
    assert!(served.ask("GET /api/docs/start.js").await.body.contains(r#"url: "/api/openapi.json""#));
    let nothing = served.ask("GET /api/docs/nothing.js").await;
    assert_eq!((nothing.status, nothing.value()["error"].as_str()), (404, Some("there is nothing at `/api/docs/nothing.js`")));
}
