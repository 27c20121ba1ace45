//! From the text of a cron expression to the times that it means.

use super::calendar::Calendar;
use super::error::{CronError, CronField};
use super::field::{Item, Reader, SUNDAY};
use super::{LONGEST, Months};

/// The fields in their order.
pub(super) const FIELDS: [CronField; 6] =
    [CronField::Second, CronField::Minute, CronField::Hour, CronField::DayOfMonth, CronField::Month, CronField::DayOfWeek];

/// What an expression says.
pub(super) struct Read {
    pub(super) calendar: Calendar,
    /// Whether its seconds, minutes and hours are numbers alone.
    pub(super) fixed: bool,
}

pub(super) fn read(text: &str, months: Months) -> Result<Read, CronError> {
    let text = text.trim();
    if text.len() > LONGEST {
        return Err(CronError::TooLong { length: text.len() });
    }
    if text.is_empty() {
        return Err(CronError::Missing);
    }
    let shown = || text.escape_debug().to_string();
    let (fields, months) = match text.strip_prefix('@') {
        Some(name) => (named(name).ok_or_else(|| CronError::UnknownName { text: shown() })?, Months::FromOne),
        None => (text, months),
    };
    let (seconds, fields) = split(fields).ok_or_else(|| CronError::FieldCount { text: shown(), count: text.split_whitespace().count() })?;
    let mut read = Read { calendar: Calendar::default(), fixed: true };
    for (index, (field, text)) in FIELDS.into_iter().zip(fields).enumerate() {
        let reader = Reader { field, months };
        let items = reader.items(text).map_err(|fault| CronError::Field {
            field,
            number: index + usize::from(seconds),
            fault: fault.0.escape_debug().to_string(),
            right: reader.right(),
        })?;
        for (_, item) in items {
            read.add(field, item);
        }
    }
    if read.calendar.ever() { Ok(read) } else { Err(CronError::Never { text: shown() }) }
}

/// The five fields that a name stands for, with months from 1.
pub(super) fn named(name: &str) -> Option<&'static str> {
    let is = |names: &[&str]| names.iter().any(|other| other.eq_ignore_ascii_case(name));
    match () {
        () if is(&["hourly"]) => Some("0 * * * *"),
        () if is(&["daily", "midnight"]) => Some("0 0 * * *"),
        () if is(&["weekly"]) => Some("0 0 * * 0"),
        () if is(&["monthly"]) => Some("0 0 1 * *"),
        () if is(&["yearly", "annually"]) => Some("0 0 1 1 *"),
        () => None,
    }
}

/// The six fields, and whether seconds are among them. Without them it is second 0.
pub(super) fn split(text: &str) -> Option<(bool, [&str; 6])> {
    let mut fields = ["0"; 6];
    let count = text.split_whitespace().count();
    let seconds = match count {
        5 => false,
        6 => true,
        _ => return None,
    };
    for (field, text) in fields[usize::from(!seconds)..].iter_mut().zip(text.split_whitespace()) {
        *field = text;
    }
    Some((seconds, fields))
}

impl Read {
    fn add(&mut self, field: CronField, item: Item) {
        let calendar = &mut self.calendar;
        match item {
            Item::Span { from, to, step } => {
                let span = (from..=to).step_by(step.unwrap_or(1).into()).fold(0u64, |set, value| set | 1 << value);
                match field {
                    CronField::Second => calendar.times.seconds |= span,
                    CronField::Minute => calendar.times.minutes |= span,
                    CronField::Hour => calendar.times.hours |= span as u32,
                    CronField::DayOfMonth => calendar.days.numbered |= span as u32,
                    CronField::Month => calendar.months |= span as u16,
                    CronField::DayOfWeek => calendar.weekdays.every |= (span | span >> SUNDAY) as u8 & 0x7f,
                }
                let time = matches!(field, CronField::Second | CronField::Minute | CronField::Hour);
                self.fixed &= !time || (from == to && step.is_none());
            }
            Item::LastDay => calendar.days.last = true,
            Item::LastWorkingDay => calendar.days.last_working = true,
            Item::NearestWorkingDay(day) => calendar.days.nearest_working |= 1 << day,
            Item::NthWeekday(weekday, nth) => calendar.weekdays.nth[usize::from(nth - 1)] |= 1 << weekday,
            Item::LastWeekday(weekday) => calendar.weekdays.last |= 1 << weekday,
        }
    }
}
