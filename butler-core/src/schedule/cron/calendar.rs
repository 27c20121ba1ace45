//! Which wall clock times a cron expression means, as sets of bits: small enough for a hundred thousand of them, and quick to search.

use jiff::civil::{Date, DateTime, Time};

use crate::schedule::times::{Times, lowest};

/// Further ahead nobody looks. The rarest day that there is, a fifth Monday in February, comes within 40 years.
const YEARS_AHEAD: i16 = 50;

/// Bits 1 to 31.
const EVERY_DAY: u32 = !1;
/// Bits 0 to 6.
const EVERY_WEEKDAY: u8 = 0x7f;

/// The times that an expression means. Bit n of a set stands for the value n.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Calendar {
    pub(super) times: Times,
    pub(super) days: Days,
    /// From 1, January.
    pub(super) months: u16,
    pub(super) weekdays: Weekdays,
}

/// Days of the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Days {
    pub(super) numbered: u32,
    pub(super) last: bool,
    /// The last one from Monday to Friday.
    pub(super) last_working: bool,
    /// The ones from Monday to Friday that are nearest to these.
    pub(super) nearest_working: u32,
}

/// Days of the week, from 0, Sunday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Weekdays {
    pub(super) every: u8,
    /// The first to the fifth of a month.
    pub(super) nth: [u8; 5],
    pub(super) last: u8,
}

impl Calendar {
    /// The first time from `from` on, which counts itself. It has no fraction of a second.
    pub(super) fn next(&self, from: DateTime) -> Option<DateTime> {
        let date = from.date();
        if self.has(date)
            && let Some(time) = self.times.next(from.time())
        {
            return Some(date.to_datetime(time));
        }
        Some(self.next_date(date.tomorrow().ok()?)?.to_datetime(self.times.next(Time::midnight())?))
    }

    /// Whether there is a day that it means.
    pub(super) fn ever(&self) -> bool {
        if self.weekdays.restricted() {
            // Every month has every weekday, and some month has a fifth one, February too.
            return true;
        }
        let longest = |month: u32| match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        self.days.last
            || self.days.last_working
            || (1..=12)
                .any(|month| self.months >> month & 1 == 1 && (self.days.numbered | self.days.nearest_working) & up_to(longest(month)) != 0)
    }

    fn has(&self, date: Date) -> bool {
        self.months >> date.month() & 1 == 1 && self.days_of(date.first_of_month()) >> date.day() & 1 == 1
    }

    fn next_date(&self, from: Date) -> Option<Date> {
        let mut first = from.first_of_month();
        let mut day = from.day();
        let end = from.year().saturating_add(YEARS_AHEAD);
        while first.year() <= end {
            if self.months >> first.month() & 1 == 1
                && let Some(day) = lowest(self.days_of(first).into(), day.unsigned_abs())
            {
                return Date::new(first.year(), first.month(), day as i8).ok();
            }
            first = first.last_of_month().tomorrow().ok()?;
            day = 1;
        }
        None
    }

    /// The days of the month that begins at `first`, whichever month it is.
    fn days_of(&self, first: Date) -> u32 {
        let length = first.days_in_month().unsigned_abs();
        let weekday = first.weekday().to_sunday_zero_offset().unsigned_abs();
        let (days, weekdays) = (self.days.of(length, weekday), self.weekdays.of(length, weekday));
        // Who names both means both. A field that leaves nothing out names nothing.
        if self.days.restricted() && self.weekdays.restricted() { days | weekdays } else { days & weekdays }
    }
}

impl Days {
    fn restricted(&self) -> bool {
        self.numbered != EVERY_DAY
    }

    /// Those of a month with so many days that begins at this weekday.
    fn of(&self, length: u8, first_weekday: u8) -> u32 {
        let weekday = |day: u8| (first_weekday + day - 1) % 7;
        let mut days = self.numbered & up_to(length);
        if self.last {
            days |= 1 << length;
        }
        if self.last_working {
            days |= 1
                << match weekday(length) {
                    6 => length - 1,
                    0 => length - 2,
                    _ => length,
                };
        }
        for day in ones(self.nearest_working & up_to(length)) {
            // It stays within the month.
            days |= 1
                << match weekday(day) {
                    6 if day > 1 => day - 1,
                    6 => day + 2,
                    0 if day < length => day + 1,
                    0 => day - 2,
                    _ => day,
                };
        }
        days
    }
}

impl Weekdays {
    fn restricted(&self) -> bool {
        self.every != EVERY_WEEKDAY
    }

    fn of(&self, length: u8, first_weekday: u8) -> u32 {
        if !self.restricted() {
            return up_to(length);
        }
        let mut days = 0;
        for weekday in 0..7 {
            let first = 1 + (7 + weekday - first_weekday) % 7;
            let nth = |n: u8| 1u32.checked_shl((first + 7 * n).into()).unwrap_or_default() & up_to(length);
            for n in 0..5 {
                if (self.every | self.nth[usize::from(n)]) >> weekday & 1 == 1 {
                    days |= nth(n);
                }
            }
            if self.last >> weekday & 1 == 1 {
                days |= if nth(4) == 0 { nth(3) } else { nth(4) };
            }
        }
        days
    }
}

/// Bits 1 to `day`.
fn up_to(day: u8) -> u32 {
    EVERY_DAY & (u32::MAX >> (31 - day))
}

/// The values of a set.
fn ones(set: u32) -> impl Iterator<Item = u8> {
    (0..32).filter(move |value| set >> value & 1 == 1)
}
