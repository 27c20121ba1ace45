//! `[monitor]`.

use std::time::Duration;

use super::positive;
use crate::config::issues::Issues;
use crate::config::load::Config;
#[cfg(feature = "qlik")]
use crate::config::model::TaskWatchConfig;
use crate::config::model::UptimeConfig;
#[cfg(feature = "qlik")]
use crate::monitor::tasks::TaskWatchRules;
use crate::monitor::uptime;
#[cfg(feature = "qlik")]
use crate::pipeline::Route;

/// How often it is told how long Butler runs; `None` if it is not.
pub(super) fn uptime(config: &Config, issues: &mut Issues) -> Option<Duration> {
    let UptimeConfig { enabled, every } = config.monitor.uptime;
    issues.within("monitor", |issues| issues.within("uptime", |issues| positive(every, "every", issues)));
    let is_named = config.routes.iter().flat_map(|route| &route.events).any(|name| name == uptime::KIND);
    enabled.unwrap_or(is_named).then_some(every.0)
}

/// What the watch of tasks tells of.
#[cfg(feature = "qlik")]
const KINDS: [&str; 4] = ["task.late", "task.stuck", "task.failing", "task.recovered"];

/// What of the tasks is watched; `None` if they are not.
#[cfg(feature = "qlik")]
pub(super) fn task_watch(config: &Config, routes: &[Route], can_ask: bool, issues: &mut Issues) -> Option<TaskWatchRules> {
    let TaskWatchConfig { enabled, every, late_after, queued_after, longest, remind } = config.monitor.tasks;
    let named = asked_for(config);
    issues.within("monitor", |issues| {
        issues.within("tasks", |issues| {
            for (key, period) in [("every", every), ("late_after", late_after), ("queued_after", queued_after)] {
                positive(period, key, issues);
            }
            for (key, period) in [("longest", longest), ("remind", remind)] {
                if let Some(period) = period {
                    positive(period, key, issues);
                }
            }
            if enabled == Some(true) && !can_ask {
                issues.warn_with_help(
                    "enabled",
                    "no task is watched, for no site has certificates to ask its repository with",
                    "add `certificates` to a site",
                );
            }
            if let (Some(false), Some(name)) = (enabled, &named) {
                issues.warn_with_help(
                    "enabled",
                    format!("a route takes `{name}`, but no task is watched"),
                    "leave the key out, or take the event out of the route",
                );
            }
            if remind.is_some() && !routes.iter().any(|route| takes(route, "task.failing")) {
                issues.warn_with_help("remind", "no route takes `task.failing`", "add it to the `events` of a route, or leave the key out");
            }
        });
    });
    if let (None, false, Some(name)) = (enabled, can_ask, &named) {
        issues.warn_with_help(
            "routes",
            format!("a route takes `{name}`, but no site has certificates to ask its repository with, so there will be none"),
            "add `certificates` to a site",
        );
    }
    let is_on = enabled.unwrap_or_else(|| routes.iter().any(|route| KINDS.iter().any(|kind| takes(route, kind))));
    is_on.then_some(TaskWatchRules {
        every: every.0,
        late_after: late_after.0,
        queued_after: queued_after.0,
        longest: longest.map(|period| period.0),
        remind: remind.map(|period| period.0),
    })
}

#[cfg(feature = "qlik")]
fn takes(route: &Route, kind: &str) -> bool {
    route.events.iter().any(|pattern| pattern.matches(kind))
}

/// One of the kinds that a route asks for by its name. Whoever takes everything does not ask for this.
#[cfg(feature = "qlik")]
fn asked_for(config: &Config) -> Option<String> {
    let events = config.routes.iter().flat_map(|route| &route.events);
    events.into_iter().find(|name| KINDS.contains(&name.as_str())).cloned()
}

#[cfg(test)]
#[cfg(feature = "qlik")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pipeline::KindPattern;

    fn resolved(events: &str, table: &str, can_ask: bool) -> (Option<TaskWatchRules>, String) {
        let text = format!("[[routes]]\nevents = [{events}]\nsinks = [\"ops\"]\n[monitor.tasks]\n{table}");
        let config = Config::from_toml(&text, "").unwrap();
        let mut issues = Issues::default();
        let patterns = config.routes[0].events.iter().map(|name| name.parse::<KindPattern>().unwrap()).collect();
        let routes = [Route { events: patterns, ..Route::default() }];
        (task_watch(&config, &routes, can_ask, &mut issues), issues.to_string())
    }

    #[test]
    fn what_is_written_nowhere_is_what_the_rules_say() {
        assert_eq!(resolved("\"task.*\"", "", true), (Some(TaskWatchRules::default()), String::new()));
    }

    #[test]
    fn tasks_are_watched_as_soon_as_a_route_asks_for_it() {
        for (events, table, is_on) in [
            ("\"reload_task.failed\"", "", false),
            ("\"reload_task.failed\"", "enabled = true", true),
            ("\"task.late\"", "", true),
            ("\"*\"", "", true),
            ("\"task.failed\"", "", false),
            ("\"*\"", "enabled = false", false),
        ] {
            let (rules, issues) = resolved(events, table, true);
            assert_eq!((rules.is_some(), issues.as_str()), (is_on, ""), "{events} {table}");
        }
        let (rules, _) = resolved("\"task.failing\"", "remind = \"4h\"\nlongest = \"6h\"", true);
        let rules = rules.unwrap();
        assert_eq!((rules.remind, rules.longest), (Some(Duration::from_hours(4)), Some(Duration::from_hours(6))));
    }

    #[test]
    fn what_will_not_work_is_said() {
        insta::assert_snapshot!(resolved("\"task.late\"", "enabled = false", true).1, @r"
        warning: monitor.tasks.enabled: a route takes `task.late`, but no task is watched
          leave the key out, or take the event out of the route
        ");
        insta::assert_snapshot!(resolved("\"task.late\"", "", false).1, @r"
        warning: routes: a route takes `task.late`, but no site has certificates to ask its repository with, so there will be none
          add `certificates` to a site
        ");
        insta::assert_snapshot!(resolved("\"reload_task.failed\"", "enabled = true\nremind = \"4h\"", false).1, @r"
        warning: monitor.tasks.enabled: no task is watched, for no site has certificates to ask its repository with
          add `certificates` to a site
        warning: monitor.tasks.remind: no route takes `task.failing`
          add it to the `events` of a route, or leave the key out
        ");
        insta::assert_snapshot!(resolved("\"task.late\"", "every = \"0s\"\nlongest = \"0s\"", true).1, @r"
        monitor.tasks.every: has to be longer than nothing
        monitor.tasks.longest: has to be longer than nothing
        ");
    }
}
