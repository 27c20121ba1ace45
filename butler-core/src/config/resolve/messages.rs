//! `[api.slack]` and `[api.new_relic]`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::api::{Messaging, NewRelicPoster, Remote};
use crate::config::issues::{Issues, segment};
use crate::config::load::Config;
use crate::config::messages::{NewRelicPostAccount, NewRelicPostConfig, NewRelicPosts, SlackPostConfig};
use crate::config::secret::Secret;

/// How long Slack may take.
const SLACK: Duration = Duration::from_secs(10);
/// How long New Relic may take.
const NEW_RELIC: Duration = Duration::from_secs(5);
const EVENTS: &str = "https://insights-collector.newrelic.com/";
const METRICS: &str = "https://metric-api.newrelic.com/metric/v1";
/// Headers that are ours.
const OURS: [&str; 6] = ["api-key", "connection", "content-length", "content-type", "host", "transfer-encoding"];

/// Where messages of load scripts go.
pub(super) fn resolve(config: &Config, issues: &mut Issues) -> Messaging {
    let base = config.base_dir.as_path();
    issues.within("api", |issues| Messaging {
        slack: config.api.slack.as_ref().and_then(|slack| issues.within("slack", |issues| self::slack(slack, base, issues))),
        new_relic: config.api.new_relic.as_ref().map(|relic| issues.within("new_relic", |issues| new_relic(relic, base, issues))),
    })
}

fn slack(slack: &SlackPostConfig, base: &Path, issues: &mut Issues) -> Option<Remote> {
    let text = reveal(&slack.webhook_url, "webhook_url", base, issues)?;
    url(&text, "webhook_url", issues).map(|url| Remote::new(url, HeaderMap::new(), SLACK))
}

fn new_relic(relic: &NewRelicPostConfig, base: &Path, issues: &mut Issues) -> NewRelicPoster {
    if relic.accounts.is_empty() {
        let help = "add `accounts.NAME = { account_id = 1234567, api_key = { env = \"NEW_RELIC_KEY\" } }`";
        issues.at_with_help("accounts", "there is none", help);
    }
    let keys = issues.within("accounts", |issues| keys(relic, base, issues));
    let mut remotes = |key: &str, posts: &NewRelicPosts, to: &dyn Fn(&NewRelicPostAccount) -> String| {
        issues.within(key, |issues| remotes((relic, &keys), posts, to, base, issues))
    };
    let events = relic.event.url.as_deref().unwrap_or(EVENTS).trim_end_matches('/');
    let metrics = relic.metric.url.as_deref().unwrap_or(METRICS);
    NewRelicPoster {
        event: remotes("event", &relic.event, &|account| format!("{events}/v1/accounts/{}/events", account.account_id)),
        event_attributes: relic.event.attributes.clone(),
        metric: remotes("metric", &relic.metric, &|_| metrics.to_owned()),
        metric_attributes: relic.metric.attributes.clone(),
    }
}

/// The keys of the accounts, by their names.
fn keys(relic: &NewRelicPostConfig, base: &Path, issues: &mut Issues) -> BTreeMap<String, HeaderValue> {
    let mut keys = BTreeMap::new();
    for (name, account) in &relic.accounts {
        issues.within(&segment(name), |issues| {
            let key = reveal(&account.api_key, "api_key", base, issues).and_then(|key| header_value(&key, "api_key", issues));
            keys.extend(key.map(|key| (name.clone(), key)));
        });
    }
    keys
}

/// The remotes of the chosen accounts, by their names.
fn remotes(
    (relic, keys): (&NewRelicPostConfig, &BTreeMap<String, HeaderValue>),
    posts: &NewRelicPosts,
    to: &dyn Fn(&NewRelicPostAccount) -> String,
    base: &Path,
    issues: &mut Issues,
) -> Vec<(String, Remote)> {
    let known: Vec<_> = relic.accounts.keys().map(String::as_str).collect();
    for (index, name) in posts.accounts.iter().flatten().enumerate().filter(|(_, name)| !known.contains(&name.as_str())) {
        issues.at_with_choices(&format!("accounts[{index}]"), format!("there is no account `{name}`"), name, &known);
    }
    let mut headers = HeaderMap::new();
    issues.within("headers", |issues| {
        for (name, value) in &posts.headers {
            let Some(value) = reveal(value, name, base, issues) else { continue };
            match HeaderName::from_bytes(name.as_bytes()) {
                Ok(header) if OURS.contains(&header.as_str()) => issues.at(name, "this header is set by Butler itself"),
                Ok(header) => drop(header_value(&value, name, issues).map(|value| headers.insert(header, value))),
                Err(_) => issues.at(name, "this is no name of an HTTP header"),
            }
        }
    });
    let chosen = relic.accounts.iter().filter(|(name, _)| posts.accounts.as_ref().is_none_or(|chosen| chosen.contains(name)));
    let mut remotes = Vec::new();
    for (name, account) in chosen {
        let mut headers = headers.clone();
        let Some((key, url)) = keys.get(name).cloned().zip(url(&to(account), "url", issues)) else { continue };
        headers.insert("api-key", key);
        remotes.push((name.clone(), Remote::new(url, headers, NEW_RELIC)));
    }
    remotes
}

fn reveal(secret: &Secret, key: &str, base: &Path, issues: &mut Issues) -> Option<String> {
    match secret.reveal(base) {
        Ok(value) if value.trim().is_empty() => {
            issues.at(key, "it is empty");
            None
        }
        Ok(value) => Some(value.trim().to_owned()),
        Err(error) => {
            issues.at(key, error.to_string());
            None
        }
    }
}

fn url(text: &str, key: &str, issues: &mut Issues) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some());
    if url.is_none() {
        issues.at(key, "this is no URL; it has to look like `https://host/path`");
    }
    url
}

/// A value that nothing shows.
fn header_value(text: &str, key: &str, issues: &mut Issues) -> Option<HeaderValue> {
    match HeaderValue::from_str(text) {
        Ok(mut value) => {
            value.set_sensitive(true);
            Some(value)
        }
        Err(_) => {
            issues.at(key, "this value can't stand in a header");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> (Messaging, String) {
        let config = Config::from_toml(text, "").unwrap();
        let mut issues = Issues::default();
        (resolve(&config, &mut issues), issues.to_string())
    }

    #[test]
    fn accounts_are_chosen_by_their_names() {
        let (messaging, faults) = resolved(
            r#"
            [api.slack]
            webhook_url = "https://hooks.example.com/services/SECRET"
            [api.new_relic.accounts]
            one = { account_id = 1, api_key = "PLANTED" }
            two = { account_id = 2, api_key = "PLANTED" }
            [api.new_relic.event]
            accounts = ["two"]
            attributes.env = "prod"
            headers.x-more = "PLANTED"
            "#,
        );
        assert_eq!(faults, "");
        let relic = messaging.new_relic.as_ref().unwrap();
        let names = |remotes: &[(String, Remote)]| remotes.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!((names(&relic.event), names(&relic.metric)), (vec!["two".to_owned()], vec!["one".to_owned(), "two".to_owned()]));
        let shown = format!("{messaging:?}");
        assert!(!shown.contains("SECRET") && !shown.contains("PLANTED"), "{shown}");
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_is() {
        let (_, faults) = resolved(
            r#"
            [api.slack]
            webhook_url = "hooks.example.com/PLANTED"
            [api.new_relic.accounts.one]
            account_id = 1
            api_key = { env = "NO_SUCH_VARIABLE_HERE" }
            [api.new_relic.event]
            accounts = ["onee"]
            headers.content-type = "x"
            [api.new_relic.metric]
            url = "metrics"
            "#,
        );
        assert_eq!(faults.matches("api.new_relic.accounts.one.api_key:").count(), 1, "{faults}");
        for part in ["no URL", "NO_SUCH_VARIABLE_HERE", "there is no account `onee`", "did you mean `one`", "set by Butler itself"] {
            assert!(faults.contains(part), "{part}: {faults}");
        }
        assert!(!faults.contains("PLANTED"), "{faults}");
    }
}
