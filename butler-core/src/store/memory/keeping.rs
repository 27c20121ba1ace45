//! What changes deliveries and events beside their way: people's orders, age, and size.

use jiff::Timestamp;

use super::ledger::{Ledger, leave};
use crate::event::{Class, DeliveryId, EventId, Facts, SinkName};
use crate::sink::Reason;
use crate::store::rules::{self, earlier};
use crate::store::watchers::Wakes;
use crate::store::{DeliveryState, PrunePolicy, PruneReport};

impl Ledger {
    /// A revived delivery goes out as soon as it can: it stands outside its lane, whose others may have gone out long ago.
    pub(super) fn revive(&mut self, id: DeliveryId, expires: Timestamp, wakes: &mut Wakes) -> bool {
        let Some(row) = self.numbers.get(&id).and_then(|number| self.deliveries.get_mut(number)) else { return false };
        let record = &mut row.record;
        if matches!(record.state, DeliveryState::Pending | DeliveryState::Delivered) {
            return false;
        }
        record.state = DeliveryState::Pending;
        record.overtaken = false;
        record.settled = None;
        record.lost = 0;
        record.failing_since = None;
        record.due = record.created;
        record.expires = expires;
        row.lane = None;
        if let Some(limit) = row.limit.take() {
            leave(&mut self.held_back, &limit.key, record.seq);
        }
        self.open.insert(record.seq);
        wakes.sinks.insert(record.sink.clone());
        true
    }

    pub(super) fn discard(&mut self, id: DeliveryId, why: &str, now: Timestamp, wakes: &mut Wakes) -> bool {
        let Some(row) = self.delivery(id) else { return false };
        if row.record.state != DeliveryState::Pending {
            return false;
        }
        wakes.sinks.insert(row.record.sink.clone());
        self.end(row.record.seq, DeliveryState::Discarded, rules::discarded(why), now, wakes);
        true
    }

    pub(super) fn adopt(&mut self, from: &SinkName, to: &SinkName, wakes: &mut Wakes) -> u64 {
        let mut count = 0;
        for number in &self.open {
            if let Some(row) = self.deliveries.get_mut(number).filter(|row| row.record.sink == *from) {
                row.record.sink = to.clone();
                count += 1;
            }
        }
        wakes.sinks.insert(to.clone());
        count
    }

    pub(super) fn expire(&mut self, now: Timestamp, wakes: &mut Wakes) -> u64 {
        let expired: Vec<u64> = self.open.iter().copied().filter(|number| self.deliveries[number].record.expires <= now).collect();
        let expired: Vec<u64> = expired.into_iter().filter(|number| !self.deliveries[number].is_leased(now)).collect();
        for number in &expired {
            self.give_up(*number, Reason::Expired, now, wakes);
        }
        expired.len() as u64
    }

    fn give_up(&mut self, number: u64, reason: Reason, now: Timestamp, wakes: &mut Wakes) {
        let Some(row) = self.deliveries.get_mut(&number) else { return };
        let (noted, detail) = match reason {
            Reason::Expired => (rules::EXPIRED, rules::expired(&row.record.detail)),
            _ => (rules::OVERFLOWED, rules::OVERFLOWED.to_owned()),
        };
        row.note_attempt(now, reason.as_str(), noted);
        wakes.sinks.insert(row.record.sink.clone());
        self.end(number, DeliveryState::Dead, detail, now, wakes);
    }

    pub(super) fn prune(&mut self, policy: &PrunePolicy, now: Timestamp, wakes: &mut Wakes) -> PruneReport {
        let slice = policy.slice.max(1);
        let (before, dead_before) = (earlier(now, policy.retention), earlier(now, policy.dead_retention));
        let is_old = |id: &EventId| {
            let received = self.events[id].event.received;
            received <= before && self.is_settled(*id) && (received <= dead_before || !self.has_dead(*id, |_| true))
        };
        let mut old: Vec<EventId> = self.events.keys().copied().filter(is_old).collect();
        old.sort_by_key(|id| (self.events[id].event.received, *id));
        old.truncate(slice);
        for id in &old {
            self.remove(*id);
        }
        let mut report = PruneReport { events: old.len() as u64, overflowed: 0, more: old.len() == slice };
        if policy.max_bytes.is_some_and(|max| !report.more && self.bytes() > max) {
            self.shrink(slice - old.len(), now, &mut report, wakes);
        }
        self.windows.retain(|key, window| window.until > before || self.held_back.contains_key(key));
        report
    }

    /// Makes room: the oldest settled events go first. Where there are none, open metrics are given up, then open alerts, and what is left of them is the
    /// bare record. Only where there is nothing else, these records go too.
    fn shrink(&mut self, slice: usize, now: Timestamp, report: &mut PruneReport, wakes: &mut Wakes) {
        let settled = |without_overflow: bool| {
            let overflowed = |id: EventId| self.has_dead(id, |number| self.has_overflowed(number));
            let fits = |id: &EventId| self.is_settled(*id) && !(without_overflow && overflowed(*id));
            self.events.keys().copied().filter(fits).take(slice).collect::<Vec<EventId>>()
        };
        let mut going = settled(true);
        let open = if going.is_empty() { self.open_by_worth(slice, now) } else { Vec::new() };
        if going.is_empty() && open.is_empty() {
            going = settled(false);
        }
        for id in &going {
            self.remove(*id);
        }
        for number in &open {
            self.give_up(*number, Reason::Overflow, now, wakes);
            self.strip(self.deliveries[number].record.event);
        }
        report.events += going.len() as u64;
        report.overflowed += open.len() as u64;
        report.more = !going.is_empty() || !open.is_empty();
    }

    /// Open deliveries that nobody is about to make, those that would be missed least first.
    fn open_by_worth(&self, max: usize, now: Timestamp) -> Vec<u64> {
        let free = self.open.iter().copied().filter(|number| !self.deliveries[number].is_leased(now));
        let mut open: Vec<u64> = free.collect();
        open.sort_by_key(|number| (self.deliveries[number].class == Class::Alert, *number));
        open.truncate(max);
        open
    }

    /// Drops what is only needed to render messages, once there are none to come.
    fn strip(&mut self, id: EventId) {
        if self.is_settled(id)
            && let Some(row) = self.events.get_mut(&id)
        {
            row.facts = Facts::default();
            row.notes = Vec::new();
            row.weigh();
        }
    }

    fn is_settled(&self, id: EventId) -> bool {
        let row = &self.events[&id];
        row.routed.is_some() && !row.deliveries.iter().any(|number| self.open.contains(number))
    }

    fn has_dead(&self, id: EventId, which: impl Fn(u64) -> bool) -> bool {
        let mut deliveries = self.events[&id].deliveries.iter();
        deliveries.any(|number| self.deliveries[number].record.state == DeliveryState::Dead && which(*number))
    }

    fn has_overflowed(&self, number: u64) -> bool {
        self.deliveries[&number].attempts.iter().any(|attempt| attempt.outcome == Reason::Overflow.as_str())
    }
}
