//! Versions of pairs: numbers that only go up.

use rusqlite::{Connection, OptionalExtension};

use super::writer::failed;
use crate::store::StoreError;

/// The version given out last. It is stored once a commit, with the pairs that bear it: none comes back, whatever is deleted and whenever the process ends.
#[derive(Debug)]
pub(super) struct Versions {
    last: i64,
    stored: i64,
}

impl Versions {
    /// As the file has it.
    pub(super) fn of(connection: &Connection) -> Result<Self, StoreError> {
        let stored = connection
            .query_row("SELECT value FROM counters WHERE name = 'kv'", [], |row| row.get(0))
            .optional()
            .map_err(|error| failed(&error))?
            .unwrap_or(0);
        Ok(Self { last: stored, stored })
    }

    pub(super) fn next(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    /// Stores the latest, if there was a new one.
    pub(super) fn store(&self, connection: &Connection) -> Result<(), StoreError> {
        if self.last == self.stored {
            return Ok(());
        }
        connection
            .prepare_cached("INSERT INTO counters (name, value) VALUES ('kv', ?1) ON CONFLICT (name) DO UPDATE SET value = ?1")
            .and_then(|mut statement| statement.execute([self.last]))
            .map(drop)
            .map_err(|error| failed(&error))
    }

    /// What was stored is committed.
    pub(super) fn committed(&mut self) {
        self.stored = self.last;
    }
}
