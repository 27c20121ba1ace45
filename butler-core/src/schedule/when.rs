//! A cron expression or words, whichever it is.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::cron::{Cron, CronError, Months};
use super::text::{TextError, TextSchedule, looks_like_words};

/// When something happens, as somebody wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// By a cron expression: `*/5 * * * *`.
    Cron(Cron),
    /// In words: `every 5 minutes`.
    Text(TextSchedule),
}

/// Why a text is neither.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WhenError {
    /// There is nothing.
    #[error("a schedule is missing; write a cron expression such as `*/5 * * * *`, or words such as `every 5 minutes`")]
    Missing,
    /// It looks like a cron expression.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// It looks like words.
    #[error("{0}; a cron expression is understood too, such as `*/5 * * * *`")]
    Text(TextError),
}

impl When {
    /// Reads what begins with a number, a star or a name with `@`, and any other five or six fields with a star, as a cron expression, the rest as words.
    ///
    /// # Errors
    /// It is not understood, or would never come.
    pub fn parse(text: &str, months: Months) -> Result<Self, WhenError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(WhenError::Missing);
        }
        let fields = text.contains('*') && matches!(text.split_whitespace().count(), 5 | 6);
        if looks_like_words(text) && !fields {
            TextSchedule::parse(text).map(Self::Text).map_err(WhenError::Text)
        } else {
            Ok(Self::Cron(Cron::parse(text, months)?))
        }
    }

    /// The next time after an instant by the clock of a zone: strictly later, on a whole second.
    #[must_use]
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Cron(cron) => cron.next_after(after, zone),
            Self::Text(text) => text.next_after(after, zone),
        }
    }

    /// What whoever wrote it may not expect of it, each a sentence without its full stop.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        match self {
            Self::Cron(_) => &[],
            Self::Text(text) => text.warnings(),
        }
    }
}

/// As it was given.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron(cron) => cron.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn when(text: &str) -> When {
        When::parse(text, Months::FromOne).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn it_is_known_by_its_beginning() {
        for text in ["*/5 * * * *", "0 6 * * mon-fri", "@daily", "0 0 1 jan *", " 30 0 0 * * * "] {
            assert!(matches!(when(text), When::Cron(_)), "{text}");
            assert_eq!(when(text).to_string(), text.trim());
        }
        for text in ["every 5 minutes", "5m", "1 h", "on Monday at 9am", "@ 14:30", "@14:30", "2nd day of the month", "Every Weekday"] {
            assert!(matches!(when(text), When::Text(_)), "{text}");
            assert_eq!(when(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_neither_is_refused_as_what_it_looks_like() {
        let error = |text: &str| When::parse(text, Months::FromOne).unwrap_err();
        for text in ["* * * *", "60 * * * *", "@reboot", "L * * * *", "5", "?", "-1 0 0 0 0", "1 2"] {
            assert!(matches!(error(text), WhenError::Cron(_)), "{text}");
        }
        for text in ["nonsense", "every", "at", "5 apples", "every 5", "daily"] {
            assert!(matches!(error(text), WhenError::Text(_)), "{text}");
        }
        assert_eq!(error("  "), WhenError::Missing);
        assert_eq!(
            error("every 5 minuts").to_string(),
            "`every 5 minuts` is not understood at character 9, `minuts`: a unit of time was expected: seconds, minutes, hours, days, weeks, months or years; \
             a cron expression is understood too, such as `*/5 * * * *`"
        );
    }

    #[test]
    fn both_answer_alike() {
        let zones = ["UTC", "Europe/Stockholm", "Australia/Lord_Howe"].map(|name| TimeZone::get(name).unwrap());
        let mut random = fastrand::Rng::with_seed(3);
        let mut alike = |cron: &str, text: &str| {
            let (cron, text) = (when(cron), when(text));
            for zone in &zones {
                for _ in 0..20 {
                    // Between two of them often lies a change of the clock.
                    let mut after = Timestamp::from_second(random.i64(1_740_000_000..1_800_000_000)).unwrap();
                    for _ in 0..5 {
                        let next = cron.next_after(after, zone);
                        assert_eq!(next, text.next_after(after, zone), "{cron}, {text}, after {after}");
                        after = next.unwrap();
                    }
                }
            }
        };
        for n in 1..=60 {
            alike(&format!("*/{n} * * * * *"), &format!("every {n} seconds"));
            alike(&format!("*/{n} * * * *"), &format!("every {n} minutes"));
            alike(&format!("0 */{} * * *", n % 24 + 1), &format!("every {} hours", n % 24 + 1));
            alike(&format!("0 0 */{} * *", n % 31 + 1), &format!("every {} days", n % 31 + 1));
            alike(&format!("0 0 1 */{} *", n % 12 + 1), &format!("every {} months", n % 12 + 1));
        }
        alike("30 2 * * 1-5", "at 2:30 every weekday");
        alike("0 2,14 * * 0", "at 2am and 2pm on Sunday");
        alike("*/10 8-17 * * sat,sun", "every 10 minutes between 8 and 17 hours on weekends");
        alike("0 4 15 * *", "on the 15th day of the month at 4:00 am");
        alike("0 0 L 3,10 *", "on the last day of the month in march and october");
        alike("0 1-3 * * *", "every hour between 1 and 3");
        alike("@yearly", "every year");
    }

    #[test]
    fn only_words_have_warnings() {
        assert!(when("*/7 * * * *").warnings().is_empty());
        assert_eq!(when("every 7 minutes").warnings().len(), 1);
    }
}
