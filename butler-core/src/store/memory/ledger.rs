//! Events and deliveries, and by what they are found.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use jiff::Timestamp;
use serde::Serialize;

use crate::event::{Class, DedupKey, DeliveryId, Event, EventId, Facts};
use crate::store::ids::EventIds;
use crate::store::rules::ATTEMPTS;
use crate::store::watchers::Wakes;
use crate::store::{AttemptRecord, DeliveryRecord, DeliveryState, Limit, RouteNote, Sighting};

/// The journal's data. Events stand by their ids, which sort by age; deliveries by the number under which they were routed.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) ids: EventIds,
    pub(super) events: BTreeMap<EventId, EventRow>,
    pub(super) unrouted: BTreeSet<EventId>,
    pub(super) keys: HashMap<String, EventId>,
    pub(super) near_keys: HashMap<String, Vec<(Timestamp, EventId)>>,
    pub(super) deliveries: BTreeMap<u64, DeliveryRow>,
    pub(super) numbers: HashMap<DeliveryId, u64>,
    /// The pending deliveries.
    pub(super) open: BTreeSet<u64>,
    /// The pending deliveries of each lane.
    pub(super) lanes: HashMap<String, BTreeSet<u64>>,
    /// The suppressed deliveries of each limit.
    pub(super) held_back: HashMap<String, BTreeSet<u64>>,
    pub(super) windows: HashMap<String, Window>,
    pub(super) last_number: u64,
}

#[derive(Debug)]
pub(super) struct EventRow {
    pub(super) event: Event,
    pub(super) facts: Facts,
    pub(super) notes: Vec<RouteNote>,
    pub(super) keys: Vec<DedupKey>,
    pub(super) sightings: Vec<Sighting>,
    pub(super) sighted: u64,
    pub(super) routed: Option<Timestamp>,
    pub(super) not_before: Timestamp,
    pub(super) fence: u64,
    pub(super) claim_until: Option<Timestamp>,
    pub(super) attempt: u32,
    pub(super) deliveries: Vec<u64>,
    /// About how many bytes it takes.
    pub(super) bytes: u64,
}

impl EventRow {
    pub(super) fn has_exact_key(&self) -> bool {
        self.keys.iter().any(|key| matches!(key, DedupKey::Exact(_)))
    }

    /// Estimates its size anew.
    pub(super) fn weigh(&mut self) {
        /// Rows, keys and deliveries beside the texts.
        const ROW: u64 = 500;
        let rows = 1 + self.keys.len() as u64 + self.deliveries.len() as u64;
        self.bytes = ROW * rows + weight(&self.event) + weight(&self.facts) + weight(&self.notes);
    }
}

#[derive(Debug)]
pub(super) struct DeliveryRow {
    pub(super) record: DeliveryRecord,
    pub(super) lane: Option<String>,
    pub(super) limit: Option<Limit>,
    pub(super) class: Class,
    pub(super) fence: u64,
    pub(super) lease_until: Option<Timestamp>,
    pub(super) attempts: VecDeque<AttemptRecord>,
}

impl DeliveryRow {
    pub(super) fn is_leased(&self, now: Timestamp) -> bool {
        self.lease_until.is_some_and(|until| until > now)
    }

    /// When it may be leased: what is due from its beginning is so whatever the clock does afterwards.
    pub(super) fn due(&self) -> Timestamp {
        let due = if self.record.due == self.record.created { Timestamp::MIN } else { self.record.due };
        self.lease_until.map_or(due, |until| until.max(due))
    }

    pub(super) fn note_attempt(&mut self, at: Timestamp, outcome: &str, detail: &str) {
        if self.attempts.len() == ATTEMPTS {
            self.attempts.pop_front();
        }
        self.attempts.push_back(AttemptRecord { at, outcome: outcome.to_owned(), detail: detail.to_owned() });
    }
}

/// A delivered message that keeps others back.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) delivery: DeliveryId,
    /// Those held back before this number were told of already.
    pub(super) number: u64,
    pub(super) until: Timestamp,
}

impl Ledger {
    pub(super) fn delivery(&self, id: DeliveryId) -> Option<&DeliveryRow> {
        self.deliveries.get(self.numbers.get(&id)?)
    }

    /// Only heads are leased: those without a lane, those that were overtaken, and the oldest open one of a lane that was not.
    pub(super) fn is_head(&self, number: u64) -> bool {
        let Some(row) = self.deliveries.get(&number) else { return false };
        let Some(lane) = row.lane.as_ref().filter(|_| !row.record.overtaken) else { return true };
        self.head_of(lane).is_some_and(|head| head.record.seq == number)
    }

    fn head_of(&self, lane: &str) -> Option<&DeliveryRow> {
        let open = self.lanes.get(lane).into_iter().flatten().map(|number| &self.deliveries[number]);
        open.into_iter().find(|row| !row.record.overtaken)
    }

    /// Wakes the sink of whoever is head now.
    pub(super) fn wake_lane(&self, lane: Option<&str>, wakes: &mut Wakes) {
        wakes.sinks.extend(lane.and_then(|lane| self.head_of(lane)).map(|row| row.record.sink.clone()));
    }

    pub(super) fn has_followers(&self, number: u64) -> bool {
        let lane = self.deliveries.get(&number).and_then(|row| row.lane.as_ref()).and_then(|lane| self.lanes.get(lane));
        lane.is_some_and(|lane| lane.last().is_some_and(|last| *last > number))
    }

    /// Moves a pending delivery to a state that is final, unless somebody revives it.
    pub(super) fn end(&mut self, number: u64, state: DeliveryState, detail: String, now: Timestamp, wakes: &mut Wakes) {
        let Some(row) = self.deliveries.get_mut(&number) else { return };
        row.record.state = state;
        row.record.settled = Some(now);
        row.record.detail = detail;
        row.lease_until = None;
        self.open.remove(&number);
        if let (DeliveryState::Suppressed, Some(limit)) = (state, &row.limit) {
            self.held_back.entry(limit.key.clone()).or_default().insert(number);
        }
        let lane = row.lane.clone();
        if let Some(lane) = &lane {
            leave(&mut self.lanes, lane, number);
        }
        self.wake_lane(lane.as_deref(), wakes);
    }

    /// Removes an event with all that belongs to it.
    pub(super) fn remove(&mut self, id: EventId) {
        let Some(row) = self.events.remove(&id) else { return };
        self.unrouted.remove(&id);
        for key in row.keys {
            match key {
                DedupKey::Exact(key) => {
                    if self.keys.get(&key) == Some(&id) {
                        self.keys.remove(&key);
                    }
                }
                DedupKey::Near { scope, .. } => {
                    if let Some(near) = self.near_keys.get_mut(&scope) {
                        near.retain(|(_, event)| *event != id);
                        if near.is_empty() {
                            self.near_keys.remove(&scope);
                        }
                    }
                }
            }
        }
        for number in row.deliveries {
            self.remove_delivery(number);
        }
    }

    fn remove_delivery(&mut self, number: u64) {
        let Some(row) = self.deliveries.remove(&number) else { return };
        self.numbers.remove(&row.record.id);
        self.open.remove(&number);
        if let Some(lane) = &row.lane {
            leave(&mut self.lanes, lane, number);
        }
        if let Some(limit) = &row.limit {
            leave(&mut self.held_back, &limit.key, number);
        }
    }

    /// About how many bytes all of it takes.
    pub(super) fn bytes(&self) -> u64 {
        self.events.values().map(|row| row.bytes).sum()
    }
}

/// Takes a number out of the set of its name, and the set away when it is empty.
pub(super) fn leave(sets: &mut HashMap<String, BTreeSet<u64>>, name: &str, number: u64) {
    if let Some(set) = sets.get_mut(name) {
        set.remove(&number);
        if set.is_empty() {
            sets.remove(name);
        }
    }
}

/// The length of a value as JSON.
fn weight(value: &impl Serialize) -> u64 {
    struct Counted(u64);
    impl std::io::Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counted = Counted(0);
    // What can't be written as JSON weighs nothing.
    let _ = serde_json::to_writer(&mut counted, value);
    counted.0
}
