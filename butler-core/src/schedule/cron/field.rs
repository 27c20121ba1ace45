//! One field of a cron expression: a list of items, each a number, a range, a step, or one of the words for days.

use super::Months;
use super::error::CronField;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Sunday, where it ends a range.
pub(super) const SUNDAY: u8 = 7;

/// One item, in our own numbers: months from 1, whatever was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Span { from: u8, to: u8, step: Option<u8> },
    LastDay,
    LastWorkingDay,
    NearestWorkingDay(u8),
    NthWeekday(u8, u8),
    LastWeekday(u8),
}

/// What is wrong with a field. The words for it are made once it is known where it stands.
pub(super) struct Fault(pub(super) String);

type Parsed<T> = Result<T, Fault>;

fn fault<T>(text: String) -> Parsed<T> {
    Err(Fault(text))
}

/// A field of a kind, and how its numbers are meant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader {
    pub(super) field: CronField,
    pub(super) months: Months,
}

impl Reader {
    /// The items of a field, beside how they are written.
    pub(super) fn items<'a>(&self, text: &'a str) -> Parsed<Vec<(&'a str, Item)>> {
        text.split(',').map(|item| Ok((item, self.item(item)?))).collect()
    }

    /// The lowest and the highest value that stars, and steps without an end, stand for.
    pub(super) fn bounds(&self) -> (u8, u8) {
        match self.field {
            CronField::Second | CronField::Minute => (0, 59),
            CronField::Hour => (0, 23),
            CronField::DayOfMonth => (1, 31),
            CronField::Month => (1, 12),
            CronField::DayOfWeek => (0, 6),
        }
    }

    /// What is right in this field.
    pub(super) fn right(&self) -> &'static str {
        match (self.field, self.months) {
            (CronField::Second, _) => "seconds are 0 to 59, `*`, ranges, steps and lists of them",
            (CronField::Minute, _) => "minutes are 0 to 59, `*`, ranges, steps and lists of them",
            (CronField::Hour, _) => "hours are 0 to 23, `*`, ranges, steps and lists of them",
            (CronField::DayOfMonth, _) => {
                "days are 1 to 31, `L` (the last), `LW` (the last from Monday to Friday), `15W` (the one from Monday to Friday nearest to the 15th), `*`, ranges, steps and lists of them"
            }
            (CronField::Month, Months::FromOne) => "months are 1 to 12 or jan to dec, `*`, ranges, steps and lists of them",
            (CronField::Month, Months::FromZero) => {
                "months are 0 (January) to 11 (December) or jan to dec, `*`, ranges, steps and lists of them"
            }
            (CronField::DayOfWeek, _) => {
                "weekdays are 0 (Sunday) to 7 (Sunday too) or sun to sat, `1#2` (the second Monday), `5L` (the last Friday), `*`, ranges, steps and lists of them"
            }
        }
    }

    fn item(&self, text: &str) -> Parsed<Item> {
        if text.is_empty() {
            return fault("it has an empty item".into());
        }
        if let Some(day) = self.day(text)? {
            return Ok(day);
        }
        let (span, step) = match text.split_once('/') {
            Some((span, step)) => (span, Some(self.step(step, text)?)),
            None => (text, None),
        };
        let (lowest, highest) = self.bounds();
        if span == "*" {
            return Ok(Item::Span { from: lowest, to: highest, step });
        }
        if span.split('-').any(str::is_empty) {
            return fault(format!("`{text}` lacks a number"));
        }
        match span.split_once('-') {
            Some((from, to)) => self.range(from, to, text).map(|(from, to)| Item::Span { from, to, step }),
            None => {
                let from = self.value(span)?;
                let to = if step.is_some() { highest.max(from) } else { from };
                Ok(Item::Span { from, to, step })
            }
        }
    }

    fn range(&self, from: &str, to: &str, text: &str) -> Parsed<(u8, u8)> {
        let from = self.value(from)?;
        // The dialect of old takes an end of 0 for none.
        if to.bytes().all(|digit| digit == b'0') {
            return Ok((from, from));
        }
        let to = match self.value(to)? {
            0 if self.field == CronField::DayOfWeek && from > 0 => SUNDAY,
            to => to,
        };
        if to < from { fault(format!("`{text}` ends before it begins")) } else { Ok((from, to)) }
    }

    fn step(&self, step: &str, text: &str) -> Parsed<u8> {
        if step.is_empty() || !step.bytes().all(|digit| digit.is_ascii_digit()) {
            return fault(format!("`{text}` has no number as its step"));
        }
        // Beyond the range one is as long as the other.
        match step.parse().unwrap_or(u8::MAX) {
            0 => fault(format!("`{text}` has a step of 0")),
            step => Ok(step),
        }
    }

    /// A number or a name.
    fn value(&self, text: &str) -> Parsed<u8> {
        let names: &[&str] = match self.field {
            CronField::Month => &MONTHS,
            CronField::DayOfWeek => &WEEKDAYS,
            _ => &[],
        };
        let (lowest, highest) = self.bounds();
        if let Some(index) = names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
            return Ok(index as u8 + lowest);
        }
        if !text.bytes().all(|digit| digit.is_ascii_digit()) {
            return fault(format!("`{text}` is {}", if names.is_empty() { "no number" } else { "neither a number nor a name" }));
        }
        let number: u8 = text.parse().unwrap_or(u8::MAX);
        let number = match (self.field, self.months) {
            (CronField::Month, Months::FromZero) => number.saturating_add(1),
            _ => number,
        };
        let highest = if self.field == CronField::DayOfWeek { SUNDAY } else { highest };
        if (lowest..=highest).contains(&number) { Ok(number) } else { fault(format!("`{text}` is out of range")) }
    }

    /// The items that stand for certain days of a month.
    fn day(&self, text: &str) -> Parsed<Option<Item>> {
        let ends_in = |letter: char| text.strip_suffix([letter, letter.to_ascii_lowercase()]);
        match self.field {
            CronField::DayOfMonth if text.eq_ignore_ascii_case("L") => Ok(Some(Item::LastDay)),
            CronField::DayOfMonth if text.eq_ignore_ascii_case("LW") => Ok(Some(Item::LastWorkingDay)),
            CronField::DayOfMonth => match ends_in('W') {
                Some("") => fault(format!("`{text}` does not say nearest to which day")),
                Some(day) => self.value(day).map(|day| Some(Item::NearestWorkingDay(day))),
                None => Ok(None),
            },
            CronField::DayOfWeek => {
                if let Some((weekday, nth)) = text.split_once('#') {
                    if weekday.is_empty() {
                        return fault(format!("`{text}` does not say which weekday"));
                    }
                    let weekday = self.value(weekday)? % SUNDAY;
                    return match nth {
                        "1" | "2" | "3" | "4" | "5" => Ok(Some(Item::NthWeekday(weekday, nth.as_bytes()[0] - b'0'))),
                        "L" | "l" => Ok(Some(Item::LastWeekday(weekday))),
                        _ => fault(format!("`{text}` does not say which of the month, from 1 to 5, or L")),
                    };
                }
                match ends_in('L') {
                    Some("") => fault(format!("`{text}` does not say the last what")),
                    Some(weekday) => Ok(Some(Item::LastWeekday(self.value(weekday)? % SUNDAY))),
                    None => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }
}
