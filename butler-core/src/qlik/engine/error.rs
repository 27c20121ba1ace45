//! What can go wrong between us and an engine, told so that an administrator can mend it.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use tokio_tungstenite::tungstenite;
use tungstenite::error::CapacityError;

use super::session::LARGEST;
use crate::event::SiteName;
use crate::qlik::error::{broke, excerpt, innermost, quoted};
use crate::qlik::trust::{Peer, explain_tls};
use crate::tls;

const ENGINE: Peer = Peer { name: "engine", port: 4747 };

/// What was wanted of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineRequest {
    /// The site.
    pub site: SiteName,
    /// Host and port.
    pub address: String,
    /// `list of apps`, `dump of app 66bc109d-286a-415b-8355-1422abb22133`.
    pub what: String,
}

impl fmt::Display for EngineRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "site `{}`, {}, engine at {}", self.site, self.what, self.address)
    }
}

/// Why an engine did not do what was wanted. The text names the site, the request, what happened and what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The client can't be made, or a certificate file can't be used.
    #[error("site `{site}`: {why}")]
    Setup {
        /// The site.
        site: SiteName,
        /// Why.
        why: String,
    },
    /// No connection.
    #[error("{request}: {why}; is the Qlik Sense Engine Service running, is this its address, and does every firewall let it through?")]
    Unreachable {
        /// What was wanted.
        request: Box<EngineRequest>,
        /// Why.
        why: String,
    },
    /// The two sides do not trust each other.
    #[error("{request}: {why}; {remedy}")]
    Certificate {
        /// What was wanted.
        request: Box<EngineRequest>,
        /// Why.
        why: String,
        /// What to do.
        remedy: String,
    },
    /// Something answers, but not with a WebSocket.
    #[error(
        "{request}: status {status}{} where a WebSocket was expected; is this the port of the engine (4747), and nothing else in between?",
        quoted(body)
    )]
    NoWebSocket {
        /// What was wanted.
        request: Box<EngineRequest>,
        /// The status.
        status: u16,
        /// The start of what came with it.
        body: String,
    },
    /// No answer in time.
    #[error("{request}: no answer to {method} within {}; the engine is busy or hangs, see its log, or raise the engine's `timeout`", humantime::format_duration(*after))]
    Timeout {
        /// What was wanted.
        request: Box<EngineRequest>,
        /// What was not answered.
        method: &'static str,
        /// How long it was waited for.
        after: Duration,
    },
    /// The engine does not take us for the user.
    #[error("{request}: the engine wants somebody to log in; are the certificates from this site, and does the site's `user` exist?")]
    NotAuthenticated {
        /// What was wanted.
        request: Box<EngineRequest>,
    },
    /// The user may have no session: no license, or too many sessions.
    #[error("{request}: the engine gives the site's `user` no session ({why}); see its licenses and its open sessions in the QMC")]
    NoAccess {
        /// What was wanted.
        request: Box<EngineRequest>,
        /// Why.
        why: String,
    },
    /// The session ended before all was done.
    #[error("{request}: the session ended during {method} ({why}); was the engine restarted, or is there a proxy or firewall in between?")]
    Lost {
        /// What was wanted.
        request: Box<EngineRequest>,
        /// What was under way.
        method: &'static str,
        /// Why.
        why: String,
    },
    /// The engine refused a call.
    #[error("{request}: {method} was refused: {message} (code {code}{})", meaning(*code))]
    Refused {
        /// What was wanted.
        request: Box<EngineRequest>,
        /// The call.
        method: &'static str,
        /// The engine's code.
        code: i64,
        /// The engine's words.
        message: String,
    },
    /// Only one app can be open in a session, and the one that is is not ours.
    #[error("{request}: another app (`{open}`) is open in the engine's session, though nobody else should know of the session; try again")]
    OtherApp {
        /// What was wanted.
        request: Box<EngineRequest>,
        /// The id of the other app.
        open: String,
    },
    /// What the engine has to say comes to more than is taken.
    #[error("{request}: the replies up to {method} come to more than {} MiB, and no more is taken", LARGEST / 1024 / 1024)]
    TooMuch {
        /// What was wanted.
        request: Box<EngineRequest>,
        /// What was under way.
        method: &'static str,
    },
    /// An answer that is none.
    #[error("{request}: the reply to {method} can't be understood: {why}; is this the port of the engine (4747)?")]
    Malformed {
        /// What was wanted.
        request: Box<EngineRequest>,
        /// The call.
        method: &'static str,
        /// Why.
        why: String,
    },
}

/// Codes of the engine's errors.
pub(super) mod code {
    pub(in super::super) const NOT_FOUND: i64 = 2;
    pub(in super::super) const ABORTED: i64 = 15;
    pub(in super::super) const ALREADY_OPEN: i64 = 1002;
}

/// What a code means, and what to do, where its text does not say it.
fn meaning(code: i64) -> &'static str {
    match code {
        code::NOT_FOUND => ": there is no such object",
        5 => ": the site's `user` has no right to it",
        code::ABORTED => ": the engine broke it off again and again",
        1003 => ": there is no such app on this site",
        1007 => ": the app is damaged",
        1009 => ": the app is open in another way in the same session",
        -32601 => ": the engine knows no such method",
        _ => "",
    }
}

impl EngineError {
    /// Whether the engine says that there is no such app.
    #[must_use]
    pub fn is_unknown_app(&self) -> bool {
        matches!(self, Self::Refused { code: 1003, .. })
    }

    /// What an error while connecting means.
    pub(super) fn connecting(request: Box<EngineRequest>, error: tungstenite::Error, root: Option<&Path>) -> Self {
        match error {
            tungstenite::Error::Http(response) => {
                let body = excerpt(response.body().as_deref().unwrap_or_default(), "\0");
                Self::NoWebSocket { request, status: response.status().as_u16(), body }
            }
            other => Self::unreachable(request, &other, root),
        }
    }

    /// What an error of the connection means, when it had just been made.
    pub(super) fn unreachable(request: Box<EngineRequest>, error: &(dyn std::error::Error + 'static), root: Option<&Path>) -> Self {
        if let Some(fault) = tls::error_within(error) {
            let (why, remedy) = explain_tls(fault, root.map(Path::to_owned).as_ref(), ENGINE);
            return Self::Certificate { request, why, remedy };
        }
        let mut why = innermost(error);
        if root.is_some() && broke(error) {
            why.push_str(", which is also how some engines refuse a client certificate");
        }
        Self::Unreachable { request, why }
    }

    /// What an error of the connection means during a call.
    pub(super) fn during(request: Box<EngineRequest>, method: &'static str, error: &tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. }) => Self::TooMuch { request, method },
            // A server may refuse the client's certificate when the client is done with the handshake already.
            other if tls::error_within(other).is_some() => Self::unreachable(request, other, None),
            other => Self::Lost { request, method, why: innermost(other) },
        }
    }
}

/// What somebody else wrote, on one line and not too long, for logs and errors.
pub(super) fn in_short(text: &str) -> String {
    excerpt(text.as_bytes(), "\0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_site_the_request_what_happened_and_the_remedy() {
        let what = "reload of app 66bc109d".into();
        let request = Box::new(EngineRequest { site: "prod".into(), address: "sense:4747".into(), what });
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let refused =
            |code, message: &str| EngineError::Refused { request: request.clone(), method: "OpenDoc", code, message: message.into() };
        let errors = [
            EngineError::unreachable(request.clone(), &reset, Some(Path::new("certs/root.pem"))),
            EngineError::Timeout { request: request.clone(), method: "OpenDoc", after: Duration::from_mins(2) },
            EngineError::NoWebSocket { request: request.clone(), status: 403, body: "Forbidden".into() },
            EngineError::NotAuthenticated { request: request.clone() },
            EngineError::NoAccess { request: request.clone(), why: "no license".into() },
            EngineError::Lost { request: request.clone(), method: "DoReload", why: "it was closed".into() },
            EngineError::Malformed { request: request.clone(), method: "GetLayout", why: "it is no JSON".into() },
            refused(1003, "App not found"),
            refused(15, "Request aborted"),
            refused(4711, "Odd"),
        ];
        insta::assert_snapshot!(errors.map(|error| error.to_string()).join("\n"));
    }
}
