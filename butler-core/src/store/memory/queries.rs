//! What is told to those who look into the journal.

use std::collections::BTreeMap;

use super::ledger::{DeliveryRow, EventRow, Ledger};
use crate::event::{DeliveryId, EventId};
use crate::store::rules::{ATTEMPTS, LONGEST_PAGE, kind_fits};
use crate::store::{AttemptRecord, DeliveryQuery, DeliveryRecord, DeliveryState, EventQuery, EventRecord, JournalStats, Story};

impl Ledger {
    pub(super) fn events(&self, query: &EventQuery) -> Vec<EventRecord> {
        let EventQuery { kind, site, task, since, before, max } = query;
        let fits = |row: &&EventRow| {
            let event = &row.event;
            kind.as_ref().is_none_or(|kind| kind_fits(kind, &event.kind.to_string()))
                && site.as_ref().is_none_or(|site| event.site == *site)
                && task.is_none_or(|task| event.task_id() == Some(task))
                && since.is_none_or(|since| event.received >= since)
                && before.is_none_or(|before| event.id < before)
        };
        let newest_first = self.events.values().rev().filter(fits);
        newest_first.take((*max).min(LONGEST_PAGE)).map(|row| self.event_record(row)).collect()
    }

    fn event_record(&self, row: &EventRow) -> EventRecord {
        let mut deliveries = BTreeMap::new();
        for number in &row.deliveries {
            *deliveries.entry(self.deliveries[number].record.state).or_default() += 1;
        }
        let deliveries = deliveries.into_iter().collect();
        EventRecord { event: row.event.clone(), routed: row.routed, sightings: row.sighted, deliveries }
    }

    pub(super) fn deliveries(&self, query: &DeliveryQuery) -> Vec<DeliveryRecord> {
        let DeliveryQuery { id, event, sink, state, before, max } = query;
        let fits = |row: &&DeliveryRow| {
            let record = &row.record;
            id.is_none_or(|id| record.id == id)
                && event.is_none_or(|event| record.event == event)
                && sink.as_ref().is_none_or(|sink| record.sink == *sink)
                && state.is_none_or(|state| record.state == state)
                && before.is_none_or(|before| record.seq < before)
        };
        let newest_first = self.deliveries.values().rev().filter(fits);
        newest_first.take((*max).min(LONGEST_PAGE)).map(|row| self.delivery_record(row)).collect()
    }

    fn delivery_record(&self, row: &DeliveryRow) -> DeliveryRecord {
        let waiting_in_lane = row.record.state == DeliveryState::Pending && !self.is_head(row.record.seq);
        DeliveryRecord { waiting_in_lane, ..row.record.clone() }
    }

    pub(super) fn story(&self, event: EventId) -> Option<Story> {
        let row = self.events.get(&event)?;
        let deliveries = row.deliveries.iter().map(|number| self.delivery_record(&self.deliveries[number])).collect();
        let (sightings, notes) = (row.sightings.clone(), row.notes.clone());
        Some(Story { record: self.event_record(row), facts: row.facts.clone(), sightings, notes, deliveries })
    }

    pub(super) fn attempts(&self, delivery: DeliveryId) -> Vec<AttemptRecord> {
        let Some(row) = self.delivery(delivery) else { return Vec::new() };
        let mut attempts: Vec<AttemptRecord> = row.attempts.iter().cloned().collect();
        // The one that succeeded stands with the delivery itself.
        if let (DeliveryState::Delivered, Some(at)) = (row.record.state, row.record.settled) {
            let outcome = DeliveryState::Delivered.as_str().to_owned();
            attempts.push(AttemptRecord { at, outcome, detail: row.record.detail.clone() });
        }
        attempts.split_off(attempts.len().saturating_sub(ATTEMPTS))
    }

    pub(super) fn stats(&self) -> JournalStats {
        let mut deliveries = BTreeMap::new();
        for row in self.deliveries.values() {
            *deliveries.entry((row.record.sink.clone(), row.record.state)).or_default() += 1;
        }
        JournalStats {
            events: self.events.len() as u64,
            unrouted: self.unrouted.len() as u64,
            deliveries: deliveries.into_iter().map(|((sink, state), count)| (sink, state, count)).collect(),
            bytes: self.bytes(),
        }
    }
}
