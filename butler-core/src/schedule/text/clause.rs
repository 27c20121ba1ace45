//! What one clause of a schedule asks for, and when that is next.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::unit::Unit;
use crate::schedule::times::Times;
use crate::schedule::zoned;

/// Further ahead nobody looks.
const YEARS_AHEAD: i16 = 50;
/// So many times may be left out by what else is asked for: each second of a day, each interval of years.
pub(super) const TRIES: usize = 100_000;

/// Some values of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Values {
    pub(super) set: BTreeSet<u16>,
    /// The last one as well, whichever that is.
    pub(super) last: bool,
}

/// When something happens. All of it has to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause {
    pub(super) dates: Dates,
    /// Each of them is a time at which it happens, within the hours that are asked for.
    pub(super) times: Times,
    /// What of `times` has been asked for; the rest is full.
    pub(super) asked: Times,
    /// These instead of `times`, in their order, if there are any.
    pub(super) at: Vec<Time>,
    /// From then on, within each day.
    pub(super) from: Time,
    /// Until then, within each day.
    pub(super) until: Option<Until>,
    /// Seconds between two, counted from the epoch.
    pub(super) interval: Option<i64>,
    /// Whether it names times rather than how often.
    pub(super) fixed: bool,
}

/// The end of a part of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Until {
    pub(super) time: Time,
    /// Whether the minute counts in which it ends.
    pub(super) inclusive: bool,
}

/// Days.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Dates {
    pub(super) of: BTreeMap<Unit, Values>,
    /// Only every so many days, counted from the epoch.
    pub(super) every_days: Option<i32>,
    /// Only every so many months, counted from the epoch.
    pub(super) every_months: Option<i32>,
    /// Only the first day of each of these.
    pub(super) begins: Option<Unit>,
}

impl Clause {
    pub(super) fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self.interval {
            Some(interval) => self.next_of_interval(interval, after, zone),
            None if self.fixed => zoned::each_once(after, zone, |from| self.next(from)),
            None => zoned::every_showing(after, zone, |from| self.next(from)),
        }
    }

    /// Whether a time is within it. A month is within all along, while it comes at its beginning.
    pub(super) fn covers(&self, time: DateTime) -> bool {
        let of_day = time.time();
        self.dates.matches(time.date())
            && self.asked.has(of_day)
            && (self.at.is_empty() || self.at.iter().any(|at| (at.hour(), at.minute()) == (of_day.hour(), of_day.minute())))
            && self.in_time(of_day)
    }

    /// Whether it covers whole days, or whole hours.
    pub(super) fn lasts(&self) -> (bool, bool) {
        let all_day = self.at.is_empty() && self.from == Time::midnight() && self.until.is_none();
        let hours = all_day && (self.asked.minutes, self.asked.seconds) == (Times::ALL.minutes, Times::ALL.seconds);
        (hours && self.asked.hours == Times::ALL.hours, hours)
    }

    fn next(&self, from: DateTime) -> Option<DateTime> {
        let date = from.date();
        if self.dates.has(date)
            && let Some(time) = self.next_time(from.time())
        {
            return Some(date.to_datetime(time));
        }
        let time = self.next_time(Time::midnight())?;
        Some(self.dates.next(date.tomorrow().ok()?)?.to_datetime(time))
    }

    fn next_time(&self, from: Time) -> Option<Time> {
        let from = from.max(self.from);
        let time =
            if self.at.is_empty() { self.times.next(from)? } else { *self.at.iter().find(|at| **at >= from && self.asked.has(**at))? };
        self.in_time(time).then_some(time)
    }

    fn in_time(&self, time: Time) -> bool {
        let before = |until: Until| if until.inclusive { time <= until.time } else { time < until.time };
        time >= self.from && self.until.is_none_or(before)
    }

    fn next_of_interval(&self, interval: i64, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let following = |second: i64| second.checked_div_euclid(interval)?.checked_add(1)?.checked_mul(interval);
        let mut second = zoned::whole_second(after)?.as_second();
        for _ in 0..TRIES {
            let at = Timestamp::from_second(following(second)?).ok()?;
            let time = zone.to_datetime(at);
            if self.covers(time) {
                return Some(at);
            }
            // Days that are not meant are passed over.
            second = if self.dates.has(time.date()) {
                at.as_second()
            } else {
                let day = self.dates.next(time.date().tomorrow().ok()?)?;
                let begins = zone.to_timestamp(day.to_datetime(Time::midnight())).ok()?;
                at.as_second().max((begins - SignedDuration::from_secs(1)).as_second())
            };
        }
        None
    }
}

impl Dates {
    fn has(&self, date: Date) -> bool {
        self.begins.is_none_or(|unit| unit.begins_on(date)) && self.matches(date)
    }

    fn matches(&self, date: Date) -> bool {
        let matches = |(unit, values): (&Unit, &Values)| {
            let (value, last) = unit.of(date);
            values.set.contains(&value) || (values.last && value == last)
        };
        let epoch = Date::constant(1970, 1, 1);
        let months = || (i32::from(date.year()) - 1970) * 12 + i32::from(date.month()) - 1;
        self.of.iter().all(matches)
            && self.every_days.is_none_or(|days| (date - epoch).get_days().rem_euclid(days) == 0)
            && self.every_months.is_none_or(|every| months().rem_euclid(every) == 0)
    }

    fn next(&self, from: Date) -> Option<Date> {
        let mut date = from;
        if let Some(years) = self.of.get(&Unit::Year) {
            let year = years.set.range(from.year().unsigned_abs()..).next()?;
            date = date.max(Date::new(i16::try_from(*year).ok()?, 1, 1).ok()?);
        }
        let end = date.year().saturating_add(YEARS_AHEAD);
        let months = self.of.get(&Unit::Month);
        while date.year() <= end {
            if self.has(date) {
                return Some(date);
            }
            let month = date.month().unsigned_abs().into();
            let skipped = months.is_some_and(|months| !months.set.contains(&month) && !months.last);
            date = if skipped { date.last_of_month() } else { date }.tomorrow().ok()?;
        }
        None
    }
}
