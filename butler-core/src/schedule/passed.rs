//! The occurrences that have passed since somebody last looked.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::timetable::Timetable;

/// So many are named one by one.
const NAMED: usize = 100;
/// So many are gone through one by one.
const COUNTED: usize = 2_000;

/// The occurrences that have passed since somebody last looked: the latest one by one, of those before only the number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Passed {
    /// The first of all.
    pub(super) first: Timestamp,
    /// The latest, oldest first; at least one.
    pub(super) named: VecDeque<Timestamp>,
    /// How many more there were before; at least so many.
    pub(super) more: usize,
}

impl Passed {
    /// From `first` on, which is an occurrence, to `until`.
    pub(super) fn between(timetable: &Timetable, first: Timestamp, until: Timestamp) -> Self {
        let mut passed = Self { first, named: VecDeque::from([first]), more: 0 };
        let mut gone_through = 1;
        while let Some(next) = timetable.next_after(passed.last()).filter(|next| *next <= until) {
            passed.push(next);
            gone_through += 1;
            if gone_through == COUNTED {
                passed.leap(timetable, until);
                gone_through = 0;
            }
        }
        passed
    }

    /// The latest.
    pub(super) fn last(&self) -> Timestamp {
        self.named.back().copied().unwrap_or(self.first)
    }

    /// How many there are in all; at least so many.
    pub(super) fn count(&self) -> usize {
        self.named.len() + self.more
    }

    fn push(&mut self, next: Timestamp) {
        self.named.push_back(next);
        if self.named.len() > NAMED {
            self.named.pop_front();
            self.more += 1;
        }
    }

    /// Leaves most of a long time out: goes on about as long before the end as the last few named ones took.
    fn leap(&mut self, timetable: &Timetable, until: Timestamp) {
        let Some(oldest) = self.named.front().copied() else { return };
        let took = self.last().duration_since(oldest);
        let from = until.saturating_sub(took).unwrap_or(until);
        if from <= self.last() {
            return;
        }
        if let Some(next) = timetable.next_after(from).filter(|next| *next <= until) {
            self.push(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::SignedDuration;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::schedule::cron::Months;
    use crate::schedule::when::When;
    use crate::schedule::window::Window;

    fn passed(pattern: &str, hours: i64) -> Passed {
        let when = When::parse(pattern, Months::FromOne).unwrap();
        let timetable = Timetable::new(Arc::new(when), TimeZone::UTC, Window::default());
        let first = timetable.next_after("2026-03-10T00:00:00Z".parse().unwrap()).unwrap();
        Passed::between(&timetable, first, "2026-03-10T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours))
    }

    #[test]
    fn a_few_are_named_one_by_one() {
        let passed = passed("0 * * * *", 3);
        let named: Vec<_> = passed.named.iter().map(ToString::to_string).collect();
        assert_eq!(named, ["2026-03-10T01:00:00Z", "2026-03-10T02:00:00Z", "2026-03-10T03:00:00Z"]);
        assert_eq!((passed.more, passed.count()), (0, 3));
    }

    #[test]
    fn of_many_the_latest_are_named_and_the_others_counted() {
        let day = passed("* * * * *", 24);
        assert_eq!((day.named.len(), day.more), (100, 1340));
        assert_eq!((day.first.to_string(), day.last().to_string()), ("2026-03-10T00:01:00Z".into(), "2026-03-11T00:00:00Z".into()));
    }

    #[test]
    fn of_a_great_many_the_end_is_found_soon() {
        let passed = passed("* * * * * *", 24 * 365);
        assert_eq!(passed.last().to_string(), "2027-03-10T00:00:00Z");
        assert_eq!(passed.named.len(), 100);
        assert!(passed.more >= 1_900, "{}", passed.more);
        assert!(passed.named.iter().zip(passed.named.iter().skip(1)).all(|(one, next)| one < next));
    }
}
