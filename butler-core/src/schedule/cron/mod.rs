//! Cron expressions.
//!
//! ```
//! use butler_core::schedule::cron::{Cron, Months};
//!
//! let cron = Cron::parse("30 6 * * mon-fri", Months::FromOne)?;
//! let zone = jiff::tz::TimeZone::get("Europe/Stockholm")?;
//! let next = cron.next_after("2026-03-27T12:00:00Z".parse()?, &zone);
//! assert_eq!(next, Some("2026-03-30T04:30:00Z".parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is understood
//!
//! | field | values |
//! | --- | --- |
//! | second (may be left out: 0) | 0-59 |
//! | minute | 0-59 |
//! | hour | 0-23 |
//! | day of month | 1-31, `L` the last, `LW` the last from Monday to Friday, `15W` the one from Monday to Friday nearest to the 15th, within the month |
//! | month | 1-12 (or 0-11, see [`Months`]), `jan`-`dec` |
//! | day of week | 0-7, where 0 and 7 are Sunday, `sun`-`sat`, `1#2` the second Monday, `5L` the last Friday |
//!
//! Each is a list, separated by commas, of `*`, `n` and `a-b`, each with a `/step` if you like. `n/step` goes on to the end of the field, a step that leads out of
//! it leaves the first value, and an end of 0 (`5-0`) is none; `fri-sun` ends on Sunday. Or the whole is one of `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`,
//! `@annually`. Upper and lower case are one.
//!
//! When both days of the month and weekdays are restricted, a day is meant if **either** matches. A field that leaves no day out restricts nothing, however it is
//! written. Days that none of the months has (31 February) are refused.
//!
//! # When the clock is changed
//!
//! No run is lost, and none comes twice.
//!
//! * Where seconds, minutes and hours are numbers or lists of numbers, each is **a fixed time**. One that doesn't exist on a day in spring comes once, at the first
//!   moment after the hole. One that exists twice on a day in autumn comes once, the first time. Several that fall together in the hole are one.
//! * Where one of them has a `*`, a range or a step, it is **an interval**. It comes whenever a clock of the zone shows such a time: not in the hour that doesn't exist, and in both of the hour that exists
//!   twice, so that half an hour stays half an hour.
//!
//! # How it is built
//!
//! An expression is a few sets of bits: a hundred thousand of them take a few megabytes, and each answers within a microsecond. The rules for changes of the
//! clock are those that the `croner` crate documents, which is what the tests compare with, besides answers of a library in another language.

mod calendar;
mod error;
mod field;
mod parse;
#[cfg(test)]
mod tests;
mod written;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use error::{CronError, CronField};

use super::zoned;
use calendar::Calendar;

/// Longer ones are refused. All seconds, minutes and hours one by one are shorter.
const LONGEST: usize = 512;

/// How the numbers of months are meant. Names are the named month either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Months {
    /// 1 is January.
    #[default]
    FromOne,
    /// 0 is January, as in the schedule files and the API of the original Butler.
    FromZero,
}

/// A cron expression: when, by the clock of some time zone. The [module](self) says what is understood.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cron {
    text: Box<str>,
    months: Months,
    calendar: Calendar,
    fixed: bool,
}

impl Cron {
    /// Reads an expression of five fields, of six, or one of the names.
    ///
    /// # Errors
    /// It can't be understood, or would never come. The error says which field, what is wrong there, and what would be right.
    pub fn parse(text: &str, months: Months) -> Result<Self, CronError> {
        let read = parse::read(text, months)?;
        Ok(Self { text: text.trim().into(), months, calendar: read.calendar, fixed: read.fixed })
    }

    /// The next time after an instant: strictly later, on a whole second. None if there is none before the end of time, which is in the year 9999.
    #[must_use]
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let next = |from| self.calendar.next(from);
        if self.fixed { zoned::each_once(after, zone, next) } else { zoned::every_showing(after, zone, next) }
    }

    /// How the numbers of months in its text are meant.
    #[must_use]
    pub fn months(&self) -> Months {
        self.months
    }

    /// The same schedule with months from 1 to 12. All else is as it was given.
    #[must_use]
    pub fn to_standard(&self) -> String {
        written::written(&self.text, self.months, Months::FromOne).unwrap_or_else(|| self.text.to_string())
    }

    /// The same schedule with months from 0 to 11 and Sunday as 0 alone, as the original Butler reads it. None if that has no way to say it: `L`, `W`, `#`.
    #[must_use]
    pub fn to_original(&self) -> Option<String> {
        written::written(&self.text, self.months, Months::FromZero)
    }
}

/// As it was given.
impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cron").field("text", &self.text).field("months", &self.months).finish_non_exhaustive()
    }
}

/// With months from 1 to 12.
impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        Self::parse(text, Months::FromOne)
    }
}
