//! From a type's name in the configuration to a sink.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::Sink;
use crate::clock::Clock;
use crate::config::{Issues, OptionsTable, Secret, SecretError};
use crate::enrich::LogDesk;
use crate::event::SinkName;

/// The options of a type of sink: what stands under `[sinks.NAME] options`.
///
/// # Contract
/// * `validate` does no I/O and reports every fault, each with its key.
/// * `build` may read files and make clients, but connects to nothing.
/// * `Debug` shows no secret.
pub trait SinkConfig: DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    /// The name of the type: `type = "slack"`.
    const TYPE: &'static str;

    /// How long an attempt may take where the configuration does not say.
    const TIMEOUT: Duration = Duration::from_secs(10);

    /// Reports what is wrong with the options.
    fn validate(&self, issues: &mut Issues);

    /// Makes the sink.
    ///
    /// # Errors
    /// A file or a secret that can't be read, named with its key.
    fn build(&self, context: &SinkContext) -> Result<Arc<dyn Sink>, BuildError>;
}

/// What a sink is made with.
#[derive(Debug, Clone)]
pub struct SinkContext {
    /// Its name in the configuration.
    pub name: SinkName,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Relative paths start here: the folder of the configuration file.
    pub base_dir: PathBuf,
    /// How long one attempt may take; connecting takes at most half of it.
    pub timeout: Duration,
    /// How many attempts may be under way at once, so how many connections are worth keeping.
    pub max_in_flight: usize,
    /// Whom to ask for whole script logs.
    pub logs: LogDesk,
}

impl SinkContext {
    /// The place of a path in the configuration.
    #[must_use]
    pub fn path(&self, path: &Path) -> PathBuf {
        self.base_dir.join(path)
    }

    /// The value of a secret.
    ///
    /// # Errors
    /// An environment variable that is not set, a file that can't be read.
    pub fn reveal(&self, secret: &Secret) -> Result<String, SecretError> {
        secret.reveal(&self.base_dir)
    }
}

/// Why a sink could not be made; the message names the key and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A secret can't be had.
    #[error("`{key}`: {source}")]
    Secret {
        /// The option.
        key: &'static str,
        /// Why.
        source: SecretError,
    },
    /// A file can't be read.
    #[error("`{key}`: can't read `{}`: {why}", path.display())]
    File {
        /// The option.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Anything else.
    #[error("`{key}`: {why}")]
    Invalid {
        /// The option.
        key: &'static str,
        /// What is wrong, and what to do.
        why: String,
    },
    /// Several things at once.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Several(Vec<BuildError>),
}

type Make = dyn Fn(OptionsTable, &SinkContext, &mut Issues) -> Option<Arc<dyn Sink>> + Send + Sync;
type Validate = dyn Fn(OptionsTable, &mut Issues) + Send + Sync;

struct Entry {
    timeout: Duration,
    validate: Box<Validate>,
    make: Box<Make>,
}

/// The types of sink that a configuration may name.
pub struct Registry(BTreeMap<&'static str, Entry>);

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::with_compiled_in()
    }
}

impl Registry {
    /// Types that exist but may be left out of a build, with their feature.
    const FEATURES: [(&'static str, &'static str); 9] = [
        ("email", "sink-email"),
        ("influxdb", "sink-influxdb"),
        ("mqtt", "sink-mqtt"),
        ("new_relic", "sink-newrelic"),
        ("script_log_archive", "sink-archive"),
        ("signl4", "sink-signl4"),
        ("slack", "sink-slack"),
        ("teams", "sink-teams"),
        ("webhook", "sink-webhook"),
    ];

    /// No types at all.
    #[must_use]
    pub fn empty() -> Self {
        Self(BTreeMap::new())
    }

    /// The types of this build.
    #[must_use]
    pub fn with_compiled_in() -> Self {
        let registry = Self::empty();
        #[cfg(feature = "sink-archive")]
        let registry = registry.with::<super::archive::ArchiveConfig>();
        #[cfg(feature = "sink-email")]
        let registry = registry.with::<super::email::EmailConfig>();
        #[cfg(feature = "sink-influxdb")]
        let registry = registry.with::<super::influxdb::InfluxdbConfig>();
        #[cfg(feature = "sink-mqtt")]
        let registry = registry.with::<super::mqtt::MqttConfig>();
        #[cfg(feature = "sink-newrelic")]
        let registry = registry.with::<super::new_relic::NewRelicConfig>();
        #[cfg(feature = "sink-signl4")]
        let registry = registry.with::<super::signl4::Signl4Config>();
        #[cfg(feature = "sink-slack")]
        let registry = registry.with::<super::slack::SlackConfig>();
        #[cfg(feature = "sink-teams")]
        let registry = registry.with::<super::teams::TeamsConfig>();
        #[cfg(feature = "sink-webhook")]
        let registry = registry.with::<super::webhook::WebhookConfig>();
        registry
    }

    /// The same with a further type.
    #[must_use]
    pub fn with<C: SinkConfig>(mut self) -> Self {
        self.register::<C>();
        self
    }

    /// Adds a type, in place of one of the same name.
    pub fn register<C: SinkConfig>(&mut self) {
        let validate = |options: OptionsTable, issues: &mut Issues| {
            if let Some(config) = options.read::<C>(issues) {
                issues.within("options", |issues| config.validate(issues));
            }
        };
        let make = |options: OptionsTable, context: &SinkContext, issues: &mut Issues| {
            let before = issues.len();
            let config = options.read::<C>(issues)?;
            issues.within("options", |issues| config.validate(issues));
            if issues.len() > before {
                return None;
            }
            match config.build(context) {
                Ok(sink) => Some(sink),
                Err(error) => {
                    issues.within("options", |issues| issues.build_error(&error));
                    None
                }
            }
        };
        self.0.insert(C::TYPE, Entry { timeout: C::TIMEOUT, validate: Box::new(validate), make: Box::new(make) });
    }

    /// The names of the types.
    pub fn types(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.keys().copied()
    }

    /// How long an attempt of this type of sink may take where the configuration does not say; `None` for an unknown type.
    #[must_use]
    pub fn timeout(&self, type_name: &str) -> Option<Duration> {
        self.0.get(type_name).map(|entry| entry.timeout)
    }

    /// Reports what is wrong with a sink's options, without I/O. An unknown type is an issue that lists what exists.
    pub fn validate(&self, type_name: &str, options: OptionsTable, issues: &mut Issues) {
        match self.0.get(type_name) {
            Some(entry) => (entry.validate)(options, issues),
            None => self.unknown(type_name, issues),
        }
    }

    /// Makes a sink; `None` if something was wrong, which then stands in `issues`.
    pub fn make(&self, type_name: &str, options: OptionsTable, context: &SinkContext, issues: &mut Issues) -> Option<Arc<dyn Sink>> {
        let Some(entry) = self.0.get(type_name) else {
            self.unknown(type_name, issues);
            return None;
        };
        (entry.make)(options, context, issues)
    }

    fn unknown(&self, type_name: &str, issues: &mut Issues) {
        let left_out = Self::FEATURES.iter().find(|(name, _)| *name == type_name);
        match left_out {
            Some((name, feature)) => {
                issues.at("type", format!("sinks of type `{name}` are not part of this build; build with feature `{feature}`"));
            }
            None => {
                let known: Vec<_> = self.types().collect();
                issues.at_with_choices("type", format!("unknown sink type `{type_name}`"), type_name, &known);
            }
        }
    }
}
