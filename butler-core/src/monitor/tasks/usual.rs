//! How long a task usually runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How many runs are remembered.
const REMEMBERED: usize = 20;
/// With fewer nobody knows what is usual.
const ENOUGH: usize = 5;
/// How much longer than usual is too long, at the least: a task of seconds may well take minutes once.
const SLACK: Duration = Duration::from_mins(10);

/// How long the latest successful runs of a task took, in seconds; the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Usual(Vec<u32>);

/// What is usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Typical {
    /// Half of the runs take no longer.
    pub(super) median: Duration,
    /// Nearly all take no longer: of twenty the longest is left out, for it may have been stuck itself.
    pub(super) p95: Duration,
}

impl Usual {
    /// Remembers one more run.
    pub(super) fn add(&mut self, took: Duration) {
        // What is remembered comes from a file; it may be longer than it should be.
        let over = (self.0.len() + 1).saturating_sub(REMEMBERED);
        self.0.drain(..over);
        self.0.push(u32::try_from(took.as_secs()).unwrap_or(u32::MAX));
    }

    /// What is usual, if enough is known.
    pub(super) fn typical(&self) -> Option<Typical> {
        if self.0.len() < ENOUGH {
            return None;
        }
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        // The nearest rank: the smallest that is no shorter than so many of a hundred.
        let rank = |percent: usize| (sorted.len() * percent).div_ceil(100).clamp(1, sorted.len()) - 1;
        let at = |percent| Duration::from_secs(u64::from(sorted[rank(percent)]));
        Some(Typical { median: at(50), p95: at(95) })
    }
}

impl Typical {
    /// From when on a run takes too long.
    pub(super) fn too_long(&self) -> Duration {
        (3 * self.p95).max(self.p95 + SLACK)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usual(seconds: impl IntoIterator<Item = u64>) -> Usual {
        let mut usual = Usual::default();
        seconds.into_iter().for_each(|seconds| usual.add(Duration::from_secs(seconds)));
        usual
    }

    fn minutes(usual: &Usual) -> Option<[u64; 3]> {
        usual.typical().map(|typical| [typical.median, typical.p95, typical.too_long()].map(|duration| duration.as_secs() / 60))
    }

    #[test]
    fn what_is_usual_takes_five_runs_to_know() {
        assert_eq!(minutes(&usual([600; 4])), None);
        assert_eq!(minutes(&usual([600; 5])), Some([10, 10, 30]));
        // A short task may take ten minutes more.
        assert_eq!(minutes(&usual([60; 5])), Some([1, 1, 11]));
    }

    #[test]
    fn a_single_run_that_hung_does_not_count_among_twenty() {
        assert_eq!(minutes(&usual([60; 19].into_iter().chain([100_000]))), Some([1, 1, 11]));
        assert_eq!(minutes(&usual([60; 18].into_iter().chain([6000; 2]))), Some([1, 100, 300]));
    }

    proptest! {
        #[test]
        fn no_more_than_the_latest_are_remembered_and_none_of_them_was_too_long(runs in prop::collection::vec(0_u64..100_000, 0..60)) {
            let usual = usual(runs.clone());
            let latest = &runs[runs.len().saturating_sub(REMEMBERED)..];
            prop_assert_eq!(usual.0.iter().map(|seconds| u64::from(*seconds)).collect::<Vec<_>>(), latest);
            if let Some(typical) = usual.typical() {
                prop_assert!(typical.median <= typical.p95 && typical.p95 < typical.too_long());
                let longer = latest.iter().filter(|run| Duration::from_secs(**run) > typical.p95).count();
                prop_assert!(longer * 20 <= latest.len());
            }
        }
    }
}
