//! Butler as a whole: from a configuration to a running set of stages, and back.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "api")]
use crate::api;
use crate::clock::{Clock, Deadline, SystemClock};
use crate::config::{Config, ConfigError};
use crate::enrich::Enricher;
use crate::event::SiteName;
use crate::monitor::uptime::UptimeMonitor;
use crate::pipeline::{Health, Parts, Pipeline, SilenceDesk};
use crate::schedule::{Action, Scheduler, Schedules};
use crate::sink::{Registry, SinkConfig};
#[cfg(all(feature = "mqtt", feature = "qlik"))]
use crate::source::mqtt_in::StartTask;
#[cfg(feature = "mqtt")]
use crate::source::mqtt_in::{MessageHandler, MqttInSource, MqttPublisher};
use crate::source::udp::UdpSource;
use crate::source::{EventSource, Intake, SourceError};
use crate::store::{Journal, Store, StoreError};

#[cfg(feature = "qlik")]
mod apps;
#[cfg(feature = "files")]
mod files;
mod parts;
mod schedules;
mod sources;
#[cfg(test)]
#[cfg(all(feature = "sqlite", feature = "testkit"))]
mod tests;

/// A running Butler. Dropping it ends everything at once; [`Butler::shutdown`] ends it in order.
///
/// Several may run in one process: nothing is shared between them.
#[derive(Debug)]
pub struct Butler {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    intake: Intake,
    health: Arc<Health>,
    bound: Vec<(String, String)>,
    pipeline: Pipeline,
    silences: Arc<SilenceDesk>,
    schedules: Schedules,
    sources: sources::Sources,
    #[cfg(feature = "mqtt")]
    mqtt: Option<MqttPublisher>,
    #[cfg(feature = "qlik")]
    starter: Arc<crate::qlik::start::Starter>,
    #[cfg(feature = "files")]
    files: Arc<crate::files::Files>,
    #[cfg(feature = "qlik")]
    apps: Arc<crate::qlik::engine::Apps>,
    #[cfg(feature = "api")]
    api: Option<ApiTask>,
}

#[cfg(feature = "api")]
#[derive(Debug)]
struct ApiTask {
    stop: crate::source::Stop,
    task: tokio::task::JoinHandle<()>,
}

#[cfg(feature = "api")]
impl Drop for ApiTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Puts a [`Butler`] together.
#[derive(Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct Builder {
    config: Config,
    registry: Registry,
    clock: Arc<dyn Clock>,
    store: Option<Arc<dyn Store>>,
    sources: Vec<Arc<dyn EventSource>>,
    enrichers: BTreeMap<SiteName, Arc<dyn Enricher>>,
    actions: BTreeMap<String, Arc<dyn Action>>,
    #[cfg(feature = "mqtt")]
    mqtt_handlers: Vec<Arc<dyn MessageHandler>>,
}

/// Why Butler could not start. Whatever had been started is ended again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store can't be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A source can't hear.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The API can't listen.
    #[cfg(feature = "api")]
    #[error(transparent)]
    Api(#[from] api::ApiError),
    /// The working directory is not known, at which relative paths of files start.
    #[cfg(feature = "files")]
    #[error("the working directory can't be told, where relative paths start: {0}")]
    WorkingDirectory(std::io::Error),
    /// The client of a site's repository can't be made.
    #[cfg(feature = "qlik")]
    #[error(transparent)]
    Qlik(#[from] crate::qlik::QlikError),
    /// The client of a site's engine can't be made.
    #[cfg(feature = "qlik")]
    #[error(transparent)]
    Engine(#[from] crate::qlik::engine::EngineError),
    /// An enricher was given for a site that the configuration does not have.
    #[error("there is an enricher for the site `{0}`, but no such site in the configuration")]
    NoSuchSite(SiteName),
    /// A schedule of the configuration names an action that was not added.
    #[error(
        "the schedule `{schedule}` of the configuration names the action `{action}`, which the program that embeds Butler has not added"
    )]
    NoSuchAction {
        /// Id of the schedule.
        schedule: String,
        /// Name of the action.
        action: String,
    },
    /// The configuration asks for something that this build has not.
    #[error("{0}")]
    NotInThisBuild(String),
}

/// What had not ended when the grace period was over. It was dropped; nothing that was accepted is lost by it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not everything ended within {}: {}; what is open goes on at the next start", humantime::format_duration(*.grace), late.join(", "))]
pub struct ShutdownError {
    late: Vec<&'static str>,
    grace: Duration,
}

impl Butler {
    /// Begins with a configuration, the sinks of this build and the machine's clock.
    pub fn builder(config: Config) -> Builder {
        Builder {
            config,
            registry: Registry::with_compiled_in(),
            clock: Arc::new(SystemClock::default()),
            store: None,
            sources: Vec::new(),
            enrichers: BTreeMap::new(),
            actions: BTreeMap::new(),
            #[cfg(feature = "mqtt")]
            mqtt_handlers: Vec::new(),
        }
    }

    /// The way in, for events that the caller has itself.
    #[must_use]
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// Where everything is kept.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// How everything stands.
    #[must_use]
    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// Makes and ends silences.
    #[must_use]
    pub fn silences(&self) -> &Arc<SilenceDesk> {
        &self.silences
    }

    /// Every schedule, to see and to change.
    #[must_use]
    pub fn schedules(&self) -> &Schedules {
        &self.schedules
    }

    /// Publishes at the broker of `[mqtt]`, if there is one.
    #[cfg(feature = "mqtt")]
    #[must_use]
    pub fn mqtt(&self) -> Option<&MqttPublisher> {
        self.mqtt.as_ref()
    }

    /// The one who starts tasks on somebody's word.
    #[cfg(feature = "qlik")]
    #[must_use]
    pub fn starter(&self) -> &Arc<crate::qlik::start::Starter> {
        &self.starter
    }

    /// Copies, moves and deletes files where `[files]` allows it.
    #[cfg(feature = "files")]
    #[must_use]
    pub fn files(&self) -> &Arc<crate::files::Files> {
        &self.files
    }

    /// Lists, dumps and reloads apps.
    #[cfg(feature = "qlik")]
    #[must_use]
    pub fn apps(&self) -> &Arc<crate::qlik::engine::Apps> {
        &self.apps
    }

    /// What is listened on: a name (`udp`, `api`) and the address.
    #[must_use]
    pub fn bound(&self) -> &[(String, String)] {
        &self.bound
    }

    /// Ends in order: sources first, then what was handed in is journalled, attempts under way are settled, the store is closed. Takes `grace` at the
    /// most; what is dropped then is open in the journal and goes on at the next start.
    ///
    /// # Errors
    /// [`ShutdownError`]: something was under way still when the time was up, and was dropped. Nothing that was accepted is lost by it.
    ///
    /// # Cancellation
    /// Dropping the future ends everything at once, as dropping the [`Butler`] does.
    pub async fn shutdown(self, grace: Duration) -> Result<(), ShutdownError> {
        let clock = self.clock;
        let deadline = Deadline::after(&*clock, grace);
        let mut late = Vec::new();
        if !self.sources.shutdown(deadline.left(&*clock)).await {
            late.push("a source");
        }
        if !self.pipeline.shutdown(deadline.left(&*clock)).await {
            late.push("attempts to deliver");
        }
        #[cfg(feature = "api")]
        if let Some(mut api) = self.api {
            api.stop.cancel();
            let half = deadline.left(&*clock) / 2;
            tokio::select! {
                biased;
                // A server that panicked has ended too.
                _ = &mut api.task => {}
                () = clock.sleep(half) => {
                    // What works with files for a request may do so for hours.
                    #[cfg(feature = "files")]
                    self.files.stop();
                    tokio::select! {
                        biased;
                        _ = &mut api.task => {}
                        () = clock.sleep(deadline.left(&*clock)) => late.push("requests to the API"),
                    }
                }
            }
        }
        #[cfg(feature = "files")]
        tokio::select! {
            biased;
            () = self.files.close() => {}
            () = clock.sleep(deadline.left(&*clock)) => late.push("work with files"),
        }
        // No request can begin one any more. What the engine does with those that it is not done with is said in the log.
        #[cfg(feature = "qlik")]
        self.apps.shutdown(deadline.left(&*clock)).await;
        if late.is_empty() { Ok(()) } else { Err(ShutdownError { late, grace }) }
    }
}

impl Builder {
    /// Adds a type of sink that the configuration may name.
    pub fn sink_type<C: SinkConfig>(mut self) -> Self {
        self.registry.register::<C>();
        self
    }

    /// Adds a source beside those of the configuration.
    pub fn source(mut self, source: impl EventSource) -> Self {
        self.sources.push(Arc::new(source));
        self
    }

    /// Hands messages that come in from the MQTT broker of `[mqtt]` to this handler as well.
    #[cfg(feature = "mqtt")]
    pub fn mqtt_handler(mut self, handler: Arc<dyn MessageHandler>) -> Self {
        self.mqtt_handlers.push(handler);
        self
    }

    /// Finds facts about events of a site, in place of the repository's client.
    pub fn enricher(mut self, site: &str, enricher: Arc<dyn Enricher>) -> Self {
        self.enrichers.insert(site.into(), enricher);
        self
    }

    /// Adds an action that schedules may run, under this name.
    pub fn action(mut self, name: impl Into<String>, action: impl Action) -> Self {
        self.actions.insert(name.into(), Arc::new(action));
        self
    }

    /// Keeps everything in this store, in place of the configured one.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Takes the time from this clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Checks the configuration, opens the store, binds every address, and starts the stages on the current tokio runtime.
    ///
    /// Ready means: the store is open, certificates are parsed, sockets are bound. Neither the repository nor any sink was asked yet.
    ///
    /// # Errors
    /// [`StartError`].
    ///
    /// # Cancellation
    /// Dropping the future ends what it had started.
    pub async fn start(self) -> Result<Butler, StartError> {
        let Self {
            config,
            registry,
            clock,
            store,
            sources,
            enrichers,
            actions,
            #[cfg(feature = "mqtt")]
            mqtt_handlers,
        } = self;
        let mut settings = config.resolve(&registry, Arc::clone(&clock))?;
        for warning in &settings.warnings {
            tracing::warn!("{}", warning.in_one_line());
        }
        let health = Arc::new(Health::default());
        let clients = parts::connect(&mut settings, enrichers, &clock, &health)?;
        let store = match store {
            Some(store) => store,
            None => parts::open_store(&settings.store, &clock)?,
        };
        #[cfg(feature = "files")]
        let files = files::find(std::mem::take(&mut settings.files), &*clock).await?;
        // Every address is bound before anything runs, so that a port in use leaves nothing behind.
        #[cfg(feature = "api")]
        let api = match &settings.api {
            Some(api) => Some(api::Server::bind(&api.listen).await?),
            None => None,
        };
        #[cfg(feature = "api")]
        let api = match api.zip(settings.api.as_ref()) {
            Some((server, api)) => {
                let access = api::Access::open(&api.access, Arc::clone(&store) as _, Arc::clone(&clock)).await?;
                let limits = api::Limits { connections: api.max_connections, ..api::Limits::default() };
                let tls = api.tls.clone().map(api::ServerTls::open).transpose().map_err(api::ApiError::from)?;
                Some(server.admitting(access).limited(limits).from_networks(api.networks.clone()).over_tls(tls))
            }
            None => None,
        };
        let (intake, queue) = Intake::channel();
        let mut bound = Vec::new();
        let mut opened = sources::Sources::new(Arc::clone(&clock));
        let udp = settings.udp.iter().zip(parts::udp_names(&settings.udp));
        let udp = udp.map(|(udp, name)| Arc::new(UdpSource::new(udp.clone(), Arc::clone(&clock)).named(name)) as Arc<dyn EventSource>);
        let watches = parts::watches(&settings, &clients, &store, &clock);
        let mut open = async |source: Arc<dyn EventSource>, bound: &mut Vec<_>| {
            let name = source.name();
            let addresses = opened.open(source, &intake, &health).await?;
            bound.extend(addresses.into_iter().map(|address| (name.to_string(), address.to_string())));
            Ok::<_, SourceError>(())
        };
        let uptime = settings.uptime.zip(settings.plan.sites.keys().next());
        let uptime = uptime.map(|(every, site)| Arc::new(UptimeMonitor::new(site.clone(), every, Arc::clone(&clock))) as _);
        for source in udp.chain(watches).chain(uptime).chain(sources) {
            open(source, &mut bound).await?;
        }
        #[cfg(feature = "qlik")]
        for source in parts::polls(&settings, &clients, &bound, &store, &clock) {
            open(source, &mut bound).await?;
        }
        let tasks: Option<Arc<dyn Action>> = None;
        #[cfg(feature = "qlik")]
        let tasks = tasks.or_else(|| Some(schedules::tasks(&clients, &settings.starts, settings.schedule_retry, &store, &clock)));
        let means = schedules::Means { store: &store, clock: &clock, intake: &intake, actions, tasks };
        let schedules = schedules::open(settings.scheduler, means).await?;
        #[cfg(feature = "qlik")]
        let starter = {
            let starts = std::mem::take(&mut settings.starts);
            Arc::new(crate::qlik::start::Starter::new(clients, starts, Arc::clone(&store) as _, Arc::clone(&clock)))
        };
        #[cfg(feature = "qlik")]
        let apps = apps::apps(std::mem::take(&mut settings.engines), &starter, &clock)?;
        // Last of all: what it says is that everything else hears.
        #[cfg(feature = "mqtt")]
        let mqtt = match settings.mqtt.take() {
            Some(mqtt) => {
                let own: Option<Arc<dyn MessageHandler>> = None;
                #[cfg(feature = "qlik")]
                let own = own.or_else(|| {
                    let (topic, answer) = (mqtt.start_task_topic.clone()?, mqtt.start_task_answer_topic.clone());
                    Some(Arc::new(StartTask::new(topic, answer, Arc::clone(&starter))))
                });
                let source = MqttInSource::new(mqtt, Arc::clone(&clock));
                let source = mqtt_handlers.into_iter().chain(own).fold(source, MqttInSource::handled_by);
                let publisher = source.publisher();
                opened.open(Arc::new(source), &intake, &health).await?;
                Some(publisher)
            }
            None => None,
        };
        opened.open(Arc::new(Scheduler::new(schedules.clone())), &intake, &health).await?;
        let policy = parts::policy(&settings.store);
        #[cfg(feature = "api")]
        let messaging = settings.messaging;
        let plan = Arc::new(settings.plan);
        #[cfg(feature = "api")]
        let (api_plan, kv) = (Arc::clone(&plan), settings.kv);
        let journal: Arc<dyn Journal> = Arc::clone(&store) as _;
        let desk = Arc::new(SilenceDesk::open(Arc::clone(&store) as _, Arc::clone(&clock)).await?);
        let silences = Arc::clone(desk.silences());
        let parts = Parts { plan, journal, clock: Arc::clone(&clock), health: Arc::clone(&health), silences, policy };
        let pipeline = Pipeline::start(parts, &intake, queue).await?;
        #[cfg(feature = "api")]
        let api = api.zip(settings.api).map(|(server, settings)| {
            bound.push(("api".to_owned(), server.address().to_string()));
            let stop = crate::source::Stop::new();
            let services = api::ApiServices {
                config: Some(config),
                stop: stop.clone(),
                silences: Some(Arc::clone(&desk)),
                schedules: Some(schedules.clone()),
                endpoints: settings.endpoints,
                rate_limit: settings.rate_limit,
                kv,
                messaging,
                #[cfg(feature = "files")]
                files: Some(Arc::clone(&files)),
                #[cfg(feature = "mqtt")]
                mqtt: mqtt.clone(),
                #[cfg(feature = "qlik")]
                starter: Some(Arc::clone(&starter)),
                #[cfg(feature = "qlik")]
                apps: Some(Arc::clone(&apps)),
            };
            let state = api::ApiState::new(api::ApiParts {
                store: Arc::clone(&store),
                plan: api_plan,
                intake: Arc::clone(intake.counters()),
                health: Arc::clone(&health),
                clock: Arc::clone(&clock),
                services,
            });
            ApiTask { task: tokio::spawn(server.serve(state, stop.clone())), stop }
        });
        Ok(Butler {
            store,
            clock,
            intake,
            health,
            bound,
            pipeline,
            silences: desk,
            schedules,
            sources: opened,
            #[cfg(feature = "mqtt")]
            mqtt,
            #[cfg(feature = "qlik")]
            starter,
            #[cfg(feature = "files")]
            files,
            #[cfg(feature = "qlik")]
            apps,
            #[cfg(feature = "api")]
            api,
        })
    }
}

impl fmt::Display for Butler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound: Vec<_> = self.bound.iter().map(|(what, address)| format!("{what} {address}")).collect();
        f.write_str(&bound.join(", "))
    }
}
