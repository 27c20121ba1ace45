//! Who sent a request.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::config::{Scope, Scopes};

/// Who sent a request, from where, and what they may do. Every request that reaches a route has one among its extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// By what they are known.
    pub who: Who,
    /// What they may do.
    pub scopes: Scopes,
    /// Where the request came from, in its canonical form; unknown if the system did not say.
    pub address: Option<IpAddr>,
}

/// The subject of the certificate that a client showed; among the extensions of its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) struct Shown(pub(in crate::api) Arc<str>);

/// By what a caller is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// By nothing.
    Anonymous,
    /// By a token of this name.
    Token(Arc<str>),
    /// By a client certificate with this subject.
    Certificate(Arc<str>),
}

impl Caller {
    /// Whether they may do this.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.include(scope)
    }
}

/// `anonymous`, `token NAME` or `certificate SUBJECT`.
impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Token(name) => write!(f, "token {name}"),
            Self::Certificate(subject) => write!(f, "certificate {subject}"),
        }
    }
}
