//! A repository of a few lines for tests: plain HTTP, answers from a closure, every request noted.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response};
use axum::serve::Listener;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{RepositoryClient, RepositorySettings};
use crate::clock::Clock;
use crate::testkit::TestClock;

/// What a test has the fake answer.
pub(crate) enum Answer {
    Json(Value),
    Status(u16, &'static str),
    Bytes(Vec<u8>),
    /// 200, with this content type.
    Typed(&'static str, &'static str),
    /// Never.
    Hang,
    /// As soon as the sender says `true`.
    Held(watch::Receiver<bool>, Value),
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Decoded, below `/qrs/`, with its parameter and without the key: `task/full?filter=id eq ..`.
    pub(crate) what: String,
    /// The query as it was on the wire.
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
}

#[derive(Debug, Default)]
struct Notes {
    seen: Mutex<Vec<Seen>>,
    under_way: watch::Sender<usize>,
}

/// A running fake.
#[derive(Debug)]
pub(crate) struct Fake {
    address: SocketAddr,
    notes: Arc<Notes>,
    server: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Fake {
    pub(crate) async fn start(answer: impl Fn(&str) -> Answer + Clone + Send + Sync + 'static) -> Self {
        Self::serve(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(), answer)
    }

    pub(crate) fn serve(
        listener: impl Listener<Addr = SocketAddr>,
        answer: impl Fn(&str) -> Answer + Clone + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let notes = Arc::new(Notes::default());
        let shared = Arc::clone(&notes);
        let router = Router::new().fallback(move |request: Parts| {
            let (answer, notes) = (answer.clone(), Arc::clone(&shared));
            async move { respond(&request, answer, &notes).await }
        });
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, notes, server }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn settings(&self) -> RepositorySettings {
        settings(self.address)
    }

    pub(crate) fn client(&self, clock: impl Clock) -> Arc<RepositoryClient> {
        Arc::new(RepositoryClient::unencrypted(self.settings(), Arc::new(clock)).unwrap())
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.notes.seen.lock().unwrap().clone()
    }

    /// What was asked, in its order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.what).collect()
    }

    /// Waits until exactly `count` requests are being answered.
    pub(crate) async fn under_way(&self, count: usize) {
        self.notes.under_way.subscribe().wait_for(|now| *now == count).await.unwrap();
    }
}

pub(crate) fn settings(address: SocketAddr) -> RepositorySettings {
    RepositorySettings {
        site: "prod".into(),
        host: address.ip().to_string(),
        port: address.port(),
        client_certificate: "client.pem".into(),
        client_key: "client_key.pem".into(),
        root_certificate: "root.pem".into(),
        verify: true,
        user: "UserDirectory=Internal; UserId=sa_repository".into(),
        timeout: Duration::from_secs(30),
        cache: Duration::from_secs(60),
    }
}

/// An address that refuses connections, for as long as the socket is held.
pub(crate) fn closed_port() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

async fn respond(request: &Parts, answer: impl Fn(&str) -> Answer, notes: &Notes) -> Response<Body> {
    struct UnderWay<'a>(&'a Notes);
    impl Drop for UnderWay<'_> {
        fn drop(&mut self) {
            self.0.under_way.send_modify(|count| *count -= 1);
        }
    }
    let query = request.uri.query().unwrap_or_default();
    let parameter = query.split('&').find(|pair| !pair.starts_with("xrfkey=")).map(|pair| format!("?{pair}"));
    let path = request.uri.path().trim_start_matches("/qrs/");
    let what = format!("{path}{}", parameter.unwrap_or_default());
    let what = percent_decode_str(&what).decode_utf8().unwrap().into_owned();
    let seen = Seen { what: what.clone(), query: query.to_owned(), headers: request.headers.clone() };
    notes.seen.lock().unwrap().push(seen);
    notes.under_way.send_modify(|count| *count += 1);
    let _under_way = UnderWay(notes);
    let mut response = Response::builder();
    let (status, body) = match answer(&what) {
        Answer::Json(value) => (200, value.to_string().into_bytes()),
        Answer::Status(status, text) => (status, text.as_bytes().to_vec()),
        Answer::Bytes(bytes) => (200, bytes),
        Answer::Typed(content_type, text) => {
            response = response.header("content-type", content_type);
            (200, text.as_bytes().to_vec())
        }
        Answer::Hang => pending().await,
        Answer::Held(mut gate, value) => {
            gate.wait_for(|open| *open).await.unwrap();
            (200, value.to_string().into_bytes())
        }
    };
    response.status(status).body(Body::from(body)).unwrap()
}

/// A clock for which short waits pass at once, and are noted; waits of [`HastyClock::PATIENT`] or more are the inner clock's.
#[derive(Debug, Clone, Default)]
pub(crate) struct HastyClock {
    pub(crate) inner: TestClock,
    slept: Arc<Mutex<Vec<Duration>>>,
}

impl HastyClock {
    pub(crate) const PATIENT: Duration = Duration::from_secs(10);

    pub(crate) fn slept(&self) -> Vec<Duration> {
        self.slept.lock().unwrap().clone()
    }
}

#[async_trait]
impl Clock for HastyClock {
    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    fn monotonic(&self) -> Duration {
        self.inner.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        if duration >= Self::PATIENT {
            return self.inner.sleep(duration).await;
        }
        self.slept.lock().unwrap().push(duration);
        self.inner.advance(duration);
    }
}
