//! From the occurrences that have passed to what is done about each.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use super::book::Due;
use super::passed::Passed;
use super::rules::Missed;

/// What is this much late was missed.
const MISSED_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// Something to be done for a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Job {
    /// An occurrence is due.
    Run(Timestamp),
    /// One was missed, and is made up for.
    MakeUp(Timestamp),
    /// One was missed, and stays so.
    Miss {
        at: Timestamp,
        why: String,
        /// Whether a [`Job::Tell`] tells of it.
        is_told: bool,
    },
    /// People are told of several at once that were missed.
    Tell { passed: Passed, why: String },
}

impl Job {
    pub(super) fn occurrence(&self) -> Timestamp {
        match self {
            Self::Run(at) | Self::MakeUp(at) | Self::Miss { at, .. } => *at,
            Self::Tell { passed, .. } => passed.first,
        }
    }

    fn covered(at: Timestamp) -> Self {
        Self::Miss { at, why: "it was missed; a later run makes up for it".to_owned(), is_told: true }
    }
}

/// What is done about the occurrences of a schedule that is due, in this order.
pub(super) fn jobs(due: Due, now: Timestamp) -> VecDeque<Job> {
    let Due { schedule, offset, passed, .. } = due;
    let is_late = |at: &Timestamp| now.duration_since(at.saturating_add(offset).unwrap_or(*at)) > MISSED_AFTER;
    let late = passed.named.iter().filter(|at| is_late(at)).count();
    let timely: Vec<_> = passed.named.iter().skip(late).copied().collect();
    let mut jobs = VecDeque::new();
    if late > 0 {
        let mut missed = Passed { first: passed.first, named: passed.named.iter().take(late).copied().collect(), more: passed.more };
        match schedule.rules.missed {
            Missed::Skip => {
                let why = "Butler was not running then, or the clock has been put forward".to_owned();
                jobs.extend(missed.named.iter().map(|at| Job::Miss { at: *at, why: why.clone(), is_told: true }));
                jobs.push_front(Job::Tell { passed: missed, why });
            }
            Missed::Once => {
                let last = if timely.is_empty() { missed.named.pop_back() } else { None };
                jobs.extend(missed.named.iter().copied().map(Job::covered));
                jobs.extend(last.map(Job::MakeUp));
            }
            Missed::All => {
                jobs.extend(missed.named.iter().copied().map(Job::MakeUp));
                if missed.more > 0 {
                    let why = format!("so many were missed that only the last {} are made up for", missed.named.len());
                    missed.named = VecDeque::from([missed.first]);
                    missed.more -= 1;
                    jobs.push_front(Job::Tell { passed: missed, why });
                }
            }
        }
    }
    jobs.extend(timely.into_iter().map(Job::Run));
    jobs
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::schedule::{Rules, Schedule};

    fn at(minutes: i64) -> Timestamp {
        Timestamp::constant(1_715_580_000, 0) + SignedDuration::from_mins(minutes)
    }

    fn due(missed: Missed, minutes: &[i64], more: usize) -> Due {
        let rules = Rules { missed, ..Rules::default() };
        let named: VecDeque<_> = minutes.iter().map(|minutes| at(*minutes)).collect();
        let passed = Passed { first: if more > 0 { at(-1000) } else { named[0] }, named, more };
        let schedule = Arc::new(Schedule::new("a", "0 * * * *").with_rules(rules));
        Due { schedule, zone: jiff::tz::TimeZone::UTC, offset: SignedDuration::ZERO, passed }
    }

    /// Each in a word.
    fn shown(jobs: &VecDeque<Job>) -> Vec<String> {
        let minutes = |at: &Timestamp| at.duration_since(super::tests::at(0)).as_mins();
        let word = |job: &Job| match job {
            Job::Run(at) => format!("run {}", minutes(at)),
            Job::MakeUp(at) => format!("make up {}", minutes(at)),
            Job::Miss { at, is_told, .. } => format!("miss {} {}", minutes(at), if *is_told { "told" } else { "untold" }),
            Job::Tell { passed, .. } => format!("tell {}", passed.count()),
        };
        jobs.iter().map(word).collect()
    }

    #[test]
    fn what_is_on_time_is_run_whatever_the_rule() {
        for missed in [Missed::Skip, Missed::Once, Missed::All] {
            assert_eq!(shown(&jobs(due(missed, &[10], 0), at(10))), ["run 10"]);
            assert_eq!(shown(&jobs(due(missed, &[10], 0), at(11))), ["run 10"]);
        }
    }

    #[test]
    fn what_was_missed_is_treated_by_the_rule() {
        for (missed, alone, before_another) in [
            (Missed::Skip, vec!["tell 2", "miss 10 told", "miss 20 told"], vec!["tell 2", "miss 10 told", "miss 20 told", "run 30"]),
            (Missed::Once, vec!["miss 10 told", "make up 20"], vec!["miss 10 told", "miss 20 told", "run 30"]),
            (Missed::All, vec!["make up 10", "make up 20"], vec!["make up 10", "make up 20", "run 30"]),
        ] {
            assert_eq!(shown(&jobs(due(missed, &[10, 20], 0), at(25))), alone, "{missed:?}");
            assert_eq!(shown(&jobs(due(missed, &[10, 20, 30], 0), at(30))), before_another, "{missed:?}");
        }
    }

    #[test]
    fn of_a_great_many_only_the_last_are_made_up_for() {
        assert_eq!(shown(&jobs(due(Missed::All, &[10, 20], 50), at(25))), ["tell 50", "make up 10", "make up 20"]);
        assert_eq!(shown(&jobs(due(Missed::Skip, &[10], 50), at(25))), ["tell 51", "miss 10 told"]);
        assert_eq!(shown(&jobs(due(Missed::Once, &[10], 50), at(25))), ["make up 10"]);
    }

    #[test]
    fn a_jitter_makes_nothing_late() {
        let mut due = due(Missed::Skip, &[10], 0);
        due.offset = SignedDuration::from_mins(30);
        assert_eq!(shown(&jobs(due, at(40))), ["run 10"]);
    }
}
