//! Pairs of text that load scripts keep between reloads.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::StoreError;

/// Pairs of text in namespaces.
///
/// # Contract
/// * A namespace begins with the first pair that is stored in it, and stays when its pairs are deleted or expire: it ends when it is dropped. What stores nothing makes none.
/// * `namespaces` gives them in the order in which they began; one that was dropped and begins again comes last.
/// * `list` gives pairs in the order in which their keys were first put, those whose place is after `after`, no more than `max`, and none after the
///   one with which their keys and values have `bytes` bytes or more. Putting a key again leaves it in its
///   place; deleted and put again it comes last. So whoever goes on after the place of the last pair of a page sees every pair that is there all the while, once.
/// * `get`, `list` and `delete` tell a namespace that there is not from one that has no such pair.
/// * Expiry is exact to the microsecond: the moment `expires` is the last at which a pair is there. A pair whose time has passed is never given again, whether it was
///   removed yet or not, and counts as absent for whatever is asked.
/// * `put` is durable when it returns, and gives the pair's new version. Versions of a key only go up, also across delete and put again.
/// * `put` and `delete` with a condition that does not hold change nothing and say how the pair stands.
/// * With `key_limit`, a put of a new key into a namespace that holds as many is refused; existing keys can always be put.
/// * A store may bound the room of all pairs together. Then a pair that needs more than there is left is refused; one that is not longer than what it takes the place of
///   can always be put, and what was deleted, dropped or has expired makes room again.
/// * `increment` is one step: of many side by side all count. It leaves the end of a pair as it is.
///
/// # Cancellation
/// Dropping a future leaves the call done or not done, never in part.
#[async_trait]
pub trait KvStore: std::fmt::Debug + Send + Sync + 'static {
    /// The namespaces there are.
    async fn namespaces(&self) -> Result<Vec<String>, StoreError>;

    /// Pairs of a namespace whose keys start with `prefix`; `None` if there is no such namespace. Places begin above zero.
    async fn list(&self, namespace: &str, prefix: &str, after: u64, max: usize, bytes: usize) -> Result<Option<Vec<KvEntry>>, StoreError>;

    /// One pair.
    async fn get(&self, namespace: &str, key: &str) -> Result<Lookup, StoreError>;

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

    /// Adds `by` to the whole number that is the value of a pair; to nothing, where there is no such pair.
    async fn increment(&self, namespace: &str, key: &str, by: i64, key_limit: Option<u64>) -> Result<Increment, StoreError> {
        loop {
            let there = self.get(namespace, key).await?.pair();
            let Some(sum) = sum(there.as_ref().map(|pair| pair.value.as_str()), by) else { return Ok(Increment::NoNumber) };
            let (expires, condition) = there.map_or((None, If::Absent), |pair| (pair.expires, If::Version(pair.version)));
            match self.put(namespace, key, &sum.to_string(), expires, condition, key_limit).await? {
                PutOutcome::Stored(version) => return Ok(Increment::Stored { value: sum, version }),
                PutOutcome::NamespaceFull => return Ok(Increment::NamespaceFull),
                PutOutcome::StoreFull => return Ok(Increment::StoreFull),
                // Somebody was faster.
                PutOutcome::Conflict(_) => {}
            }
        }
    }

    /// Removes a pair if `condition` holds for it.
    async fn delete(&self, namespace: &str, key: &str, condition: If) -> Result<DeleteOutcome, StoreError>;

    /// Removes a namespace with all its pairs; `false` if there was none.
    async fn drop_namespace(&self, namespace: &str) -> Result<bool, StoreError>;
}

/// A pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct KvEntry {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// Goes up with each put of this key.
    pub version: u64,
    /// Where it stands in its namespace: pairs are listed by it.
    pub place: u64,
    /// The last moment at which it is there; for good if there is none.
    pub expires: Option<Timestamp>,
}

/// What there is under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// This pair.
    Pair(KvEntry),
    /// The namespace has no such pair.
    NoKey,
    /// There is no such namespace.
    NoNamespace,
}

impl Lookup {
    /// The pair, if there is one.
    #[must_use]
    pub fn pair(self) -> Option<KvEntry> {
        match self {
            Self::Pair(pair) => Some(pair),
            Self::NoKey | Self::NoNamespace => None,
        }
    }
}

/// Under which condition a pair is put or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum If {
    /// Always.
    Any,
    /// Only if there is no such key.
    Absent,
    /// Only if the pair has this version.
    Version(u64),
}

impl If {
    /// Whether it holds where the pair has this version, or where there is none.
    #[must_use]
    pub fn holds(self, there: Option<u64>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => there.is_none(),
            Self::Version(version) => there == Some(version),
        }
    }
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
    /// All pairs take as much room as they may.
    StoreFull,
}

/// What became of an increment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Increment {
    /// It is stored.
    Stored {
        /// The new value.
        value: i64,
        /// The new version.
        version: u64,
    },
    /// The value is no whole number of 64 bits, or would not be any more.
    NoNumber,
    /// The namespace holds as many keys as it may.
    NamespaceFull,
    /// All pairs take as much room as they may.
    StoreFull,
}

/// What became of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// The pair is gone.
    Deleted,
    /// The condition did not hold: the pair has this version.
    Conflict(u64),
    /// The namespace has no such pair.
    NoKey,
    /// There is no such namespace.
    NoNamespace,
}

/// How much room a pair takes, in bytes: its key stands in an index as well, and some more goes with every pair.
pub(crate) fn room(key: usize, value: u64) -> u64 {
    const REST: u64 = 96;
    (2 * key as u64 + REST).saturating_add(value)
}

/// A value and a number more, if the value is a number and the sum still is one.
pub(crate) fn sum(value: Option<&str>, by: i64) -> Option<i64> {
    value.map_or(Ok(0), str::parse::<i64>).ok()?.checked_add(by)
}

/// The least text that is greater than every text with this prefix; none if there is no such.
pub(crate) fn end_of_prefix(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // The order of texts is that of their characters, where surrogates are none.
        if let Some(next) = (last..=char::MAX).nth(1) {
            text.push(next);
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_text() {
        for (prefix, end) in [
            ("a", Some("b")),
            ("a%", Some("a&")),
            ("", None),
            ("x\u{0}", Some("x\u{1}")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
        ] {
            assert_eq!(end_of_prefix(prefix).as_deref(), end, "{prefix:?}");
        }
    }

    #[test]
    fn only_whole_numbers_are_added_to() {
        assert_eq!(sum(None, 5), Some(5));
        assert_eq!(sum(Some("-7"), 5), Some(-2));
        for value in ["", " 1", "1.0", "1e3", "seven", "9223372036854775807"] {
            assert_eq!(sum(Some(value), 1), None, "{value:?}");
        }
    }
}
