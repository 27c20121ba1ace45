//! Calls a webhook.
//!
//! For reload tasks the body is the original's: the same keys in the same order. `POST` and `PUT` send it as JSON, `GET` as a query that is added to
//! the one in the address. Other kinds of events have bodies of the same make:
//!
//! | event | keys |
//! | --- | --- |
//! | reload task failed or aborted | `event`, `hostName`, `user`, `taskName`, `taskId`, `appName`, `appId`, `appOwnerName`, `appOwnerUserDirectory`, `appOwnerUserId`, `appOwnerEmail`, `logTimeStamp`, `logLevel`, `executionId`, `logMessage` |
//! | any other end of a task | the same, then `kind`, `site` |
//! | reload in the engine | `event`, `kind`, `site`, `hostName`, `user`, `appName`, `appId`, the four of the owner, `sessionId`, `logTimeStamp`, `logLevel`, `logMessage` |
//! | anything else | `event` (its title), `kind`, `site`, `time`, `text`, `fields` (an object; in a query, each under its own name) |
//!
//! Two keys follow when they have something to say: `missing` (a list: what was looked for in vain) and `heldBack` (how many messages like this a rate
//! limit held back); and `fault`, when the message is a makeshift for one that was too long, with all texts cut. The owner's first three keys are left out of JSON while the owner is not known.
//!
//! Every attempt carries the header `Idempotency-Key`: a repeated call has the same one.

mod payload;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Method;
use serde::Deserialize;

use super::headers;
use super::http::{HttpRemote, Redirects, Request, trust};
use super::{BuildError, Delivery, DeliveryError, Message, Receipt, RenderError, Rendering, Sink, SinkConfig, SinkContext, TargetRequest};
use crate::config::{Issues, Secret};
use crate::event::{Needs, Target};

/// Options of a webhook.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where to call. Whoever has it can call too, so it is a secret.
    pub url: Secret,
    /// `POST` (the default), `PUT` or `GET`, in any case.
    #[serde(default = "post")]
    pub method: String,
    /// Further headers, each a secret.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// A file with the certificates, in PEM form, that alone are trusted as issuers of the remote's certificate.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Takes any certificate, unverified.
    #[serde(default)]
    pub accept_untrusted: bool,
    /// A note for whoever reads the configuration.
    #[serde(default)]
    pub description: String,
}

fn post() -> String {
    "POST".to_owned()
}

impl WebhookConfig {
    /// A webhook that is called by `POST`.
    #[must_use]
    pub fn new(url: Secret) -> Self {
        Self { url, method: post(), headers: BTreeMap::new(), ca: None, accept_untrusted: false, description: String::new() }
    }

    fn method(&self) -> Option<Method> {
        [Method::POST, Method::PUT, Method::GET].into_iter().find(|method| method.as_str().eq_ignore_ascii_case(&self.method))
    }
}

impl SinkConfig for WebhookConfig {
    const TYPE: &'static str = "webhook";

    fn validate(&self, issues: &mut Issues) {
        if self.method().is_none() {
            issues.at_with_choices("method", format!("`{}` is no method for webhooks", self.method), &self.method, &["POST", "PUT", "GET"]);
        }
        headers::validate(&self.headers, &[], issues);
    }

    fn build(&self, context: &SinkContext) -> Result<Arc<dyn Sink>, BuildError> {
        let no_method = || BuildError::Invalid { key: "method", why: format!("`{}` is no method for webhooks", self.method) };
        let method = self.method().ok_or_else(no_method)?;
        let headers = headers::read(&self.headers, context)?;
        let url = context.reveal(&self.url).map_err(|source| BuildError::Secret { key: "url", source })?;
        let trust = trust(self.ca.as_deref(), self.accept_untrusted, context)?;
        Ok(Arc::new(Webhook { method, remote: HttpRemote::new("url", &url, headers, trust, context)? }))
    }
}

#[derive(Debug)]
struct Webhook {
    method: Method,
    remote: HttpRemote,
}

impl Webhook {
    fn message(&self, rendering: &Rendering<'_>, fault: Option<&str>) -> Message {
        // What most servers take, and what all do.
        let longest = if fault.is_none() { 8000 } else { 1800 };
        let payload = payload::of(rendering, fault);
        if self.method == Method::GET {
            Message { content_type: payload::QUERY.into(), body: payload.into_query(longest), ..Message::default() }
        } else {
            Message { content_type: payload::JSON.into(), body: payload.into_json(), ..Message::default() }
        }
    }
}

#[async_trait]
impl Sink for Webhook {
    fn targets(&self, _: &TargetRequest<'_>) -> Vec<Target> {
        vec![Target::only()]
    }

    fn needs(&self) -> Needs {
        Needs { owner: true, ..Needs::NONE }
    }

    fn render(&self, rendering: &Rendering<'_>) -> Result<Message, RenderError> {
        Ok(self.message(rendering, None))
    }

    fn plain(&self, rendering: &Rendering<'_>, fault: &str) -> Message {
        self.message(rendering, Some(fault))
    }

    async fn deliver(&self, delivery: &Delivery<'_>) -> Result<Receipt, DeliveryError> {
        let message = delivery.message;
        let is_query = self.method == Method::GET;
        let request = Request {
            method: self.method.clone(),
            query: is_query.then_some(message.body.as_str()),
            body: (!is_query).then_some((&*message.content_type, message.body.as_str())),
            key: Some(delivery.key.to_string()),
            redirects: Redirects::Any,
        };
        self.remote.send(request).await
    }

    async fn check(&self) -> Result<Receipt, DeliveryError> {
        self.remote.reach().await
    }
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;
