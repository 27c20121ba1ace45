//! Posts to a channel or chat of Microsoft Teams, by the address of a workflow ("when a Teams webhook request is received") or of a connector of old.
//!
//! A *formatted* message is a Handlebars template that gives the JSON of a message with an adaptive card: a built-in one, or a file. Values are escaped for
//! JSON, in `{{ }}` and `{{{ }}}` alike, so that no name and no script log breaks it. The built-in templates put every value where Teams shows it as it is; in the
//! `TextBlock` and `FactSet` of a template of your own it takes it for Markdown. A *basic* message is a heading with two buttons.
//!
//! Either way the message is brought within Teams' size before it goes out, because Teams refuses as a whole what is beyond it: the script log is shortened first,
//! then the longest texts; buttons without an address are left out.
//!
//! What is missing, and how many messages were held back, is added in small print below a template that does not show it itself.
//!
//! A workflow answers as soon as it has taken a message (202), and posts it afterwards: whether it did is to be seen in its run history. A connector answers 200 in any
//! case, and says in words when it did not post; that is an error here.

mod answer;
mod card;
mod limits;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::http::{HttpRemote, Redirects, Request, trust};
use super::kinds;
use super::templates::{Sources, Templates, compile, json_object, needs_of, shows_notes};
use super::{
    BuildError, Delivery, DeliveryError, Message, Receipt, RenderError, Rendering, Sink, SinkConfig, SinkContext, TargetRequest, UserForm,
    words,
};
use crate::config::{Issues, Secret};
use crate::event::{LogLines, Needs, Target};
use crate::template::{Escape, Template, fields};

pub use card::TeamsCard;

/// Options of a channel of Teams.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamsConfig {
    /// The address of the workflow or the connector. Whoever has it can post, so it is a secret.
    pub webhook_url: Secret,
    /// `formatted` (the default) or `basic`.
    #[serde(default)]
    pub message: TeamsMessage,
    /// The text of a basic message.
    #[serde(default = "headline")]
    pub basic_template: String,
    /// Which card a basic message is: `adaptive` or `message_card`. Left out, an adaptive card for workflows (hosts below `logic.azure.com` and
    /// `powerplatform.com`), and a message card, which the original always sent, for anything else.
    #[serde(default)]
    pub basic_card: Option<TeamsCard>,
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

/// The form of a message to Teams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TeamsMessage {
    /// What a template makes.
    #[default]
    Formatted,
    /// A heading with buttons.
    Basic,
}

fn headline() -> String {
    "{{headline}}".to_owned()
}

fn fifteen() -> u32 {
    15
}

impl TeamsConfig {
    /// Formatted messages by the built-in templates.
    #[must_use]
    pub fn new(webhook_url: Secret) -> Self {
        Self {
            webhook_url,
            message: TeamsMessage::Formatted,
            basic_template: headline(),
            basic_card: None,
            template_file: None,
            template_files: BTreeMap::new(),
            head_script_log_lines: fifteen(),
            tail_script_log_lines: fifteen(),
            ca: None,
            accept_untrusted: false,
        }
    }
}

impl SinkConfig for TeamsConfig {
    const TYPE: &'static str = "teams";

    fn validate(&self, issues: &mut Issues) {
        kinds::validate("template_files", &self.template_files, issues);
        if let Err(fault) = Template::compile("this template", &self.basic_template, Escape::None) {
            issues.at("basic_template", fault.to_string());
        }
        let has_files = self.template_file.is_some() || !self.template_files.is_empty();
        match self.message {
            TeamsMessage::Basic if has_files => {
                issues.at_with_help(
                    "message",
                    "basic messages have no template file",
                    "remove the files, or set `message = \"formatted\"`",
                );
            }
            TeamsMessage::Formatted if self.basic_card.is_some() => {
                issues.at_with_help(
                    "basic_card",
                    "the template of a formatted message decides which card it is",
                    "remove it, or set `message = \"basic\"`",
                );
            }
            _ => {}
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
        let templates = Templates::load(sources, Escape::Json, context)?;
        let basic = || compile("`basic_template`", &self.basic_template, Escape::None, "basic_template");
        let host = host(&url);
        let by_host = if is_workflow(&host) { TeamsCard::Adaptive } else { TeamsCard::MessageCard };
        let (basic, card) = match self.message {
            TeamsMessage::Basic => (Some(basic()?), self.basic_card.unwrap_or(by_host)),
            TeamsMessage::Formatted => (None, TeamsCard::Adaptive),
        };
        Ok(Arc::new(Teams {
            remote,
            is_connector: is_below(&host, "webhook.office.com"),
            card,
            basic,
            templates,
            script_log: LogLines { head: self.head_script_log_lines, tail: self.tail_script_log_lines },
        }))
    }
}

fn host(url: &str) -> String {
    Url::parse(url.trim()).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

fn is_workflow(host: &str) -> bool {
    ["logic.azure.com", "powerplatform.com"].iter().any(|domain| is_below(host, domain))
}

/// Hosts are in lower case once an address is parsed.
fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

#[derive(Debug)]
struct Teams {
    remote: HttpRemote,
    /// Whether the remote is a connector of old, which says in its answer whether it posted.
    is_connector: bool,
    /// The card of messages that no template makes.
    card: TeamsCard,
    /// Present if messages are basic.
    basic: Option<Arc<Template>>,
    templates: Templates,
    script_log: LogLines,
}

impl Teams {
    /// The values of templates, with the ends of the script log cut to this length.
    fn fields(&self, rendering: &Rendering<'_>, log_length: usize) -> Value {
        let mut values = fields::of(rendering, &fields::Options { user: UserForm::Slash, script_log: self.script_log });
        let mut fix = |name: &str, fixed: &dyn Fn(&str) -> String| {
            let fixed = values[name].as_str().map(fixed);
            values[name] = fixed.into();
        };
        fix("scriptLogHead", &|text| limits::log_head(text, log_length));
        fix("scriptLogTail", &|text| limits::log_tail(text, log_length));
        for name in ["executionDetailsConcatenated", "scriptLogErrorStatement"] {
            fix(name, &|text| text.replace('\r', ""));
        }
        values
    }

    fn basic(&self, template: &Template, values: &Value, rendering: &Rendering<'_>) -> Result<Map<String, Value>, RenderError> {
        let heading = template.render(values).map_err(|fault| RenderError(fault.to_string()))?;
        Ok(object(card::basic(self.card, &heading, rendering)))
    }

    fn finish(mut message: Map<String, Value>, rendering: &Rendering<'_>) -> Message {
        limits::shorten(&mut message);
        Message {
            subject: None,
            content_type: "application/json".into(),
            body: Value::Object(message).to_string(),
            text: Some(words::plain_text(rendering, None)),
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[async_trait]
impl Sink for Teams {
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
        let notes = words::notes(rendering);
        let shows_notes = shows_notes(&template);
        let mut message = Map::new();
        for log_length in limits::LOG_LENGTHS {
            let values = self.fields(rendering, log_length);
            let made =
                if self.basic.is_some() { self.basic(&template, &values, rendering)? } else { json_object(&template, &values, "Teams")? };
            let mut made = Value::Object(made);
            limits::drop_empty(&mut made);
            message = object(made);
            if !notes.is_empty() && !shows_notes {
                card::add_notes(&mut message, &notes);
            }
            if limits::fits(&message) {
                break;
            }
        }
        Ok(Self::finish(message, rendering))
    }

    fn plain(&self, rendering: &Rendering<'_>, fault: &str) -> Message {
        const LONGEST: usize = 6000;
        const LONGEST_FAULT: usize = 700;
        // Cut each by itself: however long the one is, the other is there.
        let text = words::shortened(&words::plain_text(rendering, None), LONGEST);
        let fault = words::shortened(&words::makeshift(fault), LONGEST_FAULT);
        Self::finish(object(card::plain(self.card, rendering, &text, &fault)), rendering)
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
        let accepted = self.remote.send_and_read(request).await.map_err(answer::misread)?;
        answer::judge(&accepted, self.is_connector, &self.remote)
    }

    async fn check(&self) -> Result<Receipt, DeliveryError> {
        self.remote.reach().await
    }
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;
