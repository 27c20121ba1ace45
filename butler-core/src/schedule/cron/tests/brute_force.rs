//! Whole years, looked through quarter by quarter: nothing is left out, and nothing comes that should not.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use jiff::tz::{Disambiguation, TimeZone};
use jiff::{SignedDuration, Span, Timestamp};

use super::*;

/// A field as text, and whether a value is in it, found without the reader.
struct Field {
    text: String,
    has: Box<dyn Fn(i8) -> bool>,
    /// Neither a star nor a range nor a step.
    numbers: bool,
}

fn list(random: &mut fastrand::Rng, values: &[i8], most: usize) -> Field {
    let chosen: BTreeSet<i8> = (0..random.usize(1..=most)).map(|_| values[random.usize(..values.len())]).collect();
    let text = chosen.iter().map(i8::to_string).collect::<Vec<_>>().join(",");
    Field { text, has: Box::new(move |value| chosen.contains(&value)), numbers: true }
}

fn every() -> Field {
    Field { text: "*".into(), has: Box::new(|_| true), numbers: false }
}

fn step(from: i8, to: i8, step: i8) -> Field {
    let text = format!("{from}-{to}/{step}");
    Field { text, has: Box::new(move |value| value >= from && value <= to && (value - from) % step == 0), numbers: false }
}

struct Pattern {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

impl Pattern {
    fn random(random: &mut fastrand::Rng) -> Self {
        let numbers = |from: i8, to: i8| (from..=to).collect::<Vec<i8>>();
        let mut field = |from: i8, to: i8, most: usize| match random.u8(..4) {
            0 => every(),
            1 => step(random.i8(from..=to / 2), to, random.i8(1..=4)),
            _ => list(random, &numbers(from, to), most),
        };
        let (hour, day, month, weekday) = (field(0, 23, 4), field(1, 31, 4), field(1, 12, 8), field(0, 6, 3));
        let minute = if random.bool() { list(random, &[0, 15, 30, 45], 3) } else { step(0, 59, 15) };
        Self { minute, hour, day, month, weekday }
    }

    fn text(&self) -> String {
        [&self.minute, &self.hour, &self.day, &self.month, &self.weekday].map(|field| field.text.as_str()).join(" ")
    }

    fn shows(&self, time: DateTime) -> bool {
        let weekday = time.date().weekday().to_sunday_zero_offset();
        let restricted = |field: &Field, from: i8, to: i8| (from..=to).any(|value| !(field.has)(value));
        let (day, weekday) = ((self.day.has)(time.day()), (self.weekday.has)(weekday));
        let either = restricted(&self.day, 1, 31) && restricted(&self.weekday, 0, 6);
        (self.minute.has)(time.minute())
            && (self.hour.has)(time.hour())
            && (self.month.has)(time.month())
            && if either { day || weekday } else { day && weekday }
    }

    /// All of a year, by looking at each quarter of an hour.
    fn all(&self, start: Timestamp, zone: &TimeZone) -> BTreeSet<Timestamp> {
        let quarter = SignedDuration::from_mins(15);
        let quarters = 366 * 24 * 4;
        if self.minute.numbers && self.hour.numbers {
            // Wall clock times, each put in its place.
            let first = zone.to_datetime(start).date().yesterday().unwrap().to_datetime(jiff::civil::Time::midnight());
            (0..quarters + 200)
                .map(|n| first.checked_add(Span::new().minutes(15 * n)).unwrap())
                .filter(|time| self.shows(*time))
                .map(|time| match zone.to_ambiguous_timestamp(time).offset() {
                    jiff::tz::AmbiguousOffset::Gap { before, after } => {
                        // As long after the hole begins as it lasts, less what it lies within: the end of it.
                        let hole = SignedDuration::from_secs((after.seconds() - before.seconds()).into());
                        let late = before.to_timestamp(time).unwrap();
                        (0..=i32::try_from(hole.as_secs()).unwrap() / 900)
                            .map(|n| late - quarter * n)
                            .filter(|at| zone.to_offset(*at) == after)
                            .min()
                            .unwrap()
                    }
                    _ => zone.to_ambiguous_timestamp(time).disambiguate(Disambiguation::Earlier).unwrap(),
                })
                .filter(|at| *at > start)
                .collect()
        } else {
            (1..=quarters).map(|n| start + quarter * n).filter(|at| self.shows(zone.to_datetime(*at))).collect()
        }
    }
}

#[test]
fn a_year_has_all_that_looking_at_every_quarter_finds() {
    let mut random = fastrand::Rng::with_seed(7);
    let years = [
        ("Europe/Stockholm", "2025-06-01T00:00:00Z"),
        ("Australia/Lord_Howe", "2024-08-01T00:00:00Z"),
        ("America/Sao_Paulo", "2017-03-01T00:00:00Z"),
        ("Pacific/Apia", "2011-07-01T00:00:00Z"),
        ("Asia/Kathmandu", "2024-01-01T00:00:00Z"),
    ];
    for round in 0..40 {
        let pattern = Pattern::random(&mut random);
        let text = pattern.text();
        let Ok(cron) = Cron::parse(&text, Months::FromOne) else {
            // Only what no year has is refused.
            assert!(!pattern.all(at("2023-12-31T00:00:00Z"), &TimeZone::UTC).iter().any(|_| true), "{text}");
            continue;
        };
        let (name, start) = years[round % years.len()];
        let (zone, start) = (zone(name), at(start));
        let all = pattern.all(start, &zone);
        let end = start + SignedDuration::from_hours(365 * 24);
        let mut after = start;
        for expected in all.iter().take_while(|at| **at < end) {
            let found = cron.next_after(after, &zone);
            assert_eq!(found, Some(*expected), "{text} after {after} in {name}");
            after = *expected;
        }
        // From any instant between two it is the later of them.
        for _ in 0..100 {
            let after = start + SignedDuration::from_millis(random.i64(0..364 * 86_400_000));
            let expected = all.range((std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded)).next();
            if let Some(expected) = expected {
                assert_eq!(cron.next_after(after, &zone), Some(*expected), "{text} after {after} in {name}");
            }
        }
    }
}
