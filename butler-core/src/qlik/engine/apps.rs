//! What can be done with the apps of all sites.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::client::{AppSummary, EngineClient};
use super::error::{EngineError, in_short};
use super::reload::ReloadMode;
use super::reloads::Reloads;
use crate::clock::Clock;
use crate::event::SiteName;
use crate::qlik::start::{StartError, Starter};

/// How many reloads may be under way at once. Each is a connection, and work for the engine.
const MOST: usize = 100;
/// How many dumps are made at once. Each may take a good part of a gigabyte of memory; the others wait.
const DUMPS: usize = 2;
/// How many tasks may follow a reload.
const MOST_TASKS: usize = 100;

/// A reload to begin.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ReloadRequest {
    /// The site; the configured one if there is none here.
    pub site: Option<SiteName>,
    /// Id of the app.
    pub app: String,
    /// What the engine does when the script has an error.
    pub mode: ReloadMode,
    /// Whether only what the script names for it is reloaded.
    pub partial: bool,
    /// Ids of the tasks that are started when the app is reloaded and saved; 100 at the most.
    pub on_success: Vec<String>,
    /// Ids of the tasks that are started when it is not; 100 at the most.
    pub on_failure: Vec<String>,
}

/// Why nothing was done with an app.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppsError {
    /// No site can be asked.
    #[error("no site has certificates to ask its engine with; add `certificates` to a site")]
    NoSite,
    /// Nobody said on which site.
    #[error("there are several sites ({}), and nothing says on which of them; name one, or write `site` in `[tasks]`", list(.sites))]
    WhichSite {
        /// Those that could be meant.
        sites: Vec<SiteName>,
    },
    /// The site that was named can't be asked.
    #[error("there is no site `{site}` whose engine can be asked; there are: {}", list(.sites))]
    UnknownSite {
        /// The one that was named.
        site: SiteName,
        /// Those that can be asked.
        sites: Vec<SiteName>,
    },
    /// No app is named.
    #[error("no app is named; name one by its id in `app`")]
    NoApp,
    /// Too many tasks are to follow a reload.
    #[error("{count} tasks are to follow the reload, and no more than {most} may")]
    TooManyTasks {
        /// How many were named.
        count: usize,
        /// How many may be.
        most: usize,
    },
    /// Tasks that are to follow a reload may not be started.
    #[error("nothing is reloaded, for `[tasks.start_filter]` does not allow tasks that are to follow: {}", .tasks.join(", "))]
    Denied {
        /// The ids of these tasks, as they were given.
        tasks: Vec<String>,
    },
    /// Whether the tasks that are to follow may be started is not known.
    #[error("nothing is reloaded, for it can't be found out whether the tasks that are to follow may be started: {0}")]
    Tasks(StartError),
    /// Too many reloads are under way.
    #[error("{most} reloads are under way, and no more are begun; try again when some have ended")]
    Busy {
        /// How many there may be.
        most: usize,
    },
    /// Butler ends.
    #[error("Butler ends, so no reload is begun")]
    Ending,
    /// The engine did not do it.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

fn list(sites: &[SiteName]) -> String {
    sites.iter().map(SiteName::as_str).collect::<Vec<_>>().join(", ")
}

/// Lists, dumps and reloads apps.
#[derive(Debug)]
pub struct Apps {
    engines: BTreeMap<SiteName, Arc<EngineClient>>,
    site: Option<SiteName>,
    starter: Arc<Starter>,
    reloads: Reloads,
    dumps: Semaphore,
}

impl Apps {
    /// Of these engines. The starter starts what follows a reload; it also says which site is meant where nobody names one.
    #[must_use]
    pub fn new(engines: BTreeMap<SiteName, Arc<EngineClient>>, starter: Arc<Starter>, clock: Arc<dyn Clock>) -> Self {
        let site = starter.settings().site.clone();
        Self { engines, site, starter, reloads: Reloads::new(MOST, clock), dumps: Semaphore::new(DUMPS) }
    }

    /// The apps of a site, in the engine's order.
    ///
    /// # Errors
    /// [`AppsError`].
    ///
    /// # Cancellation
    /// Dropping the future closes the engine's session.
    pub async fn list(&self, site: Option<&SiteName>) -> Result<Vec<AppSummary>, AppsError> {
        Ok(self.engine(site)?.apps().await?)
    }

    /// Everything that an app is made of but its data; see [`EngineClient::dump`]. Two are made at a time, and the others wait for them.
    ///
    /// # Errors
    /// [`AppsError`].
    ///
    /// # Cancellation
    /// Dropping the future closes the engine's session.
    pub async fn dump(&self, site: Option<&SiteName>, app: &str) -> Result<Map<String, Value>, AppsError> {
        let engine = self.engine(site)?;
        // It is never closed; if it were, nothing would hold dumps back.
        let _turn = self.dumps.acquire().await;
        Ok(engine.dump(app).await?)
    }

    /// Begins to reload an app: it is open when this returns. Then it is reloaded and saved in the background, and the tasks that follow are started. How it went is told in the log.
    ///
    /// Nothing is begun unless the filter of the starter allows all tasks that are to follow.
    ///
    /// # Errors
    /// [`AppsError`]: the reload was not begun, and no task is started.
    ///
    /// # Cancellation
    /// Dropping the future before it returns closes the engine's session, and nothing is reloaded.
    pub async fn reload(&self, request: ReloadRequest) -> Result<(), AppsError> {
        let site = &self.checked(&request)?.settings().site;
        let following: Vec<_> = request.on_success.iter().chain(&request.on_failure).cloned().collect();
        let denied = self.starter.denied(site, &following).await.map_err(AppsError::Tasks)?;
        if !denied.is_empty() {
            return Err(AppsError::Denied { tasks: denied.iter().map(|task| in_short(task)).collect() });
        }
        self.reload_unfiltered(request).await
    }

    /// The same, in which tasks follow whether or not the filter allows them: so `/v4` has always done.
    ///
    /// # Errors
    /// As [`reload`](Self::reload).
    ///
    /// # Cancellation
    /// As [`reload`](Self::reload).
    pub async fn reload_unfiltered(&self, request: ReloadRequest) -> Result<(), AppsError> {
        let engine = self.checked(&request)?;
        let place = self.reloads.place()?;
        let app = engine.open_for_reload(&request.app).await?;
        let site = engine.settings().site.clone();
        self.reloads.begin(place, app, ReloadRequest { site: Some(site), ..request }, Arc::clone(&self.starter))
    }

    /// Lets reloads that are under way end, for `grace` at the most; no new ones are begun. Those that are under way still are left to the engine: the log names them, and no tasks follow
    /// them.
    pub async fn shutdown(&self, grace: Duration) {
        self.reloads.shutdown(grace).await;
    }

    /// The engine that a request is for, if it asks for something that can be done.
    fn checked(&self, request: &ReloadRequest) -> Result<&EngineClient, AppsError> {
        if request.app.trim().is_empty() {
            return Err(AppsError::NoApp);
        }
        let count = request.on_success.len().max(request.on_failure.len());
        if count > MOST_TASKS {
            return Err(AppsError::TooManyTasks { count, most: MOST_TASKS });
        }
        self.engine(request.site.as_ref())
    }

    fn engine(&self, named: Option<&SiteName>) -> Result<&EngineClient, AppsError> {
        let sites = || self.engines.keys().cloned().collect();
        if let Some(site) = named.or(self.site.as_ref()) {
            let engine = self.engines.get(site).map(|engine| &**engine);
            return engine.ok_or_else(|| AppsError::UnknownSite { site: site.clone(), sites: sites() });
        }
        let mut engines = self.engines.values();
        match (engines.next(), engines.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(AppsError::NoSite),
            (Some(_), Some(_)) => Err(AppsError::WhichSite { sites: sites() }),
        }
    }
}
