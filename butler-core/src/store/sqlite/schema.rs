//! The file: its lock, its format, and how an older one becomes a newer one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::store::StoreError;

/// The format that this program writes. It stands in the file as `user_version`.
const FORMAT: i64 = 1;

/// One step a format; steps only add.
const STEPS: [&str; 1] = [include_str!("format_1.sql")];

/// Held as long as the store is open: no other process opens the file meanwhile.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let lock = beside(path, "lock");
        let unavailable = |why: std::io::Error| StoreError::Unavailable {
            path: path.to_owned(),
            doing: "opened",
            why: why.to_string(),
            remedy: "Make sure that its folder exists and that this user may write there, or set `[store] path`",
        };
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&lock).map_err(unavailable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Whoever it is: without its number the message is still true.
                let _ = file.read_to_string(&mut holder);
                let holder = if holder.trim().is_empty() { "unknown".into() } else { holder.trim().to_owned() };
                return Err(StoreError::Held { path: path.to_owned(), holder });
            }
            Err(TryLockError::Error(why)) => return Err(unavailable(why)),
        }
        let note = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
        note.map_err(unavailable)?;
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The system gives the lock back with the file in any case.
        let _ = self.file.unlock();
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// Opens the connection that writes, with the format brought up to date.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path).map_err(|error| unavailable(path, "opened", &error))?;
    prepare(&connection).map_err(|error| unavailable(path, "opened", &error))?;
    let found: i64 =
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(|error| unavailable(path, "opened", &error))?;
    if found > FORMAT {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: FORMAT });
    }
    migrate(&connection, path, found)?;
    // A file that can be read but not written is found here, and not with the first event.
    connection.execute_batch("BEGIN IMMEDIATE; PRAGMA user_version = 1; COMMIT").map_err(|error| unavailable(path, "written", &error))?;
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
    // For backups and virus scanners; our own connections never meet.
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(128);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -8_000)?;
    connection.pragma_update(None, "wal_autocheckpoint", 2_000)?;
    connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
    Ok(())
}

fn migrate(connection: &Connection, path: &Path, found: i64) -> Result<(), StoreError> {
    if found == FORMAT {
        return Ok(());
    }
    if found > 0 {
        let copy = beside(path, &format!("format-{found}"));
        connection
            .execute("VACUUM INTO ?1", [copy.to_string_lossy()])
            .map_err(|error| unavailable(path, "copied before its format is changed", &error))?;
    }
    let steps = usize::try_from(found).ok().and_then(|done| STEPS.get(done..)).unwrap_or_default();
    for step in steps {
        let batch = format!("BEGIN IMMEDIATE; {step} PRAGMA user_version = {FORMAT}; COMMIT");
        connection.execute_batch(&batch).map_err(|error| unavailable(path, "brought up to date", &error))?;
    }
    Ok(())
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
        Some(ErrorCode::DatabaseCorrupt) => {
            (error.to_string(), "Restore it from a backup, or move it away: Butler then begins with an empty one")
        }
        _ => (error.to_string(), "Look at the file and its disk"),
    };
    StoreError::Unavailable { path: path.to_owned(), doing, why, remedy }
}
