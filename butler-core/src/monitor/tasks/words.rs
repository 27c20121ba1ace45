//! From what was found to an event: its key, and words that people understand.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::find::{Finding, Limit};
use crate::event::{Body, DedupKey, Kind, NewEvent, Notice, NoticeTask, SiteName, SourceName};
use crate::qlik::TaskStanding;
use crate::sink::words::duration;

/// The site that is told of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) site: &'a SiteName,
    pub(super) source: &'a SourceName,
    pub(super) zone: &'a TimeZone,
}

/// The event about a finding.
pub(super) fn event(place: Place<'_>, task: &TaskStanding, finding: &Finding, now: Timestamp) -> NewEvent {
    let zone = place.zone;
    let name = if task.name.is_empty() { task.id.to_string() } else { task.name.clone() };
    let Told { kind, transition, title, text, fields } = match finding {
        Finding::Late { expected } => late(&name, *expected, task, now, zone),
        Finding::Stuck { execution, since, running, limit } => stuck(&name, execution, *since, *running, *limit, zone),
        Finding::Queued { execution, since, waiting } => queued(&name, execution, *since, *waiting, zone),
        Finding::Failing { since, count, number } => failing(&name, *since, *count, *number, task, zone),
        Finding::Recovered { execution, at, since, count } => recovered(&name, execution, *at, *since, *count, zone),
    };
    let notice = Notice {
        title,
        text,
        fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        task: Some(NoticeTask { task_id: task.id, task_name: task.name.clone(), app_id: task.app_id, app_name: task.app_name.clone() }),
    };
    NewEvent {
        site: place.site.clone(),
        kind: Kind::Other(kind.into()),
        at: if let Finding::Recovered { at, .. } = finding { *at } else { now },
        source: place.source.clone(),
        keys: vec![DedupKey::Exact(format!("{}|{kind}|{}|{transition}", place.site, task.id.simple()))],
        body: Body::Notice(notice),
    }
}

/// The particulars of an event.
struct Told {
    kind: &'static str,
    /// What tells this occurrence from the others of the same task and kind.
    transition: String,
    title: String,
    text: String,
    fields: BTreeMap<&'static str, String>,
}

fn late(name: &str, expected: Timestamp, task: &TaskStanding, now: Timestamp, zone: &TimeZone) -> Told {
    let by = long(Duration::try_from(now.duration_since(expected)).unwrap_or_default());
    let last = match &task.last {
        Some(last) => match last.stop.or(last.start) {
            Some(at) => format!("Its last run was at {} ({}).", local(at, zone), last.status.text()),
            None => format!("Its last run is shown as {}.", last.status.text()),
        },
        None => "It has never run.".to_owned(),
    };
    let text = format!(
        "The task should have started at {} and has not, {by} later. {last} Look whether the scheduler service runs, and at the task's triggers.",
        local(expected, zone)
    );
    Told {
        kind: "task.late",
        transition: expected.to_string(),
        title: format!("Not started: {name}, due at {}", clock(expected, zone)),
        text,
        fields: BTreeMap::from([("expected", expected.to_string()), ("lateBy", by)]),
    }
}

fn stuck(name: &str, execution: &str, since: Timestamp, running: Duration, limit: Limit, zone: &TimeZone) -> Told {
    let for_how_long = long(running);
    let mut fields = BTreeMap::from([("reason", "running".to_owned()), ("since", since.to_string()), ("runningFor", for_how_long.clone())]);
    let why = match limit {
        Limit::Usual(typical) => {
            let (median, p95) = (long(typical.median), long(typical.p95));
            let why = format!("It usually takes {median}, and hardly ever more than {p95}.");
            fields.extend([("usual", median), ("hardlyEverMore", p95), ("limit", long(typical.too_long()))]);
            why
        }
        Limit::Longest(longest) => {
            fields.insert("limit", long(longest));
            format!("No task may run longer than {}, as the configuration says.", long(longest))
        }
        Limit::Timeout(timeout) => {
            fields.insert("limit", long(timeout));
            format!("Its session ends after {}, and Qlik Sense should have stopped it by now.", long(timeout))
        }
    };
    let text = format!(
        "The task has been running for {for_how_long}, since {}. {why} Look whether it still does something, and stop it if it does not.",
        local(since, zone)
    );
    let title = format!("Stuck: {name}, running for {for_how_long}");
    Told { kind: "task.stuck", transition: format!("running|{execution}"), title, text, fields }
}

fn queued(name: &str, execution: &str, since: Timestamp, waiting: Duration, zone: &TimeZone) -> Told {
    let for_how_long = long(waiting);
    let text = format!(
        "The task was triggered at {} and has been waiting for its start for {for_how_long}. Look whether other tasks take all places of the engines, and whether the \
         scheduler's nodes are up.",
        local(since, zone)
    );
    Told {
        kind: "task.stuck",
        transition: format!("queued|{execution}"),
        title: format!("Waiting: {name}, queued for {for_how_long}"),
        text,
        fields: BTreeMap::from([("reason", "queued".to_owned()), ("since", since.to_string()), ("queuedFor", for_how_long)]),
    }
}

fn failing(name: &str, since: Timestamp, count: u32, number: i64, task: &TaskStanding, zone: &TimeZone) -> Told {
    let next = match task.next {
        Some(next) => format!("Its next run is planned for {}.", local(next, zone)),
        None => "No further run is planned.".to_owned(),
    };
    let text = format!("The task has failed since {}, {} in a row. {next}", local(since, zone), times(count));
    Told {
        kind: "task.failing",
        transition: format!("{since}|{number}"),
        title: format!("Still failing: {name}, {}", failures(count)),
        text,
        fields: failing_fields(since, count),
    }
}

fn recovered(name: &str, execution: &str, at: Timestamp, since: Timestamp, count: u32, zone: &TimeZone) -> Told {
    let was_down = long(Duration::try_from(at.duration_since(since)).unwrap_or_default());
    let text = format!("The task succeeded at {}. It had failed since {}, {} in a row.", local(at, zone), local(since, zone), times(count));
    let mut fields = failing_fields(since, count);
    fields.insert("failedFor", was_down);
    let title = format!("Recovered: {name}, after {}", failures(count));
    Told { kind: "task.recovered", transition: execution.to_owned(), title, text, fields }
}

fn failing_fields(since: Timestamp, count: u32) -> BTreeMap<&'static str, String> {
    BTreeMap::from([("failingSince", since.to_string()), ("failures", count.to_string())])
}

fn failures(count: u32) -> String {
    if count == 1 { "1 failure".to_owned() } else { format!("{count} failures") }
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// A duration in words; also one of less than a second.
fn long(lasts: Duration) -> String {
    let words = duration(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX));
    if words.is_empty() { "less than a second".to_owned() } else { words }
}

/// `2024-05-13 06:00:00`, in the site's zone.
fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `06:00`, which is what fits into a headline.
fn clock(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M").to_string()
}
