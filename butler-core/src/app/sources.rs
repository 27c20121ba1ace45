//! The sources of a running Butler: opened before it is ready, opened again when they fail.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::event::SourceName;
use crate::pipeline::Health;
use crate::source::{EventSource, Intake, Open, SourceError, Stop};

/// The longest time between two tries to open a source that failed.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Sources that hear.
#[derive(Debug)]
pub(super) struct Sources {
    clock: Arc<dyn Clock>,
    stop: Stop,
    names: BTreeSet<SourceName>,
    tasks: Vec<JoinHandle<()>>,
}

impl Sources {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, stop: Stop::new(), names: BTreeSet::new(), tasks: Vec::new() }
    }

    /// Opens a source and lets it run. What it listens on is given back.
    pub(super) async fn open(
        &mut self,
        source: Arc<dyn EventSource>,
        intake: &Intake,
        health: &Arc<Health>,
    ) -> Result<Vec<std::net::SocketAddr>, SourceError> {
        let name = source.name();
        if !self.names.insert(name.clone()) {
            let why = format!("two sources are called `{name}`, and could not be told apart: give one of them another name");
            return Err(SourceError::Other(why));
        }
        let open = source.open(intake.clone(), self.stop.clone()).await?;
        let addresses = open.addresses.clone();
        note(health, &*source, &open.addresses, None);
        let keeper =
            Keeper { source, intake: intake.clone(), health: Arc::clone(health), clock: Arc::clone(&self.clock), stop: self.stop.clone() };
        self.tasks.push(tokio::spawn(keeper.keep(open)));
        Ok(addresses)
    }

    /// Ends them, and waits until they have handed over what they had received; whether they have within `grace`.
    pub(super) async fn shutdown(mut self, grace: Duration) -> bool {
        self.stop.cancel();
        let clock = Arc::clone(&self.clock);
        let ended = async {
            for task in &mut self.tasks {
                // A source that panicked has nothing left to hand over.
                let _ = task.await;
            }
        };
        tokio::select! {
            biased;
            () = ended => true,
            () = clock.sleep(grace) => {
                tracing::warn!("A source did not end within the grace period.");
                false
            }
        }
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        self.stop.cancel();
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Keeps one source open.
struct Keeper {
    source: Arc<dyn EventSource>,
    intake: Intake,
    health: Arc<Health>,
    clock: Arc<dyn Clock>,
    stop: Stop,
}

impl Keeper {
    async fn keep(self, mut open: Open) {
        let mut wait = Duration::from_secs(1);
        loop {
            // A panic ends the source and not its keeper.
            let error = match AssertUnwindSafe(open.run).catch_unwind().await {
                Ok(Ok(())) if self.stop.is_cancelled() => return,
                Ok(Ok(())) => "it ended by itself".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it panicked; please report this".to_owned(),
            };
            open = loop {
                if self.stop.is_cancelled() {
                    return;
                }
                tracing::error!(source = %self.source.name(), error, "A source does not hear; it is opened again.");
                note(&self.health, &*self.source, &[], Some(&error));
                tokio::select! {
                    () = self.clock.sleep(wait) => {}
                    () = self.stop.cancelled() => return,
                }
                match self.source.open(self.intake.clone(), self.stop.clone()).await {
                    Ok(open) => break open,
                    Err(error) => tracing::warn!(source = %self.source.name(), %error, "Opening failed."),
                }
                wait = (2 * wait).min(LONGEST_WAIT);
            };
            wait = Duration::from_secs(1);
            tracing::info!(source = %self.source.name(), "A source hears again.");
            note(&self.health, &*self.source, &open.addresses, None);
        }
    }
}

fn note(health: &Health, source: &dyn EventSource, addresses: &[std::net::SocketAddr], error: Option<&str>) {
    health.update(|health| {
        let entry = health.sources.entry(source.name()).or_default();
        entry.addresses = addresses.iter().map(ToString::to_string).collect();
        entry.error = error.map(str::to_owned);
    });
}
