//! Options of an InfluxDB sink.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use super::points::Style;
use super::remote::Remote;
use super::{Influxdb, points};
use crate::config::{Issues, Secret};
use crate::event::LogLines;
use crate::sink::kinds::{self, ByKind};
use crate::sink::{BuildError, Sink, SinkConfig, SinkContext};

/// Options of an InfluxDB sink.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InfluxdbConfig {
    /// The server: `http://influx.example.com:8086`.
    pub url: String,
    /// The version of InfluxDB: 1 (the default), 2 or 3.
    #[serde(default = "one")]
    pub version: u8,
    /// Versions 1 and 3: the database. Version 1 makes one that is missing.
    #[serde(default)]
    pub database: String,
    /// Version 1: the default retention policy of a database that is made.
    #[serde(default)]
    pub retention_policy: Option<RetentionPolicy>,
    /// Version 1: the login, if the server wants one.
    #[serde(default)]
    pub auth: Option<InfluxdbLogin>,
    /// Version 2: the organisation.
    #[serde(default)]
    pub org: String,
    /// Version 2: the bucket.
    #[serde(default)]
    pub bucket: String,
    /// Versions 2 and 3: the token.
    #[serde(default)]
    pub token: Option<Secret>,
    /// Tags of every point.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Tags by kind of event (`"reload_task.failed"`, `"butler.*"`); they come before all others of the same name.
    #[serde(default)]
    pub event_tags: BTreeMap<String, BTreeMap<String, String>>,
    /// Adds a tag `appTag_NAME` for each tag of the app, for reload tasks.
    #[serde(default = "yes")]
    pub app_tags: bool,
    /// Adds a tag `taskTag_NAME` for each tag of the task.
    #[serde(default = "yes")]
    pub task_tags: bool,
    /// How many lines of the script log's start are stored for a reload that succeeded.
    #[serde(default = "fifteen")]
    pub head_script_log_lines: u32,
    /// How many lines of the script log's end are stored.
    #[serde(default = "twenty")]
    pub tail_script_log_lines: u32,
    /// A file with the certificates, in PEM form, that alone are trusted as issuers of the server's certificate.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Takes any certificate, unverified.
    #[serde(default)]
    pub accept_untrusted: bool,
}

/// The default retention policy of a database that is made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionPolicy {
    /// Its name.
    pub name: String,
    /// How long points are kept, as InfluxDB writes it: `10d`, `52w`, `INF`.
    pub duration: String,
}

/// The login at the server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InfluxdbLogin {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// A generation of InfluxDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
    Three,
}

fn one() -> u8 {
    1
}

fn yes() -> bool {
    true
}

fn fifteen() -> u32 {
    15
}

fn twenty() -> u32 {
    20
}

/// A duration as InfluxQL writes it: `10d`, `1h30m`, `INF`.
fn is_duration(text: &str) -> bool {
    const UNITS: [&str; 10] = ["ns", "u", "µ", "us", "ms", "s", "m", "h", "d", "w"];
    let mut rest = text;
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let end = unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len());
        if unit.len() == rest.len() || !UNITS.contains(&&unit[..end]) {
            return text.eq_ignore_ascii_case("inf");
        }
        rest = &unit[end..];
    }
    !text.is_empty()
}

fn check_tags(tags: &points::Tags, issues: &mut Issues) {
    for (name, value) in tags {
        if name.is_empty() || name == "time" || name.starts_with('_') || name.contains(char::is_control) {
            issues.at_with_help(name, "no tag can be called so", "InfluxDB keeps `time` and names that start with `_` for itself");
        } else if value.is_empty() {
            issues.at_with_help(name, "a tag needs a value", "remove it, or give it one");
        } else if value.contains(char::is_control) {
            issues.at(name, "the value of a tag has to be one line");
        }
    }
}

impl InfluxdbConfig {
    pub(super) fn version(&self) -> Result<Version, BuildError> {
        match self.version {
            1 => Ok(Version::One),
            2 => Ok(Version::Two),
            3 => Ok(Version::Three),
            other => {
                Err(BuildError::Invalid { key: "version", why: format!("there is no InfluxDB {other} that is known here; 1, 2 or 3") })
            }
        }
    }

    /// Reports options that this version needs and does not have, or has and does not know.
    fn check_version(&self, issues: &mut Issues) {
        let version = self.version;
        let given = [
            ("database", !self.database.is_empty(), [true, false, true]),
            ("org", !self.org.is_empty(), [false, true, false]),
            ("bucket", !self.bucket.is_empty(), [false, true, false]),
            ("token", self.token.is_some(), [false, true, true]),
        ];
        let other = [("auth", self.auth.is_some()), ("retention_policy", self.retention_policy.is_some())];
        let index = usize::from(version.saturating_sub(1)).min(2);
        for (key, is_given, wanted) in given {
            match (is_given, wanted[index]) {
                (false, true) => issues.at(key, format!("missing; InfluxDB {version} can't do without")),
                (true, false) => issues.at_with_help(key, format!("InfluxDB {version} knows no such thing"), "remove it, or set `version`"),
                _ => {}
            }
        }
        for (key, _) in other.into_iter().filter(|(_, is_given)| *is_given && version != 1) {
            issues.at_with_help(key, format!("InfluxDB {version} knows no such thing"), "remove it, or set `version = 1`");
        }
    }
}

impl SinkConfig for InfluxdbConfig {
    const TYPE: &'static str = "influxdb";

    fn validate(&self, issues: &mut Issues) {
        if let Err(why) = super::remote::address(&self.url, "write") {
            issues.build_error(&why);
        }
        match self.version() {
            Ok(_) => self.check_version(issues),
            Err(why) => issues.build_error(&why),
        }
        if let Some(policy) = &self.retention_policy {
            issues.within("retention_policy", |issues| {
                if policy.name.is_empty() {
                    issues.at("name", "missing");
                }
                if !is_duration(&policy.duration) {
                    issues.at_with_help(
                        "duration",
                        format!("`{}` is no duration", policy.duration),
                        "write it as InfluxDB does: `10d`, `52w`, `INF`",
                    );
                }
            });
        }
        issues.within("tags", |issues| check_tags(&self.tags, issues));
        kinds::validate("event_tags", &self.event_tags, issues);
        issues.within("event_tags", |issues| {
            for (kind, tags) in &self.event_tags {
                issues.within(&format!("\"{kind}\""), |issues| check_tags(tags, issues));
            }
        });
    }

    fn build(&self, context: &SinkContext) -> Result<Arc<dyn Sink>, BuildError> {
        let style = Style {
            tags: self.tags.clone(),
            event_tags: ByKind::new(&self.event_tags, Clone::clone),
            app_tags: self.app_tags,
            task_tags: self.task_tags,
            script_log: LogLines { head: self.head_script_log_lines, tail: self.tail_script_log_lines },
        };
        let sorted = self.version()? != Version::One;
        Ok(Arc::new(Influxdb { remote: Remote::new(self, context)?, style, sorted }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_influxql() {
        for good in ["10d", "52w", "1h30m", "90m", "INF", "inf", "5µ"] {
            assert!(is_duration(good), "{good}");
        }
        for bad in ["", "10", "d", "10 d", "10d; drop database x", "1y", "10dd"] {
            assert!(!is_duration(bad), "{bad}");
        }
    }
}
