//! Reading the file.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::issues::{Issues, Severity};
#[cfg(feature = "files")]
use super::model::FilesConfig;
#[cfg(feature = "mqtt")]
use super::model::MqttInConfig;
use super::model::{
    ApiConfig, KvConfig, LogConfig, MonitorConfig, RouteConfig, RoutingConfig, SchedulerConfig, SinkEntry, SiteConfig, StoreConfig,
    TasksConfig, UdpConfig,
};
use super::read::read;
use super::source::Source;
use super::spoilt::spoilt_paths;
use crate::sink::Links;

/// A configuration, read but not yet checked against the types of sink that there are.
///
/// Reading finds faults of syntax and stops there. All others (unknown keys, wrong types) are kept, and [`resolve`](Self::resolve) or
/// [`check`](Self::check) report them together with whatever else is wrong; until then the keys concerned have their defaults.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// `[sites.NAME]`.
    pub sites: BTreeMap<String, SiteConfig>,
    /// `[sinks.NAME]`.
    pub sinks: BTreeMap<String, SinkEntry>,
    /// `[[routes]]`.
    pub routes: Vec<RouteConfig>,
    /// `[routing]`.
    pub routing: RoutingConfig,
    /// `[store]`.
    pub store: StoreConfig,
    /// `[udp]`; without it the only site gets a listening address with all defaults, unless it has one of its own.
    pub udp: Option<UdpConfig>,
    /// `[api]`.
    pub api: ApiConfig,
    /// `[monitor]`.
    pub monitor: MonitorConfig,
    /// `[mqtt]`; without it there is no connection but those of sinks.
    #[cfg(feature = "mqtt")]
    pub mqtt: Option<MqttInConfig>,
    /// `[kv]`.
    pub kv: KvConfig,
    /// `[scheduler]`.
    pub scheduler: SchedulerConfig,
    /// `[tasks]`.
    pub tasks: TasksConfig,
    /// `[files]`.
    #[cfg(feature = "files")]
    pub files: FilesConfig,
    /// `[log]`.
    pub log: LogConfig,
    /// `[links]`: for sites that have none of their own.
    pub links: Links,
    /// Where relative paths start.
    pub base_dir: PathBuf,
    pub(super) found: Issues,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Root {
    store: StoreConfig,
    udp: Option<UdpConfig>,
    api: ApiConfig,
    monitor: MonitorConfig,
    #[cfg(feature = "mqtt")]
    mqtt: Option<MqttInConfig>,
    kv: KvConfig,
    scheduler: SchedulerConfig,
    tasks: TasksConfig,
    #[cfg(feature = "files")]
    files: FilesConfig,
    log: LogConfig,
    routing: RoutingConfig,
    links: Links,
    sites: BTreeMap<String, SiteConfig>,
    sinks: BTreeMap<String, SinkEntry>,
    routes: Vec<RouteConfig>,
}

/// Why there is no configuration to go on with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read the configuration `{}`: {}", path.display(), unreadable(why))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// Something is wrong with it; all of what is.
    #[error("{}", Faults(.0))]
    Invalid(Issues),
}

fn unreadable(why: &io::Error) -> String {
    match why.kind() {
        io::ErrorKind::NotFound => "there is no such file. Write a first one with `butler-cli init`, or name the one that you have".into(),
        io::ErrorKind::InvalidData => "it is not UTF-8 text. Save it as UTF-8 in your editor".into(),
        _ => why.to_string(),
    }
}

struct Faults<'a>(&'a Issues);

impl fmt::Display for Faults<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("one thing is wrong with the configuration:")?,
            count => write!(f, "{count} things are wrong with the configuration:")?,
        }
        // What keeps the program from starting comes first.
        let errors = self.0.iter().filter(|issue| issue.severity == Severity::Error);
        errors.chain(self.0.warnings()).try_for_each(|issue| write!(f, "\n{issue}"))
    }
}

impl Config {
    /// Reads a file. Relative paths in it start at its folder.
    ///
    /// # Errors
    /// A file that can't be read; a text that is no TOML, with every faulty line.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let unreadable = |why| ConfigError::Unreadable { path: path.to_owned(), why };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        // Made absolute now: the working directory may be another one later.
        let whole = std::path::absolute(path).map_err(unreadable)?;
        let base_dir = whole.parent().unwrap_or(Path::new("")).to_owned();
        Self::parse(&path.display().to_string(), &text, base_dir)
    }

    /// Reads a text. Relative paths in it start at `base_dir`.
    ///
    /// # Errors
    /// A text that is no TOML, with every faulty line.
    pub fn from_toml(text: &str, base_dir: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        Self::parse("configuration", text, base_dir.into())
    }

    pub(super) fn parse(label: &str, text: &str, base_dir: PathBuf) -> Result<Self, ConfigError> {
        let (source, table) = Source::parse(label, text).map_err(ConfigError::Invalid)?;
        let mut found = Issues::of(Some(source));
        spoilt_paths(&table, "", &mut found);
        let tables: Vec<String> = table.keys().cloned().collect();
        let root: Root = read(table, &mut found).unwrap_or_else(|| {
            // What is said about the defaults in their place would be about nothing that anybody wrote.
            tables.iter().for_each(|table| found.explained(table));
            Root::default()
        });
        Ok(Self {
            sites: root.sites,
            sinks: root.sinks,
            routes: root.routes,
            routing: root.routing,
            store: root.store,
            udp: root.udp,
            api: root.api,
            monitor: root.monitor,
            #[cfg(feature = "mqtt")]
            mqtt: root.mqtt,
            kv: root.kv,
            scheduler: root.scheduler,
            tasks: root.tasks,
            #[cfg(feature = "files")]
            files: root.files,
            log: root.log,
            links: root.links,
            base_dir,
            found,
        })
    }

    /// The configuration as a text, with all that holds where nothing is written, and with what may be a secret masked.
    #[must_use]
    pub fn effective(&self) -> String {
        let all = self.clone();
        let alone = || all.sites.values().all(|site| site.udp.is_none());
        let root = Root {
            store: all.store,
            udp: all.udp.or_else(|| alone().then(UdpConfig::default)),
            api: all.api,
            monitor: all.monitor,
            #[cfg(feature = "mqtt")]
            mqtt: all.mqtt,
            kv: all.kv,
            scheduler: all.scheduler,
            tasks: all.tasks,
            #[cfg(feature = "files")]
            files: all.files,
            log: all.log,
            routing: all.routing,
            links: all.links,
            sites: all.sites,
            sinks: all.sinks,
            routes: all.routes,
        };
        toml::to_string(&root).unwrap_or_else(|error| format!("# The configuration can't be written out: {error}\n"))
    }
}
