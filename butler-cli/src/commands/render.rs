//! `render`: what a sink would send.

use butler_core::api::answers::EventDetails;
use butler_core::event::{Event, Facts, Kind};
use butler_core::pipeline::Plan;
use butler_core::sink::rehearsal::{Rehearsed, rehearse};
use butler_core::sink::sample::Sample;
use serde_json::{Value, json};

use super::{plan, sink_of, site_of};
use crate::args::{Format, Global, Render};
use crate::client::Client;
use crate::output::{self, Colour};
use crate::{Exit, story};

pub(crate) async fn run(global: &Global, render: &Render) -> Result<(), Exit> {
    let plan = plan(global)?;
    let (name, sink) = sink_of(&plan, &render.sink)?;
    let Story { event, facts, what } = story_of(global, &plan, render).await?;
    let site = site_of(&plan, &event.site);
    let messages = rehearse(&*sink.sink, &event, &facts, &site);
    if global.output == Format::Json {
        let messages: Vec<_> = messages.iter().map(as_json).collect();
        return output::json(&json!({ "sink": name, "event": event.id, "kind": event.kind, "messages": messages }));
    }
    if messages.is_empty() {
        return Err(Exit::usage(format!("sink `{name}` tells nobody of {what}; `--kind` or `--event` names another event")));
    }
    output::foreign(&format!("Sink `{name}` would send of {what}:\n"));
    for message in &messages {
        show(message);
    }
    Ok(())
}

/// An event, and what is known of it.
struct Story {
    event: Event,
    facts: Facts,
    what: String,
}

async fn story_of(global: &Global, plan: &Plan, render: &Render) -> Result<Story, Exit> {
    if let Some(id) = &render.event {
        let client = Client::new(global, &render.server)?;
        let EventDetails { record, facts, .. } =
            client.get(&format!("/api/events/{}", super::events::find(&client, id).await?), &[]).await?;
        let what = format!("{} ({})", record.event.kind, story::about(&record.event));
        return Ok(Story { event: record.event, facts, what });
    }
    let mut sample = Sample::of(&render.kind);
    if let Some(site) = plan.sites.keys().next() {
        sample.event.site = site.clone();
    }
    Ok(Story { what: format!("{}, an example", sample.event.kind), event: sample.event, facts: sample.facts })
}

fn as_json(rehearsed: &Rehearsed) -> Value {
    let Rehearsed { target, message, fault } = rehearsed;
    json!({
        "target": target,
        "subject": message.subject,
        "content_type": message.content_type,
        "body": message.body,
        "text": message.text,
        "fault": fault,
    })
}

fn show(rehearsed: &Rehearsed) {
    let Rehearsed { target, message, fault } = rehearsed;
    let heading = if target.as_str().is_empty() { "message".to_owned() } else { format!("to {target}") };
    output::write(&format!("\n{}\n", output::paint(&format!("── {heading} ──"), Colour::Bold)));
    if let Some(fault) = fault {
        output::foreign(&format!("! in plain words, because of its template: {fault}\n"));
    }
    if let Some(subject) = &message.subject {
        output::foreign(&format!("subject: {subject}\n"));
    }
    output::foreign(&format!("content type: {}\n\n", message.content_type));
    // As it is sent, but so that it can be read.
    let pretty = serde_json::from_str::<Value>(&message.body).ok().and_then(|value| serde_json::to_string_pretty(&value).ok());
    output::foreign(pretty.as_deref().unwrap_or(&message.body).trim_end());
    output::write("\n");
    if let Some(text) = &message.text {
        output::write(&format!("\n{}\n\n", output::paint("── the same in plain text ──", Colour::Bold)));
        output::foreign(text.trim_end());
        output::write("\n");
    }
}

/// The kinds that examples are named by.
pub(crate) fn kind(text: &str) -> Result<Kind, String> {
    text.parse().map_err(|_| "expected the kind of an event, such as reload_task.failed, engine_reload.failed or task.late".to_owned())
}
