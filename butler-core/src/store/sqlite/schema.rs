//! Opening the file, its format, and how an older one becomes a newer one.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::lock::beside;
use super::writer::WHEN_CORRUPT;
use crate::store::StoreError;

/// One step a format; a step that was published stays as it is. The number of those that were made stands in the file as `user_version`.
const STEPS: &[&str] = &[include_str!("format_1.sql"), include_str!("format_2.sql"), include_str!("format_3.sql")];

/// Opens the connection that writes, with the format brought up to date and whatever an earlier process held voided.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    open_with_steps(path, STEPS)
}

fn open_with_steps(path: &Path, steps: &[&str]) -> Result<Connection, StoreError> {
    let opening = |error: rusqlite::Error| unavailable(path, "opened", &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(opening)?;
    // For backups and virus scanners; our own connections never meet.
    connection.busy_timeout(Duration::from_secs(10)).map_err(opening)?;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(opening)?;
    let known = steps.len() as i64;
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    let is_empty: bool = connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0)).map_err(opening)?;
    if found <= 0 && !is_empty {
        let remedy = "Set `[store] path` to a file of Butler's own";
        return Err(StoreError::Unavailable {
            path: path.to_owned(),
            doing: "opened",
            why: "it is the database of another program".into(),
            remedy,
        });
    }
    prepare(&connection).map_err(opening)?;
    // Else SQLite looks at the values that are bound, and plans a statement anew for nearly every call: a fifth of the writer's time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(opening)?;
    if found < known {
        migrate(&connection, path, found.max(0), steps)?;
    }
    // A file that can be read but not written is found here, and not with the first event.
    void(&connection).map_err(|error| unavailable(path, "written", &error))?;
    Ok(connection)
}

/// Opens a connection that reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    };
    open().map_err(|error: rusqlite::Error| unavailable(path, "opened", &error))
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(128);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -8_000)?;
    connection.pragma_update(None, "wal_autocheckpoint", 2_000)?;
    connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
    Ok(())
}

fn migrate(connection: &Connection, path: &Path, found: i64, steps: &[&str]) -> Result<(), StoreError> {
    if found > 0 {
        copy(connection, path, found)?;
    }
    let done = usize::try_from(found).unwrap_or(0);
    for (index, step) in steps.iter().enumerate().skip(done) {
        let batch = format!("BEGIN IMMEDIATE; {step} PRAGMA user_version = {}; COMMIT", index + 1);
        connection.execute_batch(&batch).map_err(|error| unavailable(path, "brought up to date", &error))?;
    }
    Ok(())
}

/// Copies the file as it is to `butler.db.format-1`. The copy gets its name when it is whole.
fn copy(connection: &Connection, path: &Path, found: i64) -> Result<(), StoreError> {
    const DOING: &str = "copied before its format is changed";
    // What is in the WAL file is moved into the database file; nobody else has it open, so that is all there is.
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(|error| unavailable(path, DOING, &error))?;
    let (part, whole) = (beside(path, &format!("format-{found}.part")), beside(path, &format!("format-{found}")));
    let copied = if busy == 0 {
        std::fs::copy(path, &part)
            .and_then(|_| File::options().write(true).open(&part)?.sync_all())
            .and_then(|()| std::fs::rename(&part, &whole))
    } else {
        Err(std::io::Error::other("another program reads it"))
    };
    copied.map_err(|why| StoreError::Unavailable {
        path: path.to_owned(),
        doing: DOING,
        why: why.to_string(),
        remedy: "Make room beside it, and let no other program have it open",
    })
}

/// Voids every claim and lease of an earlier process. A lease that was open counts as lost.
fn void(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        // Leases become such that ran out: whoever leases next counts the loss, and gives up what was lost too often.
        "BEGIN IMMEDIATE;
         UPDATE events SET claim_until = NULL WHERE routed IS NULL AND claim_until IS NOT NULL;
         UPDATE deliveries SET lease_until = 0 WHERE state = 0 AND lease_until IS NOT NULL;
         UPDATE occurrences SET claim_until = 0 WHERE outcome IS NULL;
         INSERT INTO counters (name, value) VALUES ('openings', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1;
         COMMIT",
    )
}

fn unavailable(path: &Path, doing: &'static str, error: &rusqlite::Error) -> StoreError {
    let code = error.sqlite_error_code();
    let (why, remedy) = match code {
        Some(ErrorCode::NotADatabase) => {
            ("it is no SQLite database".to_owned(), "Set `[store] path` to another file, or move this one away")
        }
        Some(ErrorCode::CannotOpen) => {
            (error.to_string(), "Make sure that its folder exists and that this user may write there, or set `[store] path`")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            (error.to_string(), "Give this user the right to write it and its folder, or set `[store] path`")
        }
        Some(ErrorCode::DiskFull) => (error.to_string(), "Make room on the disk"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (error.to_string(), "Close the other program that has it open"),
        Some(ErrorCode::DatabaseCorrupt) => (error.to_string(), WHEN_CORRUPT),
        _ => (error.to_string(), "Look at the file and its disk"),
    };
    StoreError::Unavailable { path: path.to_owned(), doing, why, remedy }
}

#[cfg(test)]
#[cfg(feature = "testkit")]
#[path = "schema_tests.rs"]
mod tests;
