//! Schedule files, and what is said about them.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::*;
use crate::schedule::cron::Months;
use crate::schedule::{Missed, Rules, Schedule, Targets};

const FILE: &str = r"butlerSchedule:
  - name: Every 30 sec
    cronSchedule: '*/30 * * * * *'
    timezone: America/New_York
    qlikSenseTaskId: 0fe447a9-ba1f-44a9-ac23-68c3a1d88d8b
    startupState: started
    tags:
      - Sales
      - 2026
    id: task-1
    lastKnownState: stopped
  - name: New year
    cronSchedule: 0 30 6 1 0 *
    timezone: America/New_York
    qlikSenseTaskId: 210832b5-6174-4572-bd19-3e61eda675ef
    startupState: start
    id: 17
    owner: { name: Anna, room: 12 }
  - name: No id
    cronSchedule: 0 12 * jan-mar,11 mon
    timezone: Europe/Berlin
    qlikSenseTaskId: Reload sales
    startupState: Started
  - name: No id
    cronSchedule: 0 12 * jan-mar,11 mon
    timezone: Europe/Berlin
    qlikSenseTaskId: Reload sales
    startupState: stop
  - name: Twice
    cronSchedule: 0 12 * * *
    timezone: Mars/Olympus
    qlikSenseTaskId: 210832b5-6174-4572-bd19-3e61eda675ef
    startupState: stopped
    id: task-1
  - name: Thirteenth month
    cronSchedule: 0 0 1 12 *
    timezone: Europe/Stockholm
    qlikSenseTaskId: 210832b5-6174-4572-bd19-3e61eda675ef
    startupState: started
    id: broken
  - { name: Nothing to do, cronSchedule: '@daily', timezone: '', id: idle }
  - name: In words
    cronSchedule: every 5 minutes
    timezone: Mars/Olympus
    qlikSenseTaskId: 210832b5-6174-4572-bd19-3e61eda675ef
    startupState: started
    tags: [[1], a]
    id: words
";

fn options(time_zones: TimeZones) -> ReadOptions {
    ReadOptions {
        months: Months::FromOne,
        zone: TimeZone::UTC,
        host: TimeZone::get("Europe/Stockholm").unwrap(),
        time_zones,
        now: "2026-03-10T12:34:56Z".parse().unwrap(),
    }
}

fn told(found: &[Found]) -> String {
    let mut text = String::new();
    for Found { line, id, name, schedule, remarks } in found {
        let what =
            schedule.as_ref().map_or_else(|| "refused".to_owned(), |one| format!("`{}` in `{}`, {:?}", one.when, one.timezone, one.state));
        writeln!(text, "{line}: {id} ({name}): {what}").unwrap();
        for Remark { line, level, text: said } in remarks {
            writeln!(text, "  {line}: {level:?}: {said}").unwrap();
        }
    }
    text
}

#[test]
fn each_schedule_is_read_and_said_what_is_to_be_known() {
    insta::assert_snapshot!(told(&read(FILE, &options(TimeZones::File)).unwrap()));
}

#[test]
fn the_old_times_can_be_kept() {
    let found = read(FILE, &options(TimeZones::Local)).unwrap();
    insta::assert_snapshot!(told(&found[..2]));
    let moved = found[1].schedule.as_ref().unwrap();
    assert_eq!(moved.timezone, "Europe/Stockholm");
}

#[test]
fn what_nobody_knows_is_kept_and_ids_are_always_the_same() {
    let found = read(FILE, &options(TimeZones::File)).unwrap();
    assert_eq!(found[1].schedule.as_ref().unwrap().more["owner"], serde_json::json!({ "name": "Anna", "room": 12 }));
    assert_eq!(found[0].schedule.as_ref().unwrap().tags, Some(vec!["Sales".to_owned(), "2026".to_owned()]));
    assert_ne!(found[2].id, found[3].id);
    assert_eq!(found, read(FILE, &options(TimeZones::File)).unwrap());
}

#[test]
fn a_zone_whose_clocks_show_the_same_is_no_matter_of_remark() {
    let remarks = |zone: &str, cron: &str| {
        let task = "210832b5-6174-4572-bd19-3e61eda675ef";
        let text = format!(
            "butlerSchedule: [{{ id: a, cronSchedule: '{cron}', timezone: {zone}, qlikSenseTaskId: {task}, startupState: start }}]"
        );
        read(&text, &options(TimeZones::File)).unwrap().remove(0).remarks
    };
    for (zone, cron) in [("Europe/Berlin", "0 6 * * *"), ("Europe/Stockholm", "0 6 * * *"), ("Asia/Tokyo", "*/5 * * * *")] {
        assert_eq!(remarks(zone, cron), [], "{zone} {cron}");
    }
    // In March their clocks show the same, in summer they do not.
    assert_eq!(remarks("Africa/Lagos", "0 6 * * *").len(), 1);
}

#[test]
fn a_file_that_is_none_is_refused_with_its_line() {
    for (text, line) in
        [("", None), ("schedules: []", None), ("butlerSchedule:\n  - name: [", Some(2)), ("butlerSchedule:\n  - 17", Some(2))]
    {
        let error = read(text, &options(TimeZones::File)).unwrap_err();
        assert!(line.is_none_or(|line| error.line.is_some_and(|at| at >= line)), "{text}: {error}");
    }
    let error = read("butlerSchedule:\n  - name: x\n    cronSchedule: */5 * * * *\n", &options(TimeZones::File)).unwrap_err();
    assert!(error.to_string().starts_with("line 3: ") && error.to_string().contains("has to stand in quotes"), "{error}");
}

#[test]
fn months_that_count_from_zero_here_too_stay() {
    let found = read(FILE, &ReadOptions { months: Months::FromZero, ..options(TimeZones::File) }).unwrap();
    assert_eq!(found[1].schedule.as_ref().unwrap().when, "0 30 6 1 0 *");
}

#[test]
fn what_was_exported_is_read_as_the_same() {
    let found = read(FILE, &options(TimeZones::File)).unwrap();
    let schedules: Vec<Schedule> = found.into_iter().filter_map(|found| found.schedule).collect();
    let more = Schedule {
        starts: Targets { tags: vec!["nightly".into()], site: Some("test".into()), ..Targets::default() },
        rules: Rules { missed: Missed::Once, ..Rules::default() },
        ..Schedule::new("yes", "0 0 1 1,sep 7").with_id("on").in_zone("UTC")
    };
    let schedules: Vec<Schedule> = schedules.into_iter().chain([more]).collect();
    let left_out = Schedule::new("Last", "0 0 L 3 *").with_id("last").starting("210832b5-6174-4572-bd19-3e61eda675ef");
    let exported = export(schedules.iter().chain([&left_out]), Months::FromOne).unwrap();
    insta::assert_snapshot!(exported.yaml);
    let again: Vec<_> = read(&exported.yaml, &options(TimeZones::File)).unwrap().into_iter().map(|found| found.schedule.unwrap()).collect();
    // The words in which months and Sundays are written may be others.
    let plain = |schedule: &Schedule| Schedule { when: String::new(), ..schedule.clone() };
    assert_eq!(again.iter().map(plain).collect::<Vec<_>>(), schedules.iter().map(plain).collect::<Vec<_>>());
    let now = options(TimeZones::File).now;
    for (old, new) in schedules.iter().zip(&again) {
        let next = |one: &Schedule| crate::schedule::When::parse(&one.when, Months::FromOne).unwrap().next_after(now, &TimeZone::UTC);
        assert_eq!(next(old), next(new), "{} {}", old.when, new.when);
    }
}
