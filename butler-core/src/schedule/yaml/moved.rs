//! Whether a schedule runs at other times by the clocks of another zone.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::schedule::When;

/// From so many moments on, a month apart, it is looked when the next run would be: over a year, for the clocks of two zones may differ only in summer.
const LOOKS: i64 = 13;
const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The first run that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moved {
    /// By the clocks of the one zone.
    pub(super) here: Option<Timestamp>,
    /// By those of the other.
    pub(super) there: Option<Timestamp>,
}

pub(super) fn moved(when: &When, here: &TimeZone, there: &TimeZone, now: Timestamp) -> Option<Moved> {
    let from = |look: i64| now.saturating_add(SignedDuration::from_secs(MONTH.as_secs() * look)).unwrap_or(Timestamp::MAX);
    let look = |at: Timestamp| Moved { here: when.next_after(at, here), there: when.next_after(at, there) };
    (0..LOOKS).map(|number| look(from(number))).find(|moved| moved.here != moved.there)
}
