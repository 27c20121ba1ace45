//! What may stand in the file, key by key, and what holds where nothing is written.
//!
//! Every default is in the `Default` of its table and nowhere else. Types and options of sinks are not known here: [`SinkEntry::options`] stays as
//! it is written until a registry reads it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use super::api::ApiConfig;
use super::engine::EngineConfig;
#[cfg(feature = "files")]
pub use super::files::{DirectoryPairConfig, FilesConfig};
pub use super::kv::KvConfig;
pub use super::monitor::{MonitorConfig, TaskWatchConfig, UptimeConfig};
use super::options::OptionsTable;
pub use super::scheduler::{CronMonths, ScheduleConfig, SchedulerConfig};
use super::values::{ByteSize, Period, Texts};
#[cfg(feature = "mqtt")]
use crate::mqtt::BrokerConfig;
use crate::pipeline::{Budgets, RetryPolicy};
use crate::sink::Links;

const fn seconds(seconds: u64) -> Period {
    Period(Duration::from_secs(seconds))
}

const fn days(days: u64) -> Period {
    Period(Duration::from_hours(24 * days))
}

/// `[sites.NAME]`: a Qlik Sense site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiteConfig {
    /// Host name or address of the central node, as its certificate names it. Log datagrams are taken from it.
    pub host: String,
    /// Port of the repository.
    pub port: u16,
    /// Folder with `client.pem`, `client_key.pem` and `root.pem`, as exported from the QMC. Without certificates the repository is not asked, and messages say only what
    /// the datagrams say.
    pub certificates: Option<PathBuf>,
    /// In place of `client.pem` in that folder.
    pub client_certificate: Option<PathBuf>,
    /// In place of `client_key.pem`.
    pub client_key: Option<PathBuf>,
    /// In place of `root.pem`.
    pub root_certificate: Option<PathBuf>,
    /// Whether the repository's certificate is checked.
    pub verify: bool,
    /// On whose behalf the repository is asked (`X-Qlik-User`).
    pub user: String,
    /// How long one request to the repository may take.
    pub timeout: Period,
    /// How long tasks, apps and users are remembered.
    pub cache: Period,
    /// The zone of local times, by its IANA name (`Europe/Stockholm`); the machine's if there is none.
    pub time_zone: Option<String>,
    /// Where the pages of the site are; those of `[links]` if there are none.
    pub links: Option<Links>,
    /// A listening address of this site's own; needed where there are several sites.
    pub udp: Option<UdpConfig>,
    /// What no datagram told is read from the repository.
    pub reconcile: ReconcileConfig,
    /// Where the engine is.
    pub engine: EngineConfig,
}

/// `[sites.NAME.reconcile]`: execution results are read from the repository, so that what no datagram told is found. It needs certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReconcileConfig {
    /// Whether they are read at all.
    pub enabled: bool,
    /// The time from one reading to the next.
    pub every: Period,
    /// How far back is read after a time in which nothing was.
    pub look_back: Period,
    /// What the repository calls when an execution ends, so that it is read at once: `http://` with a name of this machine and a port. Without it results are read `every` so often.
    pub notify_url: Option<String>,
    /// Where these calls are listened for; all addresses and the port of `notify_url` if it is not set.
    pub notify_listen: Option<String>,
}

impl Default for ReconcileConfig {
    fn default() -> Self {
        Self { enabled: true, every: seconds(30), look_back: days(7), notify_url: None, notify_listen: None }
    }
}

impl Default for SiteConfig {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 4242,
            certificates: None,
            client_certificate: None,
            client_key: None,
            root_certificate: None,
            verify: true,
            user: "UserDirectory=INTERNAL; UserId=sa_repository".into(),
            timeout: seconds(30),
            cache: seconds(60),
            time_zone: None,
            links: None,
            udp: None,
            reconcile: ReconcileConfig::default(),
            engine: EngineConfig::default(),
        }
    }
}

/// `[store]`: what outlives the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// `sqlite`, a file; or `memory`, which forgets everything at the end.
    pub r#type: StoreType,
    /// The file.
    pub path: PathBuf,
    /// How long settled events are kept.
    pub retention: Period,
    /// How long events with a dead delivery are kept.
    pub dead_retention: Period,
    /// How large the store may grow; then the oldest events go, metrics first. Pairs are not counted, and may take half as much beside it. `0` for no limit.
    pub max_size: ByteSize,
}

/// The types of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreType {
    /// A file.
    Sqlite,
    /// Nothing outlives the process.
    Memory,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            r#type: StoreType::Sqlite,
            path: "butler.db".into(),
            retention: days(30),
            dead_retention: days(90),
            max_size: ByteSize(2 << 30),
        }
    }
}

/// `[udp]`, or `[sites.NAME.udp]`: where log datagrams are received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UdpConfig {
    /// Whether they are received at all.
    pub enabled: bool,
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: String,
    /// The site that they come from; needed where there are several. Not in `[sites.NAME.udp]`, which says so itself.
    pub site: Option<String>,
    /// Hosts (names or addresses) from which they are taken, beside loopback and the site's own; `"*"` for all.
    pub allow: Vec<String>,
    /// The longest that is taken.
    pub max_message: ByteSize,
    /// How many are taken a minute; `0` for as many as come.
    pub max_per_minute: u32,
    /// The receive buffer to ask of the system: what waits there while the program is busy is not lost.
    pub receive_buffer: ByteSize,
}

impl Default for UdpConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: "0.0.0.0:9998".into(),
            site: None,
            allow: Vec::new(),
            max_message: ByteSize(65_507),
            max_per_minute: 0,
            receive_buffer: ByteSize(16 << 20),
        }
    }
}

/// `[routing]`: what holds for all routes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoutingConfig {
    /// Sinks for what went wrong and reached nobody by a route.
    pub fallback: Vec<String>,
    /// How long is waited for the facts that decide where an event goes.
    pub deciding_budget: Period,
    /// How long is waited for the facts that messages show.
    pub showing_budget: Period,
}

impl Default for RoutingConfig {
    fn default() -> Self {
        let Budgets { deciding, showing } = Budgets::default();
        Self { fallback: Vec::new(), deciding_budget: Period(deciding), showing_budget: Period(showing) }
    }
}

/// `[tasks]`: how tasks are started on somebody's word, be it over the API, MQTT or the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TasksConfig {
    /// The site where nobody names one; needed where there are several.
    pub site: Option<String>,
    /// How long it is tried again while the repository can't be reached. A start that may have reached it is never told again.
    pub retry_for: Period,
    /// Which tasks may be started.
    pub start_filter: StartFilterConfig,
}

impl Default for TasksConfig {
    fn default() -> Self {
        Self { site: None, retry_for: seconds(10), start_filter: StartFilterConfig::default() }
    }
}

/// `[tasks.start_filter]`: which tasks may be started on somebody's word. The lists add up: a task may be started if one of them has its id, one of its tags or one of
/// the values of its custom properties, by whatever it was chosen. Tasks that follow the reload of an app are filtered too, but for those of a reload over `/v4`: there no filter was ever
/// asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StartFilterConfig {
    /// Whether only what is listed may be started; if it is left out, as soon as there is a list.
    pub enabled: Option<bool>,
    /// Ids of tasks.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub task: Texts,
    /// Tags, to the letter.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub tag: Texts,
    /// Custom properties, each with one value or several, to the letter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_property: BTreeMap<String, Texts>,
}

/// `[[routes]]`: which events go where. Routes are tried in their order; the first that takes an event is the last, unless it says `continue`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteConfig {
    /// How it is called in lists; by its number if it has no name.
    pub name: Option<String>,
    /// Kinds of events; a trailing `*` stands for the rest.
    pub events: Vec<String>,
    /// What else has to fit.
    pub when: When,
    /// The sinks that it sends to.
    pub sinks: Vec<String>,
    /// At most one message for each task, kind and destination in this time.
    pub rate_limit: Option<Period>,
    /// Recipients in place of the sinks' own.
    pub recipients: Option<Vec<String>>,
    /// Go on with the routes below after this one took an event.
    pub r#continue: bool,
}

/// `when` of a route: of every list that is not empty one entry has to fit. Case does not matter, and a `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// Names of sites.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub site: Texts,
    /// Names or ids of tasks.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub task: Texts,
    /// Names or ids of apps.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub app: Texts,
    /// Streams that the app is published to.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub stream: Texts,
    /// `DIRECTORY\user` of the app's owner.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub owner: Texts,
    /// Tags of the task or the app.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub tag: Texts,
    /// Custom properties of the task, each with one value or several: one of all these pairs has to fit.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_property: BTreeMap<String, Texts>,
    /// Hosts that events come from.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub host: Texts,
}

/// `[sinks.NAME]`: where messages go. Written out, what may be a secret among the options is masked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SinkEntry {
    /// The type: `email`, `mqtt`, `new_relic`, `signl4`, `slack`, `teams`, `webhook`, or one that an embedder registered.
    pub r#type: String,
    /// How long one attempt may take; `None` for as long as is usual for the type.
    pub timeout: Option<Period>,
    /// How many attempts may be under way at once.
    pub max_in_flight: u32,
    /// When to try again, and when to give up.
    pub retry: RetryConfig,
    /// Earlier names of this sink: it takes over what was still to be delivered to them.
    pub was: Vec<String>,
    /// What the type of sink makes of it.
    #[serde(serialize_with = "OptionsTable::masked")]
    pub options: OptionsTable,
}

impl Default for SinkEntry {
    fn default() -> Self {
        Self {
            r#type: String::new(),
            timeout: None,
            max_in_flight: 8,
            retry: RetryConfig::default(),
            was: Vec::new(),
            options: OptionsTable::default(),
        }
    }
}

/// `retry` of a sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryConfig {
    /// The first wait; each further one is about twice as long.
    pub first: Period,
    /// The longest wait.
    pub longest: Period,
    /// How old an alert may get before it is given up.
    pub alert_age: Period,
    /// How old a metric may get.
    pub metric_age: Period,
}

impl Default for RetryConfig {
    fn default() -> Self {
        let RetryPolicy { first, longest, alert_age, metric_age } = RetryPolicy::default();
        Self { first: Period(first), longest: Period(longest), alert_age: Period(alert_age), metric_age: Period(metric_age) }
    }
}

/// `[mqtt]`: Butler at an MQTT broker. It says there that it is up, and takes messages; what events are published is the business of sinks of type `mqtt`.
#[cfg(feature = "mqtt")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MqttInConfig {
    /// The broker.
    pub broker: BrokerConfig,
    /// Where it is said that the connection was made; nowhere for an empty name.
    pub status_topic: String,
    /// Where `start` is said when the connection was made, and `error` when it is lost; nowhere for an empty name.
    pub server_status_topic: String,
    /// The topics that are heard, for what takes messages.
    pub subscribe: String,
    /// Where the id of a task is published to have it started, if `[tasks] start_filter` allows it; nowhere for an empty name. Whoever may publish there may start tasks.
    pub start_task_topic: String,
    /// Where it is said what became of that; nowhere for an empty name.
    pub start_task_answer_topic: String,
}

#[cfg(feature = "mqtt")]
impl Default for MqttInConfig {
    fn default() -> Self {
        Self {
            broker: BrokerConfig::default(),
            status_topic: "qliksense/butler/mqtt/status".into(),
            server_status_topic: "qliksense/butler/task_failure_server".into(),
            subscribe: "qliksense/#".into(),
            start_task_topic: String::new(),
            start_task_answer_topic: String::new(),
        }
    }
}

/// `[log]`: what the program says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// The least that is said.
    pub level: LogLevel,
    /// How it is written.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Text }
    }
}

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// What is lost or will not work.
    Error,
    /// And what somebody should look at.
    Warn,
    /// And what happens.
    Info,
    /// And how.
    Debug,
    /// And everything else.
    Trace,
}

impl LogLevel {
    /// Its name, as filters of `tracing` take it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
