//! `[[routes]]`, and the fallback.

use std::collections::BTreeMap;

use super::positive;
use crate::config::issues::Issues;
use crate::config::kinds::{Known, known};
use crate::config::load::Config;
use crate::config::model::{RouteConfig, When};
use crate::event::{CustomProperty, SinkName};
use crate::pipeline::{FALLBACK, KindPattern, Matcher, Route};

pub(super) fn resolve(config: &Config, issues: &mut Issues) -> (Vec<Route>, Vec<SinkName>) {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    let mut routes = Vec::new();
    if config.routes.is_empty() {
        issues.warn_with_help("routes", "there are none, so nobody is told anything", "add `[[routes]]` with `events` and `sinks`");
    }
    for (index, route) in config.routes.iter().enumerate() {
        let key = format!("routes[{index}]");
        issues.within(&key, |issues| {
            if let Some(name) = &route.name {
                if name.trim().is_empty() {
                    issues.at("name", "is empty; give it a name, or leave it out");
                } else if name == FALLBACK {
                    issues.at("name", "is what `[routing] fallback` is called in lists; take another one");
                } else if let Some(other) = first.insert(name, index) {
                    issues.at("name", format!("`routes[{other}]` is called `{name}` too"));
                }
            }
            routes.push(one(config, &key, route, issues));
        });
    }
    let fallback = issues.within("routing", |issues| sinks(config, "fallback", &config.routing.fallback, issues));
    (routes, fallback)
}

fn one(config: &Config, key: &str, route: &RouteConfig, issues: &mut Issues) -> Route {
    if route.events.is_empty() {
        issues.at_with_help(
            "events",
            "no kinds of events, so it never takes one",
            "write `events = [\"reload_task.failed\"]`, or `[\"*\"]` for all",
        );
    }
    if route.sinks.is_empty() {
        let help = match config.sinks.keys().next() {
            Some(name) => format!("write `sinks = [\"{name}\"]`"),
            None => "add a table `[sinks.NAME]`, and name it here with `sinks = [\"NAME\"]`".to_owned(),
        };
        issues.at_with_help("sinks", "no sinks, so what it takes would reach nobody", help);
    }
    if let Some(limit) = route.rate_limit {
        positive(limit, "rate_limit", issues);
    }
    let names_nobody = |recipients: &Vec<String>| recipients.is_empty() || recipients.iter().any(|recipient| recipient.trim().is_empty());
    if route.recipients.as_ref().is_some_and(names_nobody) {
        issues.at("recipients", "names nobody; leave it out for the recipients of the sinks");
    }
    Route {
        name: route.name.clone().unwrap_or_else(|| key.to_owned()),
        events: route.events.iter().enumerate().filter_map(|(index, text)| kind(index, text, issues)).collect(),
        when: issues.within("when", |issues| matcher(config, &route.when, issues)),
        sinks: sinks(config, "sinks", &route.sinks, issues),
        rate_limit: route.rate_limit.map(|limit| limit.0),
        recipients: route.recipients.clone(),
        proceed: route.r#continue,
    }
}

fn kind(index: usize, text: &str, issues: &mut Issues) -> Option<KindPattern> {
    let key = format!("events[{index}]");
    match known(text) {
        Known::Yes(pattern) => Some(pattern),
        Known::Foreign(pattern) => {
            issues.warn(&key, format!("`{text}` is no kind of event that this program knows; it is taken for one of a source of your own"));
            Some(pattern)
        }
        Known::Nearly(near) => {
            issues.at_with_help(&key, format!("there is no event kind `{text}`"), format!("did you mean `{near}`?"));
            None
        }
        Known::Malformed(why) => {
            issues.at(&key, why);
            None
        }
    }
}

/// Sinks by name; reports those that are not there, and those that are named twice.
fn sinks(config: &Config, key: &str, names: &[String], issues: &mut Issues) -> Vec<SinkName> {
    let known: Vec<&str> = config.sinks.keys().map(String::as_str).collect();
    for (index, name) in names.iter().enumerate() {
        let key = format!("{key}[{index}]");
        if !config.sinks.contains_key(name) {
            issues.at_with_choices(&key, format!("there is no sink `{name}`"), name, &known);
        } else if names[..index].contains(name) {
            issues.at(&key, format!("`{name}` is named twice"));
        }
    }
    names.iter().map(|name| SinkName::from(name.as_str())).collect()
}

fn matcher(config: &Config, when: &When, issues: &mut Issues) -> Matcher {
    let properties = when.custom_property.iter().flat_map(|(name, values)| {
        values.0.iter().map(|value| CustomProperty { name: name.clone(), value: value.clone() }).collect::<Vec<_>>()
    });
    let matcher = Matcher {
        site: when.site.0.clone(),
        task: when.task.0.clone(),
        app: when.app.0.clone(),
        stream: when.stream.0.clone(),
        owner: when.owner.0.clone(),
        tag: when.tag.0.clone(),
        custom_property: properties.collect(),
        host: when.host.0.clone(),
    };
    for key in matcher.with_empty_texts() {
        issues.at(key, "an empty text fits nothing; leave it out if anything may fit");
    }
    for (name, values) in &when.custom_property {
        if values.is_empty() || values.0.iter().any(|value| value.trim().is_empty()) {
            issues.at("custom_property", format!("`{name}` has no value to look for"));
        }
    }
    let sites: Vec<&str> = config.sites.keys().map(String::as_str).collect();
    for name in when.site.0.iter().filter(|name| !name.contains('*') && !name.trim().is_empty()) {
        if !sites.iter().any(|site| site.to_lowercase() == name.to_lowercase()) {
            issues.at_with_choices("site", format!("there is no site `{name}`"), name, &sites);
        }
    }
    matcher
}
