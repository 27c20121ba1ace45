//! Units of time, and the names of days and months.

use jiff::civil::Date;

/// What can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unit {
    Second,
    Minute,
    Hour,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    WeekOfMonth,
    WeekOfYear,
    Month,
    Year,
}

/// What a text may say where a unit is expected.
pub(super) const UNITS: &str = "seconds, minutes, hours, days, weeks, months or years";

impl Unit {
    /// As it is written. Days and weeks are those of the month and of the year, unless it is said otherwise.
    pub(super) fn named(word: &str) -> Option<Self> {
        match word {
            "s" | "sec" | "secs" | "second" | "seconds" => Some(Self::Second),
            "m" | "min" | "mins" | "minute" | "minutes" => Some(Self::Minute),
            "h" | "hr" | "hrs" | "hour" | "hours" => Some(Self::Hour),
            "d" | "day" | "days" => Some(Self::DayOfMonth),
            "w" | "week" | "weeks" => Some(Self::WeekOfYear),
            "month" | "months" => Some(Self::Month),
            "year" | "years" => Some(Self::Year),
            _ => None,
        }
    }

    /// The lowest and the highest value.
    pub(super) fn bounds(self) -> (u16, u16) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::DayOfWeek => (1, 7),
            Self::DayOfYear => (1, 366),
            Self::WeekOfMonth => (1, 6),
            Self::WeekOfYear => (1, 53),
            Self::Month => (1, 12),
            Self::Year => (1970, 9999),
        }
    }

    /// Several of them.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Second => "seconds",
            Self::Minute => "minutes",
            Self::Hour => "hours",
            Self::DayOfMonth => "days",
            Self::DayOfWeek => "days of the week",
            Self::DayOfYear => "days of the year",
            Self::WeekOfMonth => "weeks of the month",
            Self::WeekOfYear => "weeks",
            Self::Month => "months",
            Self::Year => "years",
        }
    }

    /// What they begin anew with. Years never do.
    pub(super) fn within(self) -> &'static str {
        match self {
            Self::Second => "minute",
            Self::Minute => "hour",
            Self::Hour => "day",
            Self::DayOfMonth | Self::WeekOfMonth => "month",
            Self::DayOfWeek => "week",
            Self::DayOfYear | Self::WeekOfYear | Self::Month | Self::Year => "year",
        }
    }

    /// One of what they begin anew with.
    pub(super) fn one_within(self) -> String {
        format!("{} {}", if self == Self::Minute { "an" } else { "a" }, self.within())
    }

    /// Whether it is a part of a day.
    pub(super) fn of_a_day(self) -> bool {
        self <= Self::Hour
    }

    /// Which one a date lies in, and which is the last one there.
    pub(super) fn of(self, date: Date) -> (u16, u16) {
        let week_of_month = |day: i8| {
            let first = date.first_of_month().weekday().to_sunday_zero_offset();
            (day - 1 + first) / 7 + 1
        };
        let (value, last) = match self {
            Self::Second | Self::Minute | Self::Hour => (0, 0),
            Self::DayOfMonth => (date.day().into(), date.days_in_month().into()),
            Self::DayOfWeek => ((date.weekday().to_sunday_zero_offset() + 1).into(), 7),
            Self::DayOfYear => (date.day_of_year(), date.days_in_year()),
            // They begin on Sundays, the first one on the 1st.
            Self::WeekOfMonth => (week_of_month(date.day()).into(), week_of_month(date.days_in_month()).into()),
            Self::WeekOfYear => (date.iso_week_date().week().into(), date.iso_week_date().weeks_in_year().into()),
            Self::Month => (date.month().into(), 12),
            Self::Year => (date.year(), 9999),
        };
        (value.unsigned_abs(), last.unsigned_abs())
    }

    /// Whether one of them begins on a date.
    pub(super) fn begins_on(self, date: Date) -> bool {
        match self {
            Self::WeekOfMonth => date.day() == 1 || date.weekday().to_sunday_zero_offset() == 0,
            Self::WeekOfYear => date.weekday().to_monday_zero_offset() == 0,
            Self::Month => date.day() == 1,
            Self::Year => date.day_of_year() == 1,
            _ => true,
        }
    }
}

/// 1 is Sunday.
pub(super) fn day_named(word: &str) -> Option<u16> {
    position(word, &["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"])
}

/// 1 is January.
pub(super) fn month_named(word: &str) -> Option<u16> {
    let names = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
    position(word, &names)
}

fn position(word: &str, names: &[&str]) -> Option<u16> {
    let is = |name: &&str| {
        *name == word || (word.len() == 3 && name.starts_with(word)) || (word.len() == 4 && *name == "september" && word == "sept")
    };
    Some(names.iter().position(is)? as u16 + 1)
}
