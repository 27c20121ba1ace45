//! What happened to an event, in words. Pure: from data to text.

use butler_core::event::{Body, Event, Fact};
use butler_core::store::{AttemptRecord, DeliveryRecord, DeliveryState, EventRecord, Story};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::table::cut;

/// A time as people read it.
pub(crate) fn time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// What an event is about, in a few words.
pub(crate) fn about(event: &Event) -> String {
    match &event.body {
        Body::Task(task) if task.app_name.is_empty() => format!("task {}", task.task_name),
        Body::Task(task) => format!("task {} (app {})", task.task_name, task.app_name),
        Body::EngineReload(reload) => reload.app_id.map_or_else(|| "an app".to_owned(), |app| format!("app {app}")),
        Body::Notice(notice) => notice.title.clone(),
        _ => String::new(),
    }
}

/// How the deliveries of an event stand, in a few words.
pub(crate) fn fate(record: &EventRecord) -> String {
    if record.routed.is_none() {
        return "being looked into".to_owned();
    }
    if record.deliveries.is_empty() {
        return "nobody is told".to_owned();
    }
    let parts: Vec<String> = record.deliveries.iter().map(|(state, count)| format!("{count} {}", state.as_str())).collect();
    parts.join(", ")
}

/// Where a delivery goes, in a few words.
pub(crate) fn destination(record: &DeliveryRecord) -> String {
    let target = record.target.as_str();
    if target.is_empty() { record.sink.to_string() } else { format!("{} ({target})", record.sink) }
}

/// Everything about an event.
pub(crate) fn show(story: &Story, zone: &TimeZone) -> String {
    let mut text = explain(story, zone);
    text += "\nevent\n";
    let pretty = serde_json::to_string_pretty(&story.record.event).unwrap_or_default();
    text += &format!("{pretty}\nfacts\n{}\n", serde_json::to_string_pretty(&story.facts).unwrap_or_default());
    text
}

/// Why an event was sent to whom, or was not.
pub(crate) fn explain(story: &Story, zone: &TimeZone) -> String {
    let event = &story.record.event;
    let mut text = format!("{}: {}\n", event.kind, about(event));
    text += &format!("  event {}, site {}\n", event.id, event.site);
    let first = story.sightings.first().map_or_else(String::new, |s| format!("{} at {}", s.source, time(s.at, zone)));
    text += &format!("  first told by {first}");
    text += &match story.record.sightings {
        0 | 1 => "\n".to_owned(),
        more => format!(", and {} more times; it is one event all the same\n", more - 1),
    };
    text += "\nWhat was found out\n";
    text += &facts(story);
    text += "\nWhat the routes said\n";
    if story.record.routed.is_none() {
        text += "  not asked yet: the event is being looked into\n";
    } else if story.notes.is_empty() {
        text += "  there are no routes\n";
    }
    for note in &story.notes {
        text += &format!("  {} {}: {}\n", if note.matched { "yes" } else { "no " }, note.route, note.why);
    }
    text += "\nWho is told\n";
    if story.deliveries.is_empty() {
        text += "  nobody\n";
    }
    for record in &story.deliveries {
        text += &format!("  {}: {}\n", destination(record), verdict(record, zone));
        text += &format!("    delivery {} (route {})\n", record.id, record.route);
    }
    text
}

fn facts(story: &Story) -> String {
    let facts = &story.facts;
    let lines = [
        fact("task", &facts.task, |task| task.name.clone()),
        fact("app", &facts.app, |app| app.name.clone()),
        fact("app owner", &facts.owner, |owner| format!("{} ({}\\{})", owner.name, owner.directory, owner.user_id)),
        fact("execution result", &facts.result, |result| {
            let sure = if result.certain { "" } else { ", which may be another run" };
            format!("{} on {}{sure}", result.status.text(), result.executing_node)
        }),
        fact("script log", &facts.script_log, |log| format!("{} lines", log.rows)),
    ];
    let lines: String = lines.into_iter().flatten().collect();
    if lines.is_empty() { "  nothing was asked\n".to_owned() } else { lines }
}

fn fact<T>(name: &str, fact: &Fact<T>, words: impl Fn(&T) -> String) -> Option<String> {
    match fact {
        Fact::Unasked => None,
        Fact::Known(value) => Some(format!("  {name}: {}\n", words(value))),
        Fact::Missing { why, .. } => Some(format!("  {name}: MISSING, {why}\n")),
    }
}

/// How a delivery stands, in words.
fn verdict(record: &DeliveryRecord, zone: &TimeZone) -> String {
    let tries = match record.attempts {
        0 => "not tried yet".to_owned(),
        1 => "after 1 try".to_owned(),
        n => format!("after {n} tries"),
    };
    let at = record.settled.map(|at| time(at, zone)).unwrap_or_default();
    match record.state {
        DeliveryState::Delivered => format!("delivered at {at} {tries}: {}", cut(&record.detail, 200)),
        DeliveryState::Dead => format!("GIVEN UP at {at} {tries}: {}", cut(&record.detail, 300)),
        DeliveryState::Suppressed => cut(&record.detail, 300),
        DeliveryState::Discarded => {
            let why = record.detail.strip_prefix("discarded: ").unwrap_or(&record.detail);
            format!("discarded at {at}: {}", cut(why, 300))
        }
        // Nothing else says so: nobody tries it.
        DeliveryState::Pending if record.detail.starts_with("orphaned: ") => cut(&record.detail, 400),
        DeliveryState::Pending if record.waiting_in_lane => "waits for an older message about the same task".to_owned(),
        DeliveryState::Pending if record.attempts == 0 => "waiting, not tried yet".to_owned(),
        DeliveryState::Pending => {
            format!("FAILING {tries}, next at {}: {}", time(record.due, zone), cut(&record.detail, 300))
        }
    }
}

/// Everything about a delivery.
pub(crate) fn delivery(record: &DeliveryRecord, attempts: &[AttemptRecord], zone: &TimeZone) -> String {
    let mut text = format!("{}: {}\n", destination(record), verdict(record, zone));
    text += &format!("  delivery {}\n  event    {}\n  route    {}\n", record.id, record.event, record.route);
    text += &format!("  created  {}\n  expires  {}\n", time(record.created, zone), time(record.expires, zone));
    if record.overtaken {
        text += "  others of its task were let ahead, because it kept failing\n";
    }
    if record.lost > 0 {
        text += &format!("  {} attempts never returned\n", record.lost);
    }
    if !attempts.is_empty() {
        text += "attempts\n";
    }
    for attempt in attempts {
        text += &format!("  {}  {}: {}\n", time(attempt.at, zone), attempt.outcome, cut(&attempt.detail, 300));
    }
    if !record.preview.is_empty() {
        text += "what went out\n";
        for line in record.preview.lines() {
            text += &format!("  {line}\n");
        }
    }
    text
}
