//! Tests of schedules in words: what they mean, and what is refused and how.

mod meaning;
mod refused;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{TextError, TextSchedule};

fn schedule(text: &str) -> TextSchedule {
    TextSchedule::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The next few, as `month-day hour:minute:second` by the clock of UTC.
fn next(text: &str, after: &str, zone: &TimeZone, count: usize) -> String {
    let schedule = schedule(text);
    let times = std::iter::successors(schedule.next_after(at(after), zone), |after| schedule.next_after(*after, zone));
    times.take(count).map(|time| time.strftime("%m-%d %H:%M:%S").to_string()).collect::<Vec<_>>().join(", ")
}
