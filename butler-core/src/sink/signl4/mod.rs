//! Raises alerts at SIGNL4, and resolves them.
//!
//! What went wrong opens an alert (`X-S4-Status` is `new`). A success of the same task, or the word that it recovered (`task.recovered`), resolves it, where a
//! route names this sink for such events as well: the same `X-S4-ExternalID` goes with both.
//!
//! | event | `Title` | `Message` | `X-S4-ExternalID` |
//! | --- | --- | --- | --- |
//! | reload task failed | `Qlik Sense reload task failed` | `Task: ` and its name | the task's id |
//! | reload task aborted | `Qlik Sense task aborted` | the same | the same |
//! | any other end of a task | `Qlik Sense user sync task failed` and the like | the same | the same |
//! | reload in the engine | `Qlik Sense engine reload failed` | `App: ` and its name, or its id | the app's id |
//! | anything else | its title | its text | the task's id if it is about one, else the event's |
//!
//! A task whose type could not be found out but that has an app goes as a reload task. What has to be said beside (what is not known, what was held back)
//! follows in further lines of `Message`.

mod payload;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use uuid::{Uuid, uuid};

use super::http::{HttpRemote, Redirects, Request, trust};
use super::kinds::{self, ByKind};
use super::{
    BuildError, Delivery, DeliveryError, Message, Receipt, RenderError, Rendering, Sink, SinkConfig, SinkContext, TargetRequest, words,
};
use crate::config::{Issues, Secret};
use crate::event::Target;

/// The app in the example of the original's configuration, which means nobody's app.
const EXAMPLE_APP: Uuid = uuid!("47d38f73-628f-44e1-a62c-841604b123ff");

/// Options of SIGNL4.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signl4Config {
    /// The address of the team's webhook. Whoever has it can raise alerts, so it is a secret.
    pub url: Secret,
    /// The service that alerts are shown under.
    #[serde(default = "default_service")]
    pub service: String,
    /// The severity of alerts.
    #[serde(default = "default_severity")]
    pub severity: u32,
    /// Service and severity by kind of event (`"reload_task.failed"`, `"butler.*"`), in place of those above.
    #[serde(default)]
    pub kinds: BTreeMap<String, Signl4Kind>,
    /// The ids of apps: then only events about these are sent, and events that are about no app. Left out, all are.
    #[serde(default)]
    pub include_apps: Vec<String>,
    /// A file with the certificates, in PEM form, that alone are trusted as issuers of the remote's certificate.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Takes any certificate, unverified.
    #[serde(default)]
    pub accept_untrusted: bool,
}

/// Service and severity of some kinds of events.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Signl4Kind {
    /// The service; left out, that of all.
    pub service: Option<String>,
    /// The severity; left out, that of all.
    pub severity: Option<u32>,
}

fn default_service() -> String {
    "Default service name".to_owned()
}

fn default_severity() -> u32 {
    99
}

impl Signl4Config {
    /// Alerts about all apps, with the default service and severity.
    #[must_use]
    pub fn new(url: Secret) -> Self {
        Self {
            url,
            service: default_service(),
            severity: default_severity(),
            kinds: BTreeMap::new(),
            include_apps: Vec::new(),
            ca: None,
            accept_untrusted: false,
        }
    }

    /// The apps that alone are sent, if some are.
    fn apps(&self) -> Option<Vec<Uuid>> {
        let apps: Vec<Uuid> = self.include_apps.iter().filter_map(|id| id.trim().parse().ok()).collect();
        let is_filter = apps.iter().any(|app| *app != EXAMPLE_APP);
        is_filter.then_some(apps)
    }
}

impl SinkConfig for Signl4Config {
    const TYPE: &'static str = "signl4";

    fn validate(&self, issues: &mut Issues) {
        kinds::validate("kinds", &self.kinds, issues);
        let mut is_fine = true;
        for (index, id) in self.include_apps.iter().enumerate() {
            if id.trim().parse::<Uuid>().is_err() {
                is_fine = false;
                let help = "expected one such as `e7af59a0-c243-480d-9571-08727551a66f`, as the app's address shows it";
                issues.at_with_help(&format!("include_apps[{index}]"), "this is no id of an app", help);
            }
        }
        if is_fine && !self.include_apps.is_empty() && self.apps().is_none() {
            let help = "name the apps that are meant, or leave it out for all";
            issues.warn_with_help("include_apps", "holds nothing but the example's app, so events about all apps are sent", help);
        }
    }

    fn build(&self, context: &SinkContext) -> Result<Arc<dyn Sink>, BuildError> {
        let url = context.reveal(&self.url).map_err(|source| BuildError::Secret { key: "url", source })?;
        let trust = trust(self.ca.as_deref(), self.accept_untrusted, context)?;
        let remote = HttpRemote::new("url", &url, HeaderMap::new(), trust, context)?;
        let of = |kind: &Signl4Kind| Ranking {
            service: kind.service.clone().unwrap_or_else(|| self.service.clone()),
            severity: kind.severity.unwrap_or(self.severity),
        };
        Ok(Arc::new(Signl4 { remote, by_kind: ByKind::new(&self.kinds, of), otherwise: of(&Signl4Kind::default()), apps: self.apps() }))
    }
}

/// Under which service, and how bad.
#[derive(Debug)]
struct Ranking {
    service: String,
    severity: u32,
}

#[derive(Debug)]
struct Signl4 {
    remote: HttpRemote,
    by_kind: ByKind<Ranking>,
    otherwise: Ranking,
    apps: Option<Vec<Uuid>>,
}

impl Signl4 {
    fn message(&self, rendering: &Rendering<'_>, fault: Option<&str>) -> Message {
        let ranking = self.by_kind.find(&rendering.event.kind).unwrap_or(&self.otherwise);
        Message {
            subject: None,
            content_type: "application/json".into(),
            body: payload::of(rendering, ranking, fault).to_string(),
            text: Some(words::plain_text(rendering, fault)),
        }
    }
}

#[async_trait]
impl Sink for Signl4 {
    fn targets(&self, request: &TargetRequest<'_>) -> Vec<Target> {
        let of_task = request.facts.task.known().and_then(|task| task.app_id);
        let app = request.event.app_id().or(of_task);
        match (&self.apps, app) {
            (Some(apps), Some(app)) if !apps.contains(&app) => Vec::new(),
            // An app that is not known may be one of them.
            _ => vec![Target::only()],
        }
    }

    fn render(&self, rendering: &Rendering<'_>) -> Result<Message, RenderError> {
        Ok(self.message(rendering, None))
    }

    fn plain(&self, rendering: &Rendering<'_>, fault: &str) -> Message {
        self.message(rendering, Some(fault))
    }

    async fn deliver(&self, delivery: &Delivery<'_>) -> Result<Receipt, DeliveryError> {
        let message = delivery.message;
        let request = Request {
            method: Method::POST,
            query: None,
            body: Some((&*message.content_type, message.body.as_str())),
            key: Some(delivery.key.to_string()),
            redirects: Redirects::WithMessage,
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
