//! Whether a sink is down.
//!
//! A sink that fails several times in a row, for reasons that concern it as a whole, is down. From then on one delivery at a time
//! probes it, and the others wait: waiting is no attempt, costs nothing, and storms nobody. The first success ends it. A remote that says how long it
//! wants to be left alone is left alone so long.

use std::time::Duration;

use super::backoff::exponential;

/// Failures in a row that mean down.
const LIMIT: u32 = 3;
/// The longest time between two probes.
const LONGEST: Duration = Duration::from_secs(30);

/// What is known of a sink's state. Times are those of the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    probe_at: Option<Duration>,
}

/// What an attempt says about the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// It works: it took something, or refused this one message with good reason.
    Works,
    /// It failed as a whole; the remote may have said for how long it wants to be left alone.
    Fails(Option<Duration>),
    /// Nothing was tried.
    None,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    WentDown,
    StillDown,
    CameUp,
}

impl Breaker {
    /// How many attempts may be under way, of `most` while all is well.
    pub(super) fn allowance(&self, most: usize, now: Duration) -> usize {
        match self.probe_at {
            None => most,
            Some(at) if now >= at => 1,
            Some(_) => 0,
        }
    }

    /// When the next probe may start; `None` while all is well.
    pub(super) fn probe_at(&self) -> Option<Duration> {
        self.probe_at
    }

    /// Takes in how an attempt went.
    pub(super) fn note(&mut self, sign: Sign, now: Duration, first_wait: Duration) -> Change {
        match sign {
            Sign::None => Change::None,
            Sign::Works => {
                let was_down = self.probe_at.is_some();
                *self = Self::default();
                if was_down { Change::CameUp } else { Change::None }
            }
            Sign::Fails(asked) => {
                let asked = asked.unwrap_or_default();
                // An attempt that began before the sink was known to be down says nothing new, and does not put off the probe.
                if let Some(at) = self.probe_at.filter(|at| now < *at) {
                    self.probe_at = Some(at.max(now + asked));
                    return Change::None;
                }
                self.failures = self.failures.saturating_add(1);
                if self.failures < LIMIT {
                    return Change::None;
                }
                let was_down = self.probe_at.is_some();
                let wait = exponential(first_wait, LONGEST, self.failures - LIMIT + 1);
                self.probe_at = Some(now + wait.max(asked));
                if was_down { Change::StillDown } else { Change::WentDown }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const FAILS: Sign = Sign::Fails(None);

    #[test]
    fn those_who_fail_late_do_not_put_off_the_probe() {
        let mut breaker = Breaker::default();
        for _ in 0..8 {
            breaker.note(FAILS, SECOND, SECOND);
        }
        assert_eq!(breaker.probe_at(), Some(2 * SECOND));
        assert_eq!(breaker.note(FAILS, 2 * SECOND, SECOND), Change::StillDown);
        assert_eq!(breaker.probe_at(), Some(4 * SECOND));
    }

    #[test]
    fn a_remote_that_asks_to_be_left_alone_is() {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            breaker.note(Sign::Fails(Some(60 * SECOND)), SECOND, SECOND);
        }
        assert_eq!(breaker.probe_at(), Some(61 * SECOND));
        // Also when it says so late, and a shorter time does not shorten the wait.
        breaker.note(Sign::Fails(Some(90 * SECOND)), 2 * SECOND, SECOND);
        breaker.note(Sign::Fails(Some(SECOND)), 2 * SECOND, SECOND);
        assert_eq!(breaker.probe_at(), Some(92 * SECOND));
    }

    #[test]
    fn three_failures_in_a_row_mean_down_and_one_success_means_up() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.note(FAILS, SECOND, SECOND), Change::None);
        assert_eq!(breaker.note(Sign::Works, SECOND, SECOND), Change::None);
        for expected in [Change::None, Change::None, Change::WentDown] {
            assert_eq!(breaker.allowance(8, SECOND), 8);
            assert_eq!(breaker.note(FAILS, SECOND, SECOND), expected);
        }
        assert_eq!(breaker.allowance(8, SECOND), 0);
        assert_eq!(breaker.allowance(8, 2 * SECOND), 1);
        assert_eq!(breaker.note(FAILS, 2 * SECOND, SECOND), Change::StillDown);
        assert_eq!(breaker.allowance(8, 3 * SECOND), 0);
        assert_eq!(breaker.allowance(8, 4 * SECOND), 1);
        assert_eq!(breaker.note(Sign::Works, 4 * SECOND, SECOND), Change::CameUp);
        assert_eq!(breaker.allowance(8, 4 * SECOND), 8);
    }

    #[test]
    fn probes_become_rare_but_never_stop() {
        let mut breaker = Breaker::default();
        let mut now = Duration::ZERO;
        for _ in 0..100 {
            breaker.note(FAILS, now, SECOND);
            now = breaker.probe_at().unwrap_or(now);
        }
        assert_eq!(breaker.note(FAILS, now, SECOND), Change::StillDown);
        assert_eq!(breaker.probe_at(), Some(now + LONGEST));
    }
}
