//! Schedules and their occurrences.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::values::{from_json, json, later, micros, small, time};
use super::writer::{Write, failed};
use crate::store::{OccurrenceClaim, OpenRun, RunOutcome, ScheduleRecord, ScheduleRun, StoreError};

/// How many runs are removed in one step of the writer.
const PRUNED_AT_ONCE: usize = 1_000;
const OUTCOME: &str = "the outcome of a run";

type Result<T> = std::result::Result<T, StoreError>;

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
    let (text, is_open) = (json(OUTCOME, outcome)?, outcome.is_open());
    let changed = write
        .connection
        .prepare_cached(
            "UPDATE occurrences SET outcome = ?4, at = ?5, open = ?6
             WHERE schedule = ?1 AND occurrence = ?2 AND attempt = ?3 AND outcome IS NULL",
        )
        .and_then(|mut statement| {
            statement.execute(params![claim.schedule, micros(claim.occurrence), claim.attempt, text, micros(now), is_open])
        })
        .map_err(|e| failed(&e))?;
    Ok(changed == 1)
}

pub(super) fn runs(connection: &Connection, schedule: &str, max: usize) -> Result<Vec<ScheduleRun>> {
    let mut statement = connection
        .prepare_cached(
            "SELECT occurrence, at, outcome FROM occurrences WHERE schedule = ?1 AND outcome IS NOT NULL ORDER BY occurrence DESC LIMIT ?2",
        )
        .map_err(|e| failed(&e))?;
    let rows = statement.query_map(params![schedule, limit(max)], stored).map_err(|e| failed(&e))?;
    rows.map(|row| run(row.map_err(|e| failed(&e))?)).collect()
}

pub(super) fn open_runs(connection: &Connection, max: usize) -> Result<Vec<OpenRun>> {
    let mut statement = connection
        .prepare_cached("SELECT occurrence, at, outcome, schedule FROM occurrences WHERE open = 1 ORDER BY at, schedule LIMIT ?1")
        .map_err(|e| failed(&e))?;
    let read = |row: &Row<'_>| Ok((stored(row)?, row.get::<_, String>(3)?));
    let rows = statement.query_map([limit(max)], read).map_err(|e| failed(&e))?;
    rows.map(|row| {
        let (found, schedule) = row.map_err(|e| failed(&e))?;
        Ok(OpenRun { schedule, run: run(found)? })
    })
    .collect()
}

pub(super) fn update_run(write: &mut Write<'_>, schedule: &str, occurrence: Timestamp, outcome: &RunOutcome) -> Result<bool> {
    let (text, is_open) = (json(OUTCOME, outcome)?, outcome.is_open());
    let sql = "UPDATE occurrences SET outcome = ?3, open = ?4 WHERE schedule = ?1 AND occurrence = ?2 AND outcome IS NOT NULL";
    let changed = write
        .connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(params![schedule, micros(occurrence), text, is_open]))
        .map_err(|e| failed(&e))?;
    Ok(changed == 1)
}

/// Removes some of what was stored before; how many these were, and whether there may be more.
pub(super) fn prune_runs(write: &mut Write<'_>, before: Timestamp) -> Result<(u64, bool)> {
    let sql = "DELETE FROM occurrences WHERE (schedule, occurrence) IN
                   (SELECT schedule, occurrence FROM occurrences WHERE at < ?1 AND at IS NOT NULL ORDER BY at LIMIT ?2)";
    let removed = write
        .connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(params![micros(before), limit(PRUNED_AT_ONCE)]))
        .map_err(|e| failed(&e))?;
    Ok((removed as u64, removed == PRUNED_AT_ONCE))
}

fn limit(max: usize) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX)
}

/// A run as it is stored: when it was due, when its outcome was stored, and that.
fn stored(row: &Row<'_>) -> rusqlite::Result<(i64, i64, String)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn run((occurrence, at, outcome): (i64, i64, String)) -> Result<ScheduleRun> {
    Ok(ScheduleRun { occurrence: time(occurrence), at: time(at), outcome: from_json(OUTCOME, &outcome)? })
}
