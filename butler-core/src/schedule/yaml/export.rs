//! A schedule file that the original can read.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::entry::LIST;
use crate::schedule::cron::Months;
use crate::schedule::{Rules, Schedule, Targets, When};

/// What stands above the schedules.
const HEAD: &str = "# The schedules of Butler. Months are counted from 0 here, as the original does, which also runs all of them by the clock of its machine, whatever `timezone` says.\n";

/// A schedule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Its text. The remarks stand in it, as comments.
    pub yaml: String,
    /// What the original can't do, each with the id of its schedule.
    pub remarks: Vec<String>,
}

/// Writes schedules, whose months are counted so, as a file that the original can read. It leaves alone members
/// that it does not know, such as rules, and read here they are the same; but what it would run at other times is left out.
///
/// # Errors
/// A schedule can't be written as YAML.
pub fn export<'a>(schedules: impl IntoIterator<Item = &'a Schedule>, months: Months) -> Result<Exported, serde_saphyr::ser::Error> {
    let mut remarks = Vec::new();
    let list: Vec<Value> = schedules.into_iter().filter_map(|schedule| written(schedule, months, &mut remarks)).collect();
    let mut yaml = HEAD.to_owned();
    for remark in &mut remarks {
        remark.retain(|c| !c.is_control());
        // A text takes whatever is written to it.
        let _ = writeln!(yaml, "# {remark}");
    }
    let file = Map::from_iter([(LIST.to_owned(), Value::Array(list))]);
    yaml += &serde_saphyr::to_string(&file)?;
    Ok(Exported { yaml, remarks })
}

fn written(schedule: &Schedule, months: Months, remarks: &mut Vec<String>) -> Option<Value> {
    let mut say = |what: &str| remarks.push(format!("{} (`{}`): {what}", schedule.id, schedule.when));
    let cron = cron(schedule, months, &mut say)?;
    let mut value = serde_json::to_value(schedule).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        members.remove("origin");
        members.insert("cronSchedule".to_owned(), Value::from(cron));
    }
    let Targets { tasks, tags, custom_properties, site } = schedule.targets();
    if let Some(action) = &schedule.action {
        say(&format!("the original knows no actions, such as `{action}`, and starts nothing"));
    } else if tasks.len() != 1 || !tags.is_empty() || !custom_properties.is_empty() {
        let starts = schedule.task.as_ref().map_or_else(|| "nothing".to_owned(), |task| format!("{task} alone"));
        say(&format!("the original starts one task by its id, and neither several nor by tags or custom properties: here, {starts}"));
    }
    if let Some(site) = site {
        say(&format!("the original knows one site, and not `{site}` among several"));
    }
    if schedule.rules != Rules::default() {
        say("the original knows no rules: each occurrence starts its task, and one that was missed stays missed");
    }
    Some(value)
}

/// The expression, with months from 0; none if the original would read it as another one.
fn cron(schedule: &Schedule, months: Months, say: &mut impl FnMut(&str)) -> Option<String> {
    match When::parse(&schedule.when, months) {
        Ok(When::Cron(cron)) => {
            let original = cron.to_original();
            if original.is_none() {
                say("is left out: the original has no L, W and # in cron expressions");
            }
            original
        }
        Ok(When::Text(_)) => {
            say("never runs there: the original reads cron expressions alone");
            Some(schedule.when.clone())
        }
        Err(_) => {
            say("is left out: its times can't be read");
            None
        }
    }
}
