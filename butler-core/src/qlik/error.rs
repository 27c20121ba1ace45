//! What can go wrong between us and a repository, told so that an administrator can mend it.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use super::trust::{Peer, explain_tls, refuses_us};
use crate::event::SiteName;
use crate::http_client::ClientError;
use crate::tls;

/// The request that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The site.
    pub site: SiteName,
    /// Host and port.
    pub address: String,
    /// `GET`, `POST` or `DELETE`.
    pub method: String,
    /// Path and filter, readable; without the key against request forgery.
    pub path: String,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "site `{}`, {} {} at {}", self.site, self.method, self.path, self.address)
    }
}

/// Why the repository gave no answer that could be used.
///
/// The text of an error names the site, the request, what happened and what to do; [`QlikError::brief`] is the half sentence that fits into a message to people.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum QlikError {
    /// The client can't be made: a certificate file is missing, or a setting is not what it should be.
    #[error("site `{site}`: {why}")]
    Setup {
        /// The site.
        site: SiteName,
        /// Why.
        why: String,
    },
    /// No connection, or it broke.
    #[error("{request}: {why}; is the Qlik Sense Repository Service running, is this its address, and does every firewall let it through?")]
    Unreachable {
        /// The request.
        request: Box<Request>,
        /// Why.
        why: String,
        /// Whether the request may have been received: there was a connection, which broke before the answer came.
        sent: bool,
    },
    /// No answer in time.
    #[error("{request}: no answer within {}; the repository is busy or hangs, see its log, or raise the site's `timeout`", humantime::format_duration(*after))]
    Timeout {
        /// The request.
        request: Box<Request>,
        /// How long it was waited for.
        after: Duration,
    },
    /// The two sides do not trust each other.
    #[error("{request}: {why}; {remedy}")]
    Certificate {
        /// The request.
        request: Box<Request>,
        /// Why.
        why: String,
        /// What to do.
        remedy: String,
        /// Whether the request may have been received: the two had trusted each other at first.
        sent: bool,
    },
    /// 401 or 403.
    #[error(
        "{request}: refused with status {status}{}; are the certificates from this site, and does the site's `user` exist with the right to {}?",
        quoted(body),
        rights(request)
    )]
    Forbidden {
        /// The request.
        request: Box<Request>,
        /// 401 or 403.
        status: u16,
        /// The start of what came with it.
        body: String,
    },
    /// 404.
    #[error("{request}: there is no such thing (status 404)")]
    NotFound {
        /// The request.
        request: Box<Request>,
    },
    /// Another status than the ones that mean something here.
    #[error(
        "{request}: status {status}{} where {} was expected; is this the port of the repository (4242)? If so, its log tells more",
        quoted(body),
        expected(request)
    )]
    Unexpected {
        /// The request.
        request: Box<Request>,
        /// The status.
        status: u16,
        /// The start of what came with it.
        body: String,
    },
    /// An answer that is none.
    #[error("{request}: the reply can't be understood: {why}; is this the port of the repository (4242), and nothing else in between?")]
    Malformed {
        /// The request.
        request: Box<Request>,
        /// Why.
        why: String,
    },
    /// It was not asked, because it has not answered others for a while; one request at a time tries whether it is back.
    #[error("{request}: not asked, since the repository has been down since {since} ({why})")]
    Down {
        /// The request.
        request: Box<Request>,
        /// Since when.
        since: Timestamp,
        /// How the latest request failed.
        why: String,
    },
}

const REPOSITORY: Peer = Peer { name: "repository", port: 4242 };
/// How many characters of a reply's body an error shows.
const EXCERPT: usize = 300;

impl QlikError {
    pub(super) fn setup(site: &SiteName, why: &ClientError) -> Self {
        let remedy = "export the certificates of this site from the QMC (PEM format, no password) and set `certificates` to their folder";
        Self::Setup { site: site.clone(), why: format!("{why}; {remedy}") }
    }

    /// What a transport's error means.
    pub(super) fn transport(request: Box<Request>, error: reqwest::Error, root: Option<&PathBuf>) -> Self {
        // The address is told by the request; the transport's own text would repeat it, with the key.
        let error = error.without_url();
        // Without a connection nothing was sent. A repository may also refuse the client's certificate when the client is done with the handshake already.
        let sent = !error.is_connect();
        if let Some(fault) = tls::error_within(&error) {
            let (why, remedy) = explain_tls(fault, root, REPOSITORY);
            return Self::Certificate { request, why, remedy, sent: sent && !refuses_us(fault) };
        }
        if error.is_timeout() {
            return Self::Unreachable { request, why: "no connection in time".into(), sent };
        }
        let mut why = innermost(&error);
        if root.is_some() && broke(&error) {
            why.push_str(", which is also how some repositories refuse a client certificate");
        }
        Self::Unreachable { request, why, sent }
    }

    /// The request that failed, if it came to one.
    #[must_use]
    pub fn request(&self) -> Option<&Request> {
        match self {
            Self::Setup { .. } => None,
            Self::Unreachable { request, .. }
            | Self::Timeout { request, .. }
            | Self::Certificate { request, .. }
            | Self::Forbidden { request, .. }
            | Self::NotFound { request }
            | Self::Unexpected { request, .. }
            | Self::Malformed { request, .. }
            | Self::Down { request, .. } => Some(request),
        }
    }

    /// Half a sentence for a message to people: `the repository at sense:4242 refused the request (403)`.
    #[must_use]
    pub fn brief(&self) -> String {
        let who = |request: &Request| format!("the repository at {}", request.address);
        match self {
            Self::Setup { .. } => "the client of the repository can't be set up".into(),
            Self::Unreachable { request, why, .. } => format!("{} can't be reached ({why})", who(request)),
            Self::Timeout { request, after } => format!("{} did not answer within {}", who(request), humantime::format_duration(*after)),
            Self::Certificate { request, why, .. } => format!("no trusted connection to {} ({why})", who(request)),
            Self::Forbidden { request, status, .. } => format!("{} refused the request (status {status})", who(request)),
            Self::NotFound { request } => format!("{} knows no such thing", who(request)),
            Self::Unexpected { request, status, .. } => format!("{} answered with status {status}", who(request)),
            Self::Malformed { request, .. } => format!("{} gave a reply that can't be understood", who(request)),
            Self::Down { request, since, why } => {
                let minute = since.strftime("%Y-%m-%d %H:%M UTC");
                format!("{} has been down since {minute} ({why})", who(request))
            }
        }
    }

    /// Whether the same request may well succeed a moment later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } => true,
            Self::Unexpected { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }

    /// Whether the repository surely did not get the request.
    #[must_use]
    pub fn was_not_received(&self) -> bool {
        match self {
            Self::Setup { .. } | Self::Down { .. } => true,
            Self::Unreachable { sent, .. } | Self::Certificate { sent, .. } => !sent,
            _ => false,
        }
    }

    /// Whether the repository may have done what it was told, though it did not say so.
    #[must_use]
    pub fn may_have_been_carried_out(&self) -> bool {
        match self {
            Self::Forbidden { .. } | Self::NotFound { .. } => false,
            Self::Unexpected { status, .. } => *status >= 500,
            other => !other.was_not_received(),
        }
    }

    /// Whether certificates that were renewed meanwhile may help: a refused one shows in several ways.
    pub(super) fn may_be_certificates(&self) -> bool {
        matches!(self, Self::Certificate { .. } | Self::Forbidden { .. } | Self::Unreachable { .. })
    }

    /// Whether it says that nobody would be answered now; an odd reply to one question does not.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Certificate { .. } => true,
            Self::Unexpected { status, .. } => matches!(status, 502..=504),
            _ => false,
        }
    }

    /// The reason alone, for lists of states.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Unreachable { why, .. } | Self::Certificate { why, .. } | Self::Malformed { why, .. } | Self::Setup { why, .. } => {
                why.clone()
            }
            Self::Timeout { after, .. } => format!("no answer within {}", humantime::format_duration(*after)),
            Self::Forbidden { status, .. } | Self::Unexpected { status, .. } => format!("status {status}"),
            Self::NotFound { .. } => "status 404".into(),
            Self::Down { why, .. } => why.clone(),
        }
    }
}

/// The start of a reply's body, on one line, without the key that some errors repeat.
pub(super) fn excerpt(body: &[u8], key: &str) -> String {
    let start = String::from_utf8_lossy(body.get(..4 * EXCERPT).unwrap_or(body)).replace(key, "***");
    let clean: String = start.chars().map(|c| if c.is_control() { ' ' } else { c }).take(EXCERPT).collect();
    clean.trim().trim_matches('"').trim().to_owned()
}

pub(super) fn quoted(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!(" (`{body}`)") }
}

/// What the user of a site has to be allowed to.
fn rights(request: &Request) -> &'static str {
    if is_start(request) { "start tasks" } else { "read tasks, apps and users" }
}

/// The status of an answer as it should be.
fn expected(request: &Request) -> u16 {
    if is_start(request) { 204 } else { 200 }
}

fn is_start(request: &Request) -> bool {
    request.method == "POST" && request.path.ends_with("/start")
}

/// Whether a connection that stood was cut.
pub(super) fn broke(error: &(dyn Error + 'static)) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let cut = |error: &std::io::Error| matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof);
    error.downcast_ref::<std::io::Error>().is_some_and(cut) || error.source().is_some_and(broke)
}

pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use rustls::{AlertDescription, CertificateError};

    use super::*;

    fn request() -> Box<Request> {
        let path = "/qrs/task/full?filter=id eq 7".into();
        Box::new(Request { site: "prod".into(), address: "sense:4242".into(), method: "GET".into(), path })
    }

    #[test]
    fn errors_name_the_site_the_request_what_happened_and_the_remedy() {
        let request = request();
        let root = PathBuf::from("certs/root.pem");
        let certificate = |error: rustls::Error| {
            let (why, remedy) = explain_tls(&error, Some(&root), REPOSITORY);
            QlikError::Certificate { request: request.clone(), why, remedy, sent: false }
        };
        let body = excerpt(b"\"Forbidden\r\n\"", "key");
        let errors = [
            QlikError::Unreachable { request: request.clone(), why: "connection refused".into(), sent: false },
            QlikError::Timeout { request: request.clone(), after: Duration::from_secs(30) },
            certificate(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)),
            certificate(rustls::Error::InvalidCertificate(CertificateError::NotValidForName)),
            certificate(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)),
            QlikError::Forbidden { request: request.clone(), status: 403, body },
            QlikError::NotFound { request: request.clone() },
            QlikError::Unexpected { request: request.clone(), status: 500, body: String::new() },
            QlikError::Malformed { request: request.clone(), why: "expected a list of tasks, got a text".into() },
            QlikError::Down { request: request.clone(), since: Timestamp::constant(1_715_580_131, 0), why: "connection refused".into() },
        ];
        let both: Vec<_> = errors.iter().map(|error| format!("{error}\n  -> {}", error.brief())).collect();
        insta::assert_snapshot!(both.join("\n"));
    }

    #[test]
    fn an_excerpt_is_short_clean_and_without_the_key() {
        assert_eq!(excerpt(b" no\r\nxrfkey=abc ", "abc"), "no  xrfkey=***");
        assert_eq!(excerpt("ö".repeat(5000).as_bytes(), "abc").chars().count(), EXCERPT);
        assert_eq!(excerpt(&[0xff, 0xfe], "abc"), "\u{fffd}\u{fffd}");
    }
}
