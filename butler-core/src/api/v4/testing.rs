//! A served API, and requests as they go over the wire.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::api::{Access, ApiParts, ApiServices, ApiState, Server};
use crate::config::AccessSettings;
use crate::pipeline::{Health, Plan};
use crate::schedule::cron::Months;
use crate::schedule::{SchedulerParts, SchedulerSettings, Schedules};
use crate::source::{Intake, Stop};
use crate::store::Store;
use crate::store::memory::MemoryStore;
use crate::testkit::TestClock;

const PATIENCE: Duration = Duration::from_secs(30);

/// Schedules that are kept in this store, and run by nobody.
pub(in crate::api) async fn schedules(settings: SchedulerSettings, store: Arc<dyn Store>, clock: &TestClock) -> Schedules {
    let (intake, _queue) = Intake::channel();
    let parts = SchedulerParts { store, clock: Arc::new(clock.clone()), intake, tasks: None, actions: BTreeMap::new() };
    Schedules::open(settings, parts).await.expect("a store that can be read")
}

/// How they are treated if a test does not care.
pub(in crate::api) fn scheduler_settings() -> SchedulerSettings {
    SchedulerSettings {
        enabled: true,
        months: Months::FromOne,
        zone: TimeZone::UTC,
        catch_up: Duration::from_hours(24),
        keep: Duration::from_hours(30 * 24),
        declared: Vec::new(),
        site: "prod".into(),
    }
}

/// A served API in front of a store in memory.
pub(in crate::api) struct Served {
    pub(in crate::api) address: SocketAddr,
    pub(in crate::api) clock: TestClock,
    pub(in crate::api) store: Arc<MemoryStore>,
    /// Ends with this.
    _server: JoinSet<()>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) struct Reply {
    pub(in crate::api) status: u16,
    /// Its head, in lower case.
    pub(in crate::api) head: String,
    pub(in crate::api) body: String,
}

impl Served {
    /// With these services.
    pub(in crate::api) async fn with(services: ApiServices) -> Self {
        let clock = TestClock::default();
        let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
        Self::of(services, store, clock).await
    }

    /// With these services and this store.
    pub(in crate::api) async fn of(services: ApiServices, store: Arc<MemoryStore>, clock: TestClock) -> Self {
        let (intake, _queue) = Intake::channel();
        let state = ApiState::new(ApiParts {
            store: Arc::clone(&store) as _,
            plan: Arc::new(Plan::default()),
            intake: Arc::clone(intake.counters()),
            health: Arc::new(Health::default()),
            clock: Arc::new(clock.clone()),
            services,
        });
        let access = Access::open(&AccessSettings::default(), Arc::clone(&store) as _, Arc::new(clock.clone())).await.expect("a store");
        let server = Server::bind("127.0.0.1:0").await.expect("a port").admitting(access);
        let address = server.address();
        let mut serving = JoinSet::new();
        serving.spawn(server.serve(state, Stop::new()));
        Self { address, clock, store, _server: serving }
    }

    /// Sends a request as it is written here.
    pub(in crate::api) async fn raw(&self, request: &[u8]) -> Reply {
        self.try_raw(request).await.expect("a head and a body")
    }

    /// The same; `None` if there is no answer, or none that is one.
    pub(in crate::api) async fn try_raw(&self, request: &[u8]) -> Option<Reply> {
        let talk = async {
            let mut stream = TcpStream::connect(self.address).await.expect("a connection");
            // Whoever answers early may close before everything was sent.
            let _ = stream.write_all(request).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            String::from_utf8_lossy(&answer).into_owned()
        };
        let answer = tokio::time::timeout(PATIENCE, talk).await.expect("an answer in time");
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok())?;
        Some(Reply { status, head: head.to_ascii_lowercase(), body: body.to_owned() })
    }

    /// Sends a request: `PUT /v4/...`, further headers as lines, and a body.
    pub(in crate::api) async fn send(&self, line: &str, headers: &str, body: &str) -> Reply {
        let (address, length) = (self.address, body.len());
        let headers: String = headers.lines().map(|line| format!("{}\r\n", line.trim())).collect();
        let request = format!("{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
        self.raw(request.as_bytes()).await
    }

    /// Sends a request without a body.
    pub(in crate::api) async fn ask(&self, line: &str) -> Reply {
        self.raw(format!("{line} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address).as_bytes()).await
    }

    /// Sends a request with a body that is declared as JSON.
    pub(in crate::api) async fn json(&self, line: &str, body: &str) -> Reply {
        self.send(line, "content-type: application/json", body).await
    }
}

/// What was sent in pieces, each behind its length; `None` if it broke off.
fn whole(mut pieces: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (length, rest) = pieces.split_once("\r\n")?;
        let length = usize::from_str_radix(length, 16).ok()?;
        whole += rest.get(..length)?;
        pieces = rest.get(length..)?.strip_prefix("\r\n")?;
        if length == 0 {
            return Some(whole);
        }
    }
}

impl Reply {
    /// With the body in one, if it was sent in pieces; `None` if it broke off.
    pub(in crate::api) fn in_one(self) -> Option<Self> {
        let body = if self.header("transfer-encoding") == "chunked" { whole(&self.body)? } else { self.body };
        Some(Self { body, ..self })
    }

    /// A header; an empty text if there is none.
    pub(in crate::api) fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| *key == name).map(|(_, value)| value).next().unwrap_or_default()
    }

    /// The body as JSON.
    pub(in crate::api) fn value(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Whether this is JSON, declared as such.
    #[track_caller]
    pub(in crate::api) fn is_json(&self, status: u16, body: &Value) {
        assert_eq!((self.status, self.header("content-type"), &self.value()), (status, "application/json; charset=utf-8", body));
    }

    /// Whether this is text.
    #[track_caller]
    pub(in crate::api) fn is_text(&self, status: u16, body: &str) {
        assert_eq!((self.status, self.header("content-type"), self.body.as_str()), (status, "text/plain; charset=utf-8", body));
    }

    /// Whether this is a fault of the endpoint itself.
    #[track_caller]
    pub(in crate::api) fn is_fault(&self, status: u16, message: &str) {
        let reason = axum::http::StatusCode::from_u16(status).expect("a status").canonical_reason();
        self.is_json(status, &serde_json::json!({ "statusCode": status, "error": reason, "message": message }));
    }

    /// Whether this is a fault with a code.
    #[track_caller]
    pub(in crate::api) fn is_coded(&self, status: u16, code: &str, message: &str) {
        let reason = axum::http::StatusCode::from_u16(status).expect("a status").canonical_reason();
        self.is_json(status, &serde_json::json!({ "statusCode": status, "code": code, "error": reason, "message": message }));
    }

    /// Whether body or query were not as the endpoint takes them.
    #[track_caller]
    pub(in crate::api) fn is_invalid(&self, message: &str) {
        self.is_coded(400, "FST_ERR_VALIDATION", message);
    }
}
