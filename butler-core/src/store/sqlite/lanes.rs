//! Who of a lane may go. The head of a lane is its oldest open delivery; only heads are leased.

use rusqlite::{Connection, OptionalExtension};

use super::writer::{Write, failed};
use crate::store::StoreError;

/// Whether a delivery that joins this lane is its head: nobody open is in it, or all of them were overtaken.
pub(super) fn is_free(connection: &Connection, lane: Option<&[u8; 16]>) -> Result<bool, StoreError> {
    let Some(lane) = lane else { return Ok(true) };
    connection
        .prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM deliveries WHERE lane = ?1 AND state = 0 AND overtaken = 0)")
        .and_then(|mut statement| statement.query_row([lane], |row| row.get(0)))
        .map_err(|e| failed(&e))
}

/// Makes the next of a lane its head, because the one before it is settled or was overtaken, and wakes its sink.
pub(super) fn promote(write: &mut Write<'_>, lane: Option<&[u8; 16]>) -> Result<(), StoreError> {
    let Some(lane) = lane else { return Ok(()) };
    let sink: Option<String> = write
        .connection
        .prepare_cached(
            "UPDATE deliveries SET head = 1 WHERE head = 0 AND seq =
                 (SELECT min(seq) FROM deliveries WHERE lane = ?1 AND state = 0 AND overtaken = 0) RETURNING sink",
        )
        .and_then(|mut statement| statement.query_row([lane], |row| row.get(0)).optional())
        .map_err(|e| failed(&e))?;
    write.wakes.sinks.extend(sink.map(Into::into));
    Ok(())
}
