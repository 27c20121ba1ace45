//! What a sink is asked, and what it answers.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::event::{Event, Facts, SiteName, Target};

/// The question where within a sink an event goes.
#[derive(Debug, Clone, Copy)]
pub struct TargetRequest<'a> {
    /// The event, with its kind as decided.
    pub event: &'a Event,
    /// What is known about it.
    pub facts: &'a Facts,
    /// The recipients that the route names instead of the sink's own; `None` if it names none.
    pub recipients: Option<&'a [String]>,
}

/// Everything a message is made from.
#[derive(Debug, Clone, Copy)]
pub struct Rendering<'a> {
    /// The event, with its kind as decided.
    pub event: &'a Event,
    /// What is known about it.
    pub facts: &'a Facts,
    /// To where within the sink.
    pub target: &'a Target,
    /// The site that it is about.
    pub site: &'a SiteInfo,
    /// How many messages of the same kind a rate limit held back since the last one was delivered.
    pub held_back: u64,
    /// What was looked for in vain and would have been shown; one line each.
    pub missing: &'a [String],
}

/// What messages say about a site.
#[derive(Debug, Clone)]
pub struct SiteInfo {
    /// Its name.
    pub name: SiteName,
    /// Where its pages are.
    pub links: Links,
    /// The zone of local times.
    pub time_zone: TimeZone,
}

/// Where the pages of a site are; empty where unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Links {
    /// The management console.
    pub qmc: String,
    /// The hub.
    pub hub: String,
    /// An app's address is this, a slash, and the app's id.
    pub app_base_url: String,
    /// Further links, for templates.
    pub generic: Vec<NamedLink>,
}

/// A link that templates may show.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NamedLink {
    /// How templates find it.
    pub id: String,
    /// What is shown.
    #[serde(alias = "linkText")]
    pub link_text: String,
    /// A note.
    pub comment: String,
    /// Where it leads.
    pub url: String,
}

impl Links {
    /// The address of an app; empty if the site's addresses are not configured.
    #[must_use]
    pub fn app(&self, app: uuid::Uuid) -> String {
        match self.app_base_url.trim_end_matches('/') {
            "" => String::new(),
            base => format!("{base}/{app}"),
        }
    }
}

/// A message, ready to go out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// The subject, for remotes that have one.
    pub subject: Option<String>,
    /// MIME type of the body.
    pub content_type: Cow<'static, str>,
    /// The body; for a webhook called by GET, the query.
    pub body: String,
    /// The same in plain text, where the remote takes both.
    pub text: Option<String>,
}

impl Message {
    /// The start of it, for the history.
    #[must_use]
    pub fn preview(&self) -> String {
        const LONGEST: usize = 500;
        let text = self.text.as_deref().unwrap_or(&self.body);
        let subject = self.subject.iter().flat_map(|subject| subject.chars().chain(['\n']));
        let mut all = subject.chain(text.chars());
        let mut preview: String = all.by_ref().take(LONGEST).collect();
        if all.next().is_some() {
            preview.push('…');
        }
        preview
    }
}

/// What the remote said when it accepted a message: `HTTP 200`, `250 OK id=1tE...`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    /// In words, at most a line.
    pub detail: String,
}

/// Why a message could not be made as its template wants it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RenderError(pub String);
