//! Sends mail over SMTP.
//!
//! Every recipient gets a message of its own, so that each stands for itself: one that is refused holds up nobody else. Who the recipients are is decided
//! from the task's custom properties, the common list (or the route's) and the app's owner; what can't be found out leans towards telling
//! people what went wrong.
//!
//! A message has an HTML part, made by a Handlebars template (built-in, or a file), and a plain text part.
//!
//! # What is tried again
//! A reply of 4xx and everything about the connection is. A refused recipient or message (5xx) is not. A refused login or sender, a certificate that is not
//! trusted and a server without STARTTLS are tried again although the server will not change its mind: they are faults of the configuration and concern every message,
//! and no alert shall be lost to a typo that somebody mends within the day.

mod address;
mod content;
mod recipients;
mod smtp;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;

use super::kinds;
use super::{BuildError, Delivery, DeliveryError, Message, Receipt, RenderError, Rendering, Sink, SinkConfig, SinkContext, TargetRequest};
use crate::config::{Issues, Secret};
use crate::event::{Needs, Target};
use crate::template::{Escape, Template};
use content::Content;
use recipients::Recipients;
use smtp::Server;

pub use recipients::{AppOwner, PropertyValue, User};

/// Options of mail.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// The SMTP server.
    pub host: String,
    /// Its port; 465 for implicit TLS, 25 without TLS and 587 otherwise, if not set.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is secured.
    #[serde(default)]
    pub tls: EmailTls,
    /// The login, if the server wants one.
    #[serde(default)]
    pub auth: Option<EmailLogin>,
    /// A file with the certificates, in PEM form, that alone are trusted as issuers of the server's certificate.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Takes any certificate, unverified.
    #[serde(default)]
    pub accept_untrusted: bool,
    /// The name that the server's certificate has to show, if that is not `host`.
    #[serde(default)]
    pub server_name: Option<String>,
    /// Who messages are from: `Qlik Sense <no-reply@example.com>`.
    pub from: String,
    /// Who gets every message.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// The custom property of a task whose values are addresses that get the messages about it.
    #[serde(default)]
    pub recipients_from_property: Option<String>,
    /// `recipients` get messages about those tasks only that have this custom property with this value.
    #[serde(default)]
    pub enable_by_property: Option<PropertyValue>,
    /// Whether the app's owner gets messages.
    #[serde(default)]
    pub app_owner: AppOwner,
    /// How urgent messages are marked.
    #[serde(default)]
    pub priority: EmailPriority,
    /// A template for the subject.
    #[serde(default = "headline")]
    pub subject: String,
    /// Subjects by kind of event (`"reload_task.aborted"`, `"butler.*"`); they come before `subject`.
    #[serde(default)]
    pub subjects: BTreeMap<String, String>,
    /// A template for the body of messages about tasks that ended, in place of the built-in one.
    #[serde(default)]
    pub template_file: Option<PathBuf>,
    /// Templates by kind of event; they come before `template_file`.
    #[serde(default)]
    pub template_files: BTreeMap<String, PathBuf>,
    /// A folder of partials (`NAME.handlebars`) that template files may include.
    #[serde(default)]
    pub partials_dir: Option<PathBuf>,
    /// How many lines of the script log's start a message shows.
    #[serde(default = "fifteen")]
    pub head_script_log_lines: u32,
    /// How many lines of the script log's end a message shows.
    #[serde(default = "fifteen")]
    pub tail_script_log_lines: u32,
}

/// How the connection to the server is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmailTls {
    /// By STARTTLS, which the server has to offer.
    #[default]
    StartTls,
    /// From the first byte.
    Implicit,
    /// By STARTTLS if the server offers it; else not at all, and the login goes out in the clear.
    Opportunistic,
    /// Not at all.
    None,
}

/// How urgent messages are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmailPriority {
    /// High.
    High,
    /// Not at all.
    #[default]
    Normal,
    /// Low.
    Low,
}

/// The login at the server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailLogin {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

fn headline() -> String {
    "Qlik Sense: {{headline}}".to_owned()
}

fn fifteen() -> u32 {
    15
}

impl EmailConfig {
    /// Mail by this server, over STARTTLS, from this sender to nobody yet.
    #[must_use]
    pub fn new(host: impl Into<String>, from: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: None,
            tls: EmailTls::default(),
            auth: None,
            ca: None,
            accept_untrusted: false,
            server_name: None,
            from: from.into(),
            recipients: Vec::new(),
            recipients_from_property: None,
            enable_by_property: None,
            app_owner: AppOwner::default(),
            priority: EmailPriority::default(),
            subject: headline(),
            subjects: BTreeMap::new(),
            template_file: None,
            template_files: BTreeMap::new(),
            partials_dir: None,
            head_script_log_lines: fifteen(),
            tail_script_log_lines: fifteen(),
        }
    }
}

impl SinkConfig for EmailConfig {
    const TYPE: &'static str = "email";

    /// Servers that mean to slow down senders of spam let everybody wait.
    const TIMEOUT: Duration = Duration::from_mins(1);

    fn validate(&self, issues: &mut Issues) {
        if self.host.trim().is_empty() {
            issues.at("host", "this names no server");
        } else if !smtp::is_name(self.server_name.as_deref().unwrap_or(&self.host)) {
            let key = if self.server_name.is_some() { "server_name" } else { "host" };
            issues.at(key, "this is no host name and no address; the port belongs into `port`");
        }
        if address::mailbox(&self.from).is_none() {
            let help = "expected `ops@example.com` or `Name <ops@example.com>`";
            issues.at_with_help("from", format!("`{}` is no sender", self.from), help);
        }
        for (at, recipient) in self.recipients.iter().enumerate() {
            if !address::is_address(recipient.trim()) {
                let help = "expected the bare address, such as `ops@example.com`";
                issues.at_with_help(&format!("recipients[{at}]"), format!("`{recipient}` is no mail address"), help);
            }
        }
        kinds::validate("template_files", &self.template_files, issues);
        kinds::validate("subjects", &self.subjects, issues);
        if let Err(fault) = Template::compile("this template", &self.subject, Escape::None) {
            issues.at("subject", fault.to_string());
        }
        issues.within("subjects", |issues| {
            for (kind, subject) in &self.subjects {
                if let Err(fault) = Template::compile("this template", subject, Escape::None) {
                    issues.at(kind, fault.to_string());
                }
            }
        });
    }

    fn build(&self, context: &SinkContext) -> Result<Arc<dyn Sink>, BuildError> {
        let recipients = Recipients {
            common: self.recipients.clone(),
            property: self.recipients_from_property.clone(),
            enabled_by: self.enable_by_property.clone(),
            app_owner: self.app_owner.clone(),
        };
        Ok(Arc::new(Email { server: Server::new(self, context)?, content: Content::new(self, context)?, recipients }))
    }
}

#[derive(Debug)]
struct Email {
    server: Server,
    content: Content,
    recipients: Recipients,
}

#[async_trait]
impl Sink for Email {
    fn targets(&self, request: &TargetRequest<'_>) -> Vec<Target> {
        self.recipients.targets(request)
    }

    fn deciding_needs(&self) -> Needs {
        self.recipients.deciding_needs()
    }

    fn needs(&self) -> Needs {
        self.content.needs()
    }

    fn render(&self, rendering: &Rendering<'_>) -> Result<Message, RenderError> {
        self.content.render(rendering, &self.recipients)
    }

    fn plain(&self, rendering: &Rendering<'_>, fault: &str) -> Message {
        self.content.plain(rendering, fault)
    }

    async fn deliver(&self, delivery: &Delivery<'_>) -> Result<Receipt, DeliveryError> {
        self.server.send(delivery).await
    }

    async fn check(&self) -> Result<Receipt, DeliveryError> {
        self.server.check().await
    }
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;
