//! What happened to an event, in words. Pure: from data to text.

use std::collections::BTreeMap;

use butler_core::api::answers::{EventDetails, ListedDelivery, SinkDown};
use butler_core::event::{Body, Event, Fact, TaskOutcome};
use butler_core::store::{AttemptRecord, DeliveryRecord, DeliveryState, EventRecord};
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
        let words = if record.event.kind.went_wrong() { "NOBODY is told" } else { "nobody is told" };
        return words.to_owned();
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
pub(crate) fn show(story: &EventDetails, zone: &TimeZone) -> String {
    let mut text = explain(story, zone);
    text += "\nevent\n";
    let pretty = serde_json::to_string_pretty(&story.record.event).unwrap_or_default();
    text += &format!("{pretty}\nfacts\n{}\n", serde_json::to_string_pretty(&story.facts).unwrap_or_default());
    text
}

/// Why an event was sent to whom, or was not.
pub(crate) fn explain(story: &EventDetails, zone: &TimeZone) -> String {
    let event = &story.record.event;
    let mut text = format!("{}: {}\n", event.kind, about(event));
    text += &format!("  event {}, site {}\n", event.id, event.site);
    text += &told_by(story, zone);
    if matches!(&event.body, Body::Task(task) if task.names_unsure) && story.facts.task.known().is_none() {
        text += "  a `;` within a name leaves open where the task's name ends and the app's begins\n";
    }
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
    if story.record.routed.is_none() {
        text += "  not decided yet\n";
    } else if story.deliveries.is_empty() && event.kind.went_wrong() {
        text += "  NOBODY, although something went wrong: add a route for it, or name a sink in `[routing] fallback`\n";
    } else if story.deliveries.is_empty() {
        text += "  nobody\n";
    }
    for listed in &story.deliveries {
        let record = &listed.record;
        text += &format!("  {}: {}\n", destination(record), verdict(listed, zone));
        text += &format!("    delivery {} (route {})\n", record.id, record.route);
    }
    text
}

/// Who told of an event, first and again.
fn told_by(story: &EventDetails, zone: &TimeZone) -> String {
    let Some((first, others)) = story.sightings.split_first() else { return "  nobody knows any more who told of it\n".to_owned() };
    let mut text = format!("  first told by {} at {}", first.source, time(first.at, zone));
    if story.record.sightings > 1 {
        let mut times = BTreeMap::<&str, u64>::new();
        others.iter().for_each(|sighting| *times.entry(sighting.source.as_str()).or_default() += 1);
        let by: Vec<_> = times
            .iter()
            .map(|(source, times)| if *times == 1 { (*source).to_owned() } else { format!("{source} ({times} times)") })
            .collect();
        let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
        text += &match story.record.sightings - 1 {
            1 => format!(", and once more{by}; it is one event all the same"),
            more => format!(", and {more} more times{by}; it is one event all the same"),
        };
    }
    text.push('\n');
    if story.sightings.iter().all(|sighting| is_reconciliation(sighting.source.as_str())) {
        text += "  found by reconciliation: no datagram told of it\n";
    }
    text
}

/// Whether a source is one that reads from a repository what should have been told.
fn is_reconciliation(source: &str) -> bool {
    source == "qrs_poll" || source.starts_with("qrs_poll-")
}

fn facts(story: &EventDetails) -> String {
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
    let mut lines: String = lines.into_iter().flatten().collect();
    if let Some(error) = facts.script_log.known().and_then(|log| log.error.as_ref()) {
        let failed = story.record.event.kind.outcome() == Some(TaskOutcome::Failed);
        let label = if failed { "why it failed" } else { "an error in it" };
        lines += &format!("  {label}: {} (line {} of the script log)\n", cut(&error.text, 300), error.row);
        lines.extend(error.statement.iter().map(|line| format!("    {}\n", cut(line, 200))));
    }
    if lines.is_empty() { "  nothing was asked\n".to_owned() } else { lines }
}

fn fact<T>(name: &str, fact: &Fact<T>, words: impl Fn(&T) -> String) -> Option<String> {
    match fact {
        Fact::Unasked => None,
        Fact::Absent { why } => Some(format!("  {name}: none, {why}\n")),
        Fact::Known(value) => Some(format!("  {name}: {}\n", words(value))),
        Fact::Missing { why, .. } => Some(format!("  {name}: MISSING, {why}\n")),
    }
}

/// How a delivery stands, in words.
pub(crate) fn verdict(listed: &ListedDelivery, zone: &TimeZone) -> String {
    let ListedDelivery { record, orphaned, sink_down } = listed;
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
        DeliveryState::Pending if *orphaned => {
            let last = if record.detail.is_empty() { String::new() } else { format!(" Last: {}", cut(&record.detail, 300)) };
            format!(
                "orphaned: there is no sink `{0}` any more. `was = [\"{0}\"]` in another sink adopts it; else it is given up when it is too old.{last}",
                record.sink
            )
        }
        DeliveryState::Pending => waiting(record, sink_down.as_ref(), &tries, zone),
    }
}

fn waiting(record: &DeliveryRecord, sink_down: Option<&SinkDown>, tries: &str, zone: &TimeZone) -> String {
    let ahead = if record.overtaken { "; others about the same task were let ahead" } else { "" };
    if record.waiting_in_lane {
        return "waits for an older message about the same task".to_owned();
    }
    match sink_down {
        Some(SinkDown { since, error }) => {
            let since = time(*since, zone);
            format!("WAITS, {tries}: the sink is down since {since} and is tried with one message at a time{ahead}: {}", cut(error, 300))
        }
        None if record.attempts == 0 => "waiting, not tried yet".to_owned(),
        None => format!("FAILING {tries}, next at {}{ahead}: {}", time(record.due, zone), cut(&record.detail, 300)),
    }
}

/// Everything about a delivery.
pub(crate) fn delivery(listed: &ListedDelivery, attempts: &[AttemptRecord], zone: &TimeZone) -> String {
    let record = &listed.record;
    let mut text = format!("{}: {}\n", destination(record), verdict(listed, zone));
    text += &format!("  delivery {}\n  event    {}\n  route    {}\n", record.id, record.event, record.route);
    text += &format!("  created  {}\n  expires  {}\n", time(record.created, zone), time(record.expires, zone));
    if record.overtaken {
        text += "  others of its task were let ahead, because it kept failing\n";
    }
    if record.lost > 0 {
        let attempts = if record.lost == 1 { "attempt" } else { "attempts" };
        text += &format!("  {} {attempts} never returned: the program ended, or hung\n", record.lost);
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
