//! Posts to a Slack channel, by an incoming webhook.
//!
//! A *formatted* message is a Handlebars template that gives the JSON of Slack's blocks: a built-in one, or a file. Values are escaped for where
//! they stand, so that no name and no script log breaks the JSON, in `{{ }}` and `{{{ }}}` alike. A *basic* message is a headline with two
//! buttons. Either way the message is brought within Slack's limits before it goes out, because Slack refuses as a whole what is beyond them: long
//! texts are cut, empty buttons left out.
//!
//! What is missing, and how many messages were held back, is added in small print below a template that does not show it itself.

mod limits;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::http::{HttpRemote, Redirects, Request, trust};
use super::kinds;
use super::templates::{Sources, Templates, compile, json_object, needs_of, shows_notes};
use super::{
    BuildError, Delivery, DeliveryError, Message, Reason, Receipt, RenderError, Rendering, Sink, SinkConfig, SinkContext, TargetRequest,
    UserForm, words,
};
use crate::config::{Issues, Secret};
use crate::event::{LogLines, Needs, Target};
use crate::template::{Escape, Template, fields};

/// Options of a Slack channel.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackConfig {
    /// The address of the incoming webhook. Whoever has it can post, so it is a secret.
    pub webhook_url: Secret,
    /// The channel, where the webhook lets one choose.
    #[serde(default)]
    pub channel: Option<String>,
    /// The name that messages are from.
    #[serde(default)]
    pub username: Option<String>,
    /// The picture that messages are from: `:ghost:`.
    #[serde(default)]
    pub icon_emoji: Option<String>,
    /// `formatted` (the default) or `basic`.
    #[serde(default)]
    pub message: SlackMessage,
    /// The text of a basic message.
    #[serde(default = "headline")]
    pub basic_template: String,
    /// A template for formatted messages about tasks that ended, in place of the built-in one.
    #[serde(default)]
    pub template_file: Option<PathBuf>,
    /// Templates by kind of event (`"reload_task.aborted"`, `"butler.*"`); they come before `template_file`.
    #[serde(default)]
    pub template_files: BTreeMap<String, PathBuf>,
    /// How many lines of the script log's start a message shows.
    #[serde(default = "fifteen")]
    pub head_script_log_lines: u32,
    /// How many lines of the script log's end a message shows.
    #[serde(default = "fifteen")]
    pub tail_script_log_lines: u32,
    /// A file with the certificates, in PEM form, that alone are trusted as issuers of the remote's certificate.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Takes any certificate, unverified.
    #[serde(default)]
    pub accept_untrusted: bool,
}

/// The form of a Slack message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SlackMessage {
    /// What a template makes.
    #[default]
    Formatted,
    /// A headline with buttons.
    Basic,
}

fn headline() -> String {
    "{{headline}}".to_owned()
}

fn fifteen() -> u32 {
    15
}

impl SlackConfig {
    /// Formatted messages by the built-in templates.
    #[must_use]
    pub fn new(webhook_url: Secret) -> Self {
        Self {
            webhook_url,
            channel: None,
            username: None,
            icon_emoji: None,
            message: SlackMessage::Formatted,
            basic_template: headline(),
            template_file: None,
            template_files: BTreeMap::new(),
            head_script_log_lines: fifteen(),
            tail_script_log_lines: fifteen(),
            ca: None,
            accept_untrusted: false,
        }
    }
}

impl SinkConfig for SlackConfig {
    const TYPE: &'static str = "slack";

    fn validate(&self, issues: &mut Issues) {
        kinds::validate("template_files", &self.template_files, issues);
        if let Err(fault) = Template::compile("this template", &self.basic_template, Escape::SlackText) {
            issues.at("basic_template", fault.to_string());
        }
        let has_files = self.template_file.is_some() || !self.template_files.is_empty();
        if self.message == SlackMessage::Basic && has_files {
            issues.at_with_help("message", "basic messages have no template file", "remove the files, or set `message = \"formatted\"`");
        }
    }

    fn build(&self, context: &SinkContext) -> Result<Arc<dyn Sink>, BuildError> {
        let url = context.reveal(&self.webhook_url).map_err(|source| BuildError::Secret { key: "webhook_url", source })?;
        let trust = trust(self.ca.as_deref(), self.accept_untrusted, context)?;
        let remote = HttpRemote::new("webhook_url", &url, HeaderMap::new(), trust, context)?;
        let sources = Sources {
            task: include_str!("templates/task.handlebars"),
            other: include_str!("templates/other.handlebars"),
            task_file: self.template_file.as_ref(),
            files: &self.template_files,
            partials: None,
        };
        let templates = Templates::load(sources, Escape::SlackJson, context)?;
        let basic = || compile("`basic_template`", &self.basic_template, Escape::SlackText, "basic_template");
        let mut sender = Map::new();
        for (key, value) in [("username", &self.username), ("channel", &self.channel), ("icon_emoji", &self.icon_emoji)] {
            if let Some(value) = value {
                sender.insert(key.to_owned(), value.as_str().into());
            }
        }
        Ok(Arc::new(Slack {
            remote,
            sender,
            basic: match self.message {
                SlackMessage::Basic => Some(basic()?),
                SlackMessage::Formatted => None,
            },
            templates,
            script_log: LogLines { head: self.head_script_log_lines, tail: self.tail_script_log_lines },
        }))
    }
}

#[derive(Debug)]
struct Slack {
    remote: HttpRemote,
    /// What every message starts with.
    sender: Map<String, Value>,
    /// Present if messages are basic.
    basic: Option<Arc<Template>>,
    templates: Templates,
    script_log: LogLines,
}

impl Slack {
    fn fields(&self, rendering: &Rendering<'_>) -> Value {
        let mut values = fields::of(rendering, &fields::Options { user: UserForm::Slash, script_log: self.script_log });
        let mut fix = |name: &str, fixed: fn(&str) -> String| {
            let fixed = values[name].as_str().map(fixed);
            values[name] = fixed.into();
        };
        fix("scriptLogHead", limits::log_head);
        fix("scriptLogTail", limits::log_tail);
        for name in ["executionDetailsConcatenated", "scriptLogErrorStatement"] {
            fix(name, |text| text.replace('\r', ""));
        }
        values
    }

    fn basic(&self, template: &Template, rendering: &Rendering<'_>) -> Result<Map<String, Value>, RenderError> {
        let text = template.render(&self.fields(rendering)).map_err(|fault| RenderError(fault.to_string()))?;
        let links = &rendering.site.links;
        let button = |text: &str, url: &str| json!({ "type": "button", "text": { "type": "plain_text", "emoji": true, "text": text }, "style": "primary", "url": url });
        let mut message = self.sender.clone();
        let blocks = json!([
            { "type": "header", "text": { "type": "plain_text", "text": text } },
            { "type": "divider" },
            { "type": "actions", "elements": [button("Open QMC", &links.qmc), button("Open Hub", &links.hub)] },
        ]);
        message.insert("blocks".to_owned(), blocks);
        Ok(message)
    }

    fn formatted(&self, template: &Template, rendering: &Rendering<'_>) -> Result<Map<String, Value>, RenderError> {
        let made = json_object(template, &self.fields(rendering), "Slack")?;
        let mut message = self.sender.clone();
        message.extend(made);
        Ok(message)
    }

    fn finish(message: Map<String, Value>, rendering: &Rendering<'_>) -> Message {
        Message {
            subject: None,
            content_type: "application/json; charset=utf-8".into(),
            body: Value::Object(message).to_string(),
            text: Some(words::plain_text(rendering, None)),
        }
    }
}

/// Tells messages that Slack can't read as they are from those that it does not want: the former can still leave in plain words.
fn misread(error: DeliveryError) -> DeliveryError {
    const UNREADABLE: [&str; 9] = [
        "invalid_payload",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_attachments",
        "no_text",
        "msg_too_long",
        "msg_blocks_too_long",
        "too_many_attachments",
        "missing_text_or_fallback_or_attachments",
    ];
    let said = error.message.rsplit(": ").next().unwrap_or_default();
    match error.reason {
        Reason::Rejected if UNREADABLE.contains(&said) => DeliveryError { reason: Reason::Malformed, ..error },
        _ => error,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[async_trait]
impl Sink for Slack {
    fn targets(&self, _: &TargetRequest<'_>) -> Vec<Target> {
        vec![Target::only()]
    }

    fn needs(&self) -> Needs {
        match &self.basic {
            Some(template) => needs_of(template, self.script_log),
            None => self.templates.needs(self.script_log),
        }
    }

    fn render(&self, rendering: &Rendering<'_>) -> Result<Message, RenderError> {
        let template = match &self.basic {
            Some(template) => Arc::clone(template),
            None => self.templates.find(&rendering.event.kind)?,
        };
        let mut message = match &self.basic {
            Some(_) => self.basic(&template, rendering)?,
            None => self.formatted(&template, rendering)?,
        };
        let notes = words::notes(rendering);
        if !notes.is_empty() && !shows_notes(&template) {
            limits::add_notes(&mut message, &escaped(&notes.join("\n")));
        }
        limits::enforce(&mut message);
        Ok(Self::finish(message, rendering))
    }

    fn plain(&self, rendering: &Rendering<'_>, fault: &str) -> Message {
        const LONGEST: usize = 2800;
        const LONGEST_FAULT: usize = 700;
        // Cut each by itself: however long the one is, the other is there.
        let text = limits::cut(&escaped(&words::plain_text(rendering, None)), LONGEST);
        let fault = limits::cut(&escaped(&words::makeshift(fault)), LONGEST_FAULT);
        let mut message = self.sender.clone();
        message.insert("text".to_owned(), format!("{text}\n{fault}\n").into());
        Self::finish(message, rendering)
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
        self.remote.send(request).await.map_err(misread)
    }

    async fn check(&self) -> Result<Receipt, DeliveryError> {
        self.remote.reach().await
    }
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;
