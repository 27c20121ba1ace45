//! `[scheduler]`.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::positive;
use crate::config::issues::{Issues, segment};
use crate::config::load::Config;
use crate::config::scheduler::{CronMonths, ScheduleConfig};
use crate::event::SiteName;
use crate::schedule::cron::Months;
use crate::schedule::{Origin, Rules, Schedule, ScheduleError, SchedulerSettings, Startup, Targets, is_task_id, time_zone};

/// A claim of an occurrence holds longer.
const LONGEST_RETRY: Duration = Duration::from_hours(1);

pub(super) fn settings(config: &Config, issues: &mut Issues) -> SchedulerSettings {
    let scheduler = &config.scheduler;
    issues.within("scheduler", |issues| {
        positive(scheduler.catch_up, "catch_up", issues);
        if scheduler.retry_for.0 > LONGEST_RETRY {
            issues.at("retry_for", format!("has to be {} at most", humantime::format_duration(LONGEST_RETRY)));
        }
        let zone = scheduler.timezone.as_deref().and_then(|name| zone(name, issues)).unwrap_or_else(TimeZone::system);
        let months = match scheduler.cron_months {
            CronMonths::FromOne => Months::FromOne,
            CronMonths::FromZero => Months::FromZero,
        };
        let site = config.tasks.site.as_ref().or_else(|| config.sites.keys().next());
        let site = site.map_or_else(|| SiteName::from("butler"), |name| name.as_str().into());
        let (catch_up, keep) = (scheduler.catch_up.0, config.store.retention.0);
        let mut settings = SchedulerSettings { enabled: scheduler.enabled, months, zone, catch_up, keep, declared: Vec::new(), site };
        let declared = scheduler.schedules.iter().map(|(id, schedule)| {
            issues.within(&format!("schedules.{}", segment(id)), |issues| declared(config, id, schedule, &settings, issues))
        });
        settings.declared = declared.collect();
        settings
    })
}

fn declared(config: &Config, id: &str, schedule: &ScheduleConfig, settings: &SchedulerSettings, issues: &mut Issues) -> Schedule {
    let ScheduleConfig {
        name,
        when,
        timezone,
        enabled,
        tasks,
        task_tags,
        task_properties,
        site,
        action,
        missed,
        skip_running,
        jitter,
        only,
    } = schedule.clone();
    if let Some(name) = &timezone {
        zone(name, issues);
    }
    for (index, task) in tasks.iter().enumerate() {
        if !is_task_id(task) {
            issues.at_with_help(
                &format!("tasks[{index}]"),
                format!("`{task}` is no id of a task"),
                "write a whole id such as \"e959f40a-67be-4a5b-ae83-a292f96ba078\"; to name tasks otherwise, give them a tag and use `task_tags`",
            );
        }
    }
    if let Some(site) = &site
        && !config.sites.contains_key(site)
    {
        let names: Vec<&str> = config.sites.keys().map(String::as_str).collect();
        issues.at_with_choices("site", format!("there is no site `{site}`"), site, &names);
    }
    let starts = Targets { tasks, tags: task_tags, custom_properties: task_properties, site };
    if action.is_some() && !starts.names_none() {
        issues.at("action", "a schedule runs an action or starts tasks, and not both");
    }
    let rules = Rules { missed, skip_running, jitter, only };
    let schedule = Schedule {
        timezone: timezone.or_else(|| config.scheduler.timezone.clone()).unwrap_or_default(),
        startup: if enabled { Startup::Started } else { Startup::Stopped },
        starts,
        action,
        rules,
        origin: Origin::Configuration,
        ..Schedule::new(name.unwrap_or_else(|| id.to_owned()), when).with_id(id)
    };
    if schedule.when.trim().is_empty() {
        issues.at_with_help("when", "is missing", "write a cron expression such as \"0 2 * * *\", or words such as \"every 5 minutes\"");
    } else if let Err(error) = settings.timetable(&schedule) {
        issues.at("when", error.to_string());
    }
    match settings.check(&Schedule { when: "@daily".into(), ..schedule.clone() }) {
        Err(ScheduleError::NothingToDo(_)) => {
            issues.at_with_help(
                "tasks",
                "there is nothing to do",
                "name tasks in `tasks`, `task_tags` or `task_properties`, or an `action`",
            );
        }
        Err(error) => issues.at("name", error.to_string()),
        Ok(()) => {}
    }
    schedule
}

fn zone(name: &str, issues: &mut Issues) -> Option<TimeZone> {
    let zone = time_zone(name);
    if zone.is_none() {
        issues.at_with_help(
            "timezone",
            format!("there is no time zone `{name}`"),
            "write an IANA name such as \"Europe/Stockholm\" or \"UTC\"",
        );
    }
    zone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> (SchedulerSettings, String) {
        let config = Config::from_toml(text, "").unwrap();
        let mut issues = config.found.clone();
        let settings = settings(&config, &mut issues);
        (settings, issues.to_string())
    }

    #[test]
    fn a_schedule_is_what_is_written() {
        let (settings, issues) = resolved(
            r#"
            [scheduler]
            timezone = "Europe/Stockholm"
            [scheduler.schedules.nightly]
            when = "0 2 * * *"
            task_tags = ["nightly"]
            missed = "once"
            jitter = "10m"
            only = { days = ["mon-fri"], not_dates = ["12-24"] }
            "#,
        );
        assert_eq!(issues, "");
        let schedule = &settings.declared[0];
        assert_eq!((schedule.id.as_str(), schedule.name.as_str(), schedule.timezone.as_str()), ("nightly", "nightly", "Europe/Stockholm"));
        assert_eq!(schedule.targets().tags, ["nightly"]);
        assert!(schedule.is_running() && schedule.origin == Origin::Configuration && !schedule.rules.only.is_open());
    }

    #[test]
    fn what_makes_no_sense_is_said_with_its_place() {
        let (_, issues) = resolved(
            r#"
            [scheduler]
            timezone = "Europe/Stokholm"
            retry_for = "2h"
            [scheduler.schedules.a]
            when = "0 25 * * *"
            tasks = ["Reload sales"]
            site = "test"
            [scheduler.schedules.b]
            [scheduler.schedules.c]
            when = "every 5 minutes"
            action = "tidy"
            task_tags = ["x"]
            timezone = "Mars/Olympus"
            [sites.prod]
            host = "sense"
            "#,
        );
        insta::assert_snapshot!(issues);
    }
}
