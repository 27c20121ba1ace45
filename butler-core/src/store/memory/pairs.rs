//! The load scripts' pairs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use jiff::Timestamp;

use crate::store::kv::{end_of_prefix, room};
use crate::store::rules::{is_live, newest_expired};
use crate::store::{DeleteOutcome, If, KvEntry, Lookup, PutOutcome};

/// Namespaces with their pairs.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    namespaces: HashMap<String, Namespace>,
    /// The version given out last: a version never comes back, whatever was deleted in between.
    version: u64,
    /// How many bytes all pairs may take.
    pub(super) room: Option<u64>,
}

/// Pairs in the order in which their keys were first put.
#[derive(Debug, Default)]
struct Namespace {
    /// Which comes first of two namespaces.
    began: u64,
    pairs: BTreeMap<u64, KvEntry>,
    places: BTreeMap<String, u64>,
    /// Those that end, by when they do, in microseconds.
    ends: BTreeSet<(i64, u64)>,
    /// How many bytes its pairs take.
    room: u64,
}

impl Namespace {
    fn get(&self, key: &str, now: Timestamp) -> Option<&KvEntry> {
        self.pairs.get(self.places.get(key)?).filter(|pair| is_live(pair.expires, now))
    }

    fn list(&self, prefix: &str, after: u64, max: usize, bytes: usize, now: Timestamp) -> Vec<KvEntry> {
        let live = |pair: &&KvEntry| is_live(pair.expires, now);
        let from = (Bound::Excluded(after), Bound::Unbounded);
        if prefix.is_empty() {
            return self.pairs.range(from).map(|(_, pair)| pair).filter(live).take(max).take_while(until_heavy(bytes)).cloned().collect();
        }
        let end = end_of_prefix(prefix);
        let keys = (Bound::Included(prefix), end.as_deref().map_or(Bound::Unbounded, Bound::Excluded));
        let mut places: Vec<u64> = self.places.range::<str, _>(keys).map(|(_, place)| *place).filter(|place| *place > after).collect();
        places.sort_unstable();
        places.iter().filter_map(|place| self.pairs.get(place)).filter(live).take(max).take_while(until_heavy(bytes)).cloned().collect()
    }

    fn put(&mut self, pair: KvEntry) {
        self.remove(&pair.key);
        if let Some(expires) = pair.expires {
            self.ends.insert((expires.as_microsecond(), pair.place));
        }
        self.places.insert(pair.key.clone(), pair.place);
        self.room += room_of(&pair);
        self.pairs.insert(pair.place, pair);
    }

    fn remove(&mut self, key: &str) {
        let pair = self.places.remove(key).and_then(|place| self.pairs.remove(&place));
        let Some(pair) = pair else { return };
        self.room -= room_of(&pair);
        if let Some(expires) = pair.expires {
            let place = pair.place;
            self.ends.remove(&(expires.as_microsecond(), place));
        }
    }

    fn expired(&self, now: Timestamp) -> impl Iterator<Item = &(i64, u64)> {
        self.ends.range(..=(newest_expired(now), u64::MAX))
    }

    fn live_keys(&self, now: Timestamp) -> u64 {
        (self.pairs.len() - self.expired(now).count()) as u64
    }
}

/// Goes on until there are so many bytes.
fn until_heavy(bytes: usize) -> impl FnMut(&&KvEntry) -> bool {
    let mut taken = 0;
    move |pair| {
        let goes_on = taken < bytes;
        taken += pair.key.len() + pair.value.len();
        goes_on
    }
}

fn room_of(pair: &KvEntry) -> u64 {
    room(pair.key.len(), pair.value.len() as u64)
}

impl Pairs {
    pub(super) fn namespaces(&self) -> Vec<String> {
        let mut all: Vec<_> = self.namespaces.iter().collect();
        all.sort_unstable_by_key(|(_, namespace)| namespace.began);
        all.into_iter().map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn list(&self, namespace: &str, prefix: &str, after: u64, max: usize, bytes: usize, now: Timestamp) -> Option<Vec<KvEntry>> {
        Some(self.namespaces.get(namespace)?.list(prefix, after, max, bytes, now))
    }

    pub(super) fn get(&self, namespace: &str, key: &str, now: Timestamp) -> Lookup {
        match self.namespaces.get(namespace) {
            Some(pairs) => pairs.get(key, now).map_or(Lookup::NoKey, |pair| Lookup::Pair(pair.clone())),
            None => Lookup::NoNamespace,
        }
    }

    pub(super) fn put(&mut self, namespace: &str, pair: KvEntry, condition: If, key_limit: Option<u64>, now: Timestamp) -> PutOutcome {
        let pairs = self.namespaces.get(namespace);
        let there = pairs.and_then(|pairs| pairs.get(&pair.key, now)).map(|pair| (pair.version, pair.place));
        if !condition.holds(there.map(|(version, _)| version)) {
            return PutOutcome::Conflict(there.map(|(version, _)| version));
        }
        let is_full = || key_limit.is_some_and(|limit| pairs.map_or(0, |pairs| pairs.live_keys(now)) >= limit);
        if there.is_none() && is_full() {
            return PutOutcome::NamespaceFull;
        }
        if !self.has_room(namespace, &pair) {
            // What has expired takes room until it is removed.
            self.prune(now);
            if !self.has_room(namespace, &pair) {
                return PutOutcome::StoreFull;
            }
        }
        self.version += 1;
        let version = self.version;
        let pairs = self.namespaces.entry(namespace.to_owned()).or_insert_with(|| Namespace { began: version, ..Namespace::default() });
        // One that has expired comes back at the end.
        pairs.put(KvEntry { version, place: there.map_or(version, |(_, place)| place), ..pair });
        PutOutcome::Stored(version)
    }

    /// Whether a pair takes no more room than what it takes the place of, or than there is.
    fn has_room(&self, namespace: &str, pair: &KvEntry) -> bool {
        let Some(limit) = self.room else { return true };
        let stored = self.namespaces.get(namespace).and_then(|pairs| pairs.pairs.get(pairs.places.get(&pair.key)?));
        let (old, new) = (stored.map_or(0, room_of), room_of(pair));
        new <= old || self.namespaces.values().map(|pairs| pairs.room).sum::<u64>() + (new - old) <= limit
    }

    pub(super) fn delete(&mut self, namespace: &str, key: &str, condition: If, now: Timestamp) -> DeleteOutcome {
        let Some(pairs) = self.namespaces.get_mut(namespace) else { return DeleteOutcome::NoNamespace };
        let Some(version) = pairs.get(key, now).map(|pair| pair.version) else { return DeleteOutcome::NoKey };
        if !condition.holds(Some(version)) {
            return DeleteOutcome::Conflict(version);
        }
        pairs.remove(key);
        DeleteOutcome::Deleted
    }

    pub(super) fn drop_namespace(&mut self, namespace: &str) -> bool {
        self.namespaces.remove(namespace).is_some()
    }

    /// Removes what has expired.
    pub(super) fn prune(&mut self, now: Timestamp) {
        for namespace in self.namespaces.values_mut() {
            let gone: Vec<u64> = namespace.expired(now).map(|(_, place)| *place).collect();
            for place in gone {
                if let Some(key) = namespace.pairs.get(&place).map(|pair| pair.key.clone()) {
                    namespace.remove(&key);
                }
            }
        }
    }
}
