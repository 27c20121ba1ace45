//! Pairs, schedules and named state.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::values::{count, from_json, json, later, micros, small, time};
use super::writer::{Write, failed};
use crate::store::{If, KvEntry, OccurrenceClaim, PutOutcome, RunOutcome, ScheduleRecord, ScheduleRun, StateEntry, StoreError};

type Result<T> = std::result::Result<T, StoreError>;

fn read_pair(row: &Row<'_>) -> rusqlite::Result<KvEntry> {
    let expires: Option<i64> = row.get(3)?;
    Ok(KvEntry { key: row.get(0)?, value: row.get(1)?, version: count(row, 2)?, expires: expires.map(time) })
}

pub(super) fn namespaces(connection: &Connection, now: Timestamp) -> Result<Vec<String>> {
    let mut statement = connection
        .prepare_cached("SELECT DISTINCT ns FROM kv WHERE expires IS NULL OR expires > ?1 ORDER BY ns")
        .map_err(|e| failed(&e))?;
    let rows = statement.query_map([micros(now)], |row| row.get(0)).map_err(|e| failed(&e))?;
    rows.collect::<rusqlite::Result<_>>().map_err(|e| failed(&e))
}

pub(super) fn list(
    connection: &Connection,
    namespace: &str,
    prefix: &str,
    after: Option<&str>,
    max: usize,
    now: Timestamp,
) -> Result<Vec<KvEntry>> {
    let mut statement = connection
        .prepare_cached(
            // By bytes: as text it would end at the first zero character.
            "SELECT key, value, version, expires FROM kv WHERE ns = ?1 AND (expires IS NULL OR expires > ?3)
                 AND instr(CAST(key AS BLOB), CAST(?2 AS BLOB)) = 1 AND place > coalesce((SELECT place FROM kv WHERE ns = ?1 AND key = ?4), 0) ORDER BY place LIMIT ?5",
        )
        .map_err(|e| failed(&e))?;
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![namespace, prefix, micros(now), after, max], read_pair).map_err(|e| failed(&e))?;
    rows.collect::<rusqlite::Result<_>>().map_err(|e| failed(&e))
}

pub(super) fn get(connection: &Connection, namespace: &str, key: &str, now: Timestamp) -> Result<Option<KvEntry>> {
    connection
        .prepare_cached("SELECT key, value, version, expires FROM kv WHERE ns = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?3)")
        .and_then(|mut statement| statement.query_row(params![namespace, key, micros(now)], read_pair).optional())
        .map_err(|e| failed(&e))
}

/// A pair to be put.
pub(super) struct Put {
    pub(super) namespace: String,
    pub(super) key: String,
    pub(super) value: String,
    pub(super) expires: Option<Timestamp>,
    pub(super) condition: If,
    pub(super) key_limit: Option<u64>,
}

pub(super) fn put(write: &mut Write<'_>, put: &Put, now: Timestamp) -> Result<PutOutcome> {
    let connection = write.connection;
    let Put { namespace, key, value, expires, condition, key_limit } = put;
    let there = get(connection, namespace, key, now)?.map(|pair| pair.version);
    let holds = match condition {
        If::Any => true,
        If::Absent => there.is_none(),
        If::Version(version) => there == Some(*version),
    };
    if !holds {
        return Ok(PutOutcome::Conflict(there));
    }
    if there.is_none() {
        // One that has expired makes room, and comes back at the end.
        delete(connection, namespace, key)?;
        if let Some(limit) = key_limit
            && live_keys(connection, namespace, now)? >= *limit
        {
            return Ok(PutOutcome::NamespaceFull);
        }
    }
    let version = next(connection, "kv")?;
    connection
        .prepare_cached(
            "INSERT INTO kv (ns, key, value, version, expires, place) VALUES (?1, ?2, ?3, ?4, ?5, ?4)
             ON CONFLICT (ns, key) DO UPDATE SET value = ?3, version = ?4, expires = ?5",
        )
        .and_then(|mut statement| statement.execute(params![namespace, key, value, version, expires.map(micros)]))
        .map_err(|e| failed(&e))?;
    Ok(PutOutcome::Stored(u64::try_from(version).unwrap_or(0)))
}

fn live_keys(connection: &Connection, namespace: &str, now: Timestamp) -> Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM kv WHERE ns = ?1 AND (expires IS NULL OR expires > ?2)")
        .and_then(|mut statement| statement.query_row(params![namespace, micros(now)], |row| count(row, 0)))
        .map_err(|e| failed(&e))
}

/// A number that only goes up: a version can never come back, whatever was deleted in between.
fn next(connection: &Connection, name: &str) -> Result<i64> {
    connection
        .prepare_cached(
            "INSERT INTO counters (name, value) VALUES (?1, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
        )
        .and_then(|mut statement| statement.query_row([name], |row| row.get(0)))
        .map_err(|e| failed(&e))
}

fn delete(connection: &Connection, namespace: &str, key: &str) -> Result<usize> {
    connection
        .prepare_cached("DELETE FROM kv WHERE ns = ?1 AND key = ?2")
        .and_then(|mut statement| statement.execute([namespace, key]))
        .map_err(|e| failed(&e))
}

pub(super) fn remove(write: &mut Write<'_>, namespace: &str, key: &str, now: Timestamp) -> Result<bool> {
    let was_there = get(write.connection, namespace, key, now)?.is_some();
    delete(write.connection, namespace, key)?;
    Ok(was_there)
}

pub(super) fn drop_namespace(write: &mut Write<'_>, namespace: &str, now: Timestamp) -> Result<bool> {
    let was_there = live_keys(write.connection, namespace, now)? > 0;
    write.connection.execute("DELETE FROM kv WHERE ns = ?1", [namespace]).map_err(|e| failed(&e))?;
    Ok(was_there)
}

/// Removes what has expired.
pub(super) fn prune(write: &mut Write<'_>, now: Timestamp) -> Result<()> {
    write
        .connection
        .prepare_cached("DELETE FROM kv WHERE expires <= ?1")
        .and_then(|mut statement| statement.execute([micros(now)]))
        .map(drop)
        .map_err(|e| failed(&e))
}

pub(super) fn schedules(connection: &Connection) -> Result<Vec<ScheduleRecord>> {
    let mut statement = connection.prepare_cached("SELECT id, definition FROM schedules ORDER BY place").map_err(|e| failed(&e))?;
    let read = |row: &Row<'_>| Ok(ScheduleRecord { id: row.get(0)?, definition: row.get(1)? });
    let rows = statement.query_map([], read).map_err(|e| failed(&e))?;
    rows.collect::<rusqlite::Result<_>>().map_err(|e| failed(&e))
}

pub(super) fn upsert_schedule(write: &mut Write<'_>, schedule: &ScheduleRecord) -> Result<()> {
    let sql = "INSERT INTO schedules (id, definition) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET definition = ?2";
    write.connection.execute(sql, [&schedule.id, &schedule.definition]).map(drop).map_err(|e| failed(&e))
}

pub(super) fn remove_schedule(write: &mut Write<'_>, id: &str) -> Result<bool> {
    write.connection.execute("DELETE FROM occurrences WHERE schedule = ?1", [id]).map_err(|e| failed(&e))?;
    let removed = write.connection.execute("DELETE FROM schedules WHERE id = ?1", [id]).map_err(|e| failed(&e))?;
    Ok(removed > 0)
}

pub(super) fn claim_occurrence(
    write: &mut Write<'_>,
    schedule: &str,
    occurrence: Timestamp,
    hold: Duration,
    now: Timestamp,
) -> Result<Option<OccurrenceClaim>> {
    let now = micros(now);
    let attempt: Option<u32> = write
        .connection
        .prepare_cached(
            "INSERT INTO occurrences (schedule, occurrence, attempt, claim_until) SELECT id, ?2, 1, ?3 FROM schedules WHERE id = ?1
             ON CONFLICT (schedule, occurrence) DO UPDATE SET attempt = attempt + 1, claim_until = ?3
                 WHERE outcome IS NULL AND claim_until <= ?4
             RETURNING attempt",
        )
        .and_then(|mut statement| {
            let values = params![schedule, micros(occurrence), later(now, hold), now];
            statement.query_row(values, |row| small(row, 0)).optional()
        })
        .map_err(|e| failed(&e))?;
    Ok(attempt.map(|attempt| OccurrenceClaim { schedule: schedule.to_owned(), occurrence, attempt }))
}

pub(super) fn record_run(write: &mut Write<'_>, claim: &OccurrenceClaim, outcome: &RunOutcome, now: Timestamp) -> Result<bool> {
    let outcome = json("the outcome of a run", outcome)?;
    let changed = write
        .connection
        .prepare_cached(
            "UPDATE occurrences SET outcome = ?4, at = ?5 WHERE schedule = ?1 AND occurrence = ?2 AND attempt = ?3 AND outcome IS NULL",
        )
        .and_then(|mut statement| statement.execute(params![claim.schedule, micros(claim.occurrence), claim.attempt, outcome, micros(now)]))
        .map_err(|e| failed(&e))?;
    Ok(changed == 1)
}

pub(super) fn runs(connection: &Connection, schedule: &str, max: usize) -> Result<Vec<ScheduleRun>> {
    let mut statement = connection
        .prepare_cached(
            "SELECT occurrence, at, outcome FROM occurrences WHERE schedule = ?1 AND outcome IS NOT NULL ORDER BY occurrence DESC LIMIT ?2",
        )
        .map_err(|e| failed(&e))?;
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?));
    let rows = statement.query_map(params![schedule, max], read).map_err(|e| failed(&e))?;
    rows.map(|row| {
        let (occurrence, at, outcome) = row.map_err(|e| failed(&e))?;
        Ok(ScheduleRun { occurrence: time(occurrence), at: time(at), outcome: from_json("the outcome of a run", &outcome)? })
    })
    .collect()
}

pub(super) fn state(connection: &Connection, name: &str) -> Result<Option<StateEntry>> {
    connection
        .prepare_cached("SELECT name, value, version FROM states WHERE name = ?1 AND value IS NOT NULL")
        .and_then(|mut statement| statement.query_row([name], read_state).optional())
        .map_err(|e| failed(&e))
}

fn read_state(row: &Row<'_>) -> rusqlite::Result<StateEntry> {
    Ok(StateEntry { name: row.get(0)?, value: row.get(1)?, version: count(row, 2)? })
}

pub(super) fn set_state(write: &mut Write<'_>, name: &str, value: &str, expected: u64) -> Result<Option<u64>> {
    let found = state(write.connection, name)?.map_or(0, |entry| entry.version);
    if found != expected {
        return Ok(None);
    }
    // A removed entry leaves its version behind, so that the next one is higher.
    write
        .connection
        .prepare_cached(
            "INSERT INTO states (name, value, version) VALUES (?1, ?2, 1)
             ON CONFLICT (name) DO UPDATE SET value = ?2, version = version + 1 RETURNING version",
        )
        .and_then(|mut statement| statement.query_row([name, value], |row| count(row, 0)))
        .map(Some)
        .map_err(|e| failed(&e))
}

pub(super) fn remove_state(write: &mut Write<'_>, name: &str) -> Result<bool> {
    let sql = "UPDATE states SET value = NULL WHERE name = ?1 AND value IS NOT NULL";
    write.connection.execute(sql, [name]).map(|changed| changed > 0).map_err(|e| failed(&e))
}

pub(super) fn states(connection: &Connection, prefix: &str) -> Result<Vec<StateEntry>> {
    let mut statement = connection
        .prepare_cached(
            "SELECT name, value, version FROM states
             WHERE value IS NOT NULL AND instr(CAST(name AS BLOB), CAST(?1 AS BLOB)) = 1 ORDER BY name",
        )
        .map_err(|e| failed(&e))?;
    let rows = statement.query_map([prefix], read_state).map_err(|e| failed(&e))?;
    rows.collect::<rusqlite::Result<_>>().map_err(|e| failed(&e))
}
