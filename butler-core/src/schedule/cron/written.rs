//! The same schedule, written for somebody who counts months otherwise.

use super::Months;
use super::error::CronField;
use super::field::{Item, Reader, SUNDAY};
use super::parse::{FIELDS, named, split};

/// As the text is, but for months that are numbers: these as `to` counts them. None if it can't be said there.
pub(super) fn written(text: &str, from: Months, to: Months) -> Option<String> {
    // Only the dialect of old has no names for whole schedules.
    let (text, from) = match (text.strip_prefix('@'), to) {
        (Some(_), Months::FromOne) => return Some(text.to_owned()),
        (Some(name), Months::FromZero) => (named(name)?, Months::FromOne),
        (None, _) => (text, from),
    };
    let (seconds, fields) = split(text)?;
    let mut out: Vec<String> = Vec::with_capacity(6);
    for (field, text) in FIELDS.into_iter().zip(fields).skip(usize::from(!seconds)) {
        let items = Reader { field, months: from }.items(text).ok()?;
        let items: Option<Vec<String>> = items.into_iter().map(|(text, item)| one(field, text, item, from, to)).collect();
        out.push(items?.join(","));
    }
    Some(out.join(" "))
}

fn one(field: CronField, text: &str, item: Item, from: Months, to: Months) -> Option<String> {
    let Item::Span { from: low, to: high, step } = item else {
        return (to == Months::FromOne).then(|| text.to_owned());
    };
    let span = text.split('/').next().unwrap_or_default();
    let numbers = span.bytes().any(|byte| byte.is_ascii_digit());
    match (field, to) {
        (CronField::Month, _) if from != to && numbers => {
            let less = u8::from(to == Months::FromZero);
            Some(spelt(low - less, high - less, step))
        }
        // There, a range that ends in 0 has no end, and 7 is no day.
        (CronField::DayOfWeek, Months::FromZero) if high == SUNDAY => {
            let days: Vec<String> = (low..=high).step_by(step.unwrap_or(1).into()).map(|day| (day % SUNDAY).to_string()).collect();
            Some(days.join(","))
        }
        _ => Some(text.to_owned()),
    }
}

fn spelt(low: u8, high: u8, step: Option<u8>) -> String {
    match step {
        None if low == high => low.to_string(),
        None => format!("{low}-{high}"),
        // With an end of 0 it would have none, and go on to the last month.
        Some(_) if low == high => low.to_string(),
        Some(step) => format!("{low}-{high}/{step}"),
    }
}
