//! From wall clock times to instants, where the clock is put forward and back.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp};

/// A whole second is the least that lies between two times.
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// The next instant after `after` at which a clock of the zone shows one of the times. `next` finds the first of them from a time on.
///
/// This is what happens at intervals: hours that don't exist pass it by, hours that come twice have it twice.
pub(super) fn every_showing(after: Timestamp, zone: &TimeZone, next: impl Fn(DateTime) -> Option<DateTime>) -> Option<Timestamp> {
    let mut from = whole_second(after)?.checked_add(SECOND).ok()?;
    let mut changes = zone.following(from);
    let mut change = changes.next().map(|change| change.timestamp());
    // Within each stretch between two changes of the clock, the clock runs evenly. How far ahead `next` looks ends this.
    loop {
        let offset = zone.to_offset(from);
        let found = next(offset.to_datetime(from)).and_then(|time| offset.to_timestamp(time).ok());
        match (found, change) {
            (Some(found), Some(change)) if found < change => return Some(found),
            (found, None) => return found,
            (None, Some(_)) => return None,
            (Some(_), Some(at)) => {
                // A change between two seconds can't be shown by any clock.
                from = if at.subsec_nanosecond() == 0 { at } else { whole_second(at)?.checked_add(SECOND).ok()? };
                change = changes.next().map(|change| change.timestamp());
            }
        }
    }
}

/// The next instant after `after` that stands for one of the times, each of which stands for one instant.
///
/// This is what happens at fixed times: a time that the clock leaves out stands for the first instant after the hole, and one that comes twice for the first of the two.
pub(super) fn each_once(after: Timestamp, zone: &TimeZone, next: impl Fn(DateTime) -> Option<DateTime>) -> Option<Timestamp> {
    let after = whole_second(after)?;
    let mut from = zone.to_datetime(after);
    loop {
        let time = next(from)?;
        let instant = instant(time, zone)?;
        // What lies in an hour that comes twice has been in the first one.
        if instant > after {
            return Some(instant);
        }
        from = time.checked_add(Span::new().seconds(1)).ok()?;
    }
}

fn instant(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(time).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(time).ok(),
        AmbiguousOffset::Gap { after, .. } => {
            // By the clock as it is after the change, the time lies before the change.
            let before = after.to_timestamp(time).ok()?;
            zone.following(before).next().map(|change| change.timestamp())
        }
    }
}

/// Without the fraction of its second, which has begun.
pub(super) fn whole_second(instant: Timestamp) -> Option<Timestamp> {
    let down = i64::from(instant.subsec_nanosecond() < 0);
    Timestamp::from_second(instant.as_second() - down).ok()
}
