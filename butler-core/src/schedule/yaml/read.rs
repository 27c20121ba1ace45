//! What the schedules of a file are here.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::entry::{Entry, entries};
use super::moved::{Moved, moved};
use super::{Level, Remark, TimeZones, YamlError};
use crate::schedule::cron::Months;
use crate::schedule::{Schedule, Startup, When, time_zone};

/// How a file is read.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// How the months are counted here.
    pub months: Months,
    /// The zone of schedules that name none, or one that is not known.
    pub zone: TimeZone,
    /// That of the machine on which the original ran the schedules.
    pub host: TimeZone,
    /// Whose clocks count from now on.
    pub time_zones: TimeZones,
    /// The time: runs are compared from now on.
    pub now: Timestamp,
}

/// A schedule of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// Its id; one is made up where there is none.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it is here; none if it can't be one, for which there is a [`Level::Error`].
    pub schedule: Option<Schedule>,
    /// What is to be known about it.
    pub remarks: Vec<Remark>,
}

/// Takes a file apart. The same file has always the same ids.
///
/// # Errors
/// [`YamlError`]: it is no such file. What is wrong with one schedule alone is among its remarks.
pub fn read(text: &str, options: &ReadOptions) -> Result<Vec<Found>, YamlError> {
    let mut seen = HashMap::new();
    let mut alike = HashMap::new();
    Ok(entries(text)?.into_iter().map(|entry| found(entry, options, &mut seen, &mut alike)).collect())
}

/// Collects remarks.
struct Remarks(Vec<Remark>);

impl Remarks {
    fn add(&mut self, line: u64, level: Level, text: impl Into<String>) {
        self.0.push(Remark { line, level, text: text.into() });
    }
}

fn found(mut entry: Entry, options: &ReadOptions, seen: &mut HashMap<String, u64>, alike: &mut HashMap<String, u64>) -> Found {
    let mut remarks = Remarks(Vec::new());
    let line = entry.line;
    let text = |entry: &mut Entry, name: &str| entry.take_text(name).unwrap_or_else(|| (String::new(), line));
    let (name, _) = text(&mut entry, "name");
    let (cron, cron_line) = text(&mut entry, "cronSchedule");
    let (timezone, zone_line) = text(&mut entry, "timezone");
    let (task, task_line) = text(&mut entry, "qlikSenseTaskId");
    let (startup, startup_line) = text(&mut entry, "startupState");
    let (id, id_line) = text(&mut entry, "id");
    let (created, _) = text(&mut entry, "created");
    // The state that it had last counts neither there nor here, and where it is defined is here.
    for ignored in ["lastKnownState", "origin"] {
        entry.take(ignored);
    }
    let id = if id.trim().is_empty() {
        let made = made_up(&[&name, &cron, &timezone, &task], alike);
        remarks.add(line, Level::Warning, format!("it has no id, and gets `{made}`"));
        made
    } else {
        id
    };
    let mut found = Found { line, id: id.clone(), name: name.clone(), schedule: None, remarks: Vec::new() };
    let earlier = seen.get(&id).copied();
    if let Some(earlier) = earlier {
        remarks.add(id_line, Level::Error, format!("the schedule on line {earlier} has the id `{id}` already, and is the one that counts"));
    } else {
        seen.insert(id.clone(), line);
    }
    let startup = startup_of(&startup, startup_line, &mut remarks);
    let when = when_of(&cron, cron_line, options, &mut remarks);
    let tags = tags_of(&mut entry, &mut remarks);
    if !task.is_empty() && (task.len() != 36 || task.parse::<Uuid>().is_err()) {
        remarks.add(task_line, Level::Warning, format!("`{task}` is no id of a task, so there is none that it could start"));
    }
    let timezone = match &when {
        Some(when) => zone_of(timezone, zone_line, when, options, &mut remarks),
        None => timezone,
    };
    let more: Map<String, Value> = entry.members.into_iter().map(|member| (member.name, member.value)).collect();
    let given =
        Schedule { tags, ..Schedule::new(name, when.as_ref().map(ToString::to_string).unwrap_or_default()).with_id(id).in_zone(timezone) };
    let given = Schedule {
        task: Some(task).filter(|task| !task.is_empty()),
        created: Some(created).filter(|created| !created.is_empty()),
        startup,
        state: startup.state(),
        ..given
    };
    // Members of our own, such as rules, stand among those that nobody knows; together they are what JSON says.
    let whole = match serde_json::to_value(given) {
        Ok(Value::Object(members)) => members.into_iter().chain(more).collect(),
        _ => more,
    };
    match serde_json::from_value::<Schedule>(Value::Object(whole)) {
        Err(error) => remarks.add(line, Level::Error, format!("a member can't be read: {error}")),
        Ok(schedule) if schedule.action.is_none() && schedule.targets().names_none() => {
            remarks.add(line, Level::Error, "it names no task, so there is nothing to do");
        }
        Ok(schedule) => found.schedule = when.is_some().then_some(schedule).filter(|_| earlier.is_none()),
    }
    found.remarks = remarks.0;
    found
}

/// An id for what has none: the same for the same file.
fn made_up(parts: &[&str], alike: &mut HashMap<String, u64>) -> String {
    let what = parts.join("\0");
    let count = alike.entry(what.clone()).or_default();
    *count += 1;
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("butlerSchedule\0{what}\0{count}").as_bytes()).to_string()
}

fn startup_of(text: &str, line: u64, remarks: &mut Remarks) -> Startup {
    match text {
        "start" => Startup::Start,
        "started" => Startup::Started,
        "stop" => Startup::Stop,
        "stopped" => Startup::Stopped,
        "" => {
            remarks.add(line, Level::Warning, "it has no `startupState`, so it does not run until it is enabled");
            Startup::Stopped
        }
        other => {
            let said = format!("`startupState` is `{other}` and neither `start` nor `started`, so it does not run until it is enabled");
            remarks.add(line, Level::Warning, said);
            Startup::Stopped
        }
    }
}

/// When it is due, with months as they are counted here.
fn when_of(text: &str, line: u64, options: &ReadOptions, remarks: &mut Remarks) -> Option<When> {
    let refuse = |remarks: &mut Remarks, why: String| {
        let said = format!("`{text}` can't be read as times: {why}. Put it right in the file, and import that once more");
        remarks.add(line, Level::Error, said);
    };
    let when = match When::parse(text, Months::FromZero) {
        Ok(when) => when,
        Err(error) => {
            refuse(remarks, error.to_string());
            return None;
        }
    };
    let When::Cron(cron) = &when else { return Some(when) };
    if options.months == Months::FromZero {
        return Some(when);
    }
    let standard = cron.to_standard();
    if standard != text.trim() {
        let said = format!("months are counted from 1 here and not from 0: `{}` becomes `{standard}`", text.trim());
        remarks.add(line, Level::Note, said);
    }
    When::parse(&standard, Months::FromOne).inspect_err(|error| refuse(remarks, error.to_string())).ok()
}

fn tags_of(entry: &mut Entry, remarks: &mut Remarks) -> Option<Vec<String>> {
    let tags = entry.take("tags")?;
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    };
    match &tags.value {
        Value::Null => None,
        Value::Array(items) => {
            let texts: Vec<_> = items.iter().filter_map(text).collect();
            if texts.len() < items.len() {
                remarks.add(tags.line, Level::Warning, "tags that are no texts are left out");
            }
            Some(texts)
        }
        one => match text(one) {
            Some(tag) => Some(vec![tag]),
            None => {
                remarks.add(tags.line, Level::Warning, "`tags` is no list of texts, and is left out");
                None
            }
        },
    }
}

/// The zone that is named from now on.
fn zone_of(named: String, line: u64, when: &When, options: &ReadOptions, remarks: &mut Remarks) -> String {
    let known = time_zone(&named);
    if known.is_none() && !named.trim().is_empty() {
        let used = options.zone.iana_name().unwrap_or("that of this machine");
        remarks.add(line, Level::Warning, format!("there is no time zone `{named}`; instead, {used} counts"));
    }
    let zone = known.unwrap_or_else(|| options.zone.clone());
    let Some(Moved { here, there }) = moved(when, &zone, &options.host, options.now) else { return named };
    let host = options.host.iana_name().unwrap_or("the zone of this machine");
    let clock = |at: Option<Timestamp>| {
        at.map_or_else(|| "never".to_owned(), |at| at.to_zoned(options.host.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string())
    };
    let zone = zone.iana_name().unwrap_or("the zone of this machine");
    match options.time_zones {
        TimeZones::File => {
            let said = format!(
                "its time zone counts now, {zone}: the original ran it by the clock of its machine, {host}. By that clock, it runs at {} and no longer \
                 at {}. To keep the old times, import with the time zone `local`",
                clock(here),
                clock(there)
            );
            remarks.add(line, Level::Warning, said);
            named
        }
        TimeZones::Local => {
            let said = format!(
                "its time zone becomes {host}, by which the original ran it, and not {zone}: it runs at {} as before",
                clock(there)
            );
            remarks.add(line, Level::Note, said);
            options.host.iana_name().unwrap_or_default().to_owned()
        }
    }
}
