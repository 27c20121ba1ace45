//! Schedules in words: `every 5 minutes`, `at 10:00 am and 5:00 pm every weekday`.
//!
//! ```
//! use butler_core::schedule::text::TextSchedule;
//! use jiff::tz::TimeZone;
//!
//! let schedule = TextSchedule::parse("every 2 hours between 8 and 18")?;
//! let next = schedule.next_after("2026-03-10T12:34:56Z".parse()?, &TimeZone::UTC);
//! assert_eq!(next, Some("2026-03-10T14:00:00Z".parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is understood
//!
//! ```text
//! schedule := clause { "also" clause } [ "except" clause ]
//! clause   := part { part }
//! part     := "every" [ N ] unit | N unit
//!           | ("every" | "on" | "in" | "of") ( "weekday" | "weekend" | days | months )
//!           | ("on" ["the"] | "in" | "of") ( numbers unit | "first" unit | "last" unit | year )
//!           | ("at" | "@") ( time { ("and" | ",") time } | N "minutes past every hour" )
//!           | "between" ( N "and" N [ unit ] | time "and" time ) | ("after" | "before") ( time | N [ unit ] )
//!           | "starting" ["at" | "on"] ["the"] N [ unit ]
//! ```
//!
//! Units are seconds, minutes, hours, days (of the month, of the week, of the year), weeks (ISO weeks of the year, or of the month), months and years, with their usual abbreviations,
//! with or without a blank: `5m`, `1h`. Numbers may be `2nd` or `15th`. Times are `14:30`, `2:30 pm`, `9am`, `noon`, `midnight`. Lists have `and` or a comma, ranges `-`, `to` or `through`. Case does not matter.
//!
//! # What it means
//!
//! * All parts of a clause have to match. It comes at the beginning of what it names: `every weekday` at midnight, `every 3 months` on the 1st.
//! * Counts are **aligned to the clock**, not to when anything started: `every 6 hours` is 0, 6, 12 and 18 o'clock, and begins anew with each day. `every 7 minutes` is
//!   therefore 4 minutes after its last in each hour, and `every 7 days` the 1st, 8th, 15th, 22nd and 29th of each month. There is a [warning](TextSchedule::warnings) of those that are uneven.
//! * A count that is longer than what it begins anew with (`every 90 minutes`, `every 48 hours`) is an interval of its own, counted from the beginning of 1970 in UTC; days, weeks and months
//!   of it from then by the calendar.
//! * `between` and `after` include where they begin, and `between` where it ends; `before` leaves it out.
//! * When the clock is changed, it is as with cron expressions: times that are named come once, whatever happens to their hour; what comes every so many seconds, minutes or hours goes on evenly.

mod clause;
mod draft;
mod error;
mod parse;
#[cfg(test)]
mod tests;
mod tokens;
mod unit;
mod words;

use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

pub use error::TextError;

use clause::{Clause, TRIES};
use tokens::{Kind, tokens};

/// Longer ones are refused.
const LONGEST: usize = 512;

/// A schedule in words. The [module](self) says what is understood, and what it means.
#[derive(Clone, PartialEq, Eq)]
pub struct TextSchedule {
    text: Box<str>,
    clauses: Vec<Clause>,
    exceptions: Vec<Clause>,
    warnings: Vec<String>,
}

impl TextSchedule {
    /// Reads a schedule.
    ///
    /// # Errors
    /// It can't be understood, or would never come. The error says at which character, and what was expected there.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let read = parse::read(text)?;
        let (clauses, exceptions, warnings) = (read.clauses, read.exceptions, read.warnings);
        let schedule = Self { text: text.trim().into(), clauses, exceptions, warnings };
        if schedule.next_after(Timestamp::UNIX_EPOCH, &TimeZone::UTC).is_none() {
            return Err(TextError::Never { text: schedule.text.escape_debug().to_string() });
        }
        Ok(schedule)
    }

    /// What whoever wrote it may not expect of it, each a sentence without its full stop.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The next time after an instant by the clock of a zone: strictly later, on a whole second. None if there is none within 50 years.
    #[must_use]
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut after = after;
        for _ in 0..TRIES {
            let next = self.clauses.iter().filter_map(|clause| clause.next_after(after, zone)).min()?;
            let time = zone.to_datetime(next);
            match self.exceptions.iter().find(|exception| exception.covers(time)) {
                None => return Some(next),
                Some(exception) => after = next.max(last_of(exception, time, zone)?),
            }
        }
        None
    }
}

/// The last second that is certainly left out along with a time.
fn last_of(exception: &Clause, time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let (day, hour) = exception.lasts();
    let end = match (day, hour) {
        (true, _) => time.date().tomorrow().ok()?.at(0, 0, 0, 0),
        (false, true) => time.date().at(time.hour(), 0, 0, 0).checked_add(Span::new().hours(1)).ok()?,
        (false, false) => return Some(Timestamp::MIN),
    };
    Some(zone.to_timestamp(end).ok()? - SignedDuration::from_secs(1))
}

/// Whether it begins as words do, rather than as a cron expression.
pub(super) fn looks_like_words(text: &str) -> bool {
    let kinds: Vec<Kind> = tokens(text).into_iter().take(2).map(|token| token.kind).collect();
    match kinds.as_slice() {
        [Kind::Word(_), ..] | [Kind::Number(_), Kind::Word(_)] | [Kind::Sign('@'), Kind::Number(_)] => true,
        [Kind::Sign('@'), Kind::Word(word)] => matches!(word.as_str(), "noon"),
        _ => false,
    }
}

/// As it was given.
impl fmt::Display for TextSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for TextSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextSchedule").field("text", &self.text).finish_non_exhaustive()
    }
}

impl FromStr for TextSchedule {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::parse(text)
    }
}
