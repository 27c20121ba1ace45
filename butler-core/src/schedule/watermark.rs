//! Up to when everything that was due is done with.

use jiff::Timestamp;

use crate::store::{StateStore, StoreError};

/// Where it is kept.
const NAME: &str = "scheduler/watermark";

/// Up to when everything that was due is done with, kept in the store, so that the next process knows what was missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Watermark {
    pub(super) at: Option<Timestamp>,
    version: u64,
}

impl Watermark {
    /// The one of the last process; none if there never was one.
    pub(super) async fn load(store: &dyn StateStore) -> Result<Self, StoreError> {
        let entry = store.state(NAME).await?;
        let version = entry.as_ref().map_or(0, |entry| entry.version);
        Ok(Self { at: entry.and_then(|entry| entry.value.parse().ok()), version })
    }

    /// Moves it.
    pub(super) async fn save(&mut self, store: &dyn StateStore, at: Timestamp) -> Result<(), StoreError> {
        if self.at == Some(at) {
            return Ok(());
        }
        match store.set_state(NAME, &at.to_string(), self.version).await? {
            Some(version) => *self = Self { at: Some(at), version },
            // Somebody else moved it; next time it is ours again.
            None => self.version = store.state(NAME).await?.map_or(0, |entry| entry.version),
        }
        Ok(())
    }
}
