//! The load scripts' pairs.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use crate::store::{If, KvEntry, PutOutcome};

/// Namespaces with their pairs.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    namespaces: BTreeMap<String, Namespace>,
    /// The version given out last: a version never comes back, whatever was deleted in between.
    version: u64,
}

/// Pairs in the order in which their keys were first put.
#[derive(Debug, Default)]
struct Namespace {
    pairs: BTreeMap<u64, KvEntry>,
    places: HashMap<String, u64>,
}

fn is_live(pair: &KvEntry, now: Timestamp) -> bool {
    pair.expires.is_none_or(|expires| expires > now)
}

impl Namespace {
    fn live(&self, now: Timestamp) -> impl Iterator<Item = &KvEntry> {
        self.pairs.values().filter(move |pair| is_live(pair, now))
    }

    fn get(&self, key: &str, now: Timestamp) -> Option<&KvEntry> {
        self.pairs.get(self.places.get(key)?).filter(|pair| is_live(pair, now))
    }

    fn remove(&mut self, key: &str) {
        if let Some(place) = self.places.remove(key) {
            self.pairs.remove(&place);
        }
    }
}

impl Pairs {
    pub(super) fn namespaces(&self, now: Timestamp) -> Vec<String> {
        self.namespaces.iter().filter(|(_, pairs)| pairs.live(now).next().is_some()).map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn list(&self, namespace: &str, prefix: &str, after: Option<&str>, max: usize, now: Timestamp) -> Vec<KvEntry> {
        let Some(namespace) = self.namespaces.get(namespace) else { return Vec::new() };
        let after = after.and_then(|key| namespace.places.get(key)).copied().unwrap_or(0);
        let pairs = namespace.pairs.range(after + 1..).map(|(_, pair)| pair);
        pairs.filter(|pair| is_live(pair, now) && pair.key.starts_with(prefix)).take(max).cloned().collect()
    }

    pub(super) fn get(&self, namespace: &str, key: &str, now: Timestamp) -> Option<KvEntry> {
        self.namespaces.get(namespace)?.get(key, now).cloned()
    }

    pub(super) fn put(&mut self, namespace: &str, pair: KvEntry, condition: If, key_limit: Option<u64>, now: Timestamp) -> PutOutcome {
        let there = self.get(namespace, &pair.key, now).map(|pair| pair.version);
        let holds = match condition {
            If::Any => true,
            If::Absent => there.is_none(),
            If::Version(version) => there == Some(version),
        };
        if !holds {
            return PutOutcome::Conflict(there);
        }
        let pairs = self.namespaces.entry(namespace.to_owned()).or_default();
        if there.is_none() {
            // One that has expired makes room, and comes back at the end.
            pairs.remove(&pair.key);
            if key_limit.is_some_and(|limit| pairs.live(now).count() as u64 >= limit) {
                return PutOutcome::NamespaceFull;
            }
        }
        self.version += 1;
        let place = *pairs.places.entry(pair.key.clone()).or_insert(self.version);
        pairs.pairs.insert(place, KvEntry { version: self.version, ..pair });
        PutOutcome::Stored(self.version)
    }

    pub(super) fn delete(&mut self, namespace: &str, key: &str, now: Timestamp) -> bool {
        let Some(pairs) = self.namespaces.get_mut(namespace) else { return false };
        let was_there = pairs.get(key, now).is_some();
        pairs.remove(key);
        was_there
    }

    pub(super) fn drop_namespace(&mut self, namespace: &str, now: Timestamp) -> bool {
        self.namespaces.remove(namespace).is_some_and(|pairs| pairs.live(now).next().is_some())
    }

    /// Removes what has expired.
    pub(super) fn prune(&mut self, now: Timestamp) {
        for namespace in self.namespaces.values_mut() {
            namespace.pairs.retain(|_, pair| is_live(pair, now));
            namespace.places.retain(|_, place| namespace.pairs.contains_key(place));
        }
        self.namespaces.retain(|_, namespace| !namespace.pairs.is_empty());
    }
}
