//! From words to clauses.

use super::LONGEST;
use super::clause::{Clause, Until, Values};
use super::draft::{Draft, Every};
use super::error::TextError;
use super::tokens::Kind;
use super::unit::{Unit, day_named, month_named};
use super::words::{A_TIME, Parsed, Words};

const PARTS: &str = "`every 5 minutes`, `every weekday`, `on Monday`, `at 14:30`, `between 8 and 18`, `after 8:00`, `before 18:00`, `starting on the 2nd minute`, `also` or `except` was expected";
const A_NUMBER: &str = "a number was expected";

/// What a text says.
pub(super) struct Read {
    pub(super) clauses: Vec<Clause>,
    pub(super) exceptions: Vec<Clause>,
    pub(super) warnings: Vec<String>,
}

pub(super) fn read(text: &str) -> Result<Read, TextError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(TextError::Missing);
    }
    if text.len() > LONGEST {
        return Err(TextError::TooLong { length: text.len() });
    }
    let mut words = Words::new(text);
    let mut read = Read { clauses: Vec::new(), exceptions: Vec::new(), warnings: Vec::new() };
    read.clauses.push(words.clause(true, &mut read.warnings)?);
    while !words.is_end() {
        let happens = words.is(&["also"]);
        if happens && !read.exceptions.is_empty() {
            return words.fault("`also` comes before `except`");
        }
        words.at += 1;
        let clause = words.clause(happens, &mut read.warnings)?;
        if happens { read.clauses.push(clause) } else { read.exceptions.push(clause) }
    }
    Ok(read)
}

impl Words<'_> {
    /// Up to `also`, `except` or the end.
    fn clause(&mut self, happens: bool, warnings: &mut Vec<String>) -> Parsed<Clause> {
        let begin = self.at;
        let mut draft = Draft::default();
        while !self.is_end() && !self.is(&["also", "except"]) {
            self.part(&mut draft)?;
        }
        if draft.is_empty() {
            return self.fault(PARTS);
        }
        if happens && !draft.says_when() {
            return self.fault("it says at which hours, but not how often: add `every 5 minutes`, say");
        }
        let fault = match draft.finish(warnings) {
            Ok(clause) if happens || clause.interval.is_none() => return Ok(clause),
            Ok(_) => "an interval of its own can't be an exception".into(),
            Err(fault) => fault,
        };
        self.at = begin;
        self.fault(fault)
    }

    fn part(&mut self, draft: &mut Draft) -> Parsed<()> {
        match self.kind() {
            Some(Kind::Sign('@')) => {
                self.at += 1;
                self.times(draft)
            }
            // `5m`.
            Some(Kind::Number(_)) if draft.is_empty() => self.every(draft),
            Some(Kind::Word(word)) => match word.as_str() {
                "every" | "each" => {
                    self.at += 1;
                    self.every(draft)
                }
                "on" | "in" | "of" => {
                    self.at += 1;
                    self.take(&["the"]);
                    self.on(draft)
                }
                "at" => {
                    self.at += 1;
                    self.times(draft)
                }
                "between" => {
                    self.at += 1;
                    self.between(draft)
                }
                "after" | "before" => {
                    let after = self.is(&["after"]);
                    self.at += 1;
                    self.bound(draft, after)
                }
                "start" | "starting" => {
                    self.at += 1;
                    self.starting(draft)
                }
                _ => self.fault(PARTS),
            },
            _ => self.fault(PARTS),
        }
    }

    fn every(&mut self, draft: &mut Draft) -> Parsed<()> {
        if self.days_or_months(draft)? {
            return Ok(());
        }
        let begin = self.at;
        let count = if self.take(&["other"]) { 2 } else { self.number().unwrap_or(1) };
        let unit = self.unit()?;
        draft.counted = Some(unit);
        if count > 1_000_000_000 {
            self.at = begin;
            return self.fault("it is too large");
        }
        if draft.every.insert(unit, Every { count, from: None, to: None }).is_some() {
            self.at = begin;
            return self.fault(format!("{} are counted twice; `also` joins two schedules", unit.plural()));
        }
        Ok(())
    }

    /// Weekdays, weekends, and names of days and months, if that is what follows.
    fn days_or_months(&mut self, draft: &mut Draft) -> Parsed<bool> {
        let begin = self.at;
        let Some(word) = self.word() else { return Ok(false) };
        let (unit, set) = match word.as_str() {
            "weekday" | "weekdays" => (Unit::DayOfWeek, (2..=6).collect()),
            "weekend" | "weekends" => (Unit::DayOfWeek, [1, 7].into()),
            word if day_named(word).is_some() => return self.names(draft, Unit::DayOfWeek, day_named).map(|()| true),
            word if month_named(word).is_some() => return self.names(draft, Unit::Month, month_named).map(|()| true),
            _ => return Ok(false),
        };
        self.at += 1;
        self.add(draft, unit, Values { set, last: false }, begin).map(|()| true)
    }

    fn names(&mut self, draft: &mut Draft, unit: Unit, named: fn(&str) -> Option<u16>) -> Parsed<()> {
        let begin = self.at;
        let what = if unit == Unit::Month { "a month such as March was expected" } else { "a day such as Monday was expected" };
        let values = self.list(
            |parser| {
                let name = parser.word().and_then(|word| named(&word));
                parser.at += usize::from(name.is_some());
                name.map_or_else(|| parser.fault(what), Ok)
            },
            // From Friday to Monday there are four.
            Some(unit.bounds()),
        )?;
        self.add(draft, unit, values, begin)
    }

    fn on(&mut self, draft: &mut Draft) -> Parsed<()> {
        let begin = self.at;
        if self.days_or_months(draft)? {
            return Ok(());
        }
        let (first, last) = (self.take(&["first"]), self.take(&["last"]));
        if first || last {
            if self.word().is_some_and(|word| day_named(&word).is_some()) {
                return self.fault("a unit of time was expected; a cron expression can say it: `0 9 * * 1#1` is 9 o'clock on the first Monday of a month, `0 9 * * 5L` on its last Friday");
            }
            let unit = self.unit()?;
            let set = first.then(|| unit.bounds().0).into_iter().collect();
            return self.add(draft, unit, Values { set, last }, begin);
        }
        let what = "a day such as Monday, a month such as March, `first`, `last`, or numbers such as `15th day` were expected";
        let values = self.list(|parser| parser.small(what), None)?;
        let years = values.set.iter().all(|year| (1970..=9999).contains(year));
        let unit = if years && self.word().is_none_or(|word| Unit::named(&word).is_none()) { Unit::Year } else { self.unit()? };
        let (low, high) = unit.bounds();
        if values.set.iter().any(|value| !(low..=high).contains(value)) {
            self.at = begin;
            return self.fault(format!("{} are {low} to {high}", unit.plural()));
        }
        self.add(draft, unit, values, begin)
    }

    /// A list of values and ranges of them. A range that ends before it begins goes around, if there is anything to go around.
    fn list(&mut self, mut value: impl FnMut(&mut Self) -> Parsed<u16>, around: Option<(u16, u16)>) -> Parsed<Values> {
        let mut values = Values::default();
        loop {
            let begin = self.at;
            let from = value(self)?;
            if self.take(&["to", "through"]) || self.sign('-') {
                let to = value(self)?;
                match around {
                    _ if from <= to => values.set.extend(from..=to),
                    Some((low, high)) => values.set.extend((from..=high).chain(low..=to)),
                    None => {
                        self.at = begin;
                        return self.fault("the range ends before it begins");
                    }
                }
            } else {
                values.set.insert(from);
            }
            if !self.joined() {
                return Ok(values);
            }
        }
    }

    fn times(&mut self, draft: &mut Draft) -> Parsed<()> {
        if self.past(draft)? {
            return Ok(());
        }
        loop {
            let time = self.time()?;
            draft.at.push(time);
            if !self.joined() {
                return Ok(());
            }
        }
    }

    /// `15 minutes past every hour`, if that is what follows.
    fn past(&mut self, draft: &mut Draft) -> Parsed<bool> {
        let begin = self.at;
        let (Some(value), Some(Unit::Minute)) = (self.number(), self.word().and_then(|word| Unit::named(&word))) else {
            self.at = begin;
            return Ok(false);
        };
        self.at += 1;
        if !self.take(&["past"]) {
            return self.fault("`past every hour` was expected");
        }
        self.take(&["every", "each", "the"]);
        let count = self.number().unwrap_or(1);
        if self.word().and_then(|word| Unit::named(&word)) != Some(Unit::Hour) {
            return self.fault("`hour` was expected");
        }
        self.at += 1;
        match u16::try_from(value) {
            Ok(value) if value < 60 => {
                draft.every.entry(Unit::Hour).or_insert(Every { count, from: None, to: None });
                self.add(draft, Unit::Minute, Values { set: [value].into(), last: false }, begin)?;
                Ok(true)
            }
            _ => {
                self.at = begin;
                self.fault("minutes are 0 to 59")
            }
        }
    }

    fn between(&mut self, draft: &mut Draft) -> Parsed<()> {
        if self.is_time() {
            draft.from = Some(self.time()?);
            if !self.take(&["and", "to"]) {
                return self.fault("`and` and a later time were expected");
            }
            let begin = self.at;
            let time = self.time()?;
            draft.until = Some(Until { time, inclusive: true });
            if draft.from > Some(time) {
                self.at = begin;
                return self.fault("it is earlier than where it begins");
            }
            return Ok(());
        }
        let begin = self.at;
        let from = self.small(A_NUMBER)?;
        if !self.take(&["and", "to"]) {
            return self.fault("`and` and another number were expected");
        }
        let to = self.small(A_NUMBER)?;
        let unit = self.unit_or_counted(draft)?;
        self.within(draft, unit, (Some(from), Some(to)), begin)
    }

    fn bound(&mut self, draft: &mut Draft, after: bool) -> Parsed<()> {
        if self.is_time() {
            let time = self.time()?;
            if after {
                draft.from = Some(time);
            } else {
                draft.until = Some(Until { time, inclusive: false });
            }
            return Ok(());
        }
        let begin = self.at;
        let value = self.small(A_TIME)?;
        let unit = self.unit_or_counted(draft)?;
        match (after, value.checked_sub(1)) {
            (true, _) => self.within(draft, unit, (Some(value), None), begin),
            (false, Some(to)) => self.within(draft, unit, (None, Some(to)), begin),
            (false, None) => {
                self.at = begin;
                self.fault("nothing is before 0")
            }
        }
    }

    fn starting(&mut self, draft: &mut Draft) -> Parsed<()> {
        self.take(&["at", "on"]);
        self.take(&["the"]);
        let begin = self.at;
        let value = self.small(A_NUMBER)?;
        let unit = self.unit_or_counted(draft)?;
        if !draft.every.contains_key(&unit) {
            self.at = begin;
            return self.fault(format!("it starts at {}, but does not count them", unit.plural()));
        }
        self.within(draft, unit, (Some(value), None), begin)
    }

    /// Only these values of a unit.
    fn within(&mut self, draft: &mut Draft, unit: Unit, (from, to): (Option<u16>, Option<u16>), begin: usize) -> Parsed<()> {
        let (low, high) = unit.bounds();
        if [from, to].into_iter().flatten().any(|value| !(low..=high).contains(&value)) {
            self.at = begin;
            return self.fault(format!("{} are {low} to {high}", unit.plural()));
        }
        if from.is_some_and(|from| to.is_some_and(|to| to < from)) {
            self.at = begin;
            return self.fault("it ends before it begins");
        }
        if let Some(every) = draft.every.get_mut(&unit) {
            every.from = from.or(every.from);
            every.to = to.or(every.to);
            return Ok(());
        }
        self.add(draft, unit, Values { set: (from.unwrap_or(low)..=to.unwrap_or(high)).collect(), last: false }, begin)
    }

    fn add(&mut self, draft: &mut Draft, unit: Unit, values: Values, begin: usize) -> Parsed<()> {
        if draft.on.insert(unit, values).is_some() {
            self.at = begin;
            return self.fault(format!("{} are named twice; `and` joins two of them, `also` two schedules", unit.plural()));
        }
        Ok(())
    }

    fn unit_or_counted(&mut self, draft: &Draft) -> Parsed<Unit> {
        match draft.counted {
            Some(unit) if self.word().is_none_or(|word| Unit::named(&word).is_none()) => Ok(unit),
            _ => self.unit(),
        }
    }
}
