//! The key-value store as it is used: a [`KvStore`] with its limits, times to live, and export and import.
//!
//! Whatever takes pairs from outside, be it the API that load scripts call or Butler's own, goes through [`KeyValues`], so that the limits of `[kv]` hold everywhere.

mod export;
mod import;
mod pages;

pub use export::Line;
pub use import::{Existing, ImportReport, Importer, RefusedLine};
pub use pages::Pages;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::store::{DeleteOutcome, If, Increment, KvEntry, KvStore, Lookup, PutOutcome, StoreError};

/// How much may be stored. Lengths are in bytes of UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvSettings {
    /// How many keys a namespace may hold; `None` for any number.
    pub max_keys: Option<u64>,
    /// The longest value.
    pub max_value: u64,
    /// The longest key.
    pub max_key: u64,
    /// The longest name of a namespace.
    pub max_namespace: u64,
}

impl Default for KvSettings {
    fn default() -> Self {
        Self { max_keys: Some(1000), max_value: 1 << 20, max_key: 4 << 10, max_namespace: 1 << 10 }
    }
}

/// Under which condition a pair is put or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Condition {
    /// Always.
    #[default]
    Always,
    /// Only if there is no such pair.
    Absent,
    /// Only if there is such a pair.
    Present,
    /// Only if the pair has this version.
    Version(u64),
    /// Only if the pair has this value.
    Value(String),
}

/// Why something was not stored, or not removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KvError {
    /// A text is longer than it may be.
    #[error("the {what} has {bytes} bytes, and may have {limit} (`[kv] {key}`)")]
    TooLong {
        /// `key`, `value`, `namespace`.
        what: &'static str,
        /// The key of the configuration that says so.
        key: &'static str,
        /// How long it is.
        bytes: u64,
        /// How long it may be.
        limit: u64,
    },
    /// The namespace holds as many keys as it may.
    #[error("the namespace `{namespace}` holds as many keys as it may: {limit} (`[kv] max_keys_per_namespace`)")]
    Full {
        /// The namespace.
        namespace: String,
        /// How many.
        limit: u64,
    },
    /// All pairs take as much room as they may, which is half of `[store] max_size`.
    #[error("{}", crate::store::rules::NO_ROOM)]
    StoreFull,
    /// The condition does not hold.
    #[error("{}", changed(*.there))]
    Changed {
        /// The version that the pair has; none if there is no pair.
        there: Option<u64>,
    },
    /// There is no such pair.
    #[error("there is no key `{key}` in the namespace `{namespace}`")]
    NoKey {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
    },
    /// There is no such namespace.
    #[error("there is no namespace `{namespace}`")]
    NoNamespace {
        /// The namespace.
        namespace: String,
    },
    /// What is to be added to is no number.
    #[error("the value of `{key}` is no whole number of 64 bits, or would be none any more, so nothing was added to it")]
    NoNumber {
        /// The key.
        key: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn changed(there: Option<u64>) -> String {
    match there {
        Some(version) => format!("the condition does not hold: the pair is there with version {version}"),
        None => "the condition does not hold: there is no such pair".to_owned(),
    }
}

/// Pairs of text, within their limits.
#[derive(Debug, Clone)]
pub struct KeyValues {
    store: Arc<dyn KvStore>,
    settings: KvSettings,
    clock: Arc<dyn Clock>,
}

impl KeyValues {
    /// Pairs of this store.
    #[must_use]
    pub fn new(store: Arc<dyn KvStore>, settings: KvSettings, clock: Arc<dyn Clock>) -> Self {
        Self { store, settings, clock }
    }

    /// The store beneath, for whatever the limits don't matter to.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn KvStore> {
        &self.store
    }

    /// How much may be stored.
    #[must_use]
    pub fn settings(&self) -> &KvSettings {
        &self.settings
    }

    /// One pair.
    ///
    /// # Errors
    /// [`KvError::NoKey`], [`KvError::NoNamespace`], [`KvError::Store`].
    pub async fn get(&self, namespace: &str, key: &str) -> Result<KvEntry, KvError> {
        match self.store.get(namespace, key).await? {
            Lookup::Pair(pair) => Ok(pair),
            Lookup::NoKey => Err(no_key(namespace, key)),
            Lookup::NoNamespace => Err(no_namespace(namespace)),
        }
    }

    /// Stores a pair for as long as it may live, which is for good if there is no `ttl`, and gives its version.
    ///
    /// # Errors
    /// [`KvError::TooLong`], [`KvError::Full`], [`KvError::StoreFull`], [`KvError::Changed`], [`KvError::Store`]: nothing was stored.
    ///
    /// # Cancellation
    /// Dropping the future leaves it done or not done.
    pub async fn put(&self, namespace: &str, key: &str, value: &str, ttl: Option<Duration>, condition: &Condition) -> Result<u64, KvError> {
        self.put_until(namespace, key, value, ttl.map(|ttl| self.end_of(ttl)), condition).await
    }

    /// The same, up to a moment.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn put_until(
        &self,
        namespace: &str,
        key: &str,
        value: &str,
        expires: Option<Timestamp>,
        condition: &Condition,
    ) -> Result<u64, KvError> {
        self.check(namespace, key, value)?;
        loop {
            let (plain, moving) = self.plain(namespace, key, condition).await?;
            match self.store.put(namespace, key, value, expires, plain, self.settings.max_keys).await? {
                PutOutcome::Stored(version) => return Ok(version),
                PutOutcome::NamespaceFull => return Err(self.full(namespace)),
                PutOutcome::StoreFull => return Err(KvError::StoreFull),
                // Somebody changed it since it was looked at; it may have the wanted value all the same.
                PutOutcome::Conflict(_) if moving => {}
                PutOutcome::Conflict(there) => return Err(KvError::Changed { there }),
            }
        }
    }

    /// Adds to a number, or begins one; gives the sum and the version.
    ///
    /// # Errors
    /// [`KvError::NoNumber`], [`KvError::TooLong`], [`KvError::Full`], [`KvError::StoreFull`], [`KvError::Store`]: nothing was added.
    ///
    /// # Cancellation
    /// Dropping the future leaves it done or not done.
    pub async fn increment(&self, namespace: &str, key: &str, by: i64) -> Result<(i64, u64), KvError> {
        self.check(namespace, key, "")?;
        match self.store.increment(namespace, key, by, self.settings.max_keys).await? {
            Increment::Stored { value, version } => Ok((value, version)),
            Increment::NoNumber => Err(KvError::NoNumber { key: key.to_owned() }),
            Increment::NamespaceFull => Err(self.full(namespace)),
            Increment::StoreFull => Err(KvError::StoreFull),
        }
    }

    /// Removes a pair.
    ///
    /// # Errors
    /// [`KvError::NoKey`], [`KvError::NoNamespace`], [`KvError::Changed`], [`KvError::Store`]: nothing was removed.
    ///
    /// # Cancellation
    /// Dropping the future leaves it done or not done.
    pub async fn delete(&self, namespace: &str, key: &str, condition: &Condition) -> Result<(), KvError> {
        loop {
            let (plain, moving) = self.plain(namespace, key, condition).await?;
            match self.store.delete(namespace, key, plain).await? {
                DeleteOutcome::Deleted => return Ok(()),
                DeleteOutcome::Conflict(_) if moving => {}
                DeleteOutcome::Conflict(version) => return Err(KvError::Changed { there: Some(version) }),
                DeleteOutcome::NoKey | DeleteOutcome::NoNamespace if matches!(condition, Condition::Version(_)) => {
                    return Err(KvError::Changed { there: None });
                }
                DeleteOutcome::NoKey => return Err(no_key(namespace, key)),
                DeleteOutcome::NoNamespace => return Err(no_namespace(namespace)),
            }
        }
    }

    /// Removes a namespace with all that is in it.
    ///
    /// # Errors
    /// [`KvError::NoNamespace`], [`KvError::Store`].
    pub async fn drop_namespace(&self, namespace: &str) -> Result<(), KvError> {
        if self.store.drop_namespace(namespace).await? { Ok(()) } else { Err(no_namespace(namespace)) }
    }

    /// A condition as the store knows it, and whether it has to be looked at anew if it does not hold: it was made of what was found just now.
    async fn plain(&self, namespace: &str, key: &str, condition: &Condition) -> Result<(If, bool), KvError> {
        let wanted = match condition {
            Condition::Always => return Ok((If::Any, false)),
            Condition::Absent => return Ok((If::Absent, false)),
            Condition::Version(version) => return Ok((If::Version(*version), false)),
            Condition::Present => None,
            Condition::Value(value) => Some(value),
        };
        let there = self.store.get(namespace, key).await?.pair();
        match there {
            Some(pair) if wanted.is_none_or(|value| *value == pair.value) => Ok((If::Version(pair.version), true)),
            other => Err(KvError::Changed { there: other.map(|pair| pair.version) }),
        }
    }

    fn check(&self, namespace: &str, key: &str, value: &str) -> Result<(), KvError> {
        let KvSettings { max_value, max_key, max_namespace, .. } = self.settings;
        for (what, text, limit, setting) in [
            ("name of the namespace", namespace, max_namespace, "max_namespace"),
            ("key", key, max_key, "max_key"),
            ("value", value, max_value, "max_value"),
        ] {
            let bytes = text.len() as u64;
            if bytes > limit {
                return Err(KvError::TooLong { what, key: setting, bytes, limit });
            }
        }
        Ok(())
    }

    fn full(&self, namespace: &str) -> KvError {
        KvError::Full { namespace: namespace.to_owned(), limit: self.settings.max_keys.unwrap_or_default() }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn end_of(&self, ttl: Duration) -> Timestamp {
        let ttl = SignedDuration::try_from(ttl).unwrap_or(SignedDuration::MAX);
        self.now().checked_add(ttl).unwrap_or(Timestamp::MAX)
    }
}

fn no_key(namespace: &str, key: &str) -> KvError {
    KvError::NoKey { namespace: namespace.to_owned(), key: key.to_owned() }
}

fn no_namespace(namespace: &str) -> KvError {
    KvError::NoNamespace { namespace: namespace.to_owned() }
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;
