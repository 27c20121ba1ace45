//! What became of each request: in one line for who wants to see what is asked, and in another for who has to know who did what.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{Method, Uri};
use axum::response::Response;

use super::auth::Who;
use super::denial::Why;
use super::front::{changes, is_refusal};

/// A request, as the logs know it. One that is dropped before it is [written](Self::write) was given up by its client, and that is written instead.
#[derive(Debug)]
pub(super) struct Entry {
    method: Method,
    uri: Uri,
    address: Address,
    who: Who,
    written: bool,
}

/// Where a request came from, in words once somebody wants to read it.
#[derive(Debug, Clone, Copy)]
struct Address(Option<IpAddr>);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("an unknown address"),
        }
    }
}

impl Entry {
    pub(super) fn of(request: &Request, address: Option<IpAddr>) -> Self {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        Self { method, uri, address: Address(address), who: Who::Anonymous, written: false }
    }

    /// Its sender is known.
    pub(super) fn is_of(&mut self, who: &Who) {
        self.who = who.clone();
    }

    /// The path that was asked for.
    pub(super) fn path(&self) -> &str {
        self.uri.path()
    }

    /// Writes what became of it: to `butler::access` always, to `butler::audit` if it was refused or may have changed something.
    pub(super) fn write(mut self, answered: &Response) {
        self.written = true;
        let status = answered.status();
        let Self { method, uri, address, who, .. } = &self;
        let (path, code) = (uri.path(), status.as_u16());
        // Load scripts call `/v4`, and what they call is what people look for. The rest is mostly asked by machines that watch.
        if path.starts_with("/v4/") {
            tracing::info!(target: "butler::access", method = %method, status = code, "{} called from {address}", shown(uri));
        } else {
            tracing::debug!(target: "butler::access", method = %method, status = code, "{} called from {address}", shown(uri));
        }
        if is_refusal(status) {
            let why = answered.extensions().get::<Why>().map_or("", |Why(why)| why);
            tracing::warn!(target: "butler::audit", who = %who, %address, method = %method, path, status = code, why, "refused");
        } else if changes(method) {
            let outcome = if status.is_success() { "done" } else { "failed" };
            tracing::info!(target: "butler::audit", who = %who, %address, method = %method, path, status = code, "{outcome}");
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.written {
            return;
        }
        let Self { method, uri, address, who, .. } = self;
        tracing::debug!(target: "butler::access", method = %method, "{} called from {address}, which did not wait for the answer", shown(uri));
        if changes(method) {
            let path = uri.path();
            tracing::info!(target: "butler::audit", who = %who, %address, method = %method, path, "broken off: the client did not wait for the answer, and it may have been done all the same");
        }
    }
}

/// The address that was asked for, without the values of what is named like a secret.
fn shown(uri: &Uri) -> Cow<'_, str> {
    let (path, Some(query)) = (uri.path(), uri.query()) else { return Cow::Borrowed(uri.path()) };
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}=***"),
        _ => pair.to_owned(),
    };
    Cow::Owned(format!("{path}?{}", query.split('&').map(pair).collect::<Vec<_>>().join("&")))
}

/// Whether a parameter of this name mostly holds a secret. `key` is a name in the key-value store.
fn is_secret(name: &str) -> bool {
    const WORDS: [&str; 9] = ["secret", "pass", "pwd", "token", "credential", "auth", "api_key", "api-key", "apikey"];
    // What is escaped may be any of them.
    let name = name.to_ascii_lowercase();
    name.contains('%') || WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        for (given, expected) in [
            ("/v4/butlerping", "/v4/butlerping"),
            ("/v4/keyvalues/ns?key=a%20b", "/v4/keyvalues/ns?key=a%20b"),
            ("/x?Access_Token=hunter2&key=k&apiKey=hunter2&password", "/x?Access_Token=***&key=k&apiKey=***&password"),
            ("/x?tok%65n=hunter2&a=b=c", "/x?tok%65n=***&a=b=c"),
        ] {
            assert_eq!(shown(&given.parse().unwrap()), expected);
        }
    }
}
