//! What callers are let in to.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::{Value, json};
use tower::Service;

use super::{Caller, Who, require, require_any};
use crate::config::{Scope, Scopes};

fn routes() -> Router {
    let one = Router::new().route("/api/x", get(async || "in")).route("/v4/x", get(async || "in")).route_layer(require(Scope::KvRead));
    let either = Router::new().route("/api/y", get(async || "in")).route_layer(require_any(&[Scope::Read, Scope::TasksStart]));
    one.merge(either)
}

async fn ask(routes: Router, path: &str) -> (u16, Response) {
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    let response = { routes }.call(request).await.unwrap();
    (response.status().as_u16(), response)
}

async fn as_caller(scopes: &[Scope], path: &str) -> (u16, Response) {
    let caller = Caller { who: Who::Token("script".into()), scopes: scopes.iter().copied().collect(), address: None };
    ask(routes().layer(Extension(caller)), path).await
}

async fn body(response: Response) -> Value {
    serde_json::from_slice(&to_bytes(response.into_body(), 1 << 16).await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_route_takes_who_has_its_scope() {
    for (scopes, path, status) in [
        (&[Scope::KvRead][..], "/v4/x", 200),
        (&[Scope::KvRead], "/api/x", 200),
        (&[Scope::Admin], "/v4/x", 200),
        (&[Scope::KvWrite, Scope::Messages], "/v4/x", 403),
        (&[], "/api/x", 403),
        (&[Scope::Read], "/api/y", 200),
        (&[Scope::TasksStart], "/api/y", 200),
        (&[Scope::KvRead], "/api/y", 403),
        (&Scope::ALL, "/api/x", 200),
        (&[], "/api/none", 404),
    ] {
        assert_eq!(as_caller(scopes, path).await.0, status, "{scopes:?} {path}");
    }
    let nobody = Caller { who: Who::Anonymous, scopes: Scopes::NONE, address: None };
    assert_eq!(ask(routes().layer(Extension(nobody)), "/v4/x").await.0, 403);
}

#[tokio::test]
async fn who_is_turned_away_is_told_in_the_words_of_what_they_asked() {
    let (status, response) = as_caller(&[], "/v4/x").await;
    assert_eq!((status, &response.headers()["content-type"]), (403, &"application/json; charset=utf-8".parse().unwrap()));
    let message = "token script may not do this: it takes the scope `kv:read`. `butler-cli token create` makes a token with other scopes.";
    assert_eq!(body(response).await, json!({ "statusCode": 403, "error": "Forbidden", "message": message }));
    let (status, response) = as_caller(&[], "/api/y").await;
    assert_eq!(status, 403);
    assert_eq!(
        body(response).await,
        json!({
            "error": "token script may not do this: it takes the scope `read` or `tasks:start`",
            "remedy": "`butler-cli token create` makes a token with other scopes.",
        })
    );
    // What did not pass the front is let in nowhere.
    for path in ["/v4/x", "/api/x"] {
        let (status, response) = ask(routes(), path).await;
        assert_eq!((status, &response.headers()["www-authenticate"]), (401, &"Bearer".parse().unwrap()));
        let body = body(response).await;
        let said = body["message"].as_str().or(body["error"].as_str()).unwrap();
        assert!(said.starts_with("nobody knows who sent this request"), "{body}");
    }
}
