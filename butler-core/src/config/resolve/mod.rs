//! From what is written to what is built: everything that the program is put together from, or everything that is wrong.

mod access;
mod address;
#[cfg(feature = "qlik")]
mod engine;
#[cfg(feature = "files")]
mod files;
mod kv;
#[cfg(feature = "api")]
mod messages;
mod monitor;
#[cfg(feature = "mqtt")]
mod mqtt;
#[cfg(feature = "qlik")]
mod reconcile;
mod routes;
mod scheduler;
mod sinks;
mod sites;
#[cfg(feature = "qlik")]
mod tasks;
mod udp;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::access::{AccessSettings, ApiTlsSettings};
use super::endpoints::EndpointsConfig;
use super::issues::{Issue, Issues};
use super::load::{Config, ConfigError};
use super::model::{LogConfig, StoreType};
use super::values::Period;
use crate::clock::{Clock, SystemClock};
use crate::enrich::LogDesk;
#[cfg(feature = "qlik")]
use crate::event::{Kind, TaskOutcome};
use crate::kv::KvSettings;
use crate::pipeline::{Budgets, Plan};
use crate::sink::Registry;
use crate::source::udp::UdpSettings;

/// What a configuration comes to.
#[derive(Debug)]
pub struct Settings {
    /// Sites, sinks and routes. No site has an enricher yet: they come of `repositories`.
    pub plan: Plan,
    /// The repositories that can be asked, one for each site that has certificates.
    #[cfg(feature = "qlik")]
    pub repositories: Vec<crate::qlik::RepositorySettings>,
    /// The engines of these sites.
    #[cfg(feature = "qlik")]
    pub engines: Vec<crate::qlik::engine::EngineSettings>,
    /// How the results of these are read, where they are. None says where datagrams come in: that is known once it is listened.
    #[cfg(feature = "qlik")]
    pub polls: Vec<crate::source::qrs_poll::QrsPollSettings>,
    /// Where datagrams are received.
    pub udp: Vec<UdpSettings>,
    /// What of all tasks is watched, if they are to be.
    #[cfg(feature = "qlik")]
    pub task_watch: Option<crate::monitor::tasks::TaskWatchRules>,
    /// How often it is told how long Butler runs, if it is.
    pub uptime: Option<Duration>,
    /// How Butler is at an MQTT broker, if it is to be.
    #[cfg(feature = "mqtt")]
    pub mqtt: Option<crate::source::mqtt_in::MqttInSettings>,
    /// How tasks are started on somebody's word.
    #[cfg(feature = "qlik")]
    pub starts: crate::qlik::start::StartSettings,
    /// What load scripts may do with files.
    #[cfg(feature = "files")]
    pub files: crate::files::FileSettings,
    /// How much the key-value store takes.
    pub kv: KvSettings,
    /// How long it is tried again to start a task of a schedule.
    #[cfg(feature = "qlik")]
    pub schedule_retry: Duration,
    /// What is done at which times.
    pub scheduler: crate::schedule::SchedulerSettings,
    /// What outlives the process.
    pub store: StoreSettings,
    /// The HTTP server, if there is to be one.
    pub api: Option<ApiSettings>,
    /// Where messages of load scripts go.
    #[cfg(feature = "api")]
    pub messaging: crate::api::Messaging,
    /// Where sinks ask for whole script logs. Nobody sits there yet.
    pub logs: LogDesk,
    /// What the program says about itself.
    pub log: LogConfig,
    /// What is allowed, but hardly meant.
    pub warnings: Vec<Issue>,
}

/// The store to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// Of which type it is.
    pub place: StorePlace,
    /// How long settled events are kept.
    pub retention: Duration,
    /// How long events with a dead delivery are kept.
    pub dead_retention: Duration,
    /// How large it may grow, in bytes.
    pub max_bytes: Option<u64>,
    /// How many bytes of pairs are kept in memory to be read from there.
    pub pair_cache: u64,
}

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorePlace {
    /// In memory, for as long as the process lives.
    Memory,
    /// In a file.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
}

/// The HTTP server to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSettings {
    /// `host:port`.
    pub listen: String,
    /// Who may use it.
    pub access: AccessSettings,
    /// The networks that connections are taken from, beside this machine; all if there is no list.
    #[cfg(feature = "api")]
    pub networks: Option<Vec<ipnet::IpNet>>,
    /// Connections at a time.
    pub max_connections: usize,
    /// HTTPS in place of HTTP.
    pub tls: Option<ApiTlsSettings>,
    /// How many requests to `/v4` each address may send a minute; 0 for as many as it likes.
    pub rate_limit: u32,
    /// Which endpoints of `/v4` there are.
    pub endpoints: EndpointsConfig,
}

impl Config {
    /// Makes everything that is to be put together. Reads certificates, secrets and templates; connects to nothing, writes nothing.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with everything that is wrong, from unknown keys to certificates that can't be read.
    pub fn resolve(&self, registry: &Registry, clock: Arc<dyn Clock>) -> Result<Settings, ConfigError> {
        let mut issues = self.found.clone();
        let logs = LogDesk::default();
        let sites = sites::resolve(self, &mut issues);
        let udp = udp::resolve(self, &mut issues);
        let store = self.store_settings(&mut issues);
        let api = self.api_settings(&mut issues);
        #[cfg(feature = "api")]
        let messaging = messages::resolve(self, &mut issues);
        let sinks = sinks::resolve(self, sinks::Means { registry, clock: &clock, logs: &logs }, &mut issues);
        let (routes, fallback) = routes::resolve(self, &mut issues);
        sinks::unused(self, &mut issues);
        #[cfg(feature = "qlik")]
        let task_watch = monitor::task_watch(self, &routes, !sites.repositories.is_empty(), &mut issues);
        let uptime = monitor::uptime(self, &mut issues);
        #[cfg(feature = "mqtt")]
        let mqtt = mqtt::resolve(self, &mut issues);
        #[cfg(feature = "qlik")]
        let starts = tasks::starts(self, &sites.repositories, &mut issues);
        #[cfg(feature = "files")]
        let files = files::resolve(self, &mut issues);
        let kv = kv::settings(self, &mut issues);
        let scheduler = scheduler::settings(self, &mut issues);
        let budgets = issues.within("routing", |issues| {
            let (deciding, showing) = (self.routing.deciding_budget, self.routing.showing_budget);
            positive(deciding, "deciding_budget", issues);
            positive(showing, "showing_budget", issues);
            Budgets { deciding: deciding.0, showing: showing.0 }
        });
        if !issues.is_empty() {
            return Err(ConfigError::Invalid(issues));
        }
        let plan = Plan { sites: sites.plans, sinks, routes, fallback, budgets };
        #[cfg(feature = "qlik")]
        let polls = {
            let successes = plan.may_want(&Kind::task(TaskOutcome::Success));
            sites.polls.into_iter().map(|poll| crate::source::qrs_poll::QrsPollSettings { successes, ..poll }).collect()
        };
        Ok(Settings {
            plan,
            #[cfg(feature = "qlik")]
            repositories: sites.repositories,
            #[cfg(feature = "qlik")]
            engines: sites.engines,
            #[cfg(feature = "qlik")]
            polls,
            udp,
            #[cfg(feature = "qlik")]
            task_watch,
            uptime,
            #[cfg(feature = "mqtt")]
            mqtt,
            #[cfg(feature = "qlik")]
            starts,
            #[cfg(feature = "files")]
            files,
            kv,
            #[cfg(feature = "qlik")]
            schedule_retry: self.scheduler.retry_for.0,
            scheduler,
            store,
            api,
            #[cfg(feature = "api")]
            messaging,
            logs,
            log: self.log,
            warnings: issues.warnings().cloned().collect(),
        })
    }

    /// Checks everything that can be checked offline; gives the warnings.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn check(&self, registry: &Registry) -> Result<Vec<Issue>, ConfigError> {
        self.resolve(registry, Arc::new(SystemClock::default())).map(|settings| settings.warnings)
    }

    fn store_settings(&self, issues: &mut Issues) -> StoreSettings {
        const SMALLEST: u64 = 1 << 20;
        let store = &self.store;
        issues.within("store", |issues| {
            positive(store.retention, "retention", issues);
            positive(store.dead_retention, "dead_retention", issues);
            if (1..SMALLEST).contains(&store.max_size.0) {
                issues.at_with_help(
                    "max_size",
                    format!("{} is too little for a store", store.max_size),
                    "give it 1 MiB at the least, or 0 for no limit",
                );
            }
            if store.r#type == StoreType::Sqlite && store.path.as_os_str().is_empty() {
                issues.at("path", "the name of the file is empty");
            }
            if store.r#type == StoreType::Sqlite && cfg!(not(feature = "sqlite")) {
                issues.at("type", "stores of type `sqlite` are not part of this build; build with feature `sqlite`, or use type `memory`");
            }
        });
        let place = match store.r#type {
            StoreType::Memory => StorePlace::Memory,
            StoreType::Sqlite => StorePlace::Sqlite { path: self.base_dir.join(&store.path) },
        };
        let max_bytes = (store.max_size.0 > 0).then_some(store.max_size.0);
        StoreSettings {
            place,
            retention: store.retention.0,
            dead_retention: store.dead_retention.0,
            max_bytes,
            pair_cache: self.kv.cache.0,
        }
    }

    fn api_settings(&self, issues: &mut Issues) -> Option<ApiSettings> {
        let api = &self.api;
        let (access, max_connections) = issues.within("api", |issues| {
            let address = address::listen(&api.listen, "listen", issues);
            (access::resolve(self, address.as_ref(), issues), access::max_connections(api, issues))
        });
        #[cfg(feature = "api")]
        let networks = issues.within("api.allow", |issues| access::networks(api, issues));
        let tls = issues.within("api.tls", |issues| access::tls(self, issues));
        api.enabled.then(|| ApiSettings {
            listen: api.listen.clone(),
            access,
            #[cfg(feature = "api")]
            networks,
            max_connections,
            tls,
            rate_limit: api.rate_limit,
            endpoints: api.endpoints,
        })
    }
}

/// Reports a duration of nothing.
fn positive(period: Period, key: &str, issues: &mut Issues) {
    if period.0.is_zero() {
        issues.at(key, "has to be longer than nothing");
    }
}

/// Reports a name that could not be told apart or be matched.
fn check_name(name: &str, issues: &mut Issues) {
    let fine = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
    if name.trim().is_empty() || name.chars().count() > 100 || !name.chars().all(fine) {
        issues.at("", "a name is made of letters, digits, `_`, `-` and `.`, at most 100 of them");
    }
}
