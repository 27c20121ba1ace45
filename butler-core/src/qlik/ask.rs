//! What the repository is asked, or told to do.

use bytes::Bytes;
use reqwest::Method;
use serde_json::Value;

use super::filter::{Filter, encode};

/// One question, or one order: a path below `/qrs/`, and its parameters.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    path: String,
    parameters: Vec<(&'static str, String)>,
    pub(super) body: Option<Bytes>,
}

impl Ask {
    pub(super) fn path(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), parameters: Vec::new(), body: None }
    }

    pub(super) fn filter(path: &str, filter: &Filter) -> Self {
        Self::with(path, "filter", filter.to_string())
    }

    pub(super) fn with(path: impl Into<String>, name: &'static str, value: String) -> Self {
        Self::path(path).and(name, value)
    }

    /// With a further parameter.
    pub(super) fn and(mut self, name: &'static str, value: String) -> Self {
        self.parameters.push((name, value));
        self
    }

    /// Not a question: something that has an effect, and is not sent again once it may have been received.
    pub(super) fn order(mut self, method: Method, body: Option<&Value>) -> Self {
        (self.method, self.body) = (method, body.map(|body| body.to_string().into()));
        self
    }

    /// For messages.
    pub(super) fn readable(&self) -> String {
        let parameters: Vec<_> = self.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mark = if parameters.is_empty() { "" } else { "?" };
        format!("/qrs/{}{mark}{}", self.path, parameters.join("&"))
    }

    /// As it is sent, with the key against request forgery.
    pub(super) fn target(&self, key: &str) -> String {
        let parameters: String = self.parameters.iter().map(|(name, value)| format!("{name}={}&", encode(value))).collect();
        format!("/qrs/{}?{parameters}xrfkey={key}", self.path)
    }

    /// Whether it may be sent again without anybody noticing.
    pub(super) fn is_safe(&self) -> bool {
        self.method == Method::GET
    }
}
