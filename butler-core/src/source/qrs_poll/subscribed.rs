//! The subscription by which the repository calls.
//!
//! It lives in the repository's memory, so it may be gone at any time without a word: after an outage it is made anew, and whenever a reading finds executions of which no call
//! told. Its handle is kept in the store, so that the one of an earlier process can be ended, and does not call in vain for months.

use std::sync::Arc;

use super::notified::Notified;
use crate::event::SiteName;
use crate::qlik::{QlikError, RepositoryClient, Subscription};
use crate::store::{StateStore, StoreError};

/// Keeps a subscription.
#[derive(Debug)]
pub(super) struct Subscribed {
    client: Arc<RepositoryClient>,
    store: Arc<dyn StateStore>,
    name: String,
    successes: bool,
    /// Of this process.
    current: Option<Subscription>,
    is_told: bool,
}

/// What a reading says about the subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// Nothing.
    None,
    /// The repository may have started anew.
    WasAway,
    /// It found executions of which no call told.
    Untold,
}

impl Subscribed {
    pub(super) fn new(site: &SiteName, successes: bool, client: Arc<RepositoryClient>, store: Arc<dyn StateStore>) -> Self {
        Self { client, store, name: format!("qrs_notify/{site}"), successes, current: None, is_told: false }
    }

    /// Whether this process has made one.
    pub(super) fn is_made(&self) -> bool {
        self.current.is_some()
    }

    /// Makes the subscription, or makes it anew if it seems to be gone. That it can't be made is told once.
    pub(super) async fn keep(&mut self, evidence: Evidence, notified: &Notified) {
        if self.current.is_some() && evidence == Evidence::None {
            return;
        }
        let site = self.client.settings().site.clone();
        match self.renew(notified).await {
            Ok(()) => {
                tracing::info!(%site, ?evidence, "The repository calls when an execution ends.");
                self.is_told = false;
                // What ended since the latest reading nobody was called for.
                notified.call();
            }
            Err(error) if self.is_told => tracing::debug!(%site, %error, "The repository does not call when an execution ends."),
            Err(error) => {
                tracing::warn!(%site, %error, "The repository can't be told to call when an execution ends; results are read at intervals all the same. It is tried again.");
                self.is_told = true;
            }
        }
    }

    async fn renew(&mut self, notified: &Notified) -> Result<(), RenewError> {
        self.end().await?;
        let subscription = self.client.subscribe_to_ends(notified.url(), self.successes).await?;
        self.current = Some(subscription);
        self.write(&subscription.0.to_string()).await?;
        Ok(())
    }

    /// Ends the subscription, also one of an earlier process.
    pub(super) async fn end(&mut self) -> Result<(), RenewError> {
        let stored = self.store.state(&self.name).await?.and_then(|entry| entry.value.parse().ok());
        if let Some(subscription) = self.current.take().or(stored.map(Subscription)) {
            self.client.unsubscribe(subscription).await?;
        }
        Ok(())
    }

    async fn write(&self, handle: &str) -> Result<(), StoreError> {
        let version = self.store.state(&self.name).await?.map_or(0, |entry| entry.version);
        // Whoever else writes it keeps a subscription of its own; ours is ended when this process ends.
        self.store.set_state(&self.name, handle, version).await.map(drop)
    }
}

/// Why the subscription could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum RenewError {
    #[error(transparent)]
    Repository(#[from] QlikError),
    #[error(transparent)]
    Store(#[from] StoreError),
}
