//! How it looks in a terminal. Pure: from what came of a scene to text.

use butler_core::event::{Facts, TaskOutcome};
use butler_core::store::{DeliveryRecord, DeliveryState};
use jiff::Timestamp;
use serde_json::Value;

use super::outcome::{Outcome, Received};
use super::scene::{Scene, Trouble};
use super::world::World;
use crate::output::{Colour, paint};
use crate::table::cut;

/// Lines are no longer than this.
const WIDTH: usize = 110;
/// Of a mail's text.
const MAIL_LINES: usize = 20;

pub(super) fn introduction(world: &World) -> String {
    let lines = [
        format!("{}: everything below happens in this process, and nothing leaves this machine.", paint("butler demo", Colour::Bold)),
        String::new(),
        format!("  a simulated Qlik Sense   repository https://{}, with client certificates", world.site.address()),
        format!("  a real Butler            log datagrams on udp {}, its store in {}", world.address("udp"), world.folder.path().display()),
        format!(
            "  people to be told        Slack and a webhook at {} and {}, mail at {}",
            world.slack.address(),
            world.webhook.address(),
            world.mail.address()
        ),
        String::new(),
        paint(&format!("  look into it with: butler-cli events list --server http://{}", world.address("api")), Colour::Dim),
        paint(&format!("  or in a browser:   http://{0}/documentation and http://{0}/api/docs", world.address("api")), Colour::Dim),
        String::new(),
    ];
    lines.join("\n") + "\n"
}

pub(super) fn announcement(number: usize, scene: &Scene) -> String {
    let what = match (scene.outcome.told(), scene.trouble) {
        (TaskOutcome::Aborted, _) => "Somebody stops a reload.",
        (_, Trouble::WebhookBusy) => "A reload fails, and the webhook is busy.",
        (_, Trouble::RepositoryDown) => "A reload fails, and the repository does not answer.",
        _ => "A reload fails.",
    };
    format!("{}\n", paint(&format!("{number}. {what}"), Colour::Bold))
}

pub(super) fn outcome(outcome: &Outcome) -> String {
    let Outcome { execution, story, received } = outcome;
    let record = &story.record;
    let mut text = String::new();
    text += &row("Sense logs", &String::from_utf8_lossy(&execution.datagram));
    text += &row("Butler takes it", &format!("on disk as event {}", record.event.id));
    text += &finds(&story.facts);
    if let Some(first) = story.deliveries.iter().filter_map(|delivery| delivery.settled).min() {
        let (count, first) = (story.deliveries.len(), after(record.event.received, first));
        text += &row("it tells", &format!("{count} destinations, the first has it after {first}"));
    }
    text.push('\n');
    let mut earlier: Vec<Vec<String>> = Vec::new();
    for (delivery, received) in story.deliveries.iter().zip(received) {
        let (whom, lines) = told(delivery, received);
        text += &heading(record.event.received, delivery, &whom);
        if earlier.contains(&lines) {
            text += &quoted(delivery, &["the same".to_owned()]);
        } else {
            text += &quoted(delivery, &lines);
            earlier.push(lines);
        }
        text.push('\n');
    }
    text
}

pub(super) fn farewell(once: bool) -> String {
    let what = if once { "Everybody was told." } else { "The demo has ended; its folder is gone." };
    format!("{what} {}", paint("`butler-cli init` writes a configuration for a real site.", Colour::Dim))
}

fn row(label: &str, text: &str) -> String {
    format!("   {label:<16} {}\n", paint(&cut(text, WIDTH - 20), Colour::Dim))
}

/// What was found out, a few to a line, and what was not.
fn finds(facts: &Facts) -> String {
    const TO_A_LINE: usize = 3;
    let known = known(facts);
    let mut text = String::new();
    for (index, some) in known.chunks(TO_A_LINE).enumerate() {
        text += &row(if index == 0 { "it finds out" } else { "" }, &some.join(", "));
    }
    if known.is_empty() {
        text += &row("it finds out", "nothing, and tells people all the same");
    }
    if let Some(error) = facts.script_log.known().and_then(|log| log.error.as_ref()) {
        text += &row("the reason", &error.text);
        if let Some(line) = error.statement.last() {
            text += &row("", &format!("in {line}"));
        }
    }
    for why in facts.missing() {
        text += &format!("   {:<16} {}\n", "it misses", paint(&cut(&why, WIDTH - 20), Colour::Yellow));
    }
    text
}

fn known(facts: &Facts) -> Vec<String> {
    let task = facts.task.known().map(|task| match &task.tags[..] {
        [] => "the task".to_owned(),
        tags => format!("the task with tags {}", tags.join(", ")),
    });
    let app = facts.app.known().map(|app| match &app.stream {
        Some(stream) => format!("the app in stream {stream}"),
        None => "the app".to_owned(),
    });
    let owner = facts.owner.known().map(|owner| format!("its owner {}", owner.name));
    let result = facts.result.known().map(|result| format!("the result {}", result.status.text()));
    let log = facts.script_log.known().map(|log| format!("the script log of {} lines", log.rows));
    [task, app, owner, result, log].into_iter().flatten().collect()
}

/// Whom a delivery reached, and what they saw.
fn told(delivery: &DeliveryRecord, received: &Received) -> (String, Vec<String>) {
    match received {
        Received::Slack { body } => ("Slack".to_owned(), slack(body)),
        Received::Webhook { line, body } => (format!("webhook, {line}"), webhook(body)),
        Received::Mail { to, subject, text } => (format!("mail to {to}"), mail(subject, text)),
        Received::Nothing => (delivery.sink.to_string(), vec![delivery.detail.clone()]),
    }
}

fn colour(delivery: &DeliveryRecord) -> Colour {
    if delivery.state == DeliveryState::Delivered { Colour::Green } else { Colour::Red }
}

fn heading(received_at: Timestamp, delivery: &DeliveryRecord, whom: &str) -> String {
    let tries = if delivery.attempts > 1 { format!(", at attempt {}", delivery.attempts) } else { String::new() };
    let how = match delivery.settled {
        Some(at) if delivery.state == DeliveryState::Delivered => format!("after {}{tries}", after(received_at, at)),
        _ => delivery.state.as_str().to_owned(),
    };
    format!("   {} {}\n", paint(&format!("* {whom}"), colour(delivery)), paint(&how, Colour::Dim))
}

fn quoted(delivery: &DeliveryRecord, lines: &[String]) -> String {
    lines.iter().map(|line| format!("     {} {}\n", paint("|", colour(delivery)), cut(line, WIDTH))).collect()
}

fn after(from: Timestamp, to: Timestamp) -> String {
    match to.duration_since(from).as_millis() {
        short @ ..1000 => format!("{} ms", short.max(0)),
        long => format!("{:.1} s", long as f64 / 1e3),
    }
}

fn mail(subject: &str, text: &str) -> Vec<String> {
    let mut lines = vec![format!("Subject: {subject}")];
    let body: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.extend(body.iter().take(MAIL_LINES).map(|line| (*line).to_owned()));
    if body.len() > MAIL_LINES {
        lines.push(format!("... and {} more lines", body.len() - MAIL_LINES));
    }
    lines.push("and the same as HTML".to_owned());
    lines
}

/// The body, a key a line.
fn webhook(body: &str) -> Vec<String> {
    match serde_json::from_str(body) {
        Ok(Value::Object(object)) => object.iter().map(|(key, value)| format!("{key}: {}", plain(value))).collect(),
        _ => body.lines().map(str::to_owned).collect(),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The texts of the blocks, as Slack would show them one below the other.
fn slack(body: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let mut lines = Vec::new();
    for block in body["blocks"].as_array().into_iter().flatten() {
        let fields = block["fields"].as_array().into_iter().flatten();
        let elements = block["elements"].as_array().into_iter().flatten();
        for part in std::iter::once(&block["text"]).chain(fields) {
            lines.extend(part["text"].as_str().into_iter().flat_map(mrkdwn));
        }
        let buttons: Vec<String> =
            elements.filter_map(|element| element["text"]["text"].as_str()).map(|text| format!("[ {text} ]")).collect();
        if !buttons.is_empty() {
            lines.push(buttons.join("  "));
        }
    }
    lines
}

/// The emoji that the built-in template names.
const EMOJI: [(&str, &str); 3] =
    [(":red_circle:", "\u{1f534}"), (":large_orange_circle:", "\u{1f7e0}"), (":large_green_circle:", "\u{1f7e2}")];

/// `*Label*` and what stands below it become one line; the fences around a log go.
fn mrkdwn(text: &str) -> Vec<String> {
    let text = EMOJI.iter().fold(text.to_owned(), |text, (name, emoji)| text.replace(name, emoji));
    let mut lines: Vec<String> = text.lines().map(|line| line.replace("```", "")).filter(|line| !line.trim().is_empty()).collect();
    if lines.len() == 2 && lines[0].starts_with('*') {
        lines = vec![format!("{} {}", lines[0], link_text(&lines[1]))];
    }
    lines
}

/// Of `<address|text>` the text.
fn link_text(text: &str) -> &str {
    text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).and_then(|rest| rest.split_once('|')).map_or(text, |(_, text)| text)
}
