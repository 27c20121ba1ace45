//! Schedules in words. Pure: from data to text.

use std::fmt::Write as _;

use butler_core::api::schedules::{NextRuns, ShownSchedule};
use butler_core::schedule::{Missed, Origin, Rules, State, time_zone};
use butler_core::store::{RunOutcome, ScheduleRun, Work};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::story;
use crate::table::table;

/// What stands where there is no time.
const NEVER: &str = "-";

pub(super) fn list(all: &[ShownSchedule], here: &TimeZone) -> String {
    if all.is_empty() {
        return "no schedules\n".to_owned();
    }
    let row = |schedule: &ShownSchedule| {
        let (there, here) = both(schedule.next, schedule.zone.as_deref(), here);
        let zone = schedule.zone.clone().unwrap_or_else(|| NEVER.to_owned());
        vec![schedule.id.clone(), state(schedule).to_owned(), schedule.when.clone(), zone, there, here, schedule.name.clone()]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    table(&["SCHEDULE", "STATE", "WHEN", "ZONE", "NEXT THERE", "NEXT HERE", "NAME"], &rows, 200)
}

pub(super) fn next(next: &NextRuns, here: &TimeZone) -> String {
    if next.times.is_empty() {
        return "never\n".to_owned();
    }
    let there = zone_of(next.zone.as_deref(), here);
    let row = |at: &Timestamp| vec![weekday(*at, &there), story::time(*at, &there), story::time(*at, here)];
    let zone = next.zone.as_deref().unwrap_or("local");
    let here = format!("HERE ({})", here.iana_name().unwrap_or("local"));
    table(&["DAY", &zone.to_uppercase(), &here], &next.times.iter().map(row).collect::<Vec<_>>(), 160)
}

pub(super) fn show(schedule: &ShownSchedule, here: &TimeZone) -> String {
    let (there, at_home) = both(schedule.next, schedule.zone.as_deref(), here);
    let next = if schedule.next.is_some() { format!("{there} there, {at_home} here") } else { "never: it does not run".to_owned() };
    let zone = match (&schedule.zone, schedule.timezone.as_str()) {
        (Some(zone), named) if zone == named => zone.clone(),
        (Some(zone), "") => format!("{zone} (it names none)"),
        (Some(zone), named) => format!("{zone} (it names `{named}`, which is not known)"),
        (None, named) => named.to_owned(),
    };
    let origin = match schedule.origin {
        Origin::Api => "made over the API; can be changed",
        Origin::Configuration => "the configuration; is changed there",
    };
    let mut lines = vec![
        ("id", schedule.id.clone()),
        ("name", schedule.name.clone()),
        ("when", schedule.when.clone()),
        ("time zone", zone),
        ("state", state(schedule).to_owned()),
        ("next", next),
        ("does", does(schedule)),
        ("rules", rules(&schedule.rules)),
        ("tags", schedule.tags.join(", ")),
        ("from", origin.to_owned()),
        ("made", schedule.created.clone().unwrap_or_default()),
        ("problem", schedule.problem.clone().unwrap_or_default()),
    ];
    lines.extend(schedule.warnings.iter().map(|warning| ("note", warning.clone())));
    lines.retain(|(_, text)| !text.is_empty());
    lines.iter().fold(String::new(), |mut text, (what, words)| {
        // A text takes whatever is written to it.
        let _ = writeln!(text, "{what:<10} {words}");
        text
    })
}

/// How it stands after it was made or switched.
pub(super) fn made(schedule: &ShownSchedule, here: &TimeZone) -> String {
    let id = &schedule.id;
    let mut text = match (schedule.next, schedule.state) {
        (Some(_), _) => {
            let (there, at_home) = both(schedule.next, schedule.zone.as_deref(), here);
            let zone = schedule.zone.as_deref().unwrap_or("local");
            format!("{id} is due next at {there} in {zone}, which is {at_home} here\n")
        }
        (None, State::Started) => format!("{id} runs, and is never due\n"),
        (None, State::Stopped) => format!("{id} does not run\n"),
    };
    for warning in &schedule.warnings {
        text += &format!("note: {warning}\n");
    }
    text
}

pub(super) fn history(runs: &[ScheduleRun], here: &TimeZone) -> String {
    if runs.is_empty() {
        return "it was not due yet\n".to_owned();
    }
    let row = |run: &ScheduleRun| vec![story::time(run.occurrence, here), outcome(&run.outcome, here)];
    table(&["DUE", "WHAT BECAME OF IT"], &runs.iter().map(row).collect::<Vec<_>>(), 240)
}

pub(super) fn outcome(outcome: &RunOutcome, here: &TimeZone) -> String {
    let said = match outcome {
        RunOutcome::Done { detail, .. } => format!("done: {detail}"),
        RunOutcome::Failed { why, .. } => format!("failed: {why}"),
        RunOutcome::Missed { why } => format!("missed: {why}"),
    };
    let (ended, open): (Vec<_>, Vec<_>) = outcome.work().iter().partition(|work| work.end.is_some());
    let end = |work: &Work| work.end.as_ref().map(|end| format!("{} ended with {} at {}", work.name, end.how, story::time(end.at, here)));
    let mut parts = vec![said];
    parts.extend(ended.into_iter().filter_map(end));
    if !open.is_empty() {
        let names: Vec<_> = open.iter().map(|work| work.name.as_str()).collect();
        parts.push(format!("not known to have ended: {}", names.join(", ")));
    }
    parts.join("; ")
}

fn state(schedule: &ShownSchedule) -> &'static str {
    match (schedule.problem.is_some(), schedule.state, schedule.enabled) {
        (true, _, _) => "broken",
        (_, State::Started, true) => "runs",
        (_, State::Started, false) => "runs until a restart",
        (_, State::Stopped, true) => "stopped until a restart",
        (_, State::Stopped, false) => "disabled",
    }
}

fn does(schedule: &ShownSchedule) -> String {
    let mut parts: Vec<String> = schedule.action.iter().map(|action| format!("runs the action {action}")).collect();
    parts.extend(schedule.tasks.iter().map(|task| format!("starts task {task}")));
    parts.extend(schedule.task_tags.iter().map(|tag| format!("starts tasks with the tag {tag}")));
    parts.extend(schedule.task_properties.iter().map(|of| format!("starts tasks with {}={}", of.name, of.value)));
    let site = schedule.site.as_ref().map(|site| format!(" of the site {site}")).unwrap_or_default();
    format!("{}{site}", parts.join(", "))
}

fn rules(rules: &Rules) -> String {
    let Rules { missed, skip_running, jitter, only } = rules;
    let mut parts = Vec::new();
    match missed {
        Missed::Skip => {}
        Missed::Once => parts.push("one run stands for all that were missed".to_owned()),
        Missed::All => parts.push("each that was missed is run".to_owned()),
    }
    if *skip_running {
        parts.push("not while a task still runs".to_owned());
    }
    if !jitter.0.is_zero() {
        parts.push(format!("put off by up to {jitter}"));
    }
    let lists = [
        ("only at", only.hours.iter().map(ToString::to_string).collect::<Vec<_>>()),
        ("only on", only.days.iter().map(ToString::to_string).collect()),
        ("only on", only.dates.iter().map(ToString::to_string).collect()),
        ("not on", only.not_dates.iter().map(ToString::to_string).collect()),
    ];
    parts.extend(lists.iter().filter(|(_, list)| !list.is_empty()).map(|(how, list)| format!("{how} {}", list.join(", "))));
    parts.join("; ")
}

/// A time by the clocks of a schedule's zone, and by those here.
fn both(at: Option<Timestamp>, zone: Option<&str>, here: &TimeZone) -> (String, String) {
    let by = |zone: &TimeZone| at.map_or_else(|| NEVER.to_owned(), |at| story::time(at, zone));
    (by(&zone_of(zone, here)), by(here))
}

fn zone_of(name: Option<&str>, here: &TimeZone) -> TimeZone {
    name.and_then(time_zone).unwrap_or_else(|| here.clone())
}

fn weekday(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a").to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(more: serde_json::Value) -> ShownSchedule {
        let mut value = json!({ "id": "nightly", "name": "Sales", "when": "30 6 * * mon-fri", "timezone": "Europe/Stockholm",
            "zone": "Europe/Stockholm", "enabled": true, "state": "started", "next": "2026-03-11T05:30:00Z", "rules": {}, "origin": "api" });
        value.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        serde_json::from_value(value).expect("a schedule")
    }

    #[test]
    fn schedules_are_listed_by_both_clocks() {
        let all = [
            shown(json!({})),
            shown(json!({ "id": "b", "name": "", "state": "stopped", "enabled": false, "next": null })),
            shown(json!({ "id": "c", "when": "61 * * * *", "zone": null, "state": "stopped", "next": null, "problem": "61 is no minute" })),
        ];
        insta::assert_snapshot!(list(&all, &TimeZone::UTC), @r"
        SCHEDULE  STATE     WHEN              ZONE              NEXT THERE           NEXT HERE            NAME
        nightly   runs      30 6 * * mon-fri  Europe/Stockholm  2026-03-11 06:30:00  2026-03-11 05:30:00  Sales
        b         disabled  30 6 * * mon-fri  Europe/Stockholm  -                    -
        c         broken    61 * * * *        -                 -                    -                    Sales
        ");
        assert_eq!(list(&[], &TimeZone::UTC), "no schedules\n");
    }

    #[test]
    fn a_schedule_is_shown_as_a_whole() {
        let whole = shown(json!({
            "timezone": "Europe/Stokholm", "zone": "Europe/Stockholm", "tasks": ["e959f40a-67be-4a5b-ae83-a292f96ba078"], "task_tags": ["nightly"],
            "task_properties": [{ "name": "Team", "value": "BI" }], "site": "prod", "tags": ["a", "b"], "created": "2026-03-10T12:34:56.000Z",
            "rules": { "missed": "once", "skip_running": true, "jitter": "10m",
                "only": { "hours": ["08:00-18:00"], "days": ["mon-fri"], "not_dates": ["12-24"] } },
            "warnings": ["it begins anew each hour"],
        }));
        insta::assert_snapshot!(show(&whole, &TimeZone::UTC), @r"
        id         nightly
        name       Sales
        when       30 6 * * mon-fri
        time zone  Europe/Stockholm (it names `Europe/Stokholm`, which is not known)
        state      runs
        next       2026-03-11 06:30:00 there, 2026-03-11 05:30:00 here
        does       starts task e959f40a-67be-4a5b-ae83-a292f96ba078, starts tasks with the tag nightly, starts tasks with Team=BI of the site prod
        rules      one run stands for all that were missed; not while a task still runs; put off by up to 10m; only at 08:00-18:00; only on mon-fri; not on 12-24
        tags       a, b
        from       made over the API; can be changed
        made       2026-03-10T12:34:56.000Z
        note       it begins anew each hour
        ");
        insta::assert_snapshot!(made(&whole, &TimeZone::UTC), @r"
        nightly is due next at 2026-03-11 06:30:00 in Europe/Stockholm, which is 2026-03-11 05:30:00 here
        note: it begins anew each hour
        ");
    }

    #[test]
    fn times_are_told_by_both_clocks() {
        let times = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z"].map(|at| at.parse().expect("a time")).to_vec();
        insta::assert_snapshot!(next(&NextRuns { zone: Some("Europe/Stockholm".into()), times }, &TimeZone::UTC), @r"
        DAY  EUROPE/STOCKHOLM     HERE (UTC)
        Sat  2026-03-28 02:30:00  2026-03-28 01:30:00
        Sun  2026-03-29 03:00:00  2026-03-29 01:00:00
        ");
        assert_eq!(next(&NextRuns { zone: None, times: Vec::new() }, &TimeZone::UTC), "never\n");
    }

    #[test]
    fn what_became_of_it_is_told_with_the_ends() {
        let runs: Vec<ScheduleRun> = serde_json::from_value(json!([
            { "occurrence": "2026-03-11T05:30:00Z", "at": "2026-03-11T05:30:01Z", "outcome": { "outcome": "done", "detail": "started 2 tasks", "work": [
                { "id": "1", "name": "Reload sales", "since": "2026-03-11T05:30:00Z", "end": { "at": "2026-03-11T05:31:00Z", "how": "FinishedSuccess" } },
                { "id": "2", "name": "Reload HR", "since": "2026-03-11T05:30:00Z" },
            ] } },
            { "occurrence": "2026-03-10T05:30:00Z", "at": "2026-03-10T05:30:01Z", "outcome": { "outcome": "failed", "why": "there is no such task" } },
            { "occurrence": "2026-03-09T05:30:00Z", "at": "2026-03-10T00:00:00Z", "outcome": { "outcome": "missed", "why": "Butler was down" } },
        ]))
        .expect("runs");
        insta::assert_snapshot!(history(&runs, &TimeZone::UTC), @r"
        DUE                  WHAT BECAME OF IT
        2026-03-11 05:30:00  done: started 2 tasks; Reload sales ended with FinishedSuccess at 2026-03-11 05:31:00; not known to have ended: Reload HR
        2026-03-10 05:30:00  failed: there is no such task
        2026-03-09 05:30:00  missed: Butler was down
        ");
    }
}
