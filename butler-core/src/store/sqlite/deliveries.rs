//! Leasing deliveries, and settling how their attempts went.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::events::{EVENT, read_event};
use super::lanes;
use super::values::{count, from_json_or_default, later, micros, small, state_code, time, uuid};
use super::writer::{Write, failed};
use crate::event::{DeliveryId, Event, Facts, SinkName};
use crate::sink::{DeliveryError, Reason};
use crate::store::rules::{self, ATTEMPTS};
use crate::store::{DeliveryState, Lease, LeaseToken, Leased, LimitState, MAX_LOST, Settled, Settlement, StoreError};

type Result<T> = std::result::Result<T, StoreError>;

/// A row that may be leased.
struct Ready {
    seq: i64,
    id: [u8; 16],
    event: i64,
    target: String,
    route: String,
    lane: Option<[u8; 16]>,
    limit_key: Option<[u8; 16]>,
    created: i64,
    expires: i64,
    failing_since: Option<i64>,
    attempts: u32,
    lost: u32,
    ran_out: bool,
}

fn read_ready(row: &Row<'_>) -> rusqlite::Result<Ready> {
    Ok(Ready {
        seq: row.get(0)?,
        id: row.get(1)?,
        event: row.get(2)?,
        target: row.get(3)?,
        route: row.get(4)?,
        lane: row.get(5)?,
        limit_key: row.get(6)?,
        created: row.get(7)?,
        expires: row.get(8)?,
        failing_since: row.get(9)?,
        attempts: small(row, 10)?,
        lost: small(row, 11)?,
        ran_out: row.get(12)?,
    })
}

pub(super) fn lease(write: &mut Write<'_>, sink: &SinkName, hold: Duration, max: usize, now: Timestamp) -> Result<Leased> {
    let now_micros = micros(now);
    let ready = ready(write.connection, sink, max, now_micros)?;
    let mut leased = Leased::default();
    let mut events: HashMap<i64, (Arc<Event>, Arc<Facts>)> = HashMap::new();
    for row in ready {
        let lost = row.lost + u32::from(row.ran_out);
        if lost >= MAX_LOST {
            give_up(write, &row, sink, lost, Reason::Lost, &rules::lost(lost), now_micros)?;
            continue;
        }
        let (event, facts) = match events.get(&row.event) {
            Some(known) => known.clone(),
            None => {
                let Some(read) = event_of(write.connection, row.event)? else {
                    // One damaged event must not stop the others of its sink, nor be forgotten.
                    let detail = "what is stored about its event can't be read back";
                    give_up(write, &row, sink, lost, Reason::Unreadable, detail, now_micros)?;
                    continue;
                };
                events.entry(row.event).or_insert(read).clone()
            }
        };
        let fence: i64 = write
            .connection
            .prepare_cached("UPDATE deliveries SET fence = fence + 1, lease_until = ?2, lost = ?3 WHERE seq = ?1 RETURNING fence")
            .and_then(|mut statement| statement.query_row(params![row.seq, later(now_micros, hold), lost], |row| row.get(0)))
            .map_err(|e| failed(&e))?;
        leased.leases.push(Lease {
            token: LeaseToken { delivery: DeliveryId(uuid(row.id)), fence: u64::try_from(fence).unwrap_or(0) },
            target: row.target.as_str().into(),
            route: row.route,
            event,
            facts,
            attempt: row.attempts + 1,
            lost,
            created: time(row.created),
            expires: time(row.expires),
            failing_since: row.failing_since.map(time),
            has_followers: has_followers(write.connection, row.lane.as_ref(), row.seq)?,
            limit: row.limit_key.map(|key| limit_state(write.connection, &key, now_micros)).transpose()?,
        });
    }
    if leased.leases.is_empty() {
        leased.next_due = next_due(write.connection, sink, now_micros)?;
    }
    Ok(leased)
}

/// What may be leased, oldest first; at most one of those that were lost.
fn ready(connection: &Connection, sink: &SinkName, max: usize, now: i64) -> Result<Vec<Ready>> {
    const COLUMNS: &str =
        "seq, id, event, target, route, lane, limit_key, created, expires, failing_since, attempts, lost, lease_until IS NOT NULL";
    const IS_DUE: &str = "sink = ?1 AND state = 0 AND head = 1 AND (due <= ?2 OR due = created)";
    let rows = |sql: &str, max: i64| -> rusqlite::Result<Vec<Ready>> {
        let mut statement = connection.prepare_cached(sql)?;
        statement.query_map(params![sink.as_str(), now, max], read_ready)?.collect()
    };
    let fresh = format!(
        "SELECT {COLUMNS} FROM deliveries INDEXED BY deliveries_ready WHERE {IS_DUE} AND lost = 0 AND lease_until IS NULL ORDER BY seq LIMIT ?3"
    );
    let suspect = format!(
        "SELECT {COLUMNS} FROM deliveries INDEXED BY deliveries_leased
         WHERE {IS_DUE} AND (lost > 0 OR lease_until IS NOT NULL) AND (lease_until IS NULL OR lease_until <= ?2) AND NOT EXISTS
             (SELECT 1 FROM deliveries INDEXED BY deliveries_leased
              WHERE sink = ?1 AND state = 0 AND head = 1 AND (lost > 0 OR lease_until IS NOT NULL) AND lost > 0 AND lease_until > ?2)
         ORDER BY seq LIMIT ?3"
    );
    let mut ready = rows(&suspect, 1).map_err(|e| failed(&e))?;
    ready.extend(rows(&fresh, i64::try_from(max).unwrap_or(i64::MAX)).map_err(|e| failed(&e))?);
    ready.sort_by_key(|row| row.seq);
    ready.truncate(max);
    Ok(ready)
}

fn event_of(connection: &Connection, seq: i64) -> Result<Option<(Arc<Event>, Arc<Facts>)>> {
    let sql = format!("SELECT e.facts, {EVENT} FROM events e WHERE e.seq = ?1");
    let read = connection
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            let read = |row: &Row<'_>| Ok((row.get::<_, Option<String>>(0)?, read_event(row, 1)?));
            statement.query_row([seq], read).optional()
        })
        .map_err(|e| failed(&e))?;
    let Some((facts, event)) = read else { return Ok(None) };
    match event.and_then(|event| Ok((Arc::new(event), Arc::new(from_json_or_default("facts", facts)?)))) {
        Ok(read) => Ok(Some(read)),
        Err(error) => {
            tracing::error!(%error, "An event can't be read back.");
            Ok(None)
        }
    }
}

fn has_followers(connection: &Connection, lane: Option<&[u8; 16]>, seq: i64) -> Result<bool> {
    let Some(lane) = lane else { return Ok(false) };
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM deliveries WHERE lane = ?1 AND state = 0 AND seq > ?2)")
        .and_then(|mut statement| statement.query_row(params![lane, seq], |row| row.get(0)))
        .map_err(|e| failed(&e))
}

fn limit_state(connection: &Connection, key: &[u8; 16], now: i64) -> Result<LimitState> {
    let window: Option<([u8; 16], i64, i64)> = connection
        .prepare_cached("SELECT delivery, seq, until FROM windows WHERE key = ?1")
        .and_then(|mut statement| statement.query_row([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional())
        .map_err(|e| failed(&e))?;
    let since = window.map_or(0, |(_, seq, _)| seq);
    let held_back = connection
        .prepare_cached("SELECT count(*) FROM deliveries WHERE limit_key = ?1 AND state = 3 AND seq > ?2")
        .and_then(|mut statement| statement.query_row(params![key, since], |row| count(row, 0)))
        .map_err(|e| failed(&e))?;
    let open = window.filter(|(_, _, until)| *until > now);
    Ok(LimitState { held_by: open.map(|(id, _, until)| (DeliveryId(uuid(id)), time(until))), held_back })
}

/// When a head that is not due yet will be, or a lease will run out.
fn next_due(connection: &Connection, sink: &SinkName, now: i64) -> Result<Option<Timestamp>> {
    let next: Option<i64> = connection
        .prepare_cached(
            "SELECT min(max(iif(due = created, 0, due), coalesce(lease_until, 0))) FROM deliveries INDEXED BY deliveries_ready
             WHERE sink = ?1 AND state = 0 AND head = 1 AND ((due > ?2 AND due <> created) OR lease_until > ?2)",
        )
        .and_then(|mut statement| statement.query_row(params![sink.as_str(), now], |row| row.get(0)))
        .map_err(|e| failed(&e))?;
    Ok(next.map(time))
}

/// Gives up a delivery that can't even be leased.
fn give_up(write: &mut Write<'_>, row: &Ready, sink: &SinkName, lost: u32, why: Reason, detail: &str, now: i64) -> Result<()> {
    write
        .connection
        .prepare_cached("UPDATE deliveries SET state = 2, settled = ?2, lease_until = NULL, lost = ?3, detail = ?4 WHERE seq = ?1")
        .and_then(|mut statement| statement.execute(params![row.seq, now, lost, detail]))
        .map_err(|e| failed(&e))?;
    note_attempt(write.connection, row.seq, now, why.as_str(), detail)?;
    tracing::error!(%sink, seq = row.seq, detail, "A message is given up.");
    lanes::promote(write, row.lane.as_ref())?;
    write.wakes.sinks.insert(sink.clone());
    Ok(())
}

/// What a settlement has to know of its delivery.
struct Held {
    seq: i64,
    sink: SinkName,
    lane: Option<[u8; 16]>,
    limit: Option<([u8; 16], i64)>,
    overtaken: bool,
    was_lost: bool,
}

fn held(connection: &Connection, token: LeaseToken) -> Result<Option<Held>> {
    let fence = i64::try_from(token.fence).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "SELECT seq, sink, lane, limit_key, limit_window, overtaken, lost > 0 FROM deliveries
             WHERE id = ?1 AND fence = ?2 AND state = 0 AND lease_until IS NOT NULL",
        )
        .and_then(|mut statement| {
            let read = |row: &Row<'_>| {
                let key: Option<[u8; 16]> = row.get(3)?;
                let window: Option<i64> = row.get(4)?;
                let sink = row.get::<_, String>(1)?.into();
                let (overtaken, was_lost) = (row.get(5)?, row.get(6)?);
                Ok(Held { seq: row.get(0)?, sink, lane: row.get(2)?, limit: key.zip(window), overtaken, was_lost })
            };
            statement.query_row(params![token.delivery.0.into_bytes(), fence], read).optional()
        })
        .map_err(|e| failed(&e))
}

pub(super) fn settle(write: &mut Write<'_>, settlements: Vec<(LeaseToken, Settlement)>, now: Timestamp) -> Result<Vec<Settled>> {
    let now = micros(now);
    let mut settled = Vec::with_capacity(settlements.len());
    for (token, settlement) in settlements {
        let Some(held) = held(write.connection, token)? else {
            settled.push(Settled::Stale);
            continue;
        };
        match settlement {
            Settlement::Delivered { receipt, preview, fault, .. } => {
                let detail = rules::delivered(receipt, fault);
                end(write, &held, DeliveryState::Delivered, &detail, Some(&preview), 1, now)?;
                if let Some((key, window)) = held.limit {
                    open_window(write.connection, &key, token.delivery, held.seq, now.saturating_add(window))?;
                }
            }
            Settlement::Dead { error } => {
                note_error(write.connection, held.seq, now, &error)?;
                end(write, &held, DeliveryState::Dead, &error.to_string(), None, 1, now)?;
            }
            Settlement::Suppressed(by) => end(write, &held, DeliveryState::Suppressed, &rules::suppressed(&by), None, 0, now)?,
            Settlement::Retry { error, due, overtake } => {
                note_error(write.connection, held.seq, now, &error)?;
                put_off(write, &held, &error, micros(due), overtake, now)?;
            }
        }
        settled.push(Settled::Done);
    }
    Ok(settled)
}

fn end(
    write: &mut Write<'_>,
    held: &Held,
    state: DeliveryState,
    detail: &str,
    preview: Option<&str>,
    attempts: u32,
    now: i64,
) -> Result<()> {
    write
        .connection
        .prepare_cached(
            "UPDATE deliveries SET state = ?2, settled = ?3, lease_until = NULL, attempts = attempts + ?4, detail = ?5, preview = coalesce(?6, preview)
             WHERE seq = ?1",
        )
        .and_then(|mut statement| statement.execute(params![held.seq, state_code(state), now, attempts, detail, preview]))
        .map_err(|e| failed(&e))?;
    if held.was_lost {
        // The next of those that were lost may be leased.
        write.wakes.sinks.insert(held.sink.clone());
    }
    if held.overtaken { Ok(()) } else { lanes::promote(write, held.lane.as_ref()) }
}

fn put_off(write: &mut Write<'_>, held: &Held, error: &DeliveryError, due: i64, overtake: bool, now: i64) -> Result<()> {
    write
        .connection
        .prepare_cached(
            // It has returned: it is not what takes processes down.
            "UPDATE deliveries SET lease_until = NULL, lost = 0, attempts = attempts + 1, due = ?2, detail = ?3, overtaken = overtaken OR ?4,
                 failing_since = coalesce(failing_since, ?5) WHERE seq = ?1",
        )
        .and_then(|mut statement| statement.execute(params![held.seq, due, error.to_string(), overtake, now]))
        .map_err(|e| failed(&e))?;
    if overtake && !held.overtaken {
        lanes::promote(write, held.lane.as_ref())?;
    }
    // Whoever sleeps until something is due has a new time to wake.
    write.wakes.sinks.insert(held.sink.clone());
    Ok(())
}

/// Opens a window. One that was opened by an older message, delivered late, keeps nobody back for longer, and nobody is told of twice.
fn open_window(connection: &Connection, key: &[u8; 16], delivery: DeliveryId, seq: i64, until: i64) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO windows (key, delivery, seq, until) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key) DO UPDATE SET
                 seq = max(seq, excluded.seq), delivery = iif(excluded.until >= until, excluded.delivery, delivery), until = max(until, excluded.until)",
        )
        .and_then(|mut statement| statement.execute(params![key, delivery.0.into_bytes(), seq, until]))
        .map(drop)
        .map_err(|e| failed(&e))
}

fn note_error(connection: &Connection, seq: i64, now: i64, error: &DeliveryError) -> Result<()> {
    note_attempt(connection, seq, now, error.reason.as_str(), &error.to_string())
}

pub(super) fn note_attempt(connection: &Connection, seq: i64, now: i64, outcome: &str, detail: &str) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO attempts (delivery, n, at, outcome, detail)
             VALUES (?1, (SELECT coalesce(max(n), 0) + 1 FROM attempts WHERE delivery = ?1), ?2, ?3, ?4)",
        )
        .and_then(|mut statement| statement.execute(params![seq, now, outcome, detail]))
        .map_err(|e| failed(&e))?;
    connection
        .prepare_cached("DELETE FROM attempts WHERE delivery = ?1 AND n <= (SELECT max(n) FROM attempts WHERE delivery = ?1) - ?2")
        .and_then(|mut statement| statement.execute(params![seq, ATTEMPTS as i64]))
        .map(drop)
        .map_err(|e| failed(&e))
}

pub(super) fn release(write: &mut Write<'_>, tokens: &[LeaseToken]) -> Result<()> {
    for token in tokens {
        if let Some(held) = held(write.connection, *token)? {
            write
                .connection
                .prepare_cached("UPDATE deliveries SET lease_until = NULL WHERE seq = ?1")
                .and_then(|mut statement| statement.execute([held.seq]))
                .map_err(|e| failed(&e))?;
            write.wakes.sinks.insert(held.sink);
        }
    }
    Ok(())
}
