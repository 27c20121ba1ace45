//! Small named state: the state of a service, the cursor of a poll, a silence.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;

/// Small named state with compare-and-set.
///
/// # Contract
/// * `set` stores the value only if the entry has the expected version (0: there is none), durably, and gives the new version; else it changes nothing and gives `None`.
/// * Versions of a name only go up, also across removal.
/// * `entries` gives those whose names start with the prefix, sorted by name.
#[async_trait]
pub trait StateStore: std::fmt::Debug + Send + Sync + 'static {
    /// One entry.
    async fn state(&self, name: &str) -> Result<Option<StateEntry>, StoreError>;

    /// Stores a value if the entry still has version `expected`.
    async fn set_state(&self, name: &str, value: &str, expected: u64) -> Result<Option<u64>, StoreError>;

    /// Removes an entry; `false` if there was none.
    async fn remove_state(&self, name: &str) -> Result<bool, StoreError>;

    /// Entries by the start of their names.
    async fn states(&self, prefix: &str) -> Result<Vec<StateEntry>, StoreError>;
}

/// A named value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateEntry {
    /// The name.
    pub name: String,
    /// The value, usually JSON.
    pub value: String,
    /// Counts the changes; 1 for the first.
    pub version: u64,
}
