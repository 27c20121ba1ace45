//! The client of a site's repository: how one question is asked.
//!
//! Every request carries the key against request forgery twice (header and query, the same sixteen characters) and says on whose behalf it is
//! made. At most [`MAX_IN_FLIGHT`] requests are under way at once, over connections that are kept. What fails for a passing reason is asked again after a while;
//! when a request gives up, the circuit opens and the others need not find out for themselves.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::ask::Ask;
use super::circuit::{Circuit, Refusal, RepositoryState};
use super::error::{QlikError, Request, excerpt};
use super::lookup::Caches;
use super::{RepositorySettings, script_log};
use crate::clock::Clock;
use crate::http_client::{self, ClientError, ClientOptions};
use crate::tls::{self, Trust};

/// How many requests are under way at once, and how many connections are kept.
const MAX_IN_FLIGHT: usize = 8;
/// The largest reply that is held in memory. Script logs are streamed and may be larger.
const MAX_REPLY: usize = 32 * 1024 * 1024;
/// How long it is waited before a request is repeated.
const RETRY_WAITS: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];
const KEY_LENGTH: usize = 16;

/// Asks a site's repository.
///
/// It is made from [`RepositorySettings`] without any request, and shared: look-ups of the same object share one request, and while the repository is down all share the knowledge of it.
///
/// # Cancellation
/// Dropping the future of any method gives up the request and has no other effect than that a long wait in vain counts against the repository.
#[derive(Debug)]
pub struct RepositoryClient {
    settings: RepositorySettings,
    /// `https://sense:4242`.
    base: String,
    encrypted: bool,
    pub(super) clock: Arc<dyn Clock>,
    http: Mutex<Connector>,
    key: Mutex<Arc<str>>,
    permits: Semaphore,
    circuit: Circuit,
    pub(super) caches: Caches,
    pub(super) log_api: AtomicU8,
    /// Whether the repository has refused to look for executions by the scheduler's id.
    pub(super) no_execution_filter: AtomicBool,
    /// Whether it has refused to look for executions by their state.
    pub(super) no_status_filter: AtomicBool,
}

#[derive(Debug, Clone)]
struct Connector {
    http: reqwest::Client,
    files: [Option<SystemTime>; 3],
}

/// How a reply is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Take {
    Whole,
    InPieces,
}

enum Reply<'a> {
    Whole(Bytes),
    InPieces(Box<Download<'a>>),
}

/// A reply that is taken in pieces. It counts as a request under way until it is dropped.
pub struct Download<'a> {
    client: &'a RepositoryClient,
    request: Box<Request>,
    response: reqwest::Response,
    _permit: SemaphorePermit<'a>,
}

impl RepositoryClient {
    /// A client for a site; the certificate files are read, nothing is asked.
    ///
    /// # Errors
    /// [`QlikError::Setup`].
    pub fn new(settings: RepositorySettings, clock: Arc<dyn Clock>) -> Result<Self, QlikError> {
        Self::make(settings, clock, true)
    }

    /// A client that speaks plain HTTP and shows no certificate: useful only for a simulated repository.
    ///
    /// # Errors
    /// [`QlikError::Setup`].
    pub fn unencrypted(settings: RepositorySettings, clock: Arc<dyn Clock>) -> Result<Self, QlikError> {
        Self::make(settings, clock, false)
    }

    fn make(settings: RepositorySettings, clock: Arc<dyn Clock>, encrypted: bool) -> Result<Self, QlikError> {
        let fault = |why: String| QlikError::Setup { site: settings.site.clone(), why };
        let host = if settings.host.contains(':') && !settings.host.starts_with('[') {
            format!("[{}]", settings.host)
        } else {
            settings.host.clone()
        };
        let base = format!("{}://{host}:{}", if encrypted { "https" } else { "http" }, settings.port);
        url::Url::parse(&base).map_err(|why| fault(format!("`{}` is no host name: {why}", settings.host)))?;
        HeaderValue::from_str(&settings.user).map_err(|_| {
            fault("`user` can't be sent in a header; expected `UserDirectory=Internal; UserId=sa_repository`, or the like".into())
        })?;
        let connector = connect(&settings, encrypted).map_err(|why| QlikError::setup(&settings.site, &why))?;
        Ok(Self {
            base,
            encrypted,
            http: Mutex::new(connector),
            key: Mutex::new(new_key()),
            permits: Semaphore::new(MAX_IN_FLIGHT),
            circuit: Circuit::new(settings.site.clone(), Arc::clone(&clock)),
            caches: Caches::new(settings.cache),
            log_api: AtomicU8::new(script_log::UNKNOWN),
            no_execution_filter: AtomicBool::new(false),
            no_status_filter: AtomicBool::new(false),
            clock,
            settings,
        })
    }

    /// The same client, which tells `hook` whenever the state of the repository changes: where a report of all sites' health is kept, this
    /// is how it is kept up to date. The hook must not block.
    #[must_use]
    pub fn on_change(mut self, hook: impl Fn(&RepositoryState) + Send + Sync + 'static) -> Self {
        self.circuit.set_hook(Box::new(hook));
        self
    }

    /// What it was made from.
    #[must_use]
    pub fn settings(&self) -> &RepositorySettings {
        &self.settings
    }

    /// The clock that it waits by.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Host and port, for messages.
    #[must_use]
    pub fn address(&self) -> String {
        self.base.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// How the repository stands.
    #[must_use]
    pub fn state(&self) -> RepositoryState {
        self.circuit.state()
    }

    /// Since when the repository does not answer; `None` while it does, or was not asked yet.
    #[must_use]
    pub fn down_since(&self) -> Option<Timestamp> {
        self.circuit.state().down_since
    }

    /// How the latest request failed, if one failed at `from` (of the clock's monotonic time) or later.
    #[must_use]
    pub fn failure_since(&self, from: Duration) -> Option<String> {
        self.circuit.failure_since(from)
    }

    /// Asks for JSON.
    pub(super) async fn get(&self, ask: &Ask) -> Result<Value, QlikError> {
        self.read(ask, |body| serde_json::from_slice(body)).await
    }

    /// Asks for JSON of which `read` keeps what is needed.
    pub(super) async fn read<T>(&self, ask: &Ask, read: impl FnOnce(&[u8]) -> Result<T, serde_json::Error>) -> Result<T, QlikError> {
        match self.call(ask, Take::Whole).await? {
            Reply::Whole(body) => read(&body).map_err(|why| {
                let start = excerpt(body.get(..80).unwrap_or(&body), &self.key());
                let fault = if why.is_data() { "it is not what was asked for" } else { "it is not JSON" };
                self.malformed(ask, format!("{fault} ({why}), it begins with `{start}`"))
            }),
            Reply::InPieces(_) => Err(self.malformed(ask, "it came in pieces".into())),
        }
    }

    /// Gives an order, and gives back what the repository says to it: JSON, or nothing.
    ///
    /// It is repeated only where the repository surely did not get it: no connection, no trust, or a key that it did not take. An error may mean that the order was
    /// carried out all the same: see [`QlikError::may_have_been_carried_out`].
    pub(super) async fn send(&self, order: &Ask) -> Result<Value, QlikError> {
        self.read(order, |body| if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(body) }).await
    }

    /// Asks for something that may be large.
    pub(super) async fn download(&self, ask: &Ask) -> Result<Box<Download<'_>>, QlikError> {
        match self.call(ask, Take::InPieces).await? {
            Reply::InPieces(download) => Ok(download),
            Reply::Whole(_) => Err(self.malformed(ask, "it came whole".into())),
        }
    }

    pub(super) fn malformed(&self, ask: &Ask, why: String) -> QlikError {
        QlikError::Malformed { request: self.request(ask), why }
    }

    fn request(&self, ask: &Ask) -> Box<Request> {
        let (site, address, path) = (self.settings.site.clone(), self.address(), ask.readable());
        Box::new(Request { site, address, method: ask.method.to_string(), path })
    }

    fn key(&self) -> Arc<str> {
        Arc::clone(&self.key.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn call(&self, ask: &Ask, take: Take) -> Result<Reply<'_>, QlikError> {
        let down = |refusal: Refusal| QlikError::Down { request: self.request(ask), since: refusal.since, why: refusal.why };
        let mut waits = RETRY_WAITS.into_iter();
        let mut passage = None;
        let (mut new_key_tried, mut new_files_tried) = (false, false);
        loop {
            if passage.is_none() {
                // Not to queue for a permit behind requests that hang.
                self.circuit.refusal().map_or(Ok(()), |refusal| Err(down(refusal)))?;
            }
            let permit = self.permits.acquire().await.map_err(|_| self.malformed(ask, "the client was closed".into()))?;
            let current = match passage.take() {
                None => self.circuit.enter().map_err(down)?,
                Some(current) => current,
            };
            let key = self.key();
            let error = match self.attempt(ask, take, &key, permit).await {
                Ok(reply) => {
                    current.answered(None);
                    return Ok(reply);
                }
                Err(error) => error,
            };
            let may_repeat = ask.is_safe() || error.was_not_received();
            if !new_key_tried && is_forgery_check(&error) {
                new_key_tried = true;
                *self.key.lock().unwrap_or_else(PoisonError::into_inner) = new_key();
                passage = Some(current);
            } else if !new_files_tried
                && (may_repeat || matches!(error, QlikError::Forbidden { .. }))
                && error.may_be_certificates()
                && self.reload_certificates()
            {
                new_files_tried = true;
                passage = Some(current);
            } else if let Some(wait) = waits.next().filter(|_| may_repeat && error.is_passing() && !current.is_probe()) {
                current.stumbled(&error.reason());
                self.clock.sleep(wait.mul_f64(0.8 + 0.4 * fastrand::f64())).await;
                if let Some(refusal) = self.circuit.refusal() {
                    return Err(down(refusal));
                }
                passage = Some(current);
            } else {
                if error.is_outage() {
                    current.failed(&error.reason());
                } else {
                    // That an object is unknown is an answer like any other.
                    let is_fault = !matches!(error, QlikError::NotFound { .. });
                    current.answered(is_fault.then(|| error.reason()).as_deref());
                }
                return Err(error);
            }
        }
    }

    async fn attempt<'a>(&'a self, ask: &Ask, take: Take, key: &str, permit: SemaphorePermit<'a>) -> Result<Reply<'a>, QlikError> {
        let http = self.http.lock().unwrap_or_else(PoisonError::into_inner).http.clone();
        let exchange = async {
            let url = format!("{}{}", self.base, ask.target(key));
            let mut request = http.request(ask.method.clone(), url).headers(self.headers(key));
            if let Some(body) = &ask.body {
                request = request.body(body.clone());
            }
            let mut response = request.send().await.map_err(|error| self.transport(ask, error))?;
            let status = response.status().as_u16();
            if status == 200 && take == Take::InPieces {
                let download = Download { client: self, request: self.request(ask), response, _permit: permit };
                return Ok(Reply::InPieces(Box::new(download)));
            }
            let mut body = Vec::new();
            while let Some(piece) = response.chunk().await.map_err(|error| self.transport(ask, error))? {
                if body.len() + piece.len() > MAX_REPLY {
                    return Err(self.malformed(ask, format!("it is larger than {} MiB", MAX_REPLY / 1024 / 1024)));
                }
                body.extend_from_slice(&piece);
            }
            match status {
                200 => Ok(Reply::Whole(body.into())),
                201 | 204 if !ask.is_safe() => Ok(Reply::Whole(body.into())),
                _ => Err(self.refused(ask, status, excerpt(&body, key))),
            }
        };
        tokio::select! {
            biased;
            outcome = exchange => outcome,
            () = self.clock.sleep(self.settings.timeout) => Err(QlikError::Timeout { request: self.request(ask), after: self.settings.timeout }),
        }
    }

    fn headers(&self, key: &str) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/plain, */*"));
        // Both were checked when the client was made; the key has letters and digits only.
        let own = [("x-qlik-xrfkey", key), ("x-qlik-user", self.settings.user.as_str())];
        for (name, value) in own {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        headers
    }

    fn transport(&self, ask: &Ask, error: reqwest::Error) -> QlikError {
        QlikError::transport(self.request(ask), error, self.encrypted.then_some(&self.settings.root_certificate))
    }

    fn refused(&self, ask: &Ask, status: u16, body: String) -> QlikError {
        let request = self.request(ask);
        match status {
            401 | 403 => QlikError::Forbidden { request, status, body },
            404 => QlikError::NotFound { request },
            _ => QlikError::Unexpected { request, status, body },
        }
    }

    /// Takes the certificate files anew if they have changed: whoever renews a site's certificates need not restart anything.
    fn reload_certificates(&self) -> bool {
        let mut connector = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.encrypted || files(&self.settings) == connector.files {
            return false;
        }
        match connect(&self.settings, self.encrypted) {
            Ok(renewed) => {
                tracing::info!(site = %self.settings.site, "The certificate files have changed and were read again.");
                *connector = renewed;
                true
            }
            Err(why) => {
                tracing::warn!(site = %self.settings.site, %why, "The certificate files have changed, but can't be used.");
                false
            }
        }
    }
}

impl Download<'_> {
    /// Whether this is a page or an object in place of a plain text: the answer of something else, or of an error.
    pub(super) fn is_no_text(&self) -> bool {
        let content_type = self.response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let sort = content_type.split(';').next().unwrap_or_default().trim();
        sort.eq_ignore_ascii_case("application/json") || sort.eq_ignore_ascii_case("text/html")
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// [`QlikError`], when it stops to come.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, QlikError> {
        let timeout = self.client.settings.timeout;
        let piece = tokio::select! {
            biased;
            piece = self.response.chunk() => piece,
            () = self.client.clock.sleep(timeout) => return Err(QlikError::Timeout { request: self.request.clone(), after: timeout }),
        };
        piece.map_err(|error| QlikError::transport(self.request.clone(), error, None))
    }
}

fn connect(settings: &RepositorySettings, encrypted: bool) -> Result<Connector, ClientError> {
    let files = files(settings);
    let (trust, identity) = if encrypted {
        let trust = if settings.verify { Trust::Only(tls::read_certificates(&settings.root_certificate)?) } else { Trust::Anything };
        (trust, Some(tls::read_identity(&settings.client_certificate, &settings.client_key)?))
    } else {
        (Trust::Only(Vec::new()), None)
    };
    let http = http_client::build(ClientOptions {
        trust,
        identity,
        connect_timeout: settings.timeout.min(Duration::from_secs(5)),
        // How long an answer may take is watched by our own clock; a script log may take longer than any reply.
        timeout: Duration::from_hours(1),
        redirects: 0,
        idle_per_host: MAX_IN_FLIGHT,
        system_proxy: false,
    })?;
    Ok(Connector { http, files })
}

/// When each of the certificate files was written.
fn files(settings: &RepositorySettings) -> [Option<SystemTime>; 3] {
    let written = |path: &PathBuf| std::fs::metadata(path).and_then(|file| file.modified()).ok();
    [&settings.client_certificate, &settings.client_key, &settings.root_certificate].map(written)
}

fn new_key() -> Arc<str> {
    std::iter::repeat_with(fastrand::alphanumeric).take(KEY_LENGTH).collect::<String>().into()
}

fn is_forgery_check(error: &QlikError) -> bool {
    matches!(error, QlikError::Forbidden { status: 403, body, .. } if body.contains("XSRF"))
}

#[cfg(all(test, feature = "testkit"))]
mod tests;
#[cfg(all(test, feature = "testkit"))]
mod tls_tests;
