//! Pairs that were read or written lately, so that reading them needs neither the file nor another thread.
//!
//! The writing thread takes over what a commit changed as soon as it is on disk and before anybody is told. So nothing stands here that was not committed, and
//! nobody who was told of a change reads what was before it. What a reader found in the file is taken only if no commit began or ended while it read: what it found
//! may be older than what stands here, or than what was removed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::KvEntry;

/// What an entry costs beside its texts, about.
const OVERHEAD: usize = 200;

/// A change of pairs that is committed together with others.
#[derive(Debug)]
pub(super) enum Change {
    /// A pair was put.
    Put(String, KvEntry),
    /// A pair was removed.
    Removed(String, String),
    /// A namespace was dropped.
    Dropped(String),
}

/// Since when a reader reads: what it finds counts as long as nothing was committed meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// Pairs in memory, up to a number of bytes.
#[derive(Debug)]
pub(super) struct PairCache {
    inner: Mutex<Inner>,
}

/// Two halves: what is used goes into the young one; when that is full it becomes the old one, and what was not used since is forgotten.
#[derive(Debug)]
struct Inner {
    young: Half,
    old: Half,
    capacity: usize,
    /// Goes up when a commit begins and when it is taken over.
    commits: u64,
}

#[derive(Debug, Default)]
struct Half {
    namespaces: HashMap<String, Namespace>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Namespace {
    pairs: HashMap<String, Arc<KvEntry>>,
    bytes: usize,
}

fn cost(pair: &KvEntry) -> usize {
    pair.key.len() * 2 + pair.value.len() + OVERHEAD
}

impl Half {
    fn get(&self, namespace: &str, key: &str) -> Option<&Arc<KvEntry>> {
        self.namespaces.get(namespace)?.pairs.get(key)
    }

    fn insert(&mut self, namespace: &str, pair: Arc<KvEntry>) {
        if !self.namespaces.contains_key(namespace) {
            self.namespaces.insert(namespace.to_owned(), Namespace::default());
            self.bytes += namespace.len() + OVERHEAD;
        }
        let Some(entry) = self.namespaces.get_mut(namespace) else { return };
        let cost_of_new = cost(&pair);
        let before = entry.pairs.insert(pair.key.clone(), pair).map_or(0, |pair| cost(&pair));
        entry.bytes = entry.bytes + cost_of_new - before;
        self.bytes = self.bytes + cost_of_new - before;
    }

    fn remove(&mut self, namespace: &str, key: &str) -> Option<Arc<KvEntry>> {
        let entry = self.namespaces.get_mut(namespace)?;
        let pair = entry.pairs.remove(key)?;
        let cost = cost(&pair);
        entry.bytes -= cost;
        self.bytes -= cost;
        Some(pair)
    }

    fn drop_namespace(&mut self, namespace: &str) -> Option<Namespace> {
        let entry = self.namespaces.remove(namespace)?;
        self.bytes -= entry.bytes + namespace.len() + OVERHEAD;
        Some(entry)
    }
}

impl Inner {
    /// Takes a pair, and gives what is forgotten for it.
    fn insert(&mut self, namespace: &str, pair: Arc<KvEntry>) -> Option<Half> {
        self.old.remove(namespace, &pair.key);
        // One that would push out most of the others is not worth it.
        if cost(&pair) > self.capacity / 8 {
            self.young.remove(namespace, &pair.key);
            return None;
        }
        self.young.insert(namespace, pair);
        (self.young.bytes > self.capacity / 2).then(|| std::mem::replace(&mut self.old, std::mem::take(&mut self.young)))
    }
}

impl PairCache {
    /// An empty one for so many bytes.
    pub(super) fn new(capacity: usize) -> Self {
        Self { inner: Mutex::new(Inner { young: Half::default(), old: Half::default(), capacity, commits: 0 }) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes how many bytes it may take. What is too much goes as further pairs come.
    pub(super) fn resize(&self, capacity: usize) {
        self.lock().capacity = capacity;
    }

    /// A pair, or the ticket with which it may be [filled](Self::fill) in.
    pub(super) fn get(&self, namespace: &str, key: &str) -> Result<Arc<KvEntry>, Ticket> {
        let mut inner = self.lock();
        if let Some(pair) = inner.young.get(namespace, key) {
            return Ok(Arc::clone(pair));
        }
        let Some(pair) = inner.old.remove(namespace, key) else { return Err(Ticket(inner.commits)) };
        let forgotten = inner.insert(namespace, Arc::clone(&pair));
        drop(inner);
        // Freeing many takes a while, in which others may read.
        drop(forgotten);
        Ok(pair)
    }

    /// Takes what was read since the ticket was given, if it surely still holds.
    pub(super) fn fill(&self, ticket: Ticket, namespace: &str, pair: &KvEntry) {
        let pair = Arc::new(pair.clone());
        let mut inner = self.lock();
        if inner.commits == ticket.0 {
            let forgotten = inner.insert(namespace, pair);
            drop(inner);
            drop(forgotten);
        }
    }

    /// A commit that changes pairs begins: what readers find from now on may be from before or after it.
    pub(super) fn begin(&self) {
        self.lock().commits += 1;
    }

    /// Takes over what is committed.
    pub(super) fn take_over(&self, changes: Vec<Change>) {
        let (mut halves, mut namespaces) = (Vec::new(), Vec::new());
        let mut inner = self.lock();
        inner.commits += 1;
        for change in changes {
            match change {
                Change::Put(namespace, pair) => halves.extend(inner.insert(&namespace, Arc::new(pair))),
                Change::Removed(namespace, key) => {
                    inner.young.remove(&namespace, &key);
                    inner.old.remove(&namespace, &key);
                }
                Change::Dropped(namespace) => {
                    namespaces.extend(inner.young.drop_namespace(&namespace));
                    namespaces.extend(inner.old.drop_namespace(&namespace));
                }
            }
        }
        drop(inner);
        drop((halves, namespaces));
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
