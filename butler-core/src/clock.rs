//! Time as a value: every wait of the pipeline goes through a [`Clock`], so that tests move it by hand.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;

/// Tells the time and waits.
///
/// # Contract
/// * `now` is the wall clock: it may jump, either way.
/// * `monotonic` never goes back, and is not moved by a change of the wall clock. Its origin is arbitrary.
/// * `sleep` returns once `monotonic` has advanced by the duration, not before.
///
/// # Cancellation
/// Dropping the future of `sleep` ends the wait and has no other effect.
#[async_trait]
pub trait Clock: std::fmt::Debug + Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// Time since some fixed moment.
    fn monotonic(&self) -> Duration;
    /// Waits.
    async fn sleep(&self, duration: Duration);
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A point of a clock's monotonic time by which something has to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Duration);

impl Deadline {
    /// `budget` from now.
    pub fn after(clock: &dyn Clock, budget: Duration) -> Self {
        Self(clock.monotonic().saturating_add(budget))
    }

    /// What is left; zero once it has passed.
    pub fn left(self, clock: &dyn Clock) -> Duration {
        self.0.saturating_sub(clock.monotonic())
    }
}

/// A wait in words, to a tenth of a second: what is left of a budget of a second is a hair less than that.
pub(crate) fn in_words(wait: Duration) -> humantime::FormattedDuration {
    const STEP: u128 = 100;
    let millis = match wait.as_millis() {
        short if short < STEP => short,
        millis => (millis + STEP / 2) / STEP * STEP,
    };
    humantime::format_duration(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_budget_is_said_as_the_budget() {
        let words = |micros| in_words(Duration::from_micros(micros)).to_string();
        assert_eq!([999_412, 14_999_900, 1_234_000, 42_000].map(words), ["1s", "15s", "1s 200ms", "42ms"]);
    }
}
