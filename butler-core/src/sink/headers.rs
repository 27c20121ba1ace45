//! Headers that a user adds to requests, each a secret.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::{BuildError, SinkContext};
use crate::config::{Issues, Secret};

/// Headers that are ours, whatever the remote.
const OURS: [&str; 6] = ["content-type", "content-length", "transfer-encoding", "host", "connection", "idempotency-key"];

/// Reports names under `headers` that can't be used, among them those of `also_ours`, in lower case.
pub(super) fn validate(headers: &BTreeMap<String, Secret>, also_ours: &[&str], issues: &mut Issues) {
    issues.within("headers", |issues| {
        for name in headers.keys() {
            let lower = name.to_ascii_lowercase();
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                issues.at(name, "this is no name of an HTTP header");
            } else if OURS.iter().chain(also_ours).any(|ours| *ours == lower) {
                issues.at(name, "this header is set by Butler itself");
            }
        }
    });
}

/// The headers with their values; nothing that prints a request shows these.
pub(super) fn read(headers: &BTreeMap<String, Secret>, context: &SinkContext) -> Result<HeaderMap, BuildError> {
    let mut read = HeaderMap::new();
    for (name, value) in headers {
        let value = context.reveal(value).map_err(|source| BuildError::Secret { key: "headers", source })?;
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| BuildError::Invalid { key: "headers", why: format!("`{name}` is no name of a header") })?;
        read.insert(header, secret_value("headers", name, &value)?);
    }
    Ok(read)
}

/// A value that nothing shows; `key` is the option that it comes from, `name` what it is called there.
pub(super) fn secret_value(key: &'static str, name: &str, value: &str) -> Result<HeaderValue, BuildError> {
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| BuildError::Invalid { key, why: format!("the value of `{name}` can't stand in a header") })?;
    value.set_sensitive(true);
    Ok(value)
}
