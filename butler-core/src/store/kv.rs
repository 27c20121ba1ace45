//! Pairs of text that load scripts keep between reloads.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::StoreError;

/// Pairs of text in namespaces.
///
/// # Contract
/// * A namespace exists while it holds a pair; `namespaces` and `list` leave expired pairs out.
/// * `list` gives pairs in the order in which their keys were first put, those after `after` and no more than `max`. If there is no such key any more it begins
///   at the start: what is listed twice is better than what is left out.
/// * Expiry is exact: a pair whose time has come is never given again, whether it was removed yet or not.
/// * `put` is durable when it returns, and gives the pair's new version. Versions of a key only go up, also across delete and put again.
/// * `put` with a condition that does not hold changes nothing and says how the pair stands. An expired pair counts as absent.
/// * With `key_limit`, a put of a new key into a namespace that holds as many is refused; existing keys can always be put.
///
/// # Cancellation
/// Dropping a future leaves the call done or not done, never in part.
#[async_trait]
pub trait KvStore: std::fmt::Debug + Send + Sync + 'static {
    /// The namespaces that hold a pair, sorted by name.
    async fn namespaces(&self) -> Result<Vec<String>, StoreError>;

    /// Pairs of a namespace whose keys start with `prefix`.
    async fn list(&self, namespace: &str, prefix: &str, after: Option<&str>, max: usize) -> Result<Vec<KvEntry>, StoreError>;

    /// One pair.
    async fn get(&self, namespace: &str, key: &str) -> Result<Option<KvEntry>, StoreError>;

    /// Stores a pair if `condition` holds.
    async fn put(
        &self,
        namespace: &str,
        key: &str,
        value: &str,
        expires: Option<Timestamp>,
        condition: If,
        key_limit: Option<u64>,
    ) -> Result<PutOutcome, StoreError>;

    /// Removes a pair; `false` if there was none.
    async fn delete(&self, namespace: &str, key: &str) -> Result<bool, StoreError>;

    /// Removes a namespace with all its pairs; `false` if there was none.
    async fn drop_namespace(&self, namespace: &str) -> Result<bool, StoreError>;
}

/// A pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvEntry {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// Counts the puts of this key.
    pub version: u64,
    /// From when on it is gone.
    pub expires: Option<Timestamp>,
}

/// Under which condition a pair is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum If {
    /// Always.
    Any,
    /// Only if there is no such key.
    Absent,
    /// Only if the pair has this version.
    Version(u64),
}

/// What became of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// It is stored, with this version.
    Stored(u64),
    /// The condition did not hold: the pair has this version, or there is none.
    Conflict(Option<u64>),
    /// The namespace holds as many keys as it may.
    NamespaceFull,
}
