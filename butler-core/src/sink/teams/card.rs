//! The cards that are made here and not by a template.

use serde_json::{Map, Value, json};

use crate::sink::{Rendering, words};

/// Which card carries a message that no template makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TeamsCard {
    /// What Workflows take.
    #[default]
    Adaptive,
    /// What the connectors of old take.
    MessageCard,
}

/// An adaptive card as a message.
fn message(content: &Value) -> Value {
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": content,
        }],
    })
}

fn adaptive(body: &[Value], actions: Option<Value>) -> Value {
    let mut content = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.3",
        "msteams": { "width": "Full" },
        "body": body,
    });
    if let Some(actions) = actions {
        content["actions"] = actions;
    }
    message(&content)
}

/// A heading with buttons.
pub(super) fn basic(card: TeamsCard, heading: &str, rendering: &Rendering<'_>) -> Value {
    let links = &rendering.site.links;
    match card {
        TeamsCard::Adaptive => {
            let heading = json!({ "type": "TextBlock", "text": heading, "size": "Large", "weight": "Bolder", "wrap": true });
            let button = |title: &str, url: &str| json!({ "type": "Action.OpenUrl", "title": title, "url": url });
            adaptive(&[heading], Some(json!([button("Open QMC", &links.qmc), button("Open Hub", &links.hub)])))
        }
        TeamsCard::MessageCard => {
            let button = |name: &str, uri: &str| json!({ "@type": "OpenUri", "name": name, "targets": [{ "os": "default", "uri": uri }] });
            json!({
                "@type": "MessageCard",
                "@context": "https://schema.org/extensions",
                "summary": heading,
                "themeColor": "0078D7",
                "title": heading,
                "potentialAction": [button("Qlik Sense QMC", &links.qmc), button("Qlik Sense Hub", &links.hub)],
            })
        }
    }
}

/// The message in plain words, and why it is no more than that.
pub(super) fn plain(card: TeamsCard, rendering: &Rendering<'_>, text: &str, makeshift: &str) -> Value {
    match card {
        TeamsCard::Adaptive => {
            // A line is a block of its own, for not every client shows line breaks within one.
            let block = |line: &str| json!({ "type": "RichTextBlock", "spacing": "Small", "inlines": [run(line)] });
            let lines = text.lines().chain([makeshift]).filter(|line| !line.trim().is_empty());
            adaptive(&lines.map(block).collect::<Vec<_>>(), None)
        }
        TeamsCard::MessageCard => {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            json!({
                "@type": "MessageCard",
                "@context": "https://schema.org/extensions",
                "summary": words::headline(rendering),
                "themeColor": "0078D7",
                "text": lines.collect::<Vec<_>>().join("\n\n"),
                // A part of its own, so that it stays when the text has to be cut.
                "sections": [{ "text": makeshift }],
            })
        }
    }
}

/// A text that is shown as it is: in any other element Teams takes it for Markdown.
fn run(text: &str) -> Value {
    json!({ "type": "TextRun", "text": text })
}

/// The body of the first adaptive card of a message.
pub(super) fn body_of(message: &mut Map<String, Value>) -> Option<&mut Vec<Value>> {
    message.get_mut("attachments")?.get_mut(0)?.get_mut("content")?.get_mut("body")?.as_array_mut()
}

/// Adds notes in small print at the end of a card, or below the text of a message that has none.
pub(super) fn add_notes(message: &mut Map<String, Value>, notes: &[String]) {
    let notes = notes.join(" ");
    if let Some(body) = body_of(message) {
        let run = json!({ "type": "TextRun", "text": notes, "size": "Small", "isSubtle": true });
        body.push(json!({ "type": "RichTextBlock", "separator": true, "inlines": [run] }));
    } else {
        let text = message.get("text").and_then(Value::as_str).map(|text| format!("{text}\n\n")).unwrap_or_default();
        message.insert("text".to_owned(), format!("{text}{notes}").into());
    }
}
