//! The times at which there are occurrences at all: hours, days of the week, dates.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};

/// How many days are looked ahead for one that is allowed.
const MOST_DAYS: usize = 5 * 366;

/// The times at which there are occurrences at all, in the zone of the schedule. What is empty restricts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Window {
    /// Hours of the day: `08:00-18:00`, the last moment not included. `22:00-06:00` goes over midnight, and its hours after midnight belong to the day they are on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "api", schema(value_type = Vec<String>))]
    pub hours: Vec<Hours>,
    /// Days of the week: `mon`, or `mon-fri`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "api", schema(value_type = Vec<String>))]
    pub days: Vec<Days>,
    /// Dates, and no others: `2026-12-24`, `12-24` in every year, or `2026-12-24..2026-12-31` with the last day included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "api", schema(value_type = Vec<String>))]
    pub dates: Vec<Dates>,
    /// Dates that are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "api", schema(value_type = Vec<String>))]
    pub not_dates: Vec<Dates>,
}

/// Hours of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    from: Time,
    /// Not included; none for midnight at the end of the day.
    to: Option<Time>,
}

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Days {
    from: Weekday,
    to: Weekday,
}

/// One or several days of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Dates {
    /// From the first to the last, both included.
    Span(Date, Date),
    /// This day of this month, in every year.
    Yearly(i8, i8),
}

/// A text that is no part of a window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` {what}")]
pub struct WindowError {
    given: String,
    what: &'static str,
}

impl Window {
    /// Whether it restricts nothing.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn allows(&self, at: &Zoned) -> bool {
        self.has_day(at.date()) && self.has_time(at.time())
    }

    fn has_day(&self, date: Date) -> bool {
        (self.days.is_empty() || self.days.iter().any(|days| days.has(date.weekday())))
            && (self.dates.is_empty() || self.dates.iter().any(|dates| dates.has(date)))
            && !self.not_dates.iter().any(|dates| dates.has(date))
    }

    fn has_time(&self, time: Time) -> bool {
        self.hours.is_empty() || self.hours.iter().any(|hours| hours.has(time))
    }

    /// The first moment after `at`, which is not allowed, from which on it may be; none if there is none within years.
    pub(super) fn opens_after(&self, at: &Zoned) -> Option<Timestamp> {
        let zone = at.time_zone();
        if self.has_day(at.date())
            && let Some(opens) = self.hours.iter().map(|hours| hours.from).filter(|from| *from > at.time()).min()
        {
            return moment(at.date(), opens, zone).filter(|opens| *opens > at.timestamp());
        }
        let first = self.first_time();
        let mut date = at.date();
        for _ in 0..MOST_DAYS {
            date = date.tomorrow().ok()?;
            if self.has_day(date) {
                return moment(date, first, zone);
            }
        }
        None
    }

    /// When a day begins that is allowed.
    fn first_time(&self) -> Time {
        let goes_over_midnight = self.hours.iter().any(|hours| hours.has(Time::midnight()));
        let earliest = self.hours.iter().map(|hours| hours.from).min();
        earliest.filter(|_| !goes_over_midnight).unwrap_or(Time::midnight())
    }
}

fn moment(date: Date, time: Time, zone: &TimeZone) -> Option<Timestamp> {
    date.to_datetime(time).to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
}

impl Hours {
    fn has(&self, time: Time) -> bool {
        match self.to {
            None => time >= self.from,
            Some(to) if to > self.from => time >= self.from && time < to,
            Some(to) => time >= self.from || time < to,
        }
    }
}

impl Days {
    fn has(&self, day: Weekday) -> bool {
        self.from.until(day) <= self.from.until(self.to)
    }
}

impl Dates {
    fn has(&self, date: Date) -> bool {
        match self {
            Self::Span(first, last) => (*first..=*last).contains(&date),
            Self::Yearly(month, day) => (date.month(), date.day()) == (*month, *day),
        }
    }
}

const NAMES: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

fn name(day: Weekday) -> &'static str {
    NAMES.iter().find(|(_, known)| *known == day).map_or("mon", |(name, _)| name)
}

fn weekday(text: &str) -> Option<Weekday> {
    let text = text.trim().to_ascii_lowercase();
    let is_known = |name: &str| text == name || (text.len() > 3 && full(name) == text);
    NAMES.iter().find(|(name, _)| is_known(name)).map(|(_, day)| *day)
}

fn full(short: &str) -> &'static str {
    const FULL: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    FULL.into_iter().find(|full| full.starts_with(short)).unwrap_or_default()
}

impl FromStr for Hours {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let fault = || WindowError {
            given: excerpt(text),
            what: "is no time of the day; write the first and the last hour, such as `08:00-18:00`",
        };
        let (from, to) = text.split_once('-').ok_or_else(fault)?;
        let (from, to) = (clock(from).ok_or_else(fault)?, clock(to).ok_or_else(fault)?);
        match (from, to) {
            (Some(from), to) if Some(from) != to => Ok(Self { from, to }),
            _ => Err(fault()),
        }
    }
}

/// A time such as `8:00`; the inner `None` is `24:00`.
fn clock(text: &str) -> Option<Option<Time>> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |text: &str| text.parse::<i8>().ok().filter(|_| (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()));
    match (number(hour)?, number(minute)?) {
        (24, 0) => Some(None),
        (hour, minute) => Time::new(hour, minute, 0, 0).ok().map(Some),
    }
}

impl FromStr for Days {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let fault = || WindowError { given: excerpt(text), what: "is no day of the week; write `mon`, or `mon-fri`" };
        Ok(Self { from: weekday(from).ok_or_else(fault)?, to: weekday(to).ok_or_else(fault)? })
    }
}

impl FromStr for Dates {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let fault = || WindowError {
            given: excerpt(text),
            what: "is no date; write `2026-12-24`, `12-24` for every year, or `2026-12-24..2026-12-31`",
        };
        let date = |text: &str| text.trim().parse::<Date>().ok().filter(|_| text.trim().len() == 10);
        if let Some((first, last)) = text.split_once("..") {
            let (first, last) = (date(first).ok_or_else(fault)?, date(last).ok_or_else(fault)?);
            return if first <= last { Ok(Self::Span(first, last)) } else { Err(fault()) };
        }
        if let Some(day) = date(text) {
            return Ok(Self::Span(day, day));
        }
        // A leap year, so that the 29th of February is one.
        let day = Some(text.trim()).filter(|text| text.len() == 5).and_then(|text| format!("2024-{text}").parse::<Date>().ok());
        day.map(|day| Self::Yearly(day.month(), day.day())).ok_or_else(fault)
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |time: Time| format!("{:02}:{:02}", time.hour(), time.minute());
        write!(f, "{}-{}", show(self.from), self.to.map_or_else(|| "24:00".to_owned(), show))
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name(self.from))?;
        if self.from == self.to { Ok(()) } else { write!(f, "-{}", name(self.to)) }
    }
}

impl fmt::Display for Dates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Span(first, last) if first == last => first.fmt(f),
            Self::Span(first, last) => write!(f, "{first}..{last}"),
            Self::Yearly(month, day) => write!(f, "{month:02}-{day:02}"),
        }
    }
}

/// Written and read as text.
macro_rules! as_text {
    ($($name:ty)+) => {$(
        impl TryFrom<String> for $name {
            type Error = WindowError;

            fn try_from(text: String) -> Result<Self, WindowError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )+};
}

as_text!(Hours Days Dates);

#[cfg(test)]
mod tests {
    use super::*;

    fn window(json: serde_json::Value) -> Window {
        serde_json::from_value(json).unwrap()
    }

    fn at(text: &str) -> Zoned {
        text.parse().unwrap()
    }

    #[test]
    fn hours_days_and_dates_are_read_and_written_as_they_are_said() {
        for (given, shown) in [("8:00-18:30", "08:00-18:30"), ("22:00-06:00", "22:00-06:00"), (" 00:00 - 24:00 ", "00:00-24:00")] {
            assert_eq!(given.parse::<Hours>().unwrap().to_string(), shown);
        }
        for bad in ["", "8-18", "08:00", "08:00-08:00", "24:00-06:00", "25:00-26:00", "08:00-18:60", "+8:00-18:00", "08:000-9:00"] {
            assert!(bad.parse::<Hours>().is_err(), "{bad}");
        }
        for (given, shown) in [("mon", "mon"), ("Friday - Monday", "fri-mon"), ("SUN-sun", "sun")] {
            assert_eq!(given.parse::<Days>().unwrap().to_string(), shown);
        }
        for bad in ["", "mo", "montag", "mon-", "1"] {
            assert!(bad.parse::<Days>().is_err(), "{bad}");
        }
        for given in ["2026-12-24", "12-24", "02-29", "2026-12-24..2027-01-01"] {
            assert_eq!(given.parse::<Dates>().unwrap().to_string(), given);
        }
        for bad in ["", "24.12.", "2026-02-29", "13-01", "2027-01-01..2026-12-24", "2026-12"] {
            assert!(bad.parse::<Dates>().is_err(), "{bad}");
        }
        let error = "8-18".parse::<Hours>().unwrap_err().to_string();
        assert_eq!(error, "`8-18` is no time of the day; write the first and the last hour, such as `08:00-18:00`");
    }

    #[test]
    fn what_is_within_is_allowed() {
        let window = window(serde_json::json!({ "hours": ["08:00-18:00", "22:00-02:00"], "days": ["fri-mon"], "not_dates": ["12-25"] }));
        for (when, allowed) in [
            ("2026-03-13T08:00:00[UTC]", true),
            ("2026-03-13T07:59:59[UTC]", false),
            ("2026-03-13T18:00:00[UTC]", false),
            ("2026-03-13T23:00:00[UTC]", true),
            ("2026-03-14T01:59:59[UTC]", true),
            ("2026-03-14T02:00:00[UTC]", false),
            ("2026-03-10T10:00:00[UTC]", false),
            ("2026-12-25T10:00:00[UTC]", false),
        ] {
            assert_eq!(window.allows(&at(when)), allowed, "{when}");
        }
    }

    #[test]
    fn what_is_not_allowed_is_followed_by_what_may_be() {
        let hours = window(serde_json::json!({ "hours": ["08:00-12:00", "14:00-18:00"], "days": ["mon-fri"] }));
        for (when, opens) in [
            ("2026-03-13T07:00:00[UTC]", Some("2026-03-13T08:00:00Z")),
            ("2026-03-13T13:00:00[UTC]", Some("2026-03-13T14:00:00Z")),
            ("2026-03-13T18:00:00[UTC]", Some("2026-03-16T08:00:00Z")),
            ("2026-03-14T10:00:00[UTC]", Some("2026-03-16T08:00:00Z")),
        ] {
            assert_eq!(hours.opens_after(&at(when)), opens.map(|opens| opens.parse().unwrap()), "{when}");
        }
        let once = window(serde_json::json!({ "dates": ["2026-03-13"] }));
        assert_eq!(once.opens_after(&at("2026-03-14T00:00:00[UTC]")), None);
        let night = window(serde_json::json!({ "hours": ["22:00-06:00"], "days": ["mon"] }));
        assert_eq!(night.opens_after(&at("2026-03-15T23:00:00[UTC]")), Some("2026-03-16T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn where_an_hour_is_skipped_a_day_still_begins() {
        let window = window(serde_json::json!({ "hours": ["02:30-05:00"] }));
        let opens = window.opens_after(&at("2026-03-29T00:30:00[Europe/Stockholm]")).unwrap();
        assert_eq!(opens.to_string(), "2026-03-29T01:30:00Z");
    }
}
