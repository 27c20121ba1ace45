//! Schedules and their occurrences.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::values::{from_json, json, later, micros, small, time};
use super::writer::{Write, failed};
use crate::store::{OccurrenceClaim, RunOutcome, ScheduleRecord, ScheduleRun, StoreError};

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
