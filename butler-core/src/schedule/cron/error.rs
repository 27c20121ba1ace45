//! What can be wrong with a cron expression.

use std::fmt;

use super::LONGEST;

/// One of the six fields, in the order in which they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CronField {
    /// Seconds, which may be left out.
    Second,
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
    /// Days of the month.
    DayOfMonth,
    /// Months.
    Month,
    /// Days of the week.
    DayOfWeek,
}

impl fmt::Display for CronField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        })
    }
}

/// Why a text is no cron expression, and what would be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CronError {
    /// There is nothing.
    #[error("a cron expression is missing; write five fields (minute, hour, day of month, month, day of week), or six with seconds first")]
    Missing,
    /// It is longer than anything that makes sense.
    #[error("the cron expression has {length} bytes; {LONGEST} are the most")]
    TooLong {
        /// How many bytes it has.
        length: usize,
    },
    /// It has too few fields, or too many.
    #[error("`{text}` has {count} fields; write five (minute, hour, day of month, month, day of week), or six with seconds first")]
    FieldCount {
        /// The expression.
        text: String,
        /// How many fields it has.
        count: usize,
    },
    /// A word with an `@` that names no schedule.
    #[error("`{text}` names no schedule; there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually")]
    UnknownName {
        /// The expression.
        text: String,
    },
    /// A field can't be read.
    #[error("field {number} ({field}) of the cron expression: {fault}; {right}")]
    Field {
        /// Which one.
        field: CronField,
        /// Where it stands, from 1.
        number: usize,
        /// What is wrong there.
        fault: String,
        /// What would be right there.
        right: &'static str,
    },
    /// It names days that its months don't have.
    #[error("`{text}` would never come: none of its months has such a day")]
    Never {
        /// The expression.
        text: String,
    },
}
