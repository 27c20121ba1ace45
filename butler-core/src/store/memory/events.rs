//! Accepting, claiming and routing events.

use std::time::Duration;

use jiff::Timestamp;

use super::ledger::{DeliveryRow, EventRow, Ledger};
use crate::event::{DedupKey, DeliveryId, Event, EventId, Facts, NewEvent};
use crate::store::rules::{self, SIGHTINGS, later};
use crate::store::watchers::Wakes;
use crate::store::{Appended, Claim, ClaimToken, DeliveryRecord, DeliveryState, NewDelivery, Routing, Settled, Sighting};

impl Ledger {
    pub(super) fn append(&mut self, event: NewEvent, now: Timestamp, wakes: &mut Wakes) -> Appended {
        if let Some(id) = self.find_duplicate(&event.keys) {
            self.sight(id, event, now);
            return Appended::Duplicate(id);
        }
        let id = self.ids.next(now);
        let NewEvent { site, kind, at, source, keys, body } = event;
        let sightings = vec![Sighting { source: source.clone(), at: now }];
        let event = Event { id, site, kind, at, received: now, source, body };
        let row = EventRow {
            event,
            facts: Facts::default(),
            notes: Vec::new(),
            keys: Vec::new(),
            sightings,
            sighted: 1,
            routed: None,
            not_before: Timestamp::MIN,
            fence: 0,
            claim_until: None,
            attempt: 0,
            deliveries: Vec::new(),
            bytes: 0,
        };
        self.events.insert(id, row);
        self.unrouted.insert(id);
        self.learn(id, keys);
        wakes.events = true;
        Appended::New(id)
    }

    fn find_duplicate(&self, keys: &[DedupKey]) -> Option<EventId> {
        let exact = keys.iter().find_map(|key| match key {
            DedupKey::Exact(key) => self.keys.get(key).copied(),
            DedupKey::Near { .. } => None,
        });
        exact.or_else(|| {
            let has_exact = keys.iter().any(|key| matches!(key, DedupKey::Exact(_)));
            keys.iter().find_map(|key| match key {
                DedupKey::Near { scope, at, tolerance } => {
                    let near = self.near_keys.get(scope)?.iter().map(|(other, id)| (at.duration_since(*other).abs(), *other, *id));
                    let may_match = |id: EventId| !(has_exact && self.events.get(&id).is_some_and(EventRow::has_exact_key));
                    near.filter(|(apart, _, id)| apart <= tolerance && may_match(*id)).min().map(|(_, _, id)| id)
                }
                DedupKey::Exact(_) => None,
            })
        })
    }

    /// Notes that an event was told again, and by which further names it is known.
    fn sight(&mut self, id: EventId, event: NewEvent, now: Timestamp) {
        let Some(row) = self.events.get_mut(&id) else { return };
        row.sighted += 1;
        if row.sightings.len() < SIGHTINGS {
            row.sightings.push(Sighting { source: event.source, at: now });
        }
        self.learn(id, event.keys.into_iter().filter(|key| matches!(key, DedupKey::Exact(_))).collect());
    }

    /// Gives an event keys. A key that is another event's already stays with that one.
    fn learn(&mut self, id: EventId, keys: Vec<DedupKey>) {
        let Some(row) = self.events.get_mut(&id) else { return };
        for key in keys {
            let is_new = match &key {
                DedupKey::Exact(text) => {
                    let is_new = !self.keys.contains_key(text);
                    self.keys.entry(text.clone()).or_insert(id);
                    is_new
                }
                DedupKey::Near { scope, at, .. } => {
                    let near = self.near_keys.entry(scope.clone()).or_default();
                    let is_new = !near.contains(&(*at, id));
                    near.extend(is_new.then_some((*at, id)));
                    is_new
                }
            };
            row.keys.extend(is_new.then_some(key));
        }
        row.weigh();
    }

    pub(super) fn claim(&mut self, hold: Duration, max: usize, now: Timestamp) -> Vec<Claim> {
        let mut claims = Vec::new();
        for id in &self.unrouted {
            if claims.len() == max {
                break;
            }
            let Some(row) = self.events.get_mut(id) else { continue };
            if row.not_before > now || row.claim_until.is_some_and(|until| until > now) {
                continue;
            }
            row.fence += 1;
            row.attempt += 1;
            row.claim_until = Some(later(now, hold));
            let token = ClaimToken { event: *id, fence: row.fence };
            claims.push(Claim { token, event: row.event.clone(), facts: row.facts.clone(), attempt: row.attempt });
        }
        claims
    }

    /// The event of a claim that still holds.
    fn claimed(&mut self, token: ClaimToken) -> Option<&mut EventRow> {
        let row = self.events.get_mut(&token.event)?;
        (row.routed.is_none() && row.claim_until.is_some() && row.fence == token.fence).then_some(row)
    }

    pub(super) fn defer(&mut self, token: ClaimToken, facts: Facts, until: Timestamp) -> Settled {
        let Some(row) = self.claimed(token) else { return Settled::Stale };
        row.claim_until = None;
        row.attempt -= 1;
        row.facts = facts;
        row.not_before = until;
        row.weigh();
        Settled::Done
    }

    pub(super) fn route(&mut self, token: ClaimToken, routing: Routing, now: Timestamp, wakes: &mut Wakes) -> Settled {
        let Some(row) = self.claimed(token) else { return Settled::Stale };
        let Routing { kind, facts, keys, deliveries, notes } = routing;
        row.routed = Some(now);
        row.claim_until = None;
        row.facts = facts;
        row.notes = notes;
        if let Some(kind) = kind {
            row.event.kind = kind;
        }
        self.unrouted.remove(&token.event);
        for delivery in deliveries {
            self.add(token.event, delivery, now, wakes);
        }
        self.learn(token.event, keys);
        Settled::Done
    }

    fn add(&mut self, event: EventId, delivery: NewDelivery, now: Timestamp, wakes: &mut Wakes) {
        let NewDelivery { sink, target, lane, limit, route, class, expires, silenced } = delivery;
        let id = DeliveryId::of(event, &sink, &target);
        self.last_number += 1;
        let number = self.last_number;
        if self.numbers.contains_key(&id) {
            return;
        }
        wakes.sinks.insert(sink.clone());
        let record = DeliveryRecord {
            id,
            seq: number,
            event,
            sink,
            target,
            route,
            state: DeliveryState::Pending,
            attempts: 0,
            lost: 0,
            created: now,
            due: now,
            expires,
            settled: None,
            failing_since: None,
            waiting_in_lane: false,
            overtaken: false,
            detail: String::new(),
            preview: String::new(),
        };
        self.numbers.insert(id, number);
        self.open.insert(number);
        if let Some(lane) = &lane {
            self.lanes.entry(lane.clone()).or_default().insert(number);
        }
        let row = DeliveryRow { record, lane, limit, class, fence: 0, lease_until: None, attempts: Default::default() };
        self.deliveries.insert(number, row);
        if let Some(row) = self.events.get_mut(&event) {
            row.deliveries.push(number);
        }
        if let Some(by) = silenced {
            self.end(number, DeliveryState::Suppressed, rules::suppressed(&by), now, wakes);
        }
    }

    pub(super) fn add_facts(&mut self, event: EventId, facts: Facts) {
        if let Some(row) = self.events.get_mut(&event) {
            row.facts = facts;
            row.weigh();
        }
    }
}
