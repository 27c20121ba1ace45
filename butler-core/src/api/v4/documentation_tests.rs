//! The documentation of `/v4`.

use serde_json::{Value, json};

use super::testing::{Reply, Served};
use crate::api::ApiServices;
use crate::config::EndpointsConfig;

/// The document as it was published.
fn published() -> Value {
    serde_json::from_str(include_str!("openapi.json")).unwrap()
}

async fn document(served: &Served) -> Value {
    let reply = served.ask("GET /documentation/json").await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/json; charset=utf-8"));
    reply.value()
}

#[tokio::test]
async fn the_document_is_the_published_one_of_what_there_is() {
    let served = Served::with(ApiServices::default()).await;
    let mut expected = published();
    expected["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    expected["servers"] = json!([{ "url": format!("http://{}", served.address) }]);
    let mut paths = expected["paths"].take();
    for (path, item) in paths.as_object_mut().unwrap() {
        let mut there = serde_json::Map::new();
        for (method, operation) in item.as_object().unwrap() {
            let line = format!("{} {}", method.to_uppercase(), path.replace(['{', '}'], ""));
            let is_there = !served.ask(&line).await.body.starts_with(r#"{"message":"Route "#);
            if is_there {
                there.insert(method.clone(), operation.clone());
            }
        }
        *item = Value::Object(there);
    }
    paths.as_object_mut().unwrap().retain(|_, item| item != &json!({}));
    expected["paths"] = paths;
    let document = document(&served).await;
    assert_eq!(document, expected);
    let order = |document: &Value| document["paths"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(order(&document), order(&expected));

    let yaml = served.ask("GET /documentation/yaml").await;
    assert_eq!((yaml.status, yaml.header("content-type")), (200, "application/x-yaml"));
    assert_eq!(serde_saphyr::from_str::<Value>(&yaml.body).unwrap(), document);
}

#[tokio::test]
async fn what_is_switched_off_is_not_documented() {
    let endpoints = EndpointsConfig { butlerping: false, ..EndpointsConfig::default() };
    let served = Served::with(ApiServices { endpoints, ..ApiServices::default() }).await;
    let document = document(&served).await;
    assert!(document["paths"]["/v4/butlerping"].is_null());
    assert!(document["paths"]["/v4/base62tobase16"]["get"].is_object());
}

/// What a page refers to.
fn references(page: &Reply) -> Vec<String> {
    let after = |mark: &'static str| page.body.split(mark).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    after("href=\"").chain(after("src=\"")).collect()
}

#[tokio::test]
async fn the_page_refers_to_nothing_but_what_is_here() {
    let served = Served::with(ApiServices::default()).await;
    let page = served.ask("GET /documentation").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.body.contains("<title>Butler API documentation</title>"), "{}", page.body);
    assert_eq!(served.ask("GET /documentation/").await.body, page.body);
    let references = references(&page);
    assert_eq!(references.len(), 6, "{references:?}");
    for path in references {
        let part = served.ask(&format!("GET {path}")).await;
        assert_eq!(part.status, 200, "{path}");
        let kind = match path.rsplit_once('.') {
            Some((_, "css")) => "text/css",
            Some((_, "js")) => "text/javascript",
            Some((_, "png")) => "image/png",
            _ => "application/json",
        };
        assert!(part.header("content-type").starts_with(kind), "{path}: {}", part.head);
        if kind != "application/json" {
            assert!(part.header("content-security-policy").starts_with("default-src 'none'; script-src 'self';"), "{path}");
        }
    }
    assert!(served.ask("GET /documentation/static/start.js").await.body.contains(r#"url: "/documentation/json""#));
}

#[tokio::test]
async fn parts_that_are_none_are_not_there() {
    let served = Served::with(ApiServices::default()).await;
    let index = served.ask("GET /documentation/static/index.html").await;
    assert_eq!(
        (index.status, index.header("location"), index.header("content-type"), index.body.as_str()),
        (302, "/documentation/", "", "")
    );
    for path in ["static/nope.js", "static/swagger-initializer.js", "static/", "static/../json", "nope", "static/%2e%2e/Cargo.toml"] {
        let expected = json!({ "message": format!("Route GET:/documentation/{path} not found"), "error": "Not Found", "statusCode": 404 });
        served.ask(&format!("GET /documentation/{path}")).await.is_json(404, &expected);
    }
    assert_eq!(served.ask("HEAD /documentation").await.status, 200);
    assert_eq!(served.ask("POST /documentation").await.status, 404);
}

#[tokio::test]
async fn reading_it_counts_as_well() {
    let served = Served::with(ApiServices { rate_limit: 3, ..ApiServices::default() }).await;
    for (path, remaining) in [("", "2"), ("/json", "1"), ("/static/index.css", "0")] {
        assert_eq!(served.ask(&format!("GET /documentation{path}")).await.header("x-ratelimit-remaining"), remaining, "{path}");
    }
    served.ask("GET /documentation/yaml").await.is_fault(429, "Rate limit exceeded, retry in 1 minute");
}
