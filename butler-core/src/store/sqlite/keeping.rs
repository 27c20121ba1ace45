//! What changes deliveries and events beside their way: people's orders, age, and size.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::deliveries::note_attempt;
use super::lanes;
use super::values::micros;
use super::writer::{Write, failed};
use crate::event::{DeliveryId, SinkName};
use crate::sink::Reason;
use crate::store::{PrunePolicy, PruneReport, StoreError};

type Result<T> = std::result::Result<T, StoreError>;

/// An open delivery that somebody ends, or a settled one that somebody opens.
struct Row {
    seq: i64,
    sink: SinkName,
    lane: Option<[u8; 16]>,
    overtaken: bool,
}

fn find(connection: &Connection, id: DeliveryId, states: &str) -> Result<Option<Row>> {
    let sql = format!("SELECT seq, sink, lane, overtaken FROM deliveries WHERE id = ?1 AND state IN ({states})");
    connection
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            let read = |row: &rusqlite::Row<'_>| {
                let sink = row.get::<_, String>(1)?.into();
                Ok(Row { seq: row.get(0)?, sink, lane: row.get(2)?, overtaken: row.get(3)? })
            };
            statement.query_row([id.0.into_bytes()], read).optional()
        })
        .map_err(|e| failed(&e))
}

/// A revived delivery goes out as soon as it can: it stands outside its lane, whose others may have gone out long ago.
pub(super) fn revive(write: &mut Write<'_>, id: DeliveryId, expires: Timestamp, now: Timestamp) -> Result<bool> {
    let Some(row) = find(write.connection, id, "2, 3, 4")? else { return Ok(false) };
    write
        .connection
        .prepare_cached(
            "UPDATE deliveries SET state = 0, head = 1, lane = NULL, limit_key = NULL, limit_window = NULL, overtaken = 0, settled = NULL,
                 lease_until = NULL, lost = 0, failing_since = NULL, due = ?2, expires = ?3 WHERE seq = ?1",
        )
        .and_then(|mut statement| statement.execute(params![row.seq, micros(now), micros(expires)]))
        .map_err(|e| failed(&e))?;
    write.wakes.sinks.insert(row.sink);
    Ok(true)
}

pub(super) fn discard(write: &mut Write<'_>, id: DeliveryId, why: &str, now: Timestamp) -> Result<bool> {
    let Some(row) = find(write.connection, id, "0")? else { return Ok(false) };
    end_open(write, &row, 4, &format!("discarded: {why}"), micros(now))?;
    Ok(true)
}

/// Ends an open delivery, and lets the next of its lane go.
fn end_open(write: &mut Write<'_>, row: &Row, state: i64, detail: &str, now: i64) -> Result<()> {
    write
        .connection
        .prepare_cached("UPDATE deliveries SET state = ?2, settled = ?3, lease_until = NULL, detail = ?4 WHERE seq = ?1")
        .and_then(|mut statement| statement.execute(params![row.seq, state, now, detail]))
        .map_err(|e| failed(&e))?;
    if !row.overtaken {
        lanes::promote(write.connection, row.lane.as_ref())?;
    }
    write.wakes.sinks.insert(row.sink.clone());
    Ok(())
}

pub(super) fn adopt(write: &mut Write<'_>, from: &SinkName, to: &SinkName) -> Result<u64> {
    let count = write
        .connection
        .execute("UPDATE deliveries SET sink = ?2 WHERE sink = ?1 AND state = 0", [from.as_str(), to.as_str()])
        .map_err(|e| failed(&e))?;
    write.wakes.sinks.insert(to.clone());
    Ok(count as u64)
}

pub(super) fn expire(write: &mut Write<'_>, now: Timestamp) -> Result<u64> {
    let now = micros(now);
    let rows = open_rows(
        write.connection,
        "SELECT seq, sink, lane, overtaken FROM deliveries
         WHERE state = 0 AND expires <= ?1 AND (lease_until IS NULL OR lease_until <= ?1) LIMIT 1000",
        now,
    )?;
    for row in &rows {
        let detail = "too old: it was not delivered in time";
        note_attempt(write.connection, row.seq, now, Reason::Expired.as_str(), detail)?;
        write
            .connection
            .prepare_cached("UPDATE deliveries SET detail = CASE detail WHEN '' THEN ?2 ELSE ?2 || '; last: ' || detail END WHERE seq = ?1")
            .and_then(|mut statement| statement.execute(params![row.seq, detail]))
            .map_err(|e| failed(&e))?;
        end_dead(write, row, now)?;
    }
    Ok(rows.len() as u64)
}

/// As [`end_open`], keeping the detail that is there.
fn end_dead(write: &mut Write<'_>, row: &Row, now: i64) -> Result<()> {
    let detail: String = write
        .connection
        .prepare_cached("SELECT detail FROM deliveries WHERE seq = ?1")
        .and_then(|mut statement| statement.query_row([row.seq], |row| row.get(0)))
        .map_err(|e| failed(&e))?;
    end_open(write, row, 2, &detail, now)
}

fn open_rows(connection: &Connection, sql: &str, value: i64) -> Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(sql).map_err(|e| failed(&e))?;
    let rows = statement
        .query_map([value], |row| {
            let sink = row.get::<_, String>(1)?.into();
            Ok(Row { seq: row.get(0)?, sink, lane: row.get(2)?, overtaken: row.get(3)? })
        })
        .map_err(|e| failed(&e))?;
    rows.collect::<rusqlite::Result<_>>().map_err(|e| failed(&e))
}

pub(super) fn prune(write: &mut Write<'_>, policy: &PrunePolicy, now: Timestamp) -> Result<PruneReport> {
    let before = |age| micros(now.saturating_sub(SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MIN));
    let slice = i64::try_from(policy.slice).unwrap_or(i64::MAX);
    let old = seqs(
        write.connection,
        "SELECT e.seq FROM events e WHERE e.received <= ?1 AND e.routed IS NOT NULL AND NOT EXISTS
             (SELECT 1 FROM deliveries d WHERE d.event = e.seq AND (d.state = 0 OR (d.state = 2 AND e.received > ?2)))
         ORDER BY e.received LIMIT ?3",
        params![before(policy.retention), before(policy.dead_retention), slice],
    )?;
    let mut report = PruneReport { events: old.len() as u64, ..PruneReport::default() };
    remove(write.connection, &old)?;
    report.more = old.len() == policy.slice;
    if let Some(max) = policy.max_bytes
        && used(write.connection)? > max
    {
        shrink(write, slice, micros(now), &mut report)?;
    }
    write
        .connection
        .prepare_cached("DELETE FROM windows WHERE until <= ?1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE limit_key = windows.key)")
        .and_then(|mut statement| statement.execute([before(policy.retention)]))
        .map_err(|e| failed(&e))?;
    Ok(report)
}

/// Makes room: the oldest events that are settled go first; where there are none, open metrics are given up, then open alerts.
fn shrink(write: &mut Write<'_>, slice: i64, now: i64, report: &mut PruneReport) -> Result<()> {
    let settled = seqs(
        write.connection,
        "SELECT e.seq FROM events e WHERE e.routed IS NOT NULL AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event = e.seq AND d.state = 0)
         ORDER BY e.seq LIMIT ?1",
        params![slice],
    )?;
    if !settled.is_empty() {
        remove(write.connection, &settled)?;
        report.events += settled.len() as u64;
        report.more = true;
        return Ok(());
    }
    let rows = open_rows(
        write.connection,
        "SELECT seq, sink, lane, overtaken FROM deliveries WHERE state = 0 ORDER BY class DESC, seq LIMIT ?1",
        slice,
    )?;
    for row in &rows {
        let detail = "given up: the store has reached its configured size (`[store] max_size`)";
        note_attempt(write.connection, row.seq, now, Reason::Overflow.as_str(), detail)?;
        end_open(write, row, 2, detail, now)?;
    }
    report.overflowed += rows.len() as u64;
    report.more |= !rows.is_empty();
    Ok(())
}

fn seqs(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<Vec<i64>> {
    let mut statement = connection.prepare_cached(sql).map_err(|e| failed(&e))?;
    let rows = statement.query_map(values, |row| row.get(0)).map_err(|e| failed(&e))?;
    rows.collect::<rusqlite::Result<_>>().map_err(|e| failed(&e))
}

/// Removes events with all that belongs to them.
fn remove(connection: &Connection, events: &[i64]) -> Result<()> {
    let run = |sql: &str, seq: i64| {
        connection.prepare_cached(sql).and_then(|mut statement| statement.execute([seq])).map(drop).map_err(|e| failed(&e))
    };
    for &seq in events {
        let keys: Vec<u8> = connection
            .prepare_cached("SELECT keys FROM events WHERE seq = ?1")
            .and_then(|mut statement| statement.query_row([seq], |row| row.get(0)))
            .map_err(|e| failed(&e))?;
        for key in keys.chunks_exact(16) {
            connection
                .prepare_cached("DELETE FROM keys WHERE key = ?1 AND event = ?2")
                .and_then(|mut statement| statement.execute(params![key, seq]))
                .map_err(|e| failed(&e))?;
        }
        run("DELETE FROM attempts WHERE delivery IN (SELECT seq FROM deliveries WHERE event = ?1)", seq)?;
        run("DELETE FROM deliveries WHERE event = ?1", seq)?;
        run("DELETE FROM sightings WHERE event = ?1", seq)?;
        run("DELETE FROM events WHERE seq = ?1", seq)?;
    }
    if let (Some(first), Some(last)) = (events.iter().min(), events.iter().max()) {
        connection
            .prepare_cached(
                "DELETE FROM near_keys WHERE event BETWEEN ?1 AND ?2 AND NOT EXISTS (SELECT 1 FROM events WHERE seq = near_keys.event)",
            )
            .and_then(|mut statement| statement.execute(params![first, last]))
            .map_err(|e| failed(&e))?;
    }
    Ok(())
}

/// Bytes that hold something.
pub(super) fn used(connection: &Connection) -> Result<u64> {
    let number = |pragma: &str| -> rusqlite::Result<i64> { connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)) };
    let used = (|| Ok((number("page_count")? - number("freelist_count")?) * number("page_size")?))();
    used.map(|bytes| u64::try_from(bytes).unwrap_or(0)).map_err(|e: rusqlite::Error| failed(&e))
}
