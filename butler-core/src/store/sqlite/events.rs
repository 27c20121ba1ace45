//! Accepting, claiming and routing events.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::lanes;
use super::values::{digest, from_json, from_json_or_default, json, later, micros, small, state_code, time, uuid};
use super::writer::{Write, failed};
use crate::event::{Body, Class, DedupKey, DeliveryId, Event, EventId, Facts, Kind, NewEvent};
use crate::store::rules::{self, SIGHTINGS};
use crate::store::{Appended, Claim, ClaimToken, DeliveryState, NewDelivery, Routing, Settled, StoreError};

type Result<T> = std::result::Result<T, StoreError>;

pub(super) fn append(write: &mut Write<'_>, events: Vec<NewEvent>, now: Timestamp) -> Result<Vec<Appended>> {
    let mut appended = Vec::with_capacity(events.len());
    for event in events {
        let keys = Keys::of(&event.keys);
        appended.push(match find_duplicate(write.connection, &event.keys, &keys)? {
            Some((seq, id)) => {
                sight(write.connection, seq, &event, &keys, now)?;
                Appended::Duplicate(id)
            }
            None => Appended::New(insert(write, &event, &keys, now)?),
        });
    }
    Ok(appended)
}

/// The exact keys of an event, as they stand in the file.
struct Keys(Vec<[u8; 16]>);

impl Keys {
    fn of(keys: &[DedupKey]) -> Self {
        Self(keys.iter().filter_map(|key| if let DedupKey::Exact(text) = key { Some(digest(text)) } else { None }).collect())
    }

    fn has_exact(&self) -> bool {
        !self.0.is_empty()
    }
}

fn find_duplicate(connection: &Connection, keys: &[DedupKey], exact: &Keys) -> Result<Option<(i64, EventId)>> {
    let read = |row: &Row<'_>| Ok((row.get(0)?, EventId(uuid(row.get(1)?))));
    let mut statement = connection
        .prepare_cached("SELECT e.seq, e.id FROM keys k JOIN events e ON e.seq = k.event WHERE k.key = ?1")
        .map_err(|e| failed(&e))?;
    for key in &exact.0 {
        if let Some(found) = statement.query_row([key], read).optional().map_err(|e| failed(&e))? {
            return Ok(Some(found));
        }
    }
    for key in keys {
        let DedupKey::Near { scope, at, tolerance } = key else { continue };
        let (at, tolerance) = (micros(*at), i64::try_from(tolerance.as_micros()).unwrap_or(i64::MAX));
        let mut statement = connection
            .prepare_cached(
                "SELECT e.seq, e.id FROM near_keys k JOIN events e ON e.seq = k.event
                 WHERE k.scope = ?1 AND k.at BETWEEN ?2 AND ?3 AND NOT (length(e.keys) > 0 AND ?4)
                 ORDER BY abs(k.at - ?5), k.at, k.event LIMIT 1",
            )
            .map_err(|e| failed(&e))?;
        let range = params![digest(scope), at.saturating_sub(tolerance), at.saturating_add(tolerance), exact.has_exact(), at];
        if let Some(found) = statement.query_row(range, read).optional().map_err(|e| failed(&e))? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Notes that an event was told again, and by which further names it is known.
fn sight(connection: &Connection, seq: i64, event: &NewEvent, keys: &Keys, now: Timestamp) -> Result<()> {
    learn(connection, seq, keys)?;
    let count: i64 = connection
        .prepare_cached("UPDATE events SET sightings = sightings + 1 WHERE seq = ?1 RETURNING sightings")
        .and_then(|mut statement| statement.query_row([seq], |row| row.get(0)))
        .map_err(|e| failed(&e))?;
    if count > SIGHTINGS as i64 {
        return Ok(());
    }
    connection
        .prepare_cached("INSERT OR REPLACE INTO sightings (event, n, at, source) VALUES (?1, ?2, ?3, ?4)")
        .and_then(|mut statement| statement.execute(params![seq, count, micros(now), event.source.as_str()]))
        .map(drop)
        .map_err(|e| failed(&e))
}

fn insert(write: &mut Write<'_>, event: &NewEvent, keys: &Keys, now: Timestamp) -> Result<EventId> {
    let id = write.ids.next(now);
    let task = match &event.body {
        Body::Task(task) => Some(task.task_id.into_bytes()),
        Body::Notice(notice) => notice.task.as_ref().map(|task| task.task_id.into_bytes()),
        _ => None,
    };
    let body = json("an event", &event.body)?;
    let kind = event.kind.to_string();
    write
        .connection
        .prepare_cached(
            "INSERT INTO events (id, site, kind, task, at, received, source, body, keys, not_before)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, x'', 0)",
        )
        .and_then(|mut statement| {
            let (at, now) = (micros(event.at), micros(now));
            let (site, source) = (event.site.as_str(), event.source.as_str());
            statement.execute(params![id.0.into_bytes(), site, kind, task, at, now, source, body])
        })
        .map_err(|e| failed(&e))?;
    let seq = write.connection.last_insert_rowid();
    learn(write.connection, seq, keys)?;
    add_near_keys(write.connection, seq, &event.keys)?;
    write.wakes.events = true;
    Ok(id)
}

/// The id of the event that was accepted last.
pub(super) fn newest(connection: &Connection) -> Result<Option<EventId>> {
    let sql = "SELECT id FROM events ORDER BY seq DESC LIMIT 1";
    connection.query_row(sql, [], |row| row.get(0).map(|id| EventId(uuid(id)))).optional().map_err(|e| failed(&e))
}

/// Gives an event exact keys. One that is another event's already stays with that one.
fn learn(connection: &Connection, seq: i64, keys: &Keys) -> Result<()> {
    let mut learnt = Vec::new();
    for key in &keys.0 {
        let added = connection
            .prepare_cached("INSERT INTO keys (key, event) VALUES (?1, ?2) ON CONFLICT (key) DO NOTHING")
            .and_then(|mut statement| statement.execute(params![key, seq]))
            .map_err(|e| failed(&e))?;
        if added == 1 {
            learnt.extend(key);
        }
    }
    if learnt.is_empty() {
        return Ok(());
    }
    connection
        .prepare_cached("UPDATE events SET keys = CAST(keys || ?2 AS BLOB) WHERE seq = ?1")
        .and_then(|mut statement| statement.execute(params![seq, learnt]))
        .map(drop)
        .map_err(|e| failed(&e))
}

fn add_near_keys(connection: &Connection, seq: i64, keys: &[DedupKey]) -> Result<()> {
    for key in keys {
        let DedupKey::Near { scope, at, .. } = key else { continue };
        connection
            .prepare_cached("INSERT INTO near_keys (scope, at, event) VALUES (?1, ?2, ?3) ON CONFLICT (scope, at, event) DO NOTHING")
            .and_then(|mut statement| statement.execute(params![digest(scope), micros(*at), seq]))
            .map_err(|e| failed(&e))?;
    }
    Ok(())
}

/// The columns of an event that [`read_event`] wants, in its order.
pub(super) const EVENT: &str = "e.id, e.site, e.kind, e.at, e.received, e.source, e.body";

pub(super) fn read_event(row: &Row<'_>, first: usize) -> rusqlite::Result<Result<Event>> {
    let body: String = row.get(first + 6)?;
    let kind: String = row.get(first + 2)?;
    let event = (|| {
        let kind: Kind = kind.parse().map_err(|error| StoreError::Corrupt { what: "an event's kind".into(), why: format!("{error}") })?;
        Ok((kind, from_json::<Body>("an event", &body)?))
    })();
    let (kind, body) = match event {
        Ok(parts) => parts,
        Err(error) => return Ok(Err(error)),
    };
    Ok(Ok(Event {
        id: EventId(uuid(row.get(first)?)),
        site: row.get::<_, String>(first + 1)?.into(),
        kind,
        at: time(row.get(first + 3)?),
        received: time(row.get(first + 4)?),
        source: row.get::<_, String>(first + 5)?.into(),
        body,
    }))
}

pub(super) fn claim(write: &mut Write<'_>, hold: Duration, max: usize, now: Timestamp) -> Result<Vec<Claim>> {
    let now = micros(now);
    let sql = format!(
        "UPDATE events AS e SET fence = fence + 1, attempt = attempt + 1, claim_until = ?2
         WHERE seq IN (SELECT seq FROM events WHERE routed IS NULL AND not_before <= ?1 AND (claim_until IS NULL OR claim_until <= ?1)
                       ORDER BY seq LIMIT ?3)
         RETURNING seq, fence, attempt, facts, {}",
        EVENT.replace("e.", "")
    );
    let mut statement = write.connection.prepare_cached(&sql).map_err(|e| failed(&e))?;
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![now, later(now, hold), max]).map_err(|e| failed(&e))?;
    let mut claims: Vec<(i64, Claim)> = Vec::new();
    while let Some(row) = rows.next().map_err(|e| failed(&e))? {
        let claim = (|| {
            let event = match read_event(row, 4)? {
                Ok(event) => event,
                Err(error) => return Ok(Err(error)),
            };
            let facts: Option<String> = row.get(3)?;
            let token = ClaimToken { event: event.id, fence: super::values::count(row, 1)? };
            let (seq, attempt) = (row.get(0)?, small(row, 2)?);
            Ok(from_json_or_default("facts", facts).map(|facts| (seq, Claim { token, event, facts, attempt })))
        })();
        match claim.map_err(|e: rusqlite::Error| failed(&e))? {
            Ok(claim) => claims.push(claim),
            // One damaged event must not stop the others; its claim runs out, and the log says so each time.
            Err(error) => tracing::error!(%error, "An event can't be read back."),
        }
    }
    claims.sort_by_key(|(seq, _)| *seq);
    Ok(claims.into_iter().map(|(_, claim)| claim).collect())
}

pub(super) fn defer(write: &mut Write<'_>, token: ClaimToken, facts: &Facts, until: Timestamp) -> Result<Settled> {
    let facts = json("facts", facts)?;
    let changed = write
        .connection
        .prepare_cached(
            "UPDATE events SET claim_until = NULL, attempt = attempt - 1, facts = ?3, not_before = ?4
             WHERE id = ?1 AND fence = ?2 AND routed IS NULL AND claim_until IS NOT NULL",
        )
        .and_then(|mut statement| statement.execute(params![token.event.0.into_bytes(), fence(token.fence), facts, micros(until)]))
        .map_err(|e| failed(&e))?;
    Ok(if changed == 1 { Settled::Done } else { Settled::Stale })
}

fn fence(fence: u64) -> i64 {
    i64::try_from(fence).unwrap_or(i64::MAX)
}

pub(super) fn route(write: &mut Write<'_>, token: ClaimToken, routing: Routing, now: Timestamp) -> Result<Settled> {
    let Routing { kind, facts, keys, deliveries, notes } = routing;
    let exact = Keys::of(&keys);
    let (facts, notes) = (json("facts", &facts)?, json("notes", &notes)?);
    let seq: Option<i64> = write
        .connection
        .prepare_cached(
            "UPDATE events SET routed = ?3, claim_until = NULL, facts = ?4, notes = ?5, kind = coalesce(?6, kind)
             WHERE id = ?1 AND fence = ?2 AND routed IS NULL AND claim_until IS NOT NULL RETURNING seq",
        )
        .and_then(|mut statement| {
            let kind = kind.map(|kind| kind.to_string());
            let id = token.event.0.into_bytes();
            statement.query_row(params![id, fence(token.fence), micros(now), facts, notes, kind], |row| row.get(0)).optional()
        })
        .map_err(|e| failed(&e))?;
    let Some(seq) = seq else { return Ok(Settled::Stale) };
    learn(write.connection, seq, &exact)?;
    add_near_keys(write.connection, seq, &keys)?;
    for delivery in deliveries {
        insert_delivery(write, token.event, seq, &delivery, micros(now))?;
    }
    Ok(Settled::Done)
}

fn insert_delivery(write: &mut Write<'_>, event: EventId, seq: i64, delivery: &NewDelivery, now: i64) -> Result<()> {
    let NewDelivery { sink, target, lane, limit, route, class, expires, silenced } = delivery;
    let id = DeliveryId::of(event, sink, target);
    let lane = lane.as_deref().filter(|_| silenced.is_none()).map(digest);
    let is_head = silenced.is_none() && lanes::is_free(write.connection, lane.as_ref())?;
    let (state, settled) = silenced.as_ref().map_or((DeliveryState::Pending, None), |_| (DeliveryState::Suppressed, Some(now)));
    let detail = silenced.as_ref().map(rules::suppressed).unwrap_or_default();
    let limit_key = limit.as_ref().map(|limit| digest(&limit.key));
    let window = limit.as_ref().map(|limit| i64::try_from(limit.window.as_micros()).unwrap_or(i64::MAX));
    write
        .connection
        .prepare_cached(
            "INSERT INTO deliveries (id, event, sink, target, route, lane, limit_key, limit_window, class, created, due, expires, head, state, settled, detail)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?12, ?13, ?14, ?15) ON CONFLICT (id) DO NOTHING",
        )
        .and_then(|mut statement| {
            let class = i64::from(*class == Class::Metric);
            let (sink, target) = (sink.as_str(), target.as_str());
            statement.execute(params![
                id.0.into_bytes(),
                seq,
                sink,
                target,
                route,
                lane,
                limit_key,
                window,
                class,
                now,
                micros(*expires),
                is_head,
                state_code(state),
                settled,
                detail
            ])
        })
        .map_err(|e| failed(&e))?;
    write.wakes.sinks.insert(sink.clone());
    Ok(())
}

pub(super) fn add_facts(write: &mut Write<'_>, event: EventId, facts: &Facts) -> Result<()> {
    let facts = json("facts", facts)?;
    write
        .connection
        .prepare_cached("UPDATE events SET facts = ?2 WHERE id = ?1")
        .and_then(|mut statement| statement.execute(params![event.0.into_bytes(), facts]))
        .map(drop)
        .map_err(|e| failed(&e))
}
