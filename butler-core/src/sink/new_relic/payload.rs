//! The bodies of requests, within New Relic's limits.

use serde_json::{Map, Value, json};

use super::attributes;
use crate::event::{Body, Fact, Kind, TaskType};
use crate::sink::{Rendering, words};

/// The longest body, in bytes.
const MAX_BODY: usize = 1_000_000;
/// To how many characters the values of attributes are cut, one after the other until the body fits; New Relic takes no more than the first.
const LENGTHS: [usize; 4] = [4096, 1000, 200, 50];
/// The same in a makeshift.
const MAKESHIFT: [usize; 2] = [200, 50];
/// The most attributes of one event.
const MAX_ATTRIBUTES: usize = 254;
/// The longest name of an attribute, in characters.
const MAX_NAME: usize = 255;
/// The longest message of a log, in characters; New Relic keeps 128 KB of it. In a makeshift it is a few.
const MAX_MESSAGE: usize = 100_000;
const MAKESHIFT_MESSAGE: usize = 4000;
/// What stands between how the execution went and the script log.
const DASHES: &str = "\r\n-------------------------------\r\n\r\n";
const NO_LOG: &str = "Script log not available for this reload task.";

/// What of an event is sent.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Attributes that are always the same.
    pub(super) fixed: Vec<(String, String)>,
    pub(super) task_tags: bool,
    pub(super) app_tags: bool,
    pub(super) custom_properties: bool,
    /// How many lines of the script log's end.
    pub(super) tail: u32,
}

/// The body for the event API.
pub(super) fn event(shape: &Shape, rendering: &Rendering<'_>, fault: Option<&str>) -> String {
    let all = attributes::common(shape, rendering);
    let last = [("eventType", name(rendering, "Event")), ("timestamp", rendering.event.at.as_millisecond().into())];
    shrunk(fault, |longest| json!([complete(all.clone(), longest, fault, &last)]))
}

/// The body for the log API.
pub(super) fn log(shape: &Shape, rendering: &Rendering<'_>, fault: Option<&str>) -> String {
    let mut all = attributes::common(shape, rendering);
    let message = match fault {
        None => {
            attributes::nested(&mut all, rendering);
            let message = message(rendering, shape.tail);
            if message != NO_LOG {
                attributes::execution(&mut all, rendering, shape.tail);
            }
            cut_start(&message, MAX_MESSAGE)
        }
        Some(_) => words::shortened(&words::plain_text(rendering, None), MAKESHIFT_MESSAGE),
    };
    let last = [("logtype", name(rendering, "Log"))];
    shrunk(fault, |longest| {
        json!([{
            "common": {
                "timestamp": rendering.event.at.as_millisecond(),
                "attributes": complete(all.clone(), longest, fault, &last),
            },
            "logs": [{ "message": message }],
        }])
    })
}

/// A body without the time that it is about.
pub(super) fn without_time(body: &str) -> String {
    let Ok(mut all) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
    for item in all.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        item.shift_remove("timestamp");
        if let Some(Value::Object(common)) = item.get_mut("common") {
            common.shift_remove("timestamp");
        }
    }
    all.to_string()
}

fn name(rendering: &Rendering<'_>, end: &str) -> Value {
    format!("qs_{}{end}", attributes::stem(rendering)).into()
}

/// The first body that fits; the last if none does.
fn shrunk(fault: Option<&str>, make: impl Fn(usize) -> Value) -> String {
    let lengths = if fault.is_some() { &MAKESHIFT[..] } else { &LENGTHS[..] };
    let mut body = String::new();
    for longest in lengths {
        body = make(*longest).to_string();
        if body.len() <= MAX_BODY {
            break;
        }
    }
    body
}

/// Attributes with short names and values, no more than there may be, and `last` in any case.
fn complete(all: Map<String, Value>, longest: usize, fault: Option<&str>, last: &[(&str, Value)]) -> Map<String, Value> {
    let room = MAX_ATTRIBUTES - last.len() - usize::from(fault.is_some()) - 1;
    let left_out = all.len().saturating_sub(room);
    let mut kept: Map<_, _> =
        all.into_iter().take(room).map(|(name, value)| (words::shortened(&name, MAX_NAME), cut_value(value, longest))).collect();
    if left_out > 0 {
        kept.insert("butler_attributesLeftOut".to_owned(), left_out.into());
    }
    if let Some(fault) = fault {
        kept.insert("butler_fault".to_owned(), words::shortened(&words::one_line(fault), LENGTHS[1]).into());
    }
    // Whatever the options call their attributes, these are ours.
    for (name, value) in last {
        kept.shift_remove(*name);
        kept.insert((*name).to_owned(), value.clone());
    }
    kept
}

fn cut_value(value: Value, longest: usize) -> Value {
    match value {
        Value::String(text) => words::shortened(&text, longest).into(),
        Value::Array(items) => items.into_iter().take(MAX_ATTRIBUTES).map(|item| cut_value(item, longest)).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, cut_value(value, longest))).collect(),
        other => other,
    }
}

/// Cut at its start: the end of a script log is what matters.
fn cut_start(text: &str, longest: usize) -> String {
    match text.chars().count().checked_sub(longest) {
        None | Some(0) => text.to_owned(),
        Some(over) => "...".chars().chain(text.chars().skip(over + 3)).collect(),
    }
}

/// What a log says in words.
fn message(rendering: &Rendering<'_>, tail: u32) -> String {
    let facts = rendering.facts;
    let is_reload = match &rendering.event.kind {
        Kind::Task { task_type: Some(TaskType::Reload), .. } => true,
        Kind::Task { task_type: None, .. } => rendering.event.app_id().is_some(),
        _ => false,
    };
    let details = || match facts.result.known() {
        Some(result) => result.details.iter().map(|detail| format!("{}\t{}\n", detail.at, detail.message)).collect(),
        None => String::new(),
    };
    match &rendering.event.body {
        Body::Task(_) if is_reload => match (&facts.script_log, &facts.result) {
            (Fact::Known(log), _) => {
                let wanted = usize::try_from(tail).unwrap_or(usize::MAX);
                let lines = &log.tail[log.tail.len().saturating_sub(wanted)..];
                format!("{}{DASHES}{}", details(), lines.join("\r\n"))
            }
            // The repository says that there is none.
            (_, Fact::Known(result)) if result.script_log_size == 0 => format!("{}{DASHES}", details()),
            _ => NO_LOG.to_owned(),
        },
        Body::Task(event) => match details() {
            details if details.is_empty() => event.message.clone(),
            details => details,
        },
        Body::EngineReload(reload) => reload.message.clone(),
        Body::Notice(notice) if notice.text.is_empty() || notice.text == notice.title => notice.title.clone(),
        Body::Notice(notice) => format!("{}\r\n{}", notice.title, notice.text),
    }
}
