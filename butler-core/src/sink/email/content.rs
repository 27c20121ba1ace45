//! What a message says: subject, HTML and text.

use std::sync::Arc;

use serde_json::{Value, json};

use super::EmailConfig;
use super::recipients::Recipients;
use crate::event::{Kind, LogLines, Needs, TaskOutcome, TaskType};
use crate::sink::kinds::ByKind;
use crate::sink::templates::{Sources, Templates, compile, needs_of, shows_notes};
use crate::sink::{BuildError, Message, RenderError, Rendering, SinkContext, UserForm, words};
use crate::template::{Escape, Partials, Template, fields};

pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
/// The longest subject, in characters.
const LONGEST_SUBJECT: usize = 250;

/// Makes messages.
#[derive(Debug)]
pub(super) struct Content {
    subject: Arc<Template>,
    subjects: ByKind<Arc<Template>>,
    templates: Templates,
    script_log: LogLines,
}

impl Content {
    pub(super) fn new(config: &EmailConfig, context: &SinkContext) -> Result<Self, BuildError> {
        let subject = |source: &str| compile("the subject", source, Escape::None, "subject");
        let subjects = config.subjects.iter().map(|(kind, source)| Ok((kind.clone(), subject(source)?)));
        let subjects: Result<_, BuildError> = subjects.collect();
        let sources = Sources {
            task: include_str!("templates/task.handlebars"),
            other: include_str!("templates/other.handlebars"),
            task_file: config.template_file.as_ref(),
            files: &config.template_files,
            partials: config.partials_dir.as_ref().map(|folder| Partials::new(context.path(folder))),
        };
        Ok(Self {
            subject: subject(&config.subject)?,
            subjects: ByKind::new(&subjects?, Arc::clone),
            templates: Templates::load(sources, Escape::Html, context)?,
            script_log: LogLines { head: config.head_script_log_lines, tail: config.tail_script_log_lines },
        })
    }

    /// What all its templates together show.
    pub(super) fn needs(&self) -> Needs {
        let subjects = self.subjects.values().chain([&self.subject]);
        subjects.fold(self.templates.needs(self.script_log), |needs, subject| needs.union(needs_of(subject, self.script_log)))
    }

    pub(super) fn render(&self, rendering: &Rendering<'_>, recipients: &Recipients) -> Result<Message, RenderError> {
        let kind = &rendering.event.kind;
        let mut values = fields::of(rendering, &fields::Options { user: user_form(kind), script_log: self.script_log });
        let task = rendering.facts.task.known();
        let of_task: Vec<_> = task.map(|task| recipients.of_task(&task.custom_properties).collect()).unwrap_or_default();
        values["emailRecipients"] = json!({ "taskSpecific": of_task, "common": recipients.common });
        let render = |template: &Template, values: &Value| template.render(values).map_err(|fault| RenderError(fault.to_string()));
        let subject = render(self.subjects.find(kind).unwrap_or(&self.subject), &values)?;
        let template = self.templates.find(kind)?;
        let mut html = render(&template, &values)?;
        let notes = words::notes(rendering);
        if !notes.is_empty() && !shows_notes(&template) {
            html = with_notes(html, &notes);
        }
        Ok(Message { subject: Some(one_subject(&subject)), content_type: HTML.into(), body: html, text: Some(self.text(rendering)) })
    }

    pub(super) fn plain(&self, rendering: &Rendering<'_>, fault: &str) -> Message {
        let subject = format!("Qlik Sense: {}", words::headline(rendering));
        let body = words::plain_text(rendering, Some(fault));
        Message { subject: Some(one_subject(&subject)), content_type: TEXT.into(), body, text: None }
    }

    fn text(&self, rendering: &Rendering<'_>) -> String {
        let mut text = words::plain_text(rendering, None);
        if let Some(log) = rendering.facts.script_log.known() {
            let wanted = usize::try_from(self.script_log.tail).unwrap_or(usize::MAX);
            let tail = &log.tail[log.tail.len().saturating_sub(wanted)..];
            if !tail.is_empty() {
                text.push_str(&format!("\nEnd of the script log ({} lines in all):\n\n{}\n", log.rows, tail.join("\n")));
            }
        }
        text
    }
}

/// How the user is written in messages of this kind, as it was since long ago.
fn user_form(kind: &Kind) -> UserForm {
    match kind {
        Kind::Task { task_type: Some(TaskType::Preload), .. } => UserForm::Slash,
        Kind::Task { task_type: Some(TaskType::Distribute), .. } => UserForm::AsReceived,
        Kind::Task { outcome: TaskOutcome::Aborted, .. } => UserForm::AsReceived,
        _ => UserForm::Single,
    }
}

/// A subject on one line, and not endless.
fn one_subject(text: &str) -> String {
    let text = words::one_line(text);
    let text = text.trim();
    match text.char_indices().nth(LONGEST_SUBJECT) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None if text.is_empty() => "Qlik Sense".to_owned(),
        None => text.to_owned(),
    }
}

/// The HTML with notes at its end, within the body if there is one.
fn with_notes(html: String, notes: &[String]) -> String {
    let escaped: Vec<_> = notes.iter().map(|note| note.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")).collect();
    let notes = format!("<p style=\"padding:10px 14px;border-left:4px solid #f0b429;\">{}</p>\n", escaped.join("<br>\n"));
    // Lower case of ASCII alone, so that places stay the same.
    match html.to_ascii_lowercase().rfind("</body") {
        Some(end) => format!("{}{notes}{}", &html[..end], &html[end..]),
        None => html + &notes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_go_into_the_body() {
        let notes = ["a < b".to_owned()];
        assert!(with_notes("<body>x</BODY></html>".into(), &notes).ends_with("a &lt; b</p>\n</BODY></html>"));
        assert!(with_notes("x".into(), &notes).starts_with("x<p "));
    }

    #[test]
    fn a_subject_is_one_line() {
        assert_eq!(one_subject(" a\r\nBcc: x@y.se\tb "), "a Bcc: x@y.se b");
        assert_eq!(one_subject("\r\n"), "Qlik Sense");
        assert_eq!(one_subject(&"ä".repeat(300)).chars().count(), 253);
    }
}
