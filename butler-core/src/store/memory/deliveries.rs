//! Leasing deliveries, and settling how their attempts went.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::ledger::{DeliveryRow, Ledger, Window};
use crate::event::SinkName;
use crate::sink::Reason;
use crate::store::rules::{self, later};
use crate::store::watchers::Wakes;
use crate::store::{DeliveryState, Lease, LeaseToken, Leased, LimitState, MAX_LOST, Settled, Settlement};

impl Ledger {
    pub(super) fn lease(&mut self, sink: &SinkName, hold: Duration, max: usize, now: Timestamp, wakes: &mut Wakes) -> Leased {
        // Of those that were lost, one at a time.
        let mut may_be_lost = !self.heads(sink).any(|row| row.record.lost > 0 && row.is_leased(now));
        let is_let = |row: &&DeliveryRow| row.record.lost == 0 && row.lease_until.is_none() || std::mem::take(&mut may_be_lost);
        let ready: Vec<u64> = self.heads(sink).filter(|row| row.due() <= now).filter(is_let).take(max).map(|row| row.record.seq).collect();
        let mut leased = Leased::default();
        for number in ready {
            leased.leases.extend(self.lease_one(number, later(now, hold), now, wakes));
        }
        if leased.leases.is_empty() {
            leased.next_due = self.heads(sink).map(DeliveryRow::due).filter(|due| *due > now).min();
        }
        leased
    }

    /// The pending deliveries of a sink that nobody of their lane is before, oldest first.
    fn heads<'a>(&'a self, sink: &'a SinkName) -> impl Iterator<Item = &'a DeliveryRow> {
        let open = self.open.iter().map(|number| &self.deliveries[number]);
        open.filter(|row| row.record.sink == *sink && self.is_head(row.record.seq))
    }

    /// Leases a delivery; one whose leases never return is given up.
    fn lease_one(&mut self, number: u64, until: Timestamp, now: Timestamp, wakes: &mut Wakes) -> Option<Lease> {
        let has_followers = self.has_followers(number);
        let row = self.deliveries.get_mut(&number)?;
        row.record.lost += u32::from(row.lease_until.is_some());
        let lost = row.record.lost;
        if lost >= MAX_LOST {
            let detail = rules::lost(lost);
            row.note_attempt(now, Reason::Lost.as_str(), &detail);
            tracing::error!(sink = %row.record.sink, seq = number, detail, "A message is given up.");
            wakes.sinks.insert(row.record.sink.clone());
            self.end(number, DeliveryState::Dead, detail, now, wakes);
            return None;
        }
        row.fence += 1;
        row.lease_until = Some(until);
        let row = &self.deliveries[&number];
        let event = self.events.get(&row.record.event)?;
        let record = &row.record;
        Some(Lease {
            token: LeaseToken { delivery: record.id, fence: row.fence },
            target: record.target.clone(),
            route: record.route.clone(),
            event: Arc::new(event.event.clone()),
            facts: Arc::new(event.facts.clone()),
            attempt: record.attempts + 1,
            lost,
            created: record.created,
            expires: record.expires,
            failing_since: record.failing_since,
            has_followers,
            limit: row.limit.as_ref().map(|limit| self.limit_state(&limit.key, now)),
        })
    }

    fn limit_state(&self, key: &str, now: Timestamp) -> LimitState {
        let window = self.windows.get(key);
        let since = window.map_or(0, |window| window.number);
        let held_back = self.held_back.get(key).map_or(0, |held| held.range(since + 1..).count() as u64);
        let open = window.filter(|window| window.until > now);
        LimitState { held_by: open.map(|window| (window.delivery, window.until)), held_back }
    }

    /// The delivery of a lease that still holds.
    fn held(&mut self, token: LeaseToken) -> Option<&mut DeliveryRow> {
        let row = self.deliveries.get_mut(self.numbers.get(&token.delivery)?)?;
        (row.record.state == DeliveryState::Pending && row.lease_until.is_some() && row.fence == token.fence).then_some(row)
    }

    pub(super) fn settle(&mut self, token: LeaseToken, settlement: Settlement, now: Timestamp, wakes: &mut Wakes) -> Settled {
        let Some(row) = self.held(token) else { return Settled::Stale };
        let number = row.record.seq;
        if row.record.lost > 0 {
            // The next of those that were lost may be leased.
            wakes.sinks.insert(row.record.sink.clone());
        }
        match settlement {
            Settlement::Delivered { receipt, preview, took: _, fault } => {
                row.record.attempts += 1;
                row.record.preview = preview;
                if let Some(limit) = row.limit.clone() {
                    let opened = Window { delivery: token.delivery, number, until: later(now, limit.window) };
                    open(self.windows.entry(limit.key), opened);
                }
                self.end(number, DeliveryState::Delivered, rules::delivered(receipt, fault), now, wakes);
            }
            Settlement::Dead { error } => {
                let detail = error.to_string();
                row.record.attempts += 1;
                row.note_attempt(now, error.reason.as_str(), &detail);
                self.end(number, DeliveryState::Dead, detail, now, wakes);
            }
            Settlement::Suppressed(by) => self.end(number, DeliveryState::Suppressed, rules::suppressed(&by), now, wakes),
            Settlement::Retry { error, due, overtake } => {
                let detail = error.to_string();
                row.note_attempt(now, error.reason.as_str(), &detail);
                row.lease_until = None;
                // It has returned: it is not what takes processes down.
                row.record.lost = 0;
                row.record.attempts += 1;
                row.record.due = due;
                row.record.detail = detail;
                row.record.overtaken |= overtake;
                row.record.failing_since.get_or_insert(now);
                // Whoever sleeps until something is due has a new time to wake.
                wakes.sinks.insert(row.record.sink.clone());
                let lane = row.lane.clone();
                self.wake_lane(lane.as_deref(), wakes);
            }
        }
        Settled::Done
    }

    pub(super) fn release(&mut self, token: LeaseToken, wakes: &mut Wakes) {
        if let Some(row) = self.held(token) {
            row.lease_until = None;
            wakes.sinks.insert(row.record.sink.clone());
        }
    }

    /// Voids claims and leases. A lease that was open is as one that has run out: whoever leases next counts the loss.
    pub(super) fn forget_holders(&mut self) {
        for id in &self.unrouted {
            if let Some(row) = self.events.get_mut(id) {
                row.claim_until = None;
            }
        }
        for number in &self.open {
            if let Some(row) = self.deliveries.get_mut(number) {
                row.lease_until = row.lease_until.map(|_| Timestamp::MIN);
            }
        }
    }
}

/// Opens a window. One that was opened by an older message, delivered late, keeps nobody back for longer, and nobody is told of twice.
fn open(entry: std::collections::hash_map::Entry<'_, String, Window>, opened: Window) {
    let window = entry.or_insert(Window { delivery: opened.delivery, number: 0, until: Timestamp::MIN });
    window.number = window.number.max(opened.number);
    if opened.until >= window.until {
        window.delivery = opened.delivery;
        window.until = opened.until;
    }
}
