//! What changes deliveries and events beside their way: people's orders, age, and size.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::deliveries::note_attempt;
use super::values::micros;
use super::writer::{Write, failed};
use super::{lanes, pairs};
use crate::event::{DeliveryId, SinkName};
use crate::sink::Reason;
use crate::store::rules::{self, earlier};
use crate::store::{PrunePolicy, PruneReport, StoreError};

type Result<T> = std::result::Result<T, StoreError>;

/// How many deliveries are given up at once.
const SLICE: i64 = 1000;

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
pub(super) fn revive(write: &mut Write<'_>, id: DeliveryId, expires: Timestamp) -> Result<bool> {
    let Some(row) = find(write.connection, id, "2, 3, 4")? else { return Ok(false) };
    write
        .connection
        .prepare_cached(
            "UPDATE deliveries SET state = 0, head = 1, lane = NULL, limit_key = NULL, limit_window = NULL, overtaken = 0, settled = NULL,
                 lease_until = NULL, lost = 0, failing_since = NULL, due = created, expires = ?2 WHERE seq = ?1",
        )
        .and_then(|mut statement| statement.execute(params![row.seq, micros(expires)]))
        .map_err(|e| failed(&e))?;
    write.wakes.sinks.insert(row.sink);
    Ok(true)
}

pub(super) fn discard(write: &mut Write<'_>, id: DeliveryId, why: &str, now: Timestamp) -> Result<bool> {
    let Some(row) = find(write.connection, id, "0")? else { return Ok(false) };
    end_open(write, &row, 4, &rules::discarded(why), micros(now))?;
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
        lanes::promote(write, row.lane.as_ref())?;
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

/// Gives up at most a slice of those that have expired.
pub(super) fn expire(write: &mut Write<'_>, now: Timestamp) -> Result<u64> {
    let now = micros(now);
    let rows = open_rows(
        write.connection,
        "SELECT seq, sink, lane, overtaken FROM deliveries
         WHERE state = 0 AND expires <= ?1 AND (lease_until IS NULL OR lease_until <= ?1) LIMIT ?2",
        params![now, SLICE],
    )?;
    for row in &rows {
        let last: String = write
            .connection
            .prepare_cached("SELECT detail FROM deliveries WHERE seq = ?1")
            .and_then(|mut statement| statement.query_row([row.seq], |row| row.get(0)))
            .map_err(|e| failed(&e))?;
        note_attempt(write.connection, row.seq, now, Reason::Expired.as_str(), rules::EXPIRED)?;
        end_open(write, row, 2, &rules::expired(&last), now)?;
    }
    Ok(rows.len() as u64)
}

fn open_rows(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(sql).map_err(|e| failed(&e))?;
    let rows = statement
        .query_map(values, |row| {
            let sink = row.get::<_, String>(1)?.into();
            Ok(Row { seq: row.get(0)?, sink, lane: row.get(2)?, overtaken: row.get(3)? })
        })
        .map_err(|e| failed(&e))?;
    rows.collect::<rusqlite::Result<_>>().map_err(|e| failed(&e))
}

pub(super) fn prune(write: &mut Write<'_>, policy: &PrunePolicy, now: Timestamp) -> Result<PruneReport> {
    let (before, dead_before) = (micros(earlier(now, policy.retention)), micros(earlier(now, policy.dead_retention)));
    let slice = i64::try_from(policy.slice).unwrap_or(i64::MAX).max(1);
    let old = seqs(
        write.connection,
        "SELECT e.seq FROM events e WHERE e.received <= ?1 AND e.routed IS NOT NULL AND NOT EXISTS
             (SELECT 1 FROM deliveries d WHERE d.event = e.seq AND (d.state = 0 OR (d.state = 2 AND e.received > ?2)))
         ORDER BY e.received, e.seq LIMIT ?3",
        params![before, dead_before, slice],
    )?;
    remove(write.connection, &old)?;
    let removed = old.len() as u64;
    let mut report = PruneReport { events: removed, overflowed: 0, more: removed == slice.unsigned_abs() };
    if let Some(max) = policy.max_bytes
        && !report.more
        && used(write.connection)?.saturating_sub(pairs::room_taken(write.connection)?) > max
    {
        shrink(write, slice - old.len() as i64, micros(now), &mut report)?;
    }
    write
        .connection
        .prepare_cached(
            "DELETE FROM windows WHERE until <= ?1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE limit_key = windows.key AND state = 3)",
        )
        .and_then(|mut statement| statement.execute([before]))
        .map_err(|e| failed(&e))?;
    Ok(report)
}

/// Makes room: the oldest settled events go first. Where there are none, open metrics are given up, then open alerts, and what is left of them is the
/// bare record. Only where there is nothing else, these records go too.
fn shrink(write: &mut Write<'_>, slice: i64, now: i64, report: &mut PruneReport) -> Result<()> {
    let mut going = seqs(
        write.connection,
        "SELECT e.seq FROM events e WHERE e.routed IS NOT NULL AND NOT EXISTS
             (SELECT 1 FROM deliveries d WHERE d.event = e.seq AND (d.state = 0 OR
                 (d.state = 2 AND EXISTS (SELECT 1 FROM attempts a WHERE a.delivery = d.seq AND a.outcome = ?2))))
         ORDER BY e.seq LIMIT ?1",
        params![slice, Reason::Overflow.as_str()],
    )?;
    let open = if going.is_empty() { open_by_worth(write.connection, slice, now)? } else { Vec::new() };
    if going.is_empty() && open.is_empty() {
        going = seqs(
            write.connection,
            "SELECT e.seq FROM events e
             WHERE e.routed IS NOT NULL AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event = e.seq AND d.state = 0)
             ORDER BY e.seq LIMIT ?1",
            params![slice],
        )?;
    }
    remove(write.connection, &going)?;
    for row in &open {
        note_attempt(write.connection, row.seq, now, Reason::Overflow.as_str(), rules::OVERFLOWED)?;
        end_open(write, row, 2, rules::OVERFLOWED, now)?;
        strip(write.connection, row.seq)?;
    }
    report.events += going.len() as u64;
    report.overflowed += open.len() as u64;
    report.more = !going.is_empty() || !open.is_empty();
    Ok(())
}

/// Open deliveries that nobody is about to make, those that would be missed least first.
fn open_by_worth(connection: &Connection, max: i64, now: i64) -> Result<Vec<Row>> {
    open_rows(
        connection,
        "SELECT seq, sink, lane, overtaken FROM deliveries WHERE state = 0 AND (lease_until IS NULL OR lease_until <= ?2)
         ORDER BY class DESC, seq LIMIT ?1",
        params![max, now],
    )
}

/// Drops what is only needed to render messages of a delivery's event, once there are none to come.
fn strip(connection: &Connection, delivery: i64) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE events SET facts = NULL, notes = NULL WHERE seq = (SELECT event FROM deliveries WHERE seq = ?1)
                 AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event = events.seq AND d.state = 0)",
        )
        .and_then(|mut statement| statement.execute([delivery]))
        .map(drop)
        .map_err(|e| failed(&e))
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
        run("DELETE FROM near_keys WHERE event = ?1", seq)?;
        run("DELETE FROM events WHERE seq = ?1", seq)?;
    }
    Ok(())
}

/// Bytes that hold something.
pub(super) fn used(connection: &Connection) -> Result<u64> {
    let number = |pragma: &str| -> rusqlite::Result<i64> { connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)) };
    let used = (|| Ok((number("page_count")? - number("freelist_count")?) * number("page_size")?))();
    used.map(|bytes| u64::try_from(bytes).unwrap_or(0)).map_err(|e: rusqlite::Error| failed(&e))
}
