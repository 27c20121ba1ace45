//! One attempt over HTTP: what the sinks for webhooks have in common.
//!
//! The address of a webhook is its password, so it appears nowhere: errors name scheme, host and port, and what the remote says in its
//! answer is shown only after everything that the address and our headers hold has been blotted out of it.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Zoned;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, Response, StatusCode};
use tokio::sync::OnceCell;
use url::Url;

use super::handshake::{Remedies, explain};
use super::{BuildError, DeliveryError, Reason, Receipt, SinkContext};
use crate::clock::Clock;
use crate::http_client::{self, ClientOptions};
use crate::tls::{self, Trust};

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;
/// How much of an answer is read.
const MAX_ANSWER: usize = 64 * 1024;
/// How long the rest of an answer is waited for once its status is known.
const REST_OF_ANSWER: Duration = Duration::from_secs(1);

/// A remote that is spoken to over HTTP. Its client is made at the first attempt, for reading the system's roots takes a while.
pub(super) struct HttpRemote {
    url: Url,
    shown: String,
    headers: HeaderMap,
    secrets: Vec<String>,
    options: ClientOptions,
    client: OnceCell<Client>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for HttpRemote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpRemote({})", self.shown)
    }
}

/// Which certificates of the remote are accepted.
pub(super) fn trust(ca: Option<&Path>, accept_untrusted: bool, context: &SinkContext) -> Result<Trust, BuildError> {
    let roots = ca.map(|ca| {
        let path: PathBuf = context.path(ca);
        tls::read_certificates(&path).map_err(|why| BuildError::Invalid { key: "ca", why: why.to_string() })
    });
    match (roots.transpose()?, accept_untrusted) {
        (_, true) => Ok(Trust::Anything),
        (Some(roots), false) => Ok(Trust::Only(roots)),
        (None, false) => Ok(Trust::System),
    }
}

/// An answer with a status of success.
#[derive(Debug)]
pub(super) struct Accepted {
    status: u16,
    /// Its body, or the start of it; it may hold what is secret.
    #[cfg_attr(not(feature = "sink-teams"), expect(dead_code, reason = "only Teams says more than its status does"))]
    pub(super) answer: String,
}

/// What came back, whatever it is.
#[derive(Debug)]
pub(super) struct Answer {
    /// Its status.
    pub(super) status: StatusCode,
    /// How long the remote asks us to wait.
    wait: Option<Duration>,
    /// Its body, or the start of it; it may hold what is secret.
    pub(super) text: String,
}

impl Answer {
    /// The answer to a request that was accepted.
    pub(super) fn accepted(self) -> Accepted {
        Accepted { status: self.status.as_u16(), answer: self.text }
    }
}

impl Accepted {
    pub(super) fn receipt(&self) -> Receipt {
        Receipt { detail: format!("HTTP {}", self.status) }
    }
}

/// What is sent.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    /// Added to the query of the address.
    pub(super) query: Option<&'a str>,
    /// Type of the body, empty for none, and the body.
    pub(super) body: Option<(&'a str, &'a str)>,
    /// Sent as `Idempotency-Key`.
    pub(super) key: Option<String>,
    /// What becomes of redirects.
    pub(super) redirects: Redirects,
}

/// Which redirects are followed: 301, 302 and 303 make a GET without a body of a POST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redirects {
    /// All, as browsers do: whoever redirects has taken the message, and shows what came of it elsewhere.
    #[cfg_attr(not(feature = "sink-webhook"), expect(dead_code, reason = "only webhooks know remotes of this sort"))]
    Any,
    /// Those that take the message along: the remote never answers a message that it has taken with a redirect.
    WithMessage,
}

impl HttpRemote {
    /// `key` names the option that holds the address.
    pub(super) fn new(key: &'static str, url: &str, headers: HeaderMap, trust: Trust, context: &SinkContext) -> Result<Self, BuildError> {
        let invalid = |why: &str| BuildError::Invalid { key, why: why.to_owned() };
        let url =
            Url::parse(url.trim()).map_err(|why| invalid(&format!("this is no URL ({why}); it has to look like `https://host/path`")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid("the URL has to start with `https://` or `http://`"));
        }
        let is_loopback = match url.host() {
            None => return Err(invalid("the URL names no host")),
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
        };
        let options = ClientOptions {
            trust,
            connect_timeout: context.timeout / 2,
            timeout: context.timeout,
            // Followed here, where it is known whether the message goes along and where it goes.
            redirects: 0,
            // A connection that is not kept costs the next attempt a handshake.
            idle_per_host: context.max_in_flight,
            system_proxy: !is_loopback,
            ..ClientOptions::default()
        };
        let shown = url.origin().ascii_serialization();
        let secrets = secrets(&url, &headers);
        Ok(Self { url, shown, headers, secrets, options, client: OnceCell::new(), clock: Arc::clone(&context.clock) })
    }

    /// The same for a remote whose address everybody may know: only what its headers hold, a login within the address, and `more` are blotted out.
    #[cfg(feature = "sink-influxdb")]
    pub(super) fn with_open_address(mut self, more: &[&str]) -> Self {
        let mut bare = self.url.clone();
        bare.set_path("");
        bare.set_query(None);
        let address = bare.to_string();
        self.secrets = secrets(&bare, &self.headers);
        self.secrets.retain(|secret| *secret != address || !bare.username().is_empty());
        self.secrets.extend(more.iter().filter(|more| !more.is_empty()).map(|more| (*more).to_owned()));
        self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        self
    }

    /// Sends a request, follows redirects, and says what came of it.
    #[cfg_attr(
        not(any(feature = "sink-newrelic", feature = "sink-signl4", feature = "sink-slack", feature = "sink-webhook")),
        expect(dead_code, reason = "the others look at the answer themselves")
    )]
    pub(super) async fn send(&self, request: Request<'_>) -> Result<Receipt, DeliveryError> {
        self.send_and_read(request).await.map(|accepted| accepted.receipt())
    }

    /// The same, for remotes whose answer says more than its status.
    pub(super) async fn send_and_read(&self, request: Request<'_>) -> Result<Accepted, DeliveryError> {
        let answer = self.exchange(request).await?;
        self.judge(&answer)?;
        Ok(answer.accepted())
    }

    /// Sends a request, follows redirects, and gives the answer, whatever it is; [`judge`](Self::judge) says what is wrong with it.
    pub(super) async fn exchange(&self, request: Request<'_>) -> Result<Answer, DeliveryError> {
        let attempt = self.follow(request);
        let limit = self.options.timeout;
        tokio::time::timeout(limit, attempt).await.unwrap_or_else(|_| Err(self.too_late()))
    }

    /// Asks the remote which methods it knows: whatever it answers, it is there. Nothing is sent to people.
    #[cfg_attr(
        not(any(
            feature = "sink-newrelic",
            feature = "sink-signl4",
            feature = "sink-slack",
            feature = "sink-teams",
            feature = "sink-webhook"
        )),
        expect(dead_code, reason = "InfluxDB is asked by a write of nothing")
    )]
    pub(super) async fn reach(&self) -> Result<Receipt, DeliveryError> {
        let request = self.client().await?.request(Method::OPTIONS, self.url.clone()).headers(self.headers.clone());
        let response = request.send().await.map_err(|error| self.failed(error))?;
        Ok(Receipt { detail: format!("{} answers", self.shown) }).inspect(|_| drop(response))
    }

    async fn client(&self) -> Result<&Client, DeliveryError> {
        let make = || async {
            let options = self.options.clone();
            // Reading the system's roots blocks.
            let made = tokio::task::spawn_blocking(move || http_client::build(options)).await;
            match made {
                Ok(Ok(client)) => Ok(client),
                Ok(Err(why)) => Err(DeliveryError::transient(Reason::Tls, why.to_string())),
                Err(why) => Err(DeliveryError::transient(Reason::Tls, format!("making the HTTP client failed: {why}"))),
            }
        };
        self.client.get_or_try_init(make).await
    }

    async fn follow(&self, request: Request<'_>) -> Result<Answer, DeliveryError> {
        let client = self.client().await?;
        let mut url = self.url.clone();
        if let Some(added) = request.query {
            let query = url.query().filter(|own| !own.is_empty()).map_or_else(|| added.to_owned(), |own| format!("{own}&{added}"));
            url.set_query(Some(&query));
        }
        let (mut method, mut body) = (request.method, request.body);
        for _ in 0..=MAX_REDIRECTS {
            let mut sent = client.request(method.clone(), url.clone()).headers(self.headers.clone());
            if let Some(key) = &request.key {
                sent = sent.header("Idempotency-Key", key);
            }
            if let Some((content_type, text)) = body {
                sent = if content_type.is_empty() { sent } else { sent.header(CONTENT_TYPE, content_type) };
                sent = sent.body(text.to_owned());
            }
            let mut response = sent.send().await.map_err(|error| self.failed(error))?;
            let status = response.status();
            if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                let wait = retry_after(response.headers(), &*self.clock);
                return Ok(Answer { status, wait, text: read(&mut response).await });
            }
            url = self.next(&response, &url)?;
            let loses_body = status == StatusCode::SEE_OTHER
                || method == Method::POST && matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND);
            if loses_body {
                if request.redirects == Redirects::WithMessage {
                    let message = format!(
                        "{} redirects ({}) to where the message can't follow; set the URL to the new address, or see what stands in between",
                        self.shown,
                        status.as_u16()
                    );
                    return Err(DeliveryError::transient(Reason::Protocol, message));
                }
                (method, body) = (Method::GET, None);
            }
        }
        Err(DeliveryError::permanent(Reason::Rejected, format!("{} redirects more than {MAX_REDIRECTS} times", self.shown)))
    }

    /// Where a redirect leads, if it may be followed there.
    fn next(&self, response: &Response, from: &Url) -> Result<Url, DeliveryError> {
        let refuse = |why: &str| DeliveryError::permanent(Reason::Rejected, format!("{} redirects {why}", self.shown));
        let location = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
        let to = location.and_then(|to| from.join(to).ok()).filter(|to| matches!(to.scheme(), "http" | "https"));
        let to = to.ok_or_else(|| refuse("but does not say where to"))?;
        if from.scheme() == "https" && to.scheme() == "http" {
            return Err(refuse("to an address without TLS, which is not followed"));
        }
        if to.origin() != from.origin() && !self.headers.is_empty() {
            let other = to.origin().ascii_serialization();
            return Err(refuse(&format!("to {other}; `headers` are not sent to another host, so set the URL to the new address")));
        }
        Ok(to)
    }

    /// What is wrong with an answer, unless its status is one of success.
    pub(super) fn judge(&self, answer: &Answer) -> Result<(), DeliveryError> {
        let Answer { status, wait, .. } = *answer;
        if status.is_success() {
            return Ok(());
        }
        let said = self.clean(&answer.text);
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        let message = format!("{} answered {status}{said}", self.shown);
        let error = match status.as_u16() {
            408 => DeliveryError::transient(Reason::Timeout, message),
            425 => DeliveryError::transient(Reason::ServerError, message),
            429 => DeliveryError::transient(Reason::Throttled, message),
            500..=599 => DeliveryError::transient(Reason::ServerError, message),
            401 | 403 | 407 => DeliveryError::permanent(Reason::Refused, message),
            413 | 414 | 431 => DeliveryError::permanent(Reason::TooLarge, message),
            _ => DeliveryError::permanent(Reason::Rejected, message),
        };
        Err(match wait {
            Some(wait) if error.retry != super::Retry::Never => error.retry_after(wait),
            _ => error,
        })
    }

    fn too_late(&self) -> DeliveryError {
        let limit = humantime::format_duration(self.options.timeout);
        DeliveryError::transient(Reason::Timeout, format!("{} did not answer within {limit}", self.shown))
    }

    fn failed(&self, error: reqwest::Error) -> DeliveryError {
        let error = error.without_url();
        if error.is_timeout() {
            return self.too_late().caused_by(error);
        }
        if let Some(tls) = tls::error_within(&error) {
            let remedies = Remedies {
                name: "use a name in the URL that it is for",
                plain: "does the URL have to start with `http://`, or is its port another?",
            };
            let message = format!("no trusted connection to {}: {}", self.shown, self.clean(&explain(tls, remedies)));
            return DeliveryError::transient(Reason::Tls, message).caused_by(error);
        }
        let why = self.clean(&innermost(&error));
        if error.is_builder() {
            return DeliveryError::permanent(Reason::Rejected, format!("the request to {} can't be made: {why}", self.shown));
        }
        let doing = if error.is_connect() { "can't connect to" } else { "lost the connection to" };
        DeliveryError::transient(Reason::Unreachable, format!("{doing} {}: {why}", self.shown)).caused_by(error)
    }

    /// Scheme, host and port: what of the address may be shown.
    #[cfg(any(test, feature = "sink-teams"))]
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// What the remote says, short and in one line, without anything that is secret.
    pub(super) fn clean(&self, text: &str) -> String {
        const LONGEST: usize = 300;
        let mut text = text.to_owned();
        for secret in &self.secrets {
            text = text.replace(secret.as_str(), "***");
        }
        let words: Vec<_> = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
        let text = words.join(" ");
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}...", &text[..end]),
            None => text,
        }
    }
}

/// Everything that the address and the headers hold, longest first.
fn secrets(url: &Url, headers: &HeaderMap) -> Vec<String> {
    const SHORTEST: usize = 5;
    let mut secrets = vec![url.to_string()];
    secrets.extend(url.password().map(str::to_owned));
    secrets.extend([url.path().to_owned(), url.username().to_owned()]);
    secrets.extend(url.path_segments().into_iter().flatten().map(str::to_owned));
    let decoded = url.path_segments().into_iter().flatten().map(|part| percent_encoding::percent_decode_str(part).decode_utf8_lossy());
    secrets.extend(decoded.map(Cow::into_owned));
    secrets.extend(url.query().map(str::to_owned));
    secrets.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
    for value in headers.values().filter_map(|value| value.to_str().ok()) {
        secrets.push(value.to_owned());
        // The word behind `Bearer` is secret by itself.
        secrets.extend(value.split_whitespace().skip(1).map(str::to_owned));
    }
    secrets.retain(|secret| secret.len() >= SHORTEST);
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
}

/// The start of an answer. It is read so that the connection can be used again, but what it says is not waited for.
async fn read(response: &mut Response) -> String {
    let mut bytes = Vec::new();
    let all = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_ANSWER {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(REST_OF_ANSWER, all).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// How long the remote asks us to wait: seconds, or a date.
fn retry_after(headers: &HeaderMap, clock: &dyn Clock) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER).map(HeaderValue::to_str)?.ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at: Zoned = DateTimeParser::new().relaxed_weekday(true).parse_zoned(text).ok()?;
    Some(Duration::try_from(at.timestamp().duration_since(clock.now())).unwrap_or_default())
}

fn chain<'a>(error: &'a (dyn std::error::Error + 'static)) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;
