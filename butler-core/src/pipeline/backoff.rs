//! When to try again.

use std::time::Duration;

use super::plan::RetryPolicy;
use crate::sink::Retry;

/// The longest wait that a remote may ask for.
const LONGEST_ASKED: Duration = Duration::from_hours(1);

/// The wait that a remote asked for, within reason; `None` if it asked for none.
pub(super) fn asked(retry: Retry) -> Option<Duration> {
    match retry {
        Retry::After(asked) => Some(asked.min(LONGEST_ASKED)),
        Retry::Never | Retry::Backoff => None,
    }
}

impl RetryPolicy {
    /// The wait after the given number of attempts; `None` if trying again would not help. Between half and all of the doubled wait, so that
    /// those who failed together do not come back together.
    pub(super) fn wait(&self, attempts: u32, retry: Retry) -> Option<Duration> {
        let backoff = jitter(exponential(self.first, self.longest, attempts));
        match retry {
            Retry::Never => None,
            Retry::Backoff => Some(backoff),
            Retry::After(_) => asked(retry).map(|asked| asked.max(self.first)),
        }
    }
}

/// `first` doubled for each attempt after the first, up to `longest`.
pub(super) fn exponential(first: Duration, longest: Duration, attempts: u32) -> Duration {
    let factor = 1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(longest)
}

fn jitter(wait: Duration) -> Duration {
    wait.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_grow_to_the_longest_and_stay_within_half_of_it(attempts in 1_u32..200) {
            let policy = RetryPolicy::default();
            let full = exponential(policy.first, policy.longest, attempts);
            prop_assert!(full <= policy.longest);
            prop_assert!(exponential(policy.first, policy.longest, attempts + 1) >= full);
            let wait = policy.wait(attempts, Retry::Backoff).unwrap();
            prop_assert!(wait <= full && wait >= full / 2);
        }
    }

    #[test]
    fn a_remote_may_ask_for_a_wait_within_reason() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.wait(1, Retry::After(Duration::from_secs(30))), Some(Duration::from_secs(30)));
        assert_eq!(policy.wait(1, Retry::After(Duration::ZERO)), Some(policy.first));
        assert_eq!(policy.wait(1, Retry::After(Duration::MAX)), Some(LONGEST_ASKED));
        assert_eq!(policy.wait(1, Retry::Never), None);
    }
}
