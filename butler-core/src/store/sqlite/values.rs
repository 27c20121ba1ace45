//! How values stand in the file.

use jiff::Timestamp;
use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::store::{DeliveryState, StoreError};

/// Microseconds since 1970. What is finer is cut off.
pub(super) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

pub(super) fn time(micros: i64) -> Timestamp {
    // Only what was a time is ever stored; a damaged value becomes the nearest one.
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// `now` plus a duration, in microseconds.
pub(super) fn later(now: i64, duration: std::time::Duration) -> i64 {
    now.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)).min(micros(Timestamp::MAX))
}

/// A text of any length in 16 bytes.
pub(super) fn digest(text: &str) -> [u8; 16] {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()).into_bytes()
}

pub(super) fn json<T: Serialize>(what: &str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt { what: what.to_owned(), why: error.to_string() })
}

pub(super) fn from_json<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt { what: what.to_owned(), why: error.to_string() })
}

/// An optional JSON column; nothing stored is the default.
pub(super) fn from_json_or_default<T: DeserializeOwned + Default>(what: &str, text: Option<String>) -> Result<T, StoreError> {
    text.map_or_else(|| Ok(T::default()), |text| from_json(what, &text))
}

pub(super) fn uuid(bytes: [u8; 16]) -> Uuid {
    Uuid::from_bytes(bytes)
}

/// A count of the file as a count of ours.
pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|value| u64::try_from(value).unwrap_or(0))
}

pub(super) fn small(row: &Row<'_>, column: usize) -> rusqlite::Result<u32> {
    row.get::<_, i64>(column).map(|value| u32::try_from(value).unwrap_or(u32::MAX))
}

pub(super) fn state_code(state: DeliveryState) -> i64 {
    match state {
        DeliveryState::Pending => 0,
        DeliveryState::Delivered => 1,
        DeliveryState::Dead => 2,
        DeliveryState::Suppressed => 3,
        DeliveryState::Discarded => 4,
    }
}

pub(super) fn state_of(code: i64) -> DeliveryState {
    DeliveryState::ALL.into_iter().find(|state| state_code(*state) == code).unwrap_or(DeliveryState::Dead)
}
