//! Whatever the times at which it is looked: each occurrence is told of once, and nothing else is.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::monitor::tasks::usual::Usual;

const RULES: TaskWatchRules = TaskWatchRules {
    every: Duration::from_mins(1),
    late_after: Duration::from_mins(5),
    queued_after: Duration::from_mins(30),
    longest: None,
    remind: None,
};

/// Seconds between two planned starts.
const PERIOD: i64 = 2 * 3600;

/// What becomes of a planned start: it begins so many seconds later and takes so many, or it does not happen.
type Planned = Option<(i64, i64)>;

/// How the task stands so many seconds after six. The plan moves on when a start's time has come, or stays until something starts.
fn standing(plan: &[Planned], now: i64, is_sticky: bool) -> TaskStanding {
    let mut begun = plan.iter().enumerate().rev().filter_map(|(index, planned)| {
        let (delay, takes) = (*planned)?;
        let start = i64::try_from(index).unwrap() * PERIOD + delay;
        (start <= now).then_some((index, start, start + takes))
    });
    // The latest comes first.
    let last = begun.next();
    let latest = last.map(|(index, start, stop)| {
        let has_ended = stop <= now;
        execution(&index.to_string(), if has_ended { 7 } else { 2 }, after(start), has_ended.then(|| after(stop)))
    });
    let following = now.div_euclid(PERIOD) + 1;
    let next = if is_sticky { last.map_or(0, |(index, ..)| i64::try_from(index).unwrap() + 1).min(following) } else { following };
    task(Some(after(next * PERIOD)), latest)
}

/// A time between two looks, and whether the process is another one at the second.
fn looks() -> impl Strategy<Value = Vec<(i64, bool)>> {
    prop::collection::vec((5_i64..590, prop::bool::weighted(0.02)), 600)
}

fn plan() -> impl Strategy<Value = Vec<Planned>> {
    prop::collection::vec(prop::option::weighted(0.6, (0_i64..250, 1_i64..3000)), 10)
}

/// The late starts that are told of, by their index, when it is looked at these times.
fn told(plan: &[Planned], looks: &[(i64, bool)], is_sticky: bool) -> BTreeMap<i64, usize> {
    let (mut memory, mut told) = (TaskMemory::default(), BTreeMap::new());
    let mut now = -600;
    let mut before = None;
    let mut since = now;
    for (wait, is_new_process) in looks {
        now += wait;
        if *is_new_process {
            since = now;
        }
        let is_settled = now - since >= 300;
        let look = Look { now: after(now), before: before.map(after), is_settled, gap: SignedDuration::from_mins(10) };
        if now >= i64::try_from(plan.len()).unwrap() * PERIOD - 3600 {
            break;
        }
        for finding in step(&RULES, &standing(plan, now, is_sticky), &mut memory, &look) {
            let Finding::Late { expected } = finding else { panic!("{finding:?}") };
            *told.entry(expected.duration_since(SIX).as_secs() / PERIOD).or_default() += 1;
        }
        before = Some(now);
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_start_that_is_missed_is_told_of_once(plan in plan(), looks in looks()) {
        let told = told(&plan, &looks, false);
        let seen = looks.iter().map(|(wait, _)| wait).sum::<i64>() - 600;
        for (index, planned) in (0_i64..).zip(&plan) {
            // So much later it was told at the latest: patience, two looks, and a new process that settles in between, perhaps several times.
            let is_over = index * PERIOD + 3600 < seen && index + 1 < i64::try_from(plan.len()).unwrap();
            let count = told.get(&index).copied().unwrap_or_default();
            match planned {
                Some(_) => prop_assert_eq!(count, 0, "start {} happened", index),
                None if is_over => prop_assert_eq!(count, 1, "start {} was missed: {:?}", index, told),
                None => prop_assert!(count <= 1),
            }
        }
    }

    #[test]
    fn a_scheduler_that_stands_still_is_told_of_once_until_it_goes_on(plan in plan(), looks in looks()) {
        let told = told(&plan, &looks, true);
        for (index, count) in &told {
            let index = usize::try_from(*index).unwrap();
            prop_assert_eq!((*count, plan[index]), (1, None), "{:?}", told);
            prop_assert!(index == 0 || plan[index - 1].is_some(), "the plan stood still before {}: {:?}", index, told);
        }
    }

    #[test]
    fn each_execution_that_hangs_is_told_of_once(durations in prop::collection::vec(1_i64..6000, 1..12), waits in prop::collection::vec(1_i64..60, 1..500)) {
        let mut usual = Usual::default();
        (0..10).for_each(|_| usual.add(Duration::from_secs(600)));
        let mut memory = TaskMemory { usual, ..TaskMemory::default() };
        // It usually takes ten minutes, so that thirty are the limit. All fail, so that nothing is learned.
        let mut told: BTreeMap<usize, usize> = BTreeMap::new();
        let mut now = 0;
        for wait in waits.iter().cycle().take(3000) {
            now += wait;
            let mut start = 0;
            let current = durations.iter().enumerate().find_map(|(index, takes)| {
                let this = start;
                start += takes + 100;
                (now < start).then_some((index, this, this + takes))
            });
            let Some((index, start, stop)) = current else { break };
            let has_ended = stop <= now;
            let last = execution(&index.to_string(), if has_ended { 8 } else { 2 }, after(start), has_ended.then(|| after(stop)));
            for finding in step(&RULES, &task(None, Some(last)), &mut memory, &look(after(now))) {
                prop_assert!(matches!(finding, Finding::Stuck { .. }), "{:?}", finding);
                *told.entry(index).or_default() += 1;
            }
        }
        let mut start = 0;
        for (index, takes) in durations.iter().enumerate() {
            let count = told.get(&index).copied().unwrap_or_default();
            match takes {
                ..=1800 => prop_assert_eq!(count, 0),
                1860.. if start + takes < now => prop_assert_eq!(count, 1, "of {} s: {:?}", takes, told),
                _ => prop_assert!(count <= 1),
            }
            start += takes + 100;
        }
    }

    #[test]
    fn each_row_of_failures_ends_with_one_recovery(outcomes in prop::collection::vec((prop::sample::select(vec![6_i64, 7, 8, 11]), 1_usize..4), 1..40)) {
        let mut memory = TaskMemory::default();
        let mut failed: Option<(i64, u32)> = None;
        for (minute, (status, looks)) in (0_i64..).zip(outcomes) {
            let standing = task(None, Some(execution(&minute.to_string(), status, at(minute), Some(at(minute)))));
            let findings: Vec<_> = (0..looks).flat_map(|_| step(&RULES, &standing, &mut memory, &look(at(minute)))).collect();
            let expected = (status == 7).then(|| failed.take()).flatten().map(|(since, count)| {
                Finding::Recovered { execution: minute.to_string(), at: at(minute), since: at(since), count }
            });
            prop_assert_eq!(findings, expected.into_iter().collect::<Vec<_>>());
            if matches!(status, 8 | 11) {
                failed = Some(failed.map_or((minute, 1), |(since, count)| (since, count + 1)));
            }
        }
    }
}
