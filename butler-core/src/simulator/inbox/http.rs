//! A server for webhooks and Slack.
//!
//! It speaks HTTP/1.1 byte by byte and not through a library, for it has to answer wrongly too: half an answer, a connection that breaks.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::certificates::server_config;
use super::gate::Gate;
use crate::simulator::kept::Kept;
use crate::tls::Identity;

/// The longest head of a request.
const MAX_HEAD: usize = 64 * 1024;
/// The longest body of a request.
const MAX_BODY: usize = 16 << 20;

/// A request that was received.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReceivedRequest {
    /// `POST`, `GET`, ...
    pub method: String,
    /// Path without query.
    pub path: String,
    /// What stands behind the `?`, as it was sent.
    pub query: Option<String>,
    /// Headers, names in lower case, in the order of arrival.
    pub headers: Vec<(String, String)>,
    /// The body, as text.
    pub body: String,
    /// The status that it is answered with; `None` if it gets no whole one.
    pub answered: Option<u16>,
}

impl ReceivedRequest {
    /// The first header of that name, in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// How a request is answered.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    gate: Option<Gate>,
    fault: Option<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Reset,
    HalfHead,
    HalfBody,
    Gibberish,
}

impl Answer {
    /// `200`, with the body `ok`.
    #[must_use]
    pub fn ok() -> Self {
        Self::status(200).body("ok")
    }

    /// This status, with an empty body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), gate: None, fault: None }
    }

    /// No answer: the connection is closed once the request was read.
    #[must_use]
    pub fn reset() -> Self {
        Self { fault: Some(Fault::Reset), ..Self::ok() }
    }

    /// The connection is closed in the middle of the answer's head: whether the request was accepted can't be known.
    #[must_use]
    pub fn half() -> Self {
        Self { fault: Some(Fault::HalfHead), ..Self::ok() }
    }

    /// Something that is no HTTP, as another server at the same port would say.
    #[must_use]
    pub fn gibberish() -> Self {
        Self { fault: Some(Fault::Gibberish), ..Self::ok() }
    }

    /// The connection is closed in the middle of the answer's body.
    #[must_use]
    pub fn half_body(self) -> Self {
        Self { fault: Some(Fault::HalfBody), ..self }
    }

    /// The same, with this header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The same, with this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// The same, but not before the gate is open.
    #[must_use]
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }
}

/// A server for webhooks and Slack, on a free port of the loopback. It answers by a queue of [`Answer`]s, and `200 ok` while that is empty.
#[derive(Debug)]
pub struct HttpInbox {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    server: AbortHandle,
}

#[derive(Debug, Default)]
struct Shared {
    received: Kept<ReceivedRequest>,
    next: Mutex<VecDeque<Answer>>,
    at: Mutex<HashMap<String, Answer>>,
    otherwise: Mutex<Option<Answer>>,
    connections: AtomicUsize,
}

impl HttpInbox {
    /// Starts one that speaks plain HTTP.
    ///
    /// # Errors
    /// No port is to be had.
    pub async fn start() -> io::Result<Self> {
        Self::listen(None).await
    }

    /// Starts one that speaks HTTPS with this certificate.
    ///
    /// # Errors
    /// No port is to be had, a key that does not fit the certificate.
    pub async fn start_tls(identity: Identity) -> io::Result<Self> {
        Self::listen(Some(TlsAcceptor::from(server_config(identity)?))).await
    }

    async fn listen(tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let scheme = if tls.is_some() { "https" } else { "http" };
        let server = tokio::spawn(accept(listener, tls, Arc::clone(&shared))).abort_handle();
        Ok(Self { address, scheme, shared, server })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path on it; `path` starts with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Adds the answer to the next request that has none yet.
    pub fn answer(&self, answer: Answer) {
        self.shared.next.lock().unwrap_or_else(PoisonError::into_inner).push_back(answer);
    }

    /// Sets the answer to every request that the queue has none for; `None` is `200 ok`.
    pub fn answer_always(&self, answer: Option<Answer>) {
        *self.shared.otherwise.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// Sets the answer to every request to this path that the queue has none for.
    pub fn answer_at(&self, path: &str, answer: Answer) {
        self.shared.at.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), answer);
    }

    /// What it has received, the latest twenty thousand.
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.shared.received.all()
    }

    /// How many requests it has received in all.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.received.count()
    }

    /// How many connections were made to it in all.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Waits until it has received `count` requests in all.
    pub async fn wait_for(&self, count: usize) -> Vec<ReceivedRequest> {
        self.shared.received.wait_for(count).await
    }
}

impl Drop for HttpInbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    // Connections end with the server: the set aborts what it holds.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        shared.connections.fetch_add(1, Ordering::Relaxed);
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            // A client that goes away is none of our business.
            let _ = match tls {
                None => serve(stream, &shared).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => serve(stream, &shared).await,
                    Err(why) => Err(why),
                },
            };
        });
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, shared: &Shared) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer).await? {
        let answer = shared.next.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let answer = answer.or_else(|| shared.at.lock().unwrap_or_else(PoisonError::into_inner).get(&request.path).cloned());
        let answer = answer.or_else(|| shared.otherwise.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap_or_else(Answer::ok);
        let is_told = !matches!(answer.fault, Some(Fault::Reset | Fault::HalfHead | Fault::Gibberish));
        shared.received.add(ReceivedRequest { answered: is_told.then_some(answer.status), ..request });
        if let Some(gate) = &answer.gate {
            gate.pass().await;
        }
        if answer.fault == Some(Fault::Reset) {
            return Ok(());
        }
        let mut head = format!("HTTP/1.1 {} Status\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let all = [head.as_bytes(), answer.body.as_bytes()].concat();
        let sent = match answer.fault {
            Some(Fault::HalfHead) => &all[..head.len() / 2],
            Some(Fault::Gibberish) => b"220 mail.example.com ESMTP\r\n",
            Some(Fault::HalfBody) => &all[..head.len() + answer.body.len() / 2],
            _ => &all,
        };
        stream.write_all(sent).await?;
        stream.flush().await?;
        if answer.fault.is_some() {
            return Ok(());
        }
    }
    Ok(())
}

/// The next request; `None` at the end. What was read beyond it stays in the buffer.
async fn read_request(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> io::Result<Option<ReceivedRequest>> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end;
        }
        if buffer.len() > MAX_HEAD || stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let mut start = lines.next().unwrap_or_default().split(' ');
    let mut request = ReceivedRequest { method: start.next().unwrap_or_default().to_owned(), ..ReceivedRequest::default() };
    let target = start.next().unwrap_or_default();
    (request.path, request.query) = match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (target.to_owned(), None),
    };
    let headers = lines.filter_map(|line| line.split_once(':'));
    request.headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0).min(MAX_BODY);
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    request.body = String::from_utf8_lossy(&buffer.drain(..length).collect::<Vec<_>>()).into_owned();
    Ok(Some(request))
}
