//! What the stores of this library do alike: how much they keep one by one, and the words that they put on record.

use jiff::Timestamp;

use super::Suppression;
use crate::sink::Receipt;

/// A page is never longer than this, whatever is asked for.
pub(super) const LONGEST_PAGE: usize = 1000;
/// How many sightings of an event are kept one by one.
pub(super) const SIGHTINGS: usize = 20;
/// How many attempts of a delivery are kept one by one.
pub(super) const ATTEMPTS: usize = 20;

pub(super) const EXPIRED: &str = "too old: it was not delivered in time";
/// Why a pair is refused that does not fit.
pub(crate) const NO_ROOM: &str =
    "the pairs of all namespaces take as much room as they may, half of `[store] max_size`: delete some that nobody needs, or raise it";

pub(super) const OVERFLOWED: &str = "given up: the store has reached its configured size (`[store] max_size`)";

pub(super) fn lost(times: u32) -> String {
    format!("{times} attempts never returned: the process ended, or hung, each time")
}

pub(super) fn delivered(receipt: Receipt, fault: Option<String>) -> String {
    match fault {
        Some(fault) => format!("{} ({fault})", receipt.detail),
        None => receipt.detail,
    }
}

pub(super) fn suppressed(by: &Suppression) -> String {
    match by {
        Suppression::RateLimit { held_by, until } => format!("held back until {until:.0} by the rate limit: delivery {held_by} was sent"),
        Suppression::Silence { id, until, why } => format!("held back by the silence {id}, until {until:.0}: {why}"),
    }
}

pub(super) fn discarded(why: &str) -> String {
    format!("discarded: {why}")
}

/// What stands with a delivery that has expired; `last` is what stood there before.
pub(super) fn expired(last: &str) -> String {
    if last.is_empty() { EXPIRED.to_owned() } else { format!("{EXPIRED}; last: {last}") }
}

/// A moment so much later.
pub(super) fn later(now: Timestamp, duration: std::time::Duration) -> Timestamp {
    jiff::SignedDuration::try_from(duration).ok().and_then(|by| now.saturating_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// A moment so much earlier.
pub(super) fn earlier(now: Timestamp, duration: std::time::Duration) -> Timestamp {
    jiff::SignedDuration::try_from(duration).ok().and_then(|by| now.saturating_sub(by).ok()).unwrap_or(Timestamp::MIN)
}

/// Whether a pair is there that ends then. Stores keep times in microseconds, and so does this.
pub(super) fn is_live(expires: Option<Timestamp>, now: Timestamp) -> bool {
    expires.is_none_or(|expires| expires.as_microsecond() > newest_expired(now))
}

/// The latest end that has passed by now, in microseconds: at the moment itself a pair is still there.
pub(super) fn newest_expired(now: Timestamp) -> i64 {
    now.as_microsecond() - 1
}

/// Whether a kind fits a query: the same name, or the start of one with a trailing `*`.
pub(super) fn kind_fits(wanted: &str, kind: &str) -> bool {
    wanted.strip_suffix('*').map_or(kind == wanted, |start| kind.starts_with(start))
}
