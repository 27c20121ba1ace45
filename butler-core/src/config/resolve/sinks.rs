//! `[sinks.NAME]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{check_name, positive};
use crate::clock::Clock;
use crate::config::issues::{Issues, nearest, segment};
use crate::config::load::Config;
use crate::config::model::SinkEntry;
use crate::enrich::LogDesk;
use crate::event::SinkName;
use crate::pipeline::{RetryPolicy, SinkPlan};
use crate::sink::{Registry, SinkContext};

/// What sinks are made with, beside their own entry.
#[derive(Clone, Copy)]
pub(super) struct Means<'a> {
    pub(super) registry: &'a Registry,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) logs: &'a LogDesk,
}

pub(super) fn resolve(config: &Config, means: Means<'_>, issues: &mut Issues) -> BTreeMap<SinkName, SinkPlan> {
    let mut plans = BTreeMap::new();
    issues.within("sinks", |issues| {
        for (name, entry) in &config.sinks {
            let plan = issues.within(&segment(name), |issues| {
                adopted(config, name, entry, issues);
                one(config, name, entry, means, issues)
            });
            plans.extend(plan.map(|plan| (SinkName::from(name.as_str()), plan)));
        }
    });
    plans
}

fn one(config: &Config, name: &str, entry: &SinkEntry, means: Means<'_>, issues: &mut Issues) -> Option<SinkPlan> {
    let Means { registry, clock, logs } = means;
    check_name(name, issues);
    if let Some(timeout) = entry.timeout {
        positive(timeout, "timeout", issues);
    }
    if entry.max_in_flight == 0 {
        issues.at("max_in_flight", "has to be 1 or more");
    }
    let retry = RetryPolicy {
        first: entry.retry.first.0,
        longest: entry.retry.longest.0,
        alert_age: entry.retry.alert_age.0,
        metric_age: entry.retry.metric_age.0,
    };
    issues.within("retry", |issues| {
        let all = [("first", entry.retry.first), ("alert_age", entry.retry.alert_age), ("metric_age", entry.retry.metric_age)];
        for (key, period) in all {
            positive(period, key, issues);
        }
        if retry.longest < retry.first {
            issues.at("longest", format!("is shorter than the first wait, which is {}", entry.retry.first));
        }
    });
    if entry.r#type.is_empty() {
        let types = registry.types().collect::<Vec<_>>().join("`, `");
        issues.at_with_help("type", "missing", format!("one of `{types}`"));
        return None;
    }
    let timeout = entry.timeout.map(|timeout| timeout.0).or_else(|| registry.timeout(&entry.r#type)).unwrap_or_default();
    let max_in_flight = usize::try_from(entry.max_in_flight).ok()?;
    let context = SinkContext {
        name: name.into(),
        clock: Arc::clone(clock),
        base_dir: config.base_dir.clone(),
        timeout,
        max_in_flight,
        logs: logs.clone(),
    };
    let sink = registry.make(&entry.r#type, entry.options.clone(), &context, issues)?;
    let was = entry.was.iter().map(|name| SinkName::from(name.as_str())).collect();
    Some(SinkPlan { sink, timeout, max_in_flight, retry, was })
}

/// Reports earlier names that are not free.
fn adopted(config: &Config, name: &str, entry: &SinkEntry, issues: &mut Issues) {
    for (index, old) in entry.was.iter().enumerate() {
        let key = format!("was[{index}]");
        if config.sinks.contains_key(old) {
            issues.at(&key, format!("`{old}` is a sink of its own; only what was left by a sink that is gone can be taken over"));
        } else if let Some((other, _)) = config.sinks.iter().find(|(other, entry)| other.as_str() < name && entry.was.contains(old)) {
            issues.at(&key, format!("`{other}` takes over what was left by `{old}` already"));
        }
    }
}

/// Warns of sinks that nothing is sent to.
pub(super) fn unused(config: &Config, issues: &mut Issues) {
    // A route that is not as it should be may have meant any of them.
    if issues.errors().any(|issue| issue.key.starts_with("rout")) {
        return;
    }
    let names: Vec<&str> = config.sinks.keys().map(String::as_str).collect();
    let named = config.routes.iter().flat_map(|route| &route.sinks).chain(&config.routing.fallback);
    // A name that is misspelt in a route is reported there, and once is enough.
    let used: Vec<&str> =
        named.filter_map(|name| if config.sinks.contains_key(name) { Some(name.as_str()) } else { nearest(name, &names) }).collect();
    for name in names.iter().filter(|name| !used.contains(name)) {
        let key = format!("sinks.{}", segment(name));
        issues.warn_with_help(&key, "no route sends to this sink", format!("name it in `sinks = [\"{name}\"]` of a route"));
    }
}
