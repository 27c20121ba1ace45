//! A clause as it is being read, and what it comes to.

use std::collections::BTreeMap;

use jiff::civil::Time;

use super::clause::{Clause, Dates, Until, Values};
use super::unit::Unit;
use crate::schedule::times::Times;

/// What has been read of a clause.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) every: BTreeMap<Unit, Every>,
    pub(super) on: BTreeMap<Unit, Values>,
    pub(super) at: Vec<Time>,
    pub(super) from: Option<Time>,
    pub(super) until: Option<Until>,
    /// Which unit a start or an end without a unit is about.
    pub(super) counted: Option<Unit>,
}

/// Every so many of a unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Every {
    pub(super) count: u32,
    pub(super) from: Option<u16>,
    pub(super) to: Option<u16>,
}

impl Draft {
    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        !self.says_when() && self.from.is_none() && self.until.is_none()
    }

    /// Whether it says more than a part of the day.
    pub(super) fn says_when(&self) -> bool {
        !(self.every.is_empty() && self.on.is_empty() && self.at.is_empty())
    }

    /// The clause. Adds what whoever wrote it should know. The fault is a clause that contradicts itself.
    pub(super) fn finish(self, warnings: &mut Vec<String>) -> Result<Clause, String> {
        let mut dates = Dates::default();
        let mut values = self.on.clone();
        let mut interval = None;
        for (unit, every) in &self.every {
            let count = every.count.max(1);
            if every.count == 0 {
                warnings.push(format!("`every 0 {0}` is taken as every 1", unit.plural()));
            }
            if exceeds(*unit, count) {
                if every.from.is_some() || every.to.is_some() {
                    return Err(format!(
                        "every {count} {} is longer than {}, so it has no start and no end within one",
                        unit.plural(),
                        unit.one_within()
                    ));
                }
                match real(*unit, count) {
                    Real::Seconds(seconds) if interval.replace(seconds).is_some() => {
                        return Err("two intervals of their own can't be one".into());
                    }
                    Real::Seconds(_) => {}
                    Real::Days(days) => dates.every_days = Some(days),
                    Real::Months(months) => dates.every_months = Some(months),
                }
                warnings.push(format!(
                    "`every {count} {}` is longer than {}: it is counted from the beginning of 1970, where the original Butler runs once {1}",
                    unit.plural(),
                    unit.one_within()
                ));
            } else if let Some(counted) = counted(*unit, *every) {
                if values.insert(*unit, counted).is_some() {
                    return Err(format!("it asks for {} twice", unit.plural()));
                }
                warnings.extend(uneven(*unit, *every));
            }
        }
        let part_of_day = |unit: &Unit| unit.of_a_day();
        let evenly = self.every.keys().any(part_of_day);
        if evenly && !self.at.is_empty() {
            return Err("it names times and an interval, which is one too many".into());
        }
        // What nothing is said of: every one of what is longer, the first one of what is shorter.
        let finest = self.every.keys().chain(values.keys()).copied().filter(part_of_day).min();
        let shown = |unit: Unit| match (values.get(&unit), finest) {
            (Some(values), _) => bits(unit, values),
            (None, Some(finest)) if unit >= finest => u64::MAX,
            _ => 1,
        };
        let asked = |unit: Unit| values.get(&unit).map_or(u64::MAX, |values| bits(unit, values));
        let (times, asked) = (times(shown), times(asked));
        if finest.is_none() {
            dates.begins = self.begins(&values);
        }
        dates.of = values.into_iter().filter(|(unit, _)| !unit.of_a_day()).collect();
        let mut at = self.at;
        at.sort_unstable();
        at.dedup();
        let fixed = finest.is_none() || !at.is_empty();
        Ok(Clause { dates, times, asked, at, from: self.from.unwrap_or_else(Time::midnight), until: self.until, interval, fixed })
    }

    /// Of which unit it comes once: of a month, say, where nothing tells the day.
    fn begins(&self, values: &BTreeMap<Unit, Values>) -> Option<Unit> {
        let day = |unit: &Unit| matches!(unit, Unit::DayOfMonth | Unit::DayOfWeek | Unit::DayOfYear);
        if self.every.keys().chain(values.keys()).any(day) {
            return None;
        }
        // At a time in January is each day in January.
        let every = self.every.keys().copied().min();
        if self.at.is_empty() { every.into_iter().chain(values.keys().copied()).min() } else { every }
    }
}

fn times(of: impl Fn(Unit) -> u64) -> Times {
    Times {
        seconds: of(Unit::Second) & Times::ALL.seconds,
        minutes: of(Unit::Minute) & Times::ALL.minutes,
        hours: of(Unit::Hour) as u32 & Times::ALL.hours,
    }
}

fn bits(unit: Unit, values: &Values) -> u64 {
    let last = if values.last { 1 << unit.bounds().1.min(63) } else { 0 };
    values.set.iter().fold(last, |set, value| set | 1 << value.min(&63))
}

/// How many there are until they begin anew.
fn span(unit: Unit) -> u32 {
    let (low, high) = unit.bounds();
    u32::from(high - low) + 1
}

fn exceeds(unit: Unit, count: u32) -> bool {
    unit != Unit::Year && count > span(unit)
}

/// An interval that does not begin anew.
enum Real {
    Seconds(i64),
    Days(i32),
    Months(i32),
}

fn real(unit: Unit, count: u32) -> Real {
    let whole = |each: u32| i32::try_from(count.saturating_mul(each)).unwrap_or(i32::MAX);
    match unit {
        Unit::Second => Real::Seconds(count.into()),
        Unit::Minute => Real::Seconds(i64::from(count) * 60),
        Unit::Hour => Real::Seconds(i64::from(count) * 3_600),
        Unit::DayOfMonth | Unit::DayOfWeek | Unit::DayOfYear => Real::Days(whole(1)),
        Unit::WeekOfMonth | Unit::WeekOfYear => Real::Days(whole(7)),
        Unit::Month | Unit::Year => Real::Months(whole(1)),
    }
}

/// The values that are every so many, if that is not all of them.
fn counted(unit: Unit, every: Every) -> Option<Values> {
    if every.count <= 1 && every.from.is_none() && every.to.is_none() {
        return None;
    }
    let (low, high) = unit.bounds();
    let step = usize::try_from(every.count.max(1)).unwrap_or(usize::MAX);
    Some(Values { set: (every.from.unwrap_or(low)..=every.to.unwrap_or(high)).step_by(step).collect(), last: false })
}

/// Says so where the last interval before they begin anew is another one.
fn uneven(unit: Unit, every: Every) -> Option<String> {
    let (count, shown) = (every.count, unit.plural());
    if count <= 1 || every.to.is_some() {
        return None;
    }
    match unit {
        Unit::Year => None,
        Unit::DayOfMonth => Some(format!("`every {count} days` counts the days of the month and begins anew with each month, on the 1st")),
        Unit::DayOfYear | Unit::WeekOfMonth | Unit::WeekOfYear => Some(format!(
            "`every {count} {shown}` begins anew with each {}, which is not always a multiple of {count} {shown}",
            unit.within()
        )),
        _ if span(unit).is_multiple_of(count) => None,
        _ => Some(format!(
            "`every {count} {shown}` begins anew with each {}, since {count} does not divide {}: the last interval in it is shorter",
            unit.within(),
            span(unit)
        )),
    }
}
