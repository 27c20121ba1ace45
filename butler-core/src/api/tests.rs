//! The server over real connections, in front of a real store.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{ApiState, Server};
use crate::event::{DeliveryId, EventId};
use crate::pipeline::testing::a_new_event;
use crate::pipeline::{Health, Plan};
use crate::sink::{DeliveryError, Reason};
use crate::source::{Intake, Stop};
use crate::store::sqlite::{SqliteSettings, SqliteStore};
use crate::store::{Journal, NewDelivery, Routing, Settlement};
use crate::testkit::{FakeSink, TestClock};

struct Stage {
    store: Arc<SqliteStore>,
    health: Arc<Health>,
    base: String,
    http: reqwest::Client,
    stop: Stop,
    served: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// A server whose plan has one sink, `ops`.
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock::default());
        let settings = SqliteSettings { path: folder.path().join("butler.db") };
        let store = Arc::new(SqliteStore::open(settings, Arc::clone(&clock) as _).unwrap());
        let health = Arc::new(Health::default());
        let plan = Plan { sinks: [("ops".into(), FakeSink::default().into_plan())].into_iter().collect(), ..Plan::default() };
        let (intake, _queue) = Intake::channel();
        let state = ApiState::new(Arc::clone(&store) as _, Arc::clone(intake.counters()), Arc::clone(&health), Arc::new(plan), clock as _);
        let server = Server::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", server.address());
        let stop = Stop::new();
        let served = tokio::spawn(server.serve(state, stop.clone()));
        let trust = crate::tls::Trust::Only(Vec::new());
        let http = crate::http_client::build(crate::http_client::ClientOptions { trust, ..Default::default() }).unwrap();
        Self { store, health, base, http, stop, served, _folder: folder }
    }

    /// An event that is routed to `ops`, and to `gone`, which is in no plan any more.
    async fn an_event(&self) -> (EventId, DeliveryId, DeliveryId) {
        let appended = self.store.append(vec![a_new_event(1)]).await.unwrap();
        let claim = self.store.claim(Duration::from_secs(60), 1).await.unwrap().remove(0);
        let kind = Some(claim.event.kind.clone());
        let to = |sink: &str| NewDelivery {
            sink: sink.into(),
            target: crate::event::Target::only(),
            lane: None,
            limit: None,
            route: "all".into(),
            class: crate::event::Class::Alert,
            expires: Timestamp::MAX,
        };
        let routing = Routing { kind, deliveries: vec![to("ops"), to("gone")], ..Routing::default() };
        self.store.route(claim.token, routing).await.unwrap();
        let event = appended[0].id();
        let id = |sink: &str| DeliveryId::of(event, &sink.into(), &crate::event::Target::only());
        (event, id("ops"), id("gone"))
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.ask(Method::GET, path, None).await
    }
}

#[tokio::test]
async fn events_and_deliveries_are_told() {
    let stage = Stage::start().await;
    assert_eq!(stage.get("/api/events/latest").await.0, StatusCode::NOT_FOUND);
    let (event, ops, gone) = stage.an_event().await;
    for id in [event.to_string(), "latest".to_owned()] {
        let (status, story) = stage.get(&format!("/api/events/{id}")).await;
        assert_eq!((status, &story["record"]["event"]["id"]), (StatusCode::OK, &json!(event)));
        assert_eq!(story["deliveries"].as_array().unwrap().len(), 2);
    }
    let (_, of_ops) = stage.get("/api/deliveries?sink=ops&state=pending").await;
    assert_eq!((of_ops.as_array().unwrap().len(), &of_ops[0]["id"]), (1, &json!(ops)));
    let (_, one) = stage.get(&format!("/api/deliveries/{gone}")).await;
    assert!(one["delivery"]["detail"].as_str().unwrap().starts_with("orphaned: there is no sink `gone` any more"), "{one}");
    let (_, status) = stage.get("/api/status").await;
    assert_eq!((&status["orphans"], &status["ready"]), (&json!({"gone": 1}), &json!(true)));
}

#[tokio::test]
async fn a_dead_delivery_is_tried_again_and_a_pending_one_discarded() {
    let stage = Stage::start().await;
    let (_, ops, gone) = stage.an_event().await;
    let retry = format!("/api/deliveries/{ops}/retry");
    let (status, fault) = stage.ask(Method::POST, &retry, Some(json!({}))).await;
    assert_eq!((status, fault["error"].as_str()), (StatusCode::CONFLICT, Some(&*format!("delivery {ops} is pending"))));

    let lease = stage.store.lease(&"ops".into(), Duration::from_secs(60), 1).await.unwrap().leases.remove(0);
    let error = DeliveryError::permanent(Reason::Rejected, "no such channel");
    stage.store.settle(vec![(lease.token, Settlement::Dead { error })]).await.unwrap();
    let (status, changed) = stage.ask(Method::POST, &retry, Some(json!({}))).await;
    assert_eq!((status, changed), (StatusCode::OK, json!({"id": ops, "state": "pending"})));
    let (_, one) = stage.get(&format!("/api/deliveries/{ops}")).await;
    assert_eq!(one["delivery"]["state"], "pending");
    assert_eq!(one["attempts"][0]["detail"].as_str().unwrap(), "no such channel");

    let discard = format!("/api/deliveries/{ops}/discard");
    assert_eq!(stage.ask(Method::POST, &discard, Some(json!({"why": "known"}))).await.0, StatusCode::OK);
    assert_eq!(stage.ask(Method::POST, &discard, Some(json!({}))).await.0, StatusCode::CONFLICT);
    let (status, fault) = stage.ask(Method::POST, &format!("/api/deliveries/{gone}/retry"), Some(json!({}))).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(fault["remedy"].as_str().unwrap().contains("`was`"), "{fault}");
}

#[tokio::test]
async fn faults_say_what_is_wrong() {
    let stage = Stage::start().await;
    let nobody = "/api/deliveries/018f7e3a-0000-7000-8000-000000000000";
    let cases = [
        (Method::GET, "/api/events/foo".to_owned(), None, StatusCode::BAD_REQUEST, "`foo` is no id of an event"),
        (Method::GET, nobody.to_owned(), None, StatusCode::NOT_FOUND, "there is no delivery"),
        (Method::GET, "/api/events?colour=red".to_owned(), None, StatusCode::BAD_REQUEST, "unknown field `colour`"),
        (Method::GET, "/api/deliveries?state=lost".to_owned(), None, StatusCode::BAD_REQUEST, "unknown variant `lost`"),
        (Method::GET, "/api/nothing".to_owned(), None, StatusCode::NOT_FOUND, "there is nothing here"),
        (Method::DELETE, "/api/events".to_owned(), None, StatusCode::METHOD_NOT_ALLOWED, "this method means nothing here"),
        (Method::POST, format!("{nobody}/retry"), None, StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type"),
        (Method::POST, format!("{nobody}/retry"), Some(json!({"a": 1})), StatusCode::UNPROCESSABLE_ENTITY, "unknown field `a`"),
        (Method::POST, format!("{nobody}/discard"), Some(json!({"why": "x".repeat(70_000)})), StatusCode::PAYLOAD_TOO_LARGE, ""),
    ];
    for (method, path, body, wanted, words) in cases {
        let (status, fault) = stage.ask(method.clone(), &path, body).await;
        assert_eq!(status, wanted, "{method} {path}: {fault}");
        let text = fault["error"].as_str().map_or_else(|| fault.to_string(), str::to_owned);
        assert!(text.contains(words), "{method} {path}: {text}");
    }
}

#[tokio::test]
async fn it_is_ready_while_the_store_takes_events() {
    let stage = Stage::start().await;
    assert_eq!(stage.get("/healthz").await, (StatusCode::OK, json!("ok\n")));
    assert_eq!(stage.get("/readyz").await.0, StatusCode::OK);
    stage.health.update(|health| health.store = Some((Timestamp::UNIX_EPOCH, "the disk is full".into())));
    let (status, body) = stage.get("/readyz").await;
    assert_eq!((status, &body["store"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("the disk is full")));
}

#[tokio::test]
async fn it_ends_although_clients_keep_their_connections() {
    let stage = Stage::start().await;
    assert_eq!(stage.get("/healthz").await.0, StatusCode::OK);
    stage.stop.cancel();
    stage.served.await.unwrap();
    assert!(stage.http.get(format!("{}/healthz", stage.base)).send().await.is_err());
}

#[tokio::test]
async fn a_port_in_use_names_the_way_out() {
    let first = Server::bind("127.0.0.1:0").await.unwrap();
    let error = Server::bind(&first.address().to_string()).await.unwrap_err().to_string();
    let port = first.address().port();
    assert!(error.starts_with(&format!("can't listen on 127.0.0.1:{port} for the API: ")), "{error}");
    assert!(error.ends_with("Stop that program, or set another `[api] listen`"), "{error}");
}
