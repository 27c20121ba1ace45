//! The options.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use url::Url;

use super::accounts::{Choice, LONGEST_NAME};
use super::payload::Shape;
use super::{Api, Channel, NewRelic};
use crate::config::{Issues, Secret};
use crate::event::Target;
use crate::sink::http::{HttpRemote, trust};
use crate::sink::{BuildError, Sink, SinkConfig, SinkContext, headers};

/// Options of New Relic.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRelicConfig {
    /// The accounts, by the names that lists and custom properties use.
    pub accounts: BTreeMap<String, NewRelicAccount>,
    /// Where the accounts are: `us` (the default) or `eu`.
    #[serde(default)]
    pub region: NewRelicRegion,
    /// The event API, in place of the region's: what comes before `v1/accounts/...`.
    #[serde(default)]
    pub event_url: Option<String>,
    /// The log API, in place of the region's.
    #[serde(default)]
    pub log_url: Option<String>,
    /// The metric API, in place of the region's.
    #[serde(default)]
    pub metric_url: Option<String>,
    /// Attributes of every event, log and metric.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Further headers, each a secret.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// What is sent to the event API; left out, nothing is.
    #[serde(default)]
    pub event: Option<NewRelicEvents>,
    /// What is sent to the log API; left out, nothing is.
    #[serde(default)]
    pub log: Option<NewRelicLogs>,
    /// What is sent to the metric API, which is `butler.uptime` alone; left out, nothing is.
    #[serde(default)]
    pub metric: Option<NewRelicMetrics>,
    /// A file with the certificates, in PEM form, that alone are trusted as issuers of the remote's certificate.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Takes any certificate, unverified.
    #[serde(default)]
    pub accept_untrusted: bool,
}

/// An account of New Relic.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRelicAccount {
    /// Its number.
    pub account_id: u64,
    /// A key that may insert (a licence key).
    pub api_key: Secret,
}

/// Where accounts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NewRelicRegion {
    /// The USA.
    #[default]
    Us,
    /// The European Union.
    Eu,
}

/// What is sent to the event API.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewRelicEvents {
    /// The accounts that get every event. Left out, all of them, unless `accounts_by_property` chooses.
    pub accounts: Option<Vec<String>>,
    /// A custom property of tasks, each value of which is the name of an account that gets the task's events as well.
    pub accounts_by_property: Option<String>,
    /// Attributes of events; they come before those of the same name above.
    pub attributes: BTreeMap<String, String>,
    /// Adds the task's tags.
    pub task_tags: bool,
    /// Adds the app's tags.
    pub app_tags: bool,
    /// Adds the custom properties of the task and the app.
    pub custom_properties: bool,
}

impl Default for NewRelicEvents {
    fn default() -> Self {
        Self {
            accounts: None,
            accounts_by_property: None,
            attributes: BTreeMap::new(),
            task_tags: true,
            app_tags: true,
            custom_properties: false,
        }
    }
}

/// What is sent to the log API.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewRelicLogs {
    /// The accounts that get every log. Left out, all of them, unless `accounts_by_property` chooses.
    pub accounts: Option<Vec<String>>,
    /// A custom property of tasks, each value of which is the name of an account that gets the task's logs as well.
    pub accounts_by_property: Option<String>,
    /// Attributes of logs; they come before those of the same name above.
    pub attributes: BTreeMap<String, String>,
    /// Adds the task's tags.
    pub task_tags: bool,
    /// Adds the app's tags.
    pub app_tags: bool,
    /// How many lines of the script log's end are sent.
    pub tail_script_log_lines: u32,
}

impl Default for NewRelicLogs {
    fn default() -> Self {
        Self {
            accounts: None,
            accounts_by_property: None,
            attributes: BTreeMap::new(),
            task_tags: true,
            app_tags: true,
            tail_script_log_lines: 20,
        }
    }
}

/// What is sent to the metric API.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewRelicMetrics {
    /// The accounts that get every metric; all of them if it is left out.
    pub accounts: Option<Vec<String>>,
    /// Attributes of metrics; they come before those of the same name above.
    pub attributes: BTreeMap<String, String>,
}

impl NewRelicConfig {
    fn event_url(&self) -> &str {
        self.event_url.as_deref().unwrap_or(match self.region {
            NewRelicRegion::Us => "https://insights-collector.newrelic.com",
            NewRelicRegion::Eu => "https://insights-collector.eu01.nr-data.net",
        })
    }

    fn log_url(&self) -> &str {
        self.log_url.as_deref().unwrap_or(match self.region {
            NewRelicRegion::Us => "https://log-api.newrelic.com/log/v1",
            NewRelicRegion::Eu => "https://log-api.eu.newrelic.com/log/v1",
        })
    }

    fn metric_url(&self) -> &str {
        self.metric_url.as_deref().unwrap_or(match self.region {
            NewRelicRegion::Us => "https://metric-api.newrelic.com/metric/v1",
            NewRelicRegion::Eu => "https://metric-api.eu.newrelic.com/metric/v1",
        })
    }

    /// The static attributes of an API: the common ones, then its own.
    fn fixed(&self, own: &BTreeMap<String, String>) -> Vec<(String, String)> {
        self.attributes.iter().chain(own).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The remote of each account and API.
    pub(super) fn build_remotes(&self, context: &SinkContext) -> Result<BTreeMap<Target, HttpRemote>, BuildError> {
        let trust = trust(self.ca.as_deref(), self.accept_untrusted, context)?;
        let common = headers::read(&self.headers, context)?;
        let mut remotes = BTreeMap::new();
        for (name, account) in &self.accounts {
            let unusable = |why: String| BuildError::Invalid { key: "accounts", why: format!("`{name}.api_key`: {why}") };
            let key = context.reveal(&account.api_key).map_err(|why| unusable(why.to_string()))?;
            if key.is_empty() {
                return Err(unusable("it is empty".to_owned()));
            }
            let mut headers = common.clone();
            headers.insert("Api-Key", headers::secret_value("accounts", &format!("{name}.api_key"), &key)?);
            let events = format!("{}/v1/accounts/{}/events", self.event_url().trim_end_matches('/'), account.account_id);
            for (api, key, url, is_used) in [
                (Api::Event, "event_url", events.as_str(), self.event.is_some()),
                (Api::Log, "log_url", self.log_url(), self.log.is_some()),
                (Api::Metric, "metric_url", self.metric_url(), self.metric.is_some()),
            ] {
                if is_used {
                    remotes.insert(api.target(name), HttpRemote::new(key, url, headers.clone(), trust.clone(), context)?);
                }
            }
        }
        Ok(remotes)
    }

    fn validate_choice(&self, accounts: Option<&Vec<String>>, property: Option<&str>, issues: &mut Issues) {
        let known: Vec<_> = self.accounts.keys().map(String::as_str).collect();
        for (index, name) in accounts.into_iter().flatten().enumerate().filter(|(_, name)| !self.accounts.contains_key(*name)) {
            issues.at_with_choices(&format!("accounts[{index}]"), format!("there is no account `{name}`"), name, &known);
        }
        if property.is_some_and(|property| property.trim().is_empty()) {
            issues.at("accounts_by_property", "has to be the name of a custom property");
        } else if accounts.is_some_and(Vec::is_empty) && property.is_none() {
            issues.at_with_help("accounts", "names no account, so nothing would be sent", "leave it out for all of them");
        }
    }
}

impl SinkConfig for NewRelicConfig {
    const TYPE: &'static str = "new_relic";

    fn validate(&self, issues: &mut Issues) {
        if self.accounts.is_empty() {
            issues.at_with_help(
                "accounts",
                "there is none",
                "add `accounts.NAME = { account_id = 1234567, api_key = { env = \"NEW_RELIC_KEY\" } }`",
            );
        }
        issues.within("accounts", |issues| {
            for name in self.accounts.keys() {
                if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
                    issues.at(name, format!("a name has 1 to {LONGEST_NAME} characters, and all in one line"));
                }
            }
        });
        for (key, url) in [("event_url", &self.event_url), ("log_url", &self.log_url), ("metric_url", &self.metric_url)] {
            let is_fine = |url: &str| Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some());
            if url.as_deref().is_some_and(|url| !is_fine(url)) {
                issues.at(key, "this is no URL; it has to look like `https://host/path`");
            }
        }
        headers::validate(&self.headers, &["api-key"], issues);
        if self.event.is_none() && self.log.is_none() && self.metric.is_none() {
            let help = "set `event = {}`, `log = {}`, `metric = {}`, or several";
            issues.at_with_help("", "nothing is sent: neither `event` nor `log` nor `metric` is there", help);
        }
        if let Some(metric) = &self.metric {
            issues.within("metric", |issues| self.validate_choice(metric.accounts.as_ref(), None, issues));
        }
        if let Some(event) = &self.event {
            issues.within("event", |issues| self.validate_choice(event.accounts.as_ref(), event.accounts_by_property.as_deref(), issues));
        }
        if let Some(log) = &self.log {
            issues.within("log", |issues| self.validate_choice(log.accounts.as_ref(), log.accounts_by_property.as_deref(), issues));
        }
    }

    fn build(&self, context: &SinkContext) -> Result<Arc<dyn Sink>, BuildError> {
        let remotes = self.build_remotes(context)?;
        let event = self.event.as_ref().map(|event| Channel {
            choice: Choice { always: event.accounts.clone(), property: event.accounts_by_property.clone() },
            shape: Shape {
                fixed: self.fixed(&event.attributes),
                task_tags: event.task_tags,
                app_tags: event.app_tags,
                custom_properties: event.custom_properties,
                tail: 0,
            },
        });
        let log = self.log.as_ref().map(|log| Channel {
            choice: Choice { always: log.accounts.clone(), property: log.accounts_by_property.clone() },
            shape: Shape {
                fixed: self.fixed(&log.attributes),
                task_tags: log.task_tags,
                app_tags: log.app_tags,
                custom_properties: false,
                tail: log.tail_script_log_lines,
            },
        });
        let metric = self.metric.as_ref().map(|metric| Channel {
            choice: Choice { always: metric.accounts.clone(), property: None },
            shape: Shape { fixed: self.fixed(&metric.attributes), ..Shape::default() },
        });
        let accounts = self.accounts.keys().cloned().collect();
        Ok(Arc::new(NewRelic { remotes, accounts, event, log, metric, clock: Arc::clone(&context.clock) }))
    }
}
