//! Small named state.

use rusqlite::{Connection, OptionalExtension, Row};

use super::values::count;
use super::writer::{Write, failed};
use crate::store::{StateEntry, StoreError};

type Result<T> = std::result::Result<T, StoreError>;

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
