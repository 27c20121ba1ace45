//! A store in memory (scratch).
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use uuid::Uuid;

use super::*;
use crate::clock::Clock;
use crate::event::*;

#[derive(Debug)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    s: Mutex<S>,
    events: watch::Sender<u64>,
    sinks: Mutex<HashMap<SinkName, watch::Sender<u64>>>,
}
#[derive(Debug, Default)]
struct S {
    events: BTreeMap<EventId, E>,
    exact: HashMap<String, EventId>,
    near: Vec<(String, Timestamp, bool, EventId)>,
    deliveries: Vec<D>,
    windows: HashMap<String, (DeliveryId, Timestamp, u64)>,
    fence: u64,
}
#[derive(Debug)]
struct E {
    event: Event,
    facts: Facts,
    routed: Option<Timestamp>,
    notes: Vec<RouteNote>,
    sightings: Vec<Sighting>,
    claim: Option<(u64, Timestamp)>,
    attempt: u32,
    not_before: Timestamp,
}
#[derive(Debug)]
struct D {
    r: DeliveryRecord,
    lane: Option<String>,
    limit: Option<Limit>,
    lease: Option<(u64, Timestamp)>,
    attempts: Vec<AttemptRecord>,
}

impl MemoryStore {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, s: Mutex::default(), events: watch::Sender::new(0), sinks: Mutex::default() }
    }
    fn bump(&self, sink: &SinkName) {
        self.sinks.lock().unwrap().entry(sink.clone()).or_insert_with(|| watch::Sender::new(0)).send_modify(|n| *n += 1);
    }
}
fn add(t: Timestamp, d: Duration) -> Timestamp {
    t.saturating_add(SignedDuration::try_from(d).unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MAX)
}

#[async_trait]
impl Journal for MemoryStore {
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Appended>, StoreError> {
        let now = self.clock.now();
        let mut s = self.s.lock().unwrap();
        let mut out = Vec::new();
        for e in events {
            let mut dup = None;
            let has_exact = e.keys.iter().any(|k| matches!(k, DedupKey::Exact(_)));
            for k in &e.keys {
                match k {
                    DedupKey::Exact(k) => dup = dup.or(s.exact.get(k).copied()),
                    DedupKey::Near { scope, at, tolerance } => {
                        dup = dup.or(s
                            .near
                            .iter()
                            .find(|(sc, t, ex, _)| sc == scope && at.duration_since(*t).abs() <= *tolerance && !(has_exact && *ex))
                            .map(|x| x.3));
                    }
                }
            }
            let sighting = Sighting { source: e.source.clone(), at: now };
            if let Some(id) = dup {
                s.events.get_mut(&id).unwrap().sightings.push(sighting);
                out.push(Appended::Duplicate(id));
                continue;
            }
            let id = EventId(Uuid::now_v7());
            for k in e.keys {
                match k {
                    DedupKey::Exact(k) => {
                        s.exact.insert(k, id);
                    }
                    DedupKey::Near { scope, at, .. } => s.near.push((scope, at, has_exact, id)),
                }
            }
            let event = Event { id, site: e.site, kind: e.kind, at: e.at, received: now, source: e.source, body: e.body };
            s.events.insert(
                id,
                E {
                    event,
                    facts: Facts::default(),
                    routed: None,
                    notes: vec![],
                    sightings: vec![sighting],
                    claim: None,
                    attempt: 0,
                    not_before: now,
                },
            );
            out.push(Appended::New(id));
        }
        self.events.send_modify(|n| *n += 1);
        Ok(out)
    }
    async fn claim(&self, hold: Duration, max: usize) -> Result<Vec<Claim>, StoreError> {
        let now = self.clock.now();
        let mut s = self.s.lock().unwrap();
        let s = &mut *s;
        let mut out = vec![];
        for e in s.events.values_mut() {
            if out.len() >= max {
                break;
            }
            if e.routed.is_some() || e.not_before > now || e.claim.is_some_and(|c| c.1 > now) {
                continue;
            }
            s.fence += 1;
            e.attempt += 1;
            e.claim = Some((s.fence, add(now, hold)));
            out.push(Claim {
                token: ClaimToken { event: e.event.id, fence: s.fence },
                event: e.event.clone(),
                facts: e.facts.clone(),
                attempt: e.attempt,
            });
        }
        Ok(out)
    }
    async fn defer(&self, token: ClaimToken, facts: Facts, until: Timestamp) -> Result<Settled, StoreError> {
        let mut s = self.s.lock().unwrap();
        let Some(e) = s.events.get_mut(&token.event) else { return Ok(Settled::Stale) };
        if e.claim.map(|c| c.0) != Some(token.fence) {
            return Ok(Settled::Stale);
        }
        e.claim = None;
        e.attempt -= 1;
        e.facts = facts;
        e.not_before = until;
        Ok(Settled::Done)
    }
    async fn route(&self, token: ClaimToken, r: Routing) -> Result<Settled, StoreError> {
        let now = self.clock.now();
        let mut s = self.s.lock().unwrap();
        let s = &mut *s;
        let Some(e) = s.events.get_mut(&token.event) else { return Ok(Settled::Stale) };
        if e.claim.map(|c| c.0) != Some(token.fence) || e.routed.is_some() {
            return Ok(Settled::Stale);
        }
        e.routed = Some(now);
        e.facts = r.facts;
        e.notes = r.notes;
        if let Some(k) = r.kind {
            e.event.kind = k;
        }
        for k in r.keys {
            if let DedupKey::Exact(k) = k {
                s.exact.insert(k, token.event);
            }
        }
        for d in r.deliveries {
            let id = DeliveryId::of(token.event, &d.sink, &d.target);
            let seq = s.deliveries.len() as u64 + 1;
            self.bump(&d.sink);
            s.deliveries.push(D {
                r: DeliveryRecord {
                    id,
                    seq,
                    event: token.event,
                    sink: d.sink,
                    target: d.target,
                    route: d.route,
                    state: DeliveryState::Pending,
                    attempts: 0,
                    lost: 0,
                    created: now,
                    due: now,
                    expires: d.expires,
                    settled: None,
                    failing_since: None,
                    waiting_in_lane: false,
                    overtaken: false,
                    detail: String::new(),
                    preview: String::new(),
                },
                lane: d.lane,
                limit: d.limit,
                lease: None,
                attempts: vec![],
            });
        }
        Ok(Settled::Done)
    }
    async fn add_facts(&self, event: EventId, facts: Facts) -> Result<(), StoreError> {
        if let Some(e) = self.s.lock().unwrap().events.get_mut(&event) {
            e.facts = facts;
        }
        Ok(())
    }
    async fn lease(&self, sink: &SinkName, hold: Duration, max: usize) -> Result<Leased, StoreError> {
        let now = self.clock.now();
        let mut s = self.s.lock().unwrap();
        let s = &mut *s;
        let mut l = Leased::default();
        let mut seen: Vec<String> = vec![];
        for i in 0..s.deliveries.len() {
            let d = &s.deliveries[i];
            if d.r.sink != *sink || d.r.state != DeliveryState::Pending {
                continue;
            }
            if let Some(lane) = &d.lane {
                if seen.contains(lane) {
                    continue;
                }
                if !d.r.overtaken {
                    seen.push(lane.clone());
                }
            }
            if d.lease.is_some_and(|x| x.1 > now) {
                continue;
            }
            if d.r.due > now {
                l.next_due = Some(l.next_due.map_or(d.r.due, |n: Timestamp| n.min(d.r.due)));
                continue;
            }
            if l.leases.len() >= max {
                continue;
            }
            let limit = d.limit.as_ref().map(|lim| {
                let w = s.windows.get(&lim.key);
                LimitState {
                    held_by: w.filter(|w| w.1 > now).map(|w| (w.0, w.1)),
                    held_back: s
                        .deliveries
                        .iter()
                        .filter(|o| {
                            o.r.state == DeliveryState::Suppressed
                                && o.limit.as_ref().is_some_and(|x| x.key == lim.key)
                                && w.is_none_or(|w| o.r.seq > w.2)
                        })
                        .count() as u64,
                }
            });
            let followers = d.lane.is_some()
                && s.deliveries.iter().any(|o| o.r.seq > d.r.seq && o.lane == d.lane && o.r.state == DeliveryState::Pending);
            s.fence += 1;
            let e = &s.events[&d.r.event];
            let lease = Lease {
                token: LeaseToken { delivery: d.r.id, fence: s.fence },
                target: d.r.target.clone(),
                route: d.r.route.clone(),
                event: Arc::new(e.event.clone()),
                facts: Arc::new(e.facts.clone()),
                attempt: d.r.attempts + 1,
                lost: 0,
                created: d.r.created,
                expires: d.r.expires,
                failing_since: d.r.failing_since,
                has_followers: followers,
                limit,
            };
            l.leases.push(lease);
            s.deliveries[i].lease = Some((s.fence, add(now, hold)));
        }
        Ok(l)
    }
    async fn settle(&self, all: Vec<(LeaseToken, Settlement)>) -> Result<Vec<Settled>, StoreError> {
        let now = self.clock.now();
        let mut s = self.s.lock().unwrap();
        let s = &mut *s;
        let mut out = vec![];
        for (t, how) in all {
            let Some(d) = s.deliveries.iter_mut().find(|d| d.r.id == t.delivery && d.lease.map(|l| l.0) == Some(t.fence)) else {
                out.push(Settled::Stale);
                continue;
            };
            d.lease = None;
            self.bump(&d.r.sink);
            match how {
                Settlement::Delivered { receipt, preview, fault, .. } => {
                    d.r.attempts += 1;
                    d.r.state = DeliveryState::Delivered;
                    d.r.settled = Some(now);
                    d.r.detail = format!("{} {}", receipt.detail, fault.unwrap_or_default());
                    d.r.preview = preview;
                    if let Some(l) = &d.limit {
                        s.windows.insert(l.key.clone(), (d.r.id, add(now, l.window), d.r.seq));
                    }
                }
                Settlement::Retry { error, due, overtake } => {
                    d.r.attempts += 1;
                    d.r.due = due;
                    d.r.detail = error.to_string();
                    d.r.failing_since.get_or_insert(now);
                    d.r.overtaken |= overtake;
                }
                Settlement::Dead { error } => {
                    d.r.state = DeliveryState::Dead;
                    d.r.attempts += 1;
                    d.r.detail = error.to_string();
                }
                Settlement::Suppressed(_) => d.r.state = DeliveryState::Suppressed,
            }
            out.push(Settled::Done);
        }
        Ok(out)
    }
    async fn release(&self, tokens: Vec<LeaseToken>) -> Result<(), StoreError> {
        let mut s = self.s.lock().unwrap();
        for t in tokens {
            for d in &mut s.deliveries {
                if d.r.id == t.delivery {
                    d.lease = None;
                }
            }
        }
        Ok(())
    }
    fn watch(&self, i: Interest<'_>) -> watch::Receiver<u64> {
        match i {
            Interest::Events => self.events.subscribe(),
            Interest::Sink(n) => self.sinks.lock().unwrap().entry(n.clone()).or_insert_with(|| watch::Sender::new(0)).subscribe(),
        }
    }
    async fn events(&self, _q: EventQuery) -> Result<Vec<EventRecord>, StoreError> {
        Ok(vec![])
    }
    async fn deliveries(&self, _q: DeliveryQuery) -> Result<Vec<DeliveryRecord>, StoreError> {
        Ok(self.s.lock().unwrap().deliveries.iter().rev().map(|d| d.r.clone()).collect())
    }
    async fn story(&self, _e: EventId) -> Result<Option<Story>, StoreError> {
        Ok(None)
    }
    async fn attempts(&self, _d: DeliveryId) -> Result<Vec<AttemptRecord>, StoreError> {
        Ok(vec![])
    }
    async fn revive(&self, _d: DeliveryId, _x: Timestamp) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn discard(&self, _d: DeliveryId, _w: String) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn adopt(&self, _f: &SinkName, _t: &SinkName) -> Result<u64, StoreError> {
        Ok(0)
    }
    async fn expire(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
    async fn prune(&self, _p: PrunePolicy) -> Result<PruneReport, StoreError> {
        Ok(PruneReport::default())
    }
    async fn stats(&self) -> Result<JournalStats, StoreError> {
        Ok(JournalStats::default())
    }
}
