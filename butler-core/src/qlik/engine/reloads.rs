//! Reloads in the background, each with what follows it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::apps::{AppsError, ReloadRequest};
use super::error::in_short;
use super::reload::{OpenApp, Reloaded};
use crate::clock::Clock;
use crate::event::SiteName;
use crate::qlik::start::Starter;

/// The reloads that are under way. They end with it.
#[derive(Debug)]
pub(super) struct Reloads {
    most: usize,
    places: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
    work: Mutex<JoinSet<()>>,
    under_way: Arc<UnderWay>,
}

/// Leave to begin a reload.
#[derive(Debug)]
pub(super) struct Place(OwnedSemaphorePermit);

#[derive(Debug, Default)]
struct UnderWay(Mutex<BTreeMap<u64, (SiteName, String)>>);

/// That a reload is under way, until it is dropped.
struct Noted {
    under_way: Arc<UnderWay>,
    number: u64,
}

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, (SiteName, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(self: &Arc<Self>, site: &SiteName, app: &str) -> Noted {
        let mut all = self.lock();
        let number = all.last_key_value().map_or(0, |(number, _)| number + 1);
        all.insert(number, (site.clone(), app.to_owned()));
        Noted { under_way: Arc::clone(self), number }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.under_way.lock().remove(&self.number);
    }
}

impl Reloads {
    pub(super) fn new(most: usize, clock: Arc<dyn Clock>) -> Self {
        let places = Arc::new(Semaphore::new(most));
        Self { most, places, clock, work: Mutex::default(), under_way: Arc::default() }
    }

    /// Leave to begin one more.
    pub(super) fn place(&self) -> Result<Place, AppsError> {
        Arc::clone(&self.places).try_acquire_owned().map(Place).map_err(|error| match error {
            tokio::sync::TryAcquireError::Closed => AppsError::Ending,
            tokio::sync::TryAcquireError::NoPermits => AppsError::Busy { most: self.most },
        })
    }

    /// Reloads an app that is open; the request names its site.
    pub(super) fn begin(&self, place: Place, app: OpenApp, request: ReloadRequest, starter: Arc<Starter>) -> Result<(), AppsError> {
        let site = request.site.clone().ok_or(AppsError::NoSite)?;
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        while work.try_join_next().is_some() {}
        // Closed under the same lock: nothing is begun behind the back of the end.
        if self.places.is_closed() {
            return Err(AppsError::Ending);
        }
        let noted = self.under_way.note(&site, &in_short(&request.app));
        work.spawn(async move {
            let _kept = (place.0, noted);
            reload(app, &site, &request, &starter).await;
        });
        Ok(())
    }

    fn under_way(&self) -> Vec<(SiteName, String)> {
        self.under_way.lock().values().cloned().collect()
    }

    pub(super) async fn shutdown(&self, grace: Duration) {
        let mut work = {
            let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
            self.places.close();
            std::mem::take(&mut *work)
        };
        let all = async { while work.join_next().await.is_some() {} };
        tokio::select! {
            biased;
            () = all => return,
            () = self.clock.sleep(grace) => {}
        }
        for (site, app) in self.under_way() {
            tracing::warn!(%site, app, "An app is still being reloaded when Butler ends. Its session is closed, at which the engine may break the reload off; how it goes is not awaited, and no tasks will follow it.");
        }
        work.shutdown().await;
    }
}

async fn reload(app: OpenApp, site: &SiteName, request: &ReloadRequest, starter: &Starter) {
    let ReloadRequest { app: id, mode, partial, on_success, on_failure, .. } = request;
    let id = in_short(id);
    tracing::info!(%site, app = id, ?mode, partial, "An app is reloaded on somebody's word.");
    let tasks = match app.reload(*mode, *partial).await {
        Ok(Reloaded::Saved) => {
            tracing::info!(%site, app = id, "The app was reloaded and saved.");
            on_success
        }
        Ok(Reloaded::Failed) => {
            tracing::error!(%site, app = id, "The reload of the app failed: its script has an error. See the app's script log.");
            on_failure
        }
        // What the app is like now nobody knows, so it is not as it should be.
        Err(error) => {
            tracing::error!(%site, app = id, %error, "The reload of the app did not come to an end, and counts as failed.");
            on_failure
        }
    };
    if tasks.is_empty() {
        return;
    }
    if let Err(error) = starter.follow_up(site, tasks).await {
        tracing::error!(%site, app = id, tasks = tasks.len(), %error, "The tasks that follow the reload were not started.");
    }
}
