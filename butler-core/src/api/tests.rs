//! The API over its socket, in front of the durable store.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::conformance::{Answered, Document, Strictness};
use super::{ApiParts, ApiServices, ApiState, Server, admin, description};
use crate::clock::Clock;
use crate::config::Config;
use crate::event::{Body, Class, DeliveryId, EventId, Kind, NewEvent, SinkName, TaskEvent, TaskOutcome};
use crate::pipeline::{Happening, Health, Plan, SilenceDesk};
use crate::sink::{DeliveryError, Reason};
use crate::source::{Datagram, Intake, Stop};
use crate::store::sqlite::{SqliteSettings, SqliteStore};
use crate::store::{Journal, NewDelivery, Routing, Settlement};
use crate::testkit::{FakeSink, TestClock};

pub(super) const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Served {
    pub(super) address: std::net::SocketAddr,
    store: Arc<SqliteStore>,
    clock: TestClock,
    pub(super) health: Arc<Health>,
    intake: Intake,
    pub(super) stop: Stop,
    pub(super) server: tokio::task::JoinHandle<()>,
    _folder: TempDir,
}

/// An answer: its status, its head in lower case, its body.
pub(super) struct Answer(pub(super) u16, pub(super) String, pub(super) Value);

/// Every answer is as the description of the API says.
fn assert_described(request: &str, status: u16, head: &str, body: &str) {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(|| Document(description::split(admin::routes()).1));
    let mut line = request.split(' ');
    let (method, target) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
    if let Some(operation) = DOCUMENT.find(method, target) {
        let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
        let faults = operation.faults(Answered { status, kind, body }, Strictness::NamedOnly);
        assert_eq!(faults, [""; 0], "{method} {target}");
    }
}

async fn serve() -> Served {
    serve_by(|server| server).await
}

/// As a server that was changed like this.
pub(super) async fn serve_by(change: impl FnOnce(Server) -> Server) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::default();
    let settings = SqliteSettings { path: folder.path().join("butler.db") };
    let store = Arc::new(SqliteStore::open(settings, Arc::new(clock.clone())).unwrap());
    let sinks = [(SinkName::from("ops"), FakeSink::default().into_plan())].into_iter().collect();
    let (intake, _queue) = Intake::channel();
    let health = Arc::new(Health::default());
    let plan = Arc::new(Plan { sinks, ..Plan::default() });
    let stop = Stop::new();
    let state = ApiState::new(ApiParts {
        store: Arc::clone(&store) as _,
        plan,
        intake: Arc::clone(intake.counters()),
        health: Arc::clone(&health),
        clock: Arc::new(clock.clone()),
        services: ApiServices {
            config: Config::from_toml("sites.prod.host = 'sense'", "").ok(),
            stop: stop.clone(),
            silences: Some(Arc::new(SilenceDesk::open(Arc::clone(&store) as _, Arc::new(clock.clone())).await.unwrap())),
            ..ApiServices::default()
        },
    });
    let server = change(Server::bind("127.0.0.1:0").await.unwrap());
    let address = server.address();
    let server = tokio::spawn(server.serve(state, stop.clone()));
    Served { address, store, clock, health, intake, stop, server, _folder: folder }
}

impl Served {
    pub(super) async fn send(&self, request: &str) -> Answer {
        let talk = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let answer = tokio::time::timeout(PATIENCE, talk).await.expect("no answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        assert_described(request, status, &head.to_lowercase(), body);
        Answer(status, head.to_lowercase(), serde_json::from_str(body).unwrap_or(Value::Null))
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await
    }

    /// What a `GET` that succeeds gives.
    pub(super) async fn ask(&self, path: &str) -> Value {
        let Answer(status, _, body) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// The body of what a `GET` gives, which is no JSON.
    async fn text(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("no answer").unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        body.to_owned()
    }

    pub(super) async fn post(&self, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        self.send(&format!("POST {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}")).await
    }

    pub(super) async fn command(&self, path: &str, body: &str) -> Answer {
        self.post(path, "host: localhost\r\ncontent-type: application/json\r\n", body).await
    }

    /// A failed task, and its deliveries by these sinks.
    pub(super) async fn event(&self, sinks: &[&str]) -> (EventId, Vec<DeliveryId>) {
        let event = NewEvent {
            site: "prod".into(),
            kind: Kind::task(TaskOutcome::Failed),
            at: self.clock.now(),
            source: "udp".into(),
            keys: Vec::new(),
            body: Body::Task(TaskEvent { task_name: "Reload sales".into(), ..TaskEvent::default() }),
        };
        let id = self.store.append(vec![event]).await.unwrap()[0].id();
        let claim = self.store.claim(PATIENCE, 1).await.unwrap().remove(0);
        let delivery = |sink: &&str| NewDelivery {
            sink: (*sink).into(),
            target: "#ops".into(),
            lane: None,
            limit: None,
            route: "all".into(),
            class: Class::Alert,
            expires: self.clock.now() + SignedDuration::from_hours(24),
            silenced: None,
        };
        let routing = Routing { deliveries: sinks.iter().map(delivery).collect(), ..Routing::default() };
        self.store.route(claim.token, routing).await.unwrap();
        let deliveries = sinks.iter().map(|sink| DeliveryId::of(id, &(*sink).into(), &"#ops".into())).collect();
        (id, deliveries)
    }

    async fn fail(&self, sink: &str) {
        let lease = self.store.lease(&sink.into(), PATIENCE, 1).await.unwrap().leases.remove(0);
        let dead = Settlement::Dead { error: DeliveryError::permanent(Reason::Rejected, "no such channel") };
        self.store.settle(vec![(lease.token, dead)]).await.unwrap();
    }
}

#[tokio::test]
async fn events_and_deliveries_are_listed_and_shown() {
    let served = serve().await;
    assert_eq!(served.get("/api/events/latest").await.0, 404);
    let (first, _) = served.event(&["ops"]).await;
    let (second, deliveries) = served.event(&["ops"]).await;
    served.fail("ops").await;

    let ids = |list: &Value| list.as_array().unwrap().iter().map(|e| e["event"]["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(&served.ask("/api/events").await), [second.to_string(), first.to_string()]);
    assert_eq!(ids(&served.ask("/api/events?max=1").await), [second.to_string()]);
    assert_eq!(ids(&served.ask(&format!("/api/events?before={second}&kind=task.*")).await), [first.to_string()]);
    assert_eq!(ids(&served.ask("/api/events?kind=reload_task.failed").await), [] as [String; 0]);
    for path in [format!("/api/events/{second}"), "/api/events/latest".to_owned()] {
        let details = served.ask(&path).await;
        assert_eq!(details["record"]["event"]["body"]["task"]["task_name"], "Reload sales");
        assert_eq!(details["deliveries"][0]["id"], deliveries[0].to_string());
    }

    let dead = served.ask("/api/deliveries?state=dead&sink=ops").await;
    assert_eq!((dead.as_array().unwrap().len(), &dead[0]["event"]), (1, &Value::from(first.to_string())));
    let shown = served.ask(&format!("/api/deliveries/{}", dead[0]["id"].as_str().unwrap())).await;
    assert_eq!((&shown["delivery"]["state"], &shown["attempts"][0]["outcome"]), (&"dead".into(), &"rejected".into()));
}

#[tokio::test]
async fn a_pending_delivery_says_what_it_waits_for() {
    let served = serve().await;
    let (_, deliveries) = served.event(&["ops", "old"]).await;
    let since = Timestamp::UNIX_EPOCH;
    served.health.update(|health| {
        let ops = health.sinks.entry("ops".into()).or_default();
        (ops.down_since, ops.last_error) = (Some(since), Some("connection refused".into()));
    });
    let listed = served.ask("/api/deliveries?state=pending").await;
    let of = |sink: &str| listed.as_array().unwrap().iter().find(|d| d["sink"] == sink).unwrap().clone();
    assert_eq!((&of("ops")["orphaned"], &of("ops")["sink_down"]["error"]), (&false.into(), &"connection refused".into()));
    assert_eq!((&of("old")["orphaned"], &of("old")["sink_down"]), (&true.into(), &Value::Null));
    let orphaned = served.ask("/api/deliveries?state=orphaned").await;
    assert_eq!((orphaned.as_array().unwrap().len(), &orphaned[0]["id"]), (1, &deliveries[1].to_string().into()));
    assert_eq!(served.ask("/api/deliveries?state=orphaned&sink=ops").await, Value::Array(Vec::new()));
    assert_eq!(served.ask("/api/status").await["orphans"], serde_json::json!({ "old": 1 }));
}

#[tokio::test]
async fn a_dead_delivery_is_tried_again_with_all_its_time() {
    let served = serve().await;
    let (_, deliveries) = served.event(&["ops"]).await;
    let retry = format!("/api/deliveries/{}/retry", deliveries[0]);
    let Answer(status, _, problem) = served.command(&retry, "{}").await;
    assert_eq!((status, &problem["error"]), (409, &format!("delivery {} is pending", deliveries[0]).into()));
    served.fail("ops").await;
    served.clock.advance(Duration::from_hours(100));
    let Answer(status, _, delivery) = served.command(&retry, "").await;
    assert_eq!((status, &delivery["state"]), (200, &"pending".into()), "{delivery}");
    let day_later = served.clock.now() + SignedDuration::from_hours(24);
    assert_eq!(delivery["expires"], day_later.to_string());
    assert_eq!(served.store.lease(&"ops".into(), PATIENCE, 1).await.unwrap().leases.len(), 1);
}

#[tokio::test]
async fn what_nobody_would_deliver_is_not_tried_again() {
    let served = serve().await;
    let (_, deliveries) = served.event(&["old"]).await;
    served.fail("old").await;
    let Answer(status, _, problem) = served.command(&format!("/api/deliveries/{}/retry", deliveries[0]), "{}").await;
    assert_eq!(status, 409);
    assert_eq!(problem["remedy"], "Configure it again, or let another sink take over with `was = [\"old\"]`.");
}

#[tokio::test]
async fn a_pending_delivery_is_given_up_for_a_reason() {
    let served = serve().await;
    let (_, deliveries) = served.event(&["ops"]).await;
    let discard = format!("/api/deliveries/{}/discard", deliveries[0]);
    let Answer(status, _, delivery) = served.command(&discard, r#"{ "why": "told by\n phone" }"#).await;
    assert_eq!((status, &delivery["state"]), (200, &"discarded".into()), "{delivery}");
    assert!(delivery["detail"].as_str().unwrap().contains("told by phone"), "{delivery}");
    assert_eq!(served.command(&discard, "{}").await.0, 409);
}

#[tokio::test]
async fn status_and_readiness_tell_how_it_stands() {
    let served = serve().await;
    let datagram = |bytes: &'static [u8]| Datagram {
        bytes: bytes.into(),
        from: "192.0.2.7:5000".parse().ok(),
        site: "prod".into(),
        source: "udp".into(),
        received: served.clock.now(),
    };
    // Nobody takes from the queue, and its far end is gone.
    assert!(!served.intake.offer(datagram(b"x")));
    served.event(&["ops"]).await;
    served.clock.advance(Duration::from_secs(90));
    let status = served.ask("/api/status").await;
    assert_eq!((&status["uptime_seconds"], &status["ready"], &status["journal"]["events"]), (&90.into(), &true.into(), &1.into()));
    assert_eq!(status["intake"]["rejected"], serde_json::json!({ "shutting_down": 1 }));
    assert_eq!(served.ask("/api/rejections").await[0]["from"], "192.0.2.7:5000");
    assert_eq!(served.ask("/readyz").await, serde_json::json!({ "ready": true, "store": null, "sources": {} }));
    assert_eq!(served.get("/healthz").await.0, 200);

    served.health.update(|health| health.sources.entry("udp".into()).or_default().error = Some("port in use".into()));
    let Answer(status, _, ready) = served.get("/readyz").await;
    assert_eq!((status, &ready["sources"]), (503, &serde_json::json!({ "udp": "port in use" })));
    served.health.update(|health| health.store = Some((Timestamp::UNIX_EPOCH, "the disk is full".into())));
    assert_eq!(served.get("/readyz").await.2["store"], "the disk is full");
    // It is alive all the same.
    assert_eq!(served.get("/healthz").await.0, 200);
}

#[tokio::test]
async fn figures_for_prometheus_are_those_of_now() {
    let served = serve().await;
    served.event(&["ops"]).await;
    served.fail("ops").await;
    served.health.update(|health| {
        health.sinks.entry("ops".into()).or_default().down_since = Some(Timestamp::UNIX_EPOCH);
        health.sites.entry("site \"one\"\\\n".into()).or_default();
    });
    let text = served.text("/metrics").await;
    let has = |line: &str| text.lines().any(|found| found == line);
    for line in [
        concat!("butler_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "butler_ready 1",
        "butler_intake_received_total 0",
        "butler_events 1",
        "butler_deliveries{sink=\"ops\",state=\"dead\"} 1",
        "butler_store_up 1",
        "butler_sink_up{sink=\"ops\"} 0",
        "butler_repository_up{site=\"site \\\"one\\\"\\\\\\n\"} 1",
        "butler_unrouted_total{told=\"nobody\"} 0",
        "# EOF",
    ] {
        assert!(has(line), "{line}:\n{text}");
    }
    // Whatever is told is explained.
    let names = text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(['{', ' ']).next().unwrap_or_default());
    for name in names {
        let family = name.trim_end_matches("_total").trim_end_matches("_info");
        assert!(text.contains(&format!("# HELP {family} ")) && text.contains(&format!("# TYPE {family} ")), "{family}");
    }
}

#[tokio::test]
async fn whoever_watches_is_told_what_happens_until_the_end() {
    let served = serve().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(b"GET /api/stream HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4096];
    let mut until = async |part: &str| {
        let reading = async {
            while !text.contains(part) {
                let count = stream.read(&mut buffer).await.unwrap();
                assert!(count > 0, "it ended: {text}");
                text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("no {part}"));
    };
    until("content-type: text/event-stream").await;
    let event = EventId(uuid::Uuid::from_u128(7));
    served.health.feed().tell(|| [Happening::Routed { event, deliveries: 2, silenced: 1 }]);
    until(&format!("data: {{\"what\":\"routed\",\"event\":\"{event}\",\"deliveries\":2,\"silenced\":1}}\n\n")).await;
    // One who does not read misses something, and is told how much.
    served.health.feed().tell(|| std::iter::repeat_n(Happening::Routed { event, deliveries: 0, silenced: 0 }, 5000));
    until("data: {\"what\":\"missed\",\"count\":").await;
    served.stop.cancel();
    tokio::time::timeout(PATIENCE, served.server).await.expect("the server ends").unwrap();
}

#[tokio::test]
async fn silences_are_made_listed_and_ended() {
    let served = serve().await;
    let until = served.clock.now() + SignedDuration::from_hours(1);
    let wanted = serde_json::json!({ "events": ["reload_task.*"], "when": { "task": ["Reload *"] }, "sinks": ["ops"], "until": until, "why": "an upgrade" });
    let Answer(status, _, made) = served.command("/api/silences", &wanted.to_string()).await;
    assert_eq!((status, &made["why"], &made["until"]), (201, &"an upgrade".into(), &serde_json::json!(until)), "{made}");
    assert_eq!(made["by"], "anonymous");
    assert_eq!(served.ask("/api/silences").await, Value::Array(vec![made.clone()]));
    for (wrong, words) in [
        (r#"{ "why": "x" }"#, "a silence needs an end"),
        (&format!("{{ \"until\": \"{until}\" }}"), "a silence needs a reason"),
        (r#"{ "sinks": ["opps"] }"#, "there is no sink `opps`"),
        (r#"{ "events": ["reload_task.faild"] }"#, "there is no event kind `reload_task.faild`"),
        (r#"{ "when": { "task": [" "] } }"#, "`when.task`: an empty text fits nothing"),
        (r#"{ "events": ["reload"] }"#, "`reload` is no event kind"),
        (r#"{ "when": { "tasks": [] } }"#, "unknown field `tasks`"),
    ] {
        let Answer(status, _, problem) = served.command("/api/silences", wrong).await;
        assert_eq!(status, 400, "{problem}");
        assert!(problem["error"].as_str().is_some_and(|error| error.contains(words)), "{problem}");
    }
    let path = format!("/api/silences/{}", made["id"].as_str().unwrap());
    let end = format!("DELETE {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert_eq!(served.send(&end).await.0, 200);
    assert_eq!(served.ask("/api/silences").await, Value::Array(Vec::new()));
    assert_eq!(served.ask("/api/silences?ended=true").await[0]["id"], made["id"]);
    let end = "DELETE /api/silences/nobody HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert_eq!(served.send(end).await.0, 404);
}

#[tokio::test]
async fn what_runs_here_is_told_and_by_which_configuration() {
    let served = serve().await;
    assert_eq!(served.ask("/api/version").await, serde_json::json!({ "name": "butler", "version": env!("CARGO_PKG_VERSION") }));
    assert_eq!(served.ask("/health").await, serde_json::json!({ "statusCode": 200, "status": "ok" }));
    let shown = served.ask("/api/config").await;
    let of = |shown: &Value, key: &str| shown["values"].as_array().unwrap().iter().find(|value| value["key"] == key).unwrap().clone();
    assert_eq!(
        of(&shown, "sites.prod.host"),
        serde_json::json!({ "key": "sites.prod.host", "value": "sense", "origin": "configuration:1" })
    );
    assert_eq!(of(&shown, "store.path")["origin"], Value::Null);
    let shared = served.ask("/api/config?share=true").await;
    assert_eq!(of(&shared, "sites.prod.host")["value"], "sen**********");
    assert_eq!(served.get("/api/config?shared=true").await.0, 400);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_words() {
    let served = serve().await;
    let no_such = "00000000-0000-0000-0000-000000000001";
    for (path, status, words) in [
        ("/api/nothing", 404, "there is nothing at `/api/nothing`"),
        ("/api/events?colour=red", 400, "unknown field `colour`"),
        ("/api/events?max=many", 400, "the query can't be read: "),
        ("/api/deliveries?state=alive", 400, "unknown variant `alive`"),
        ("/api/events/7", 400, "`7` is no id of an event"),
        ("/api/deliveries/latest", 400, "`latest` is no id of a delivery"),
        (&format!("/api/events/{no_such}"), 404, "there is no event"),
        (&format!("/api/deliveries/{no_such}"), 404, "there is no delivery"),
        (&format!("/api/deliveries/{no_such}/retry"), 405, "can't be asked in this way"),
    ] {
        let Answer(found, head, problem) = served.get(path).await;
        assert_eq!(found, status, "{path}");
        assert!(problem["error"].as_str().is_some_and(|error| error.contains(words)), "{path}: {problem}");
        assert!(head.contains("content-type: application/json") && head.contains("cache-control: no-store"), "{head}");
    }
    let discard = format!("/api/deliveries/{no_such}/discard");
    assert_eq!(served.command(&discard, "{}").await.0, 404);
    assert_eq!(served.command(&discard, "{ \"who\": 1 }").await.0, 400);
    assert_eq!(served.command(&discard, &format!("{{ \"why\": \"{}\" }}", "x".repeat(20_000))).await.0, 413);
}

#[tokio::test]
async fn a_foreign_page_in_a_browser_on_this_machine_gets_nowhere() {
    let served = serve().await;
    let (_, deliveries) = served.event(&["ops"]).await;
    let discard = format!("/api/deliveries/{}/discard", deliveries[0]);
    let address = served.address;
    // A name that was made to point here.
    assert_eq!(served.send("GET /api/events HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n").await.0, 403);
    let json = "content-type: application/json\r\n";
    for (headers, status) in [
        (format!("host: evil.example:{}\r\n{json}", address.port()), 403),
        (format!("host: {address}\r\n{json}origin: http://evil.example\r\n"), 403),
        (format!("host: {address}\r\n{json}sec-fetch-site: cross-site\r\n"), 403),
        // What a form can send.
        (format!("host: {address}\r\n"), 415),
        (format!("host: {address}\r\ncontent-type: text/plain\r\n"), 415),
        (format!("host: {address}\r\ncontent-type: application/x-www-form-urlencoded\r\n"), 415),
    ] {
        assert_eq!(served.post(&discard, &headers, "{}").await.0, status, "{headers}");
    }
    assert_eq!(served.ask("/api/deliveries").await[0]["state"], "pending");
    let own = format!("host: {address}\r\ncontent-type: application/json; charset=utf-8\r\norigin: http://{address}\r\n");
    assert_eq!(served.post(&discard, &own, "{}").await.0, 200);
}

#[tokio::test]
async fn a_stop_ends_idle_connections_and_frees_the_port() {
    let served = serve().await;
    let mut idle = TcpStream::connect(served.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut buffer = [0; 1024];
    assert!(idle.read(&mut buffer).await.unwrap() > 0);
    served.stop.cancel();
    tokio::time::timeout(PATIENCE, served.server).await.expect("the server ends").unwrap();
    assert_eq!(idle.read(&mut buffer).await.unwrap_or(0), 0);
    Server::bind(&served.address.to_string()).await.expect("the port is free");
}

#[tokio::test]
async fn a_request_bears_an_id_that_its_sender_may_choose() {
    let served = serve().await;
    let ask = async |id: &str| {
        let Answer(_, head, _) = served.send(&format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{id}\r\n")).await;
        let line = head.lines().find_map(|line| line.strip_prefix("x-request-id: ").map(str::to_owned));
        line.unwrap_or_else(|| panic!("no id: {head}"))
    };
    assert_eq!(ask("X-Request-Id: load-script_7.1:a\r\n").await, "load-script_7.1:a");
    for odd in ["", "x-request-id: \r\n", "x-request-id: a b\r\n", &format!("x-request-id: {}\r\n", "x".repeat(65))] {
        assert_eq!(ask(odd).await.len(), 32, "{odd:?}");
    }
}
