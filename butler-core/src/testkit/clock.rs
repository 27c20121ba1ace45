//! A clock that moves only by hand.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::clock::Clock;

/// A clock that stands still until a test moves it. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct TestClock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    wall: Mutex<Timestamp>,
    monotonic: watch::Sender<Duration>,
    sleepers: watch::Sender<usize>,
}

impl Default for TestClock {
    fn default() -> Self {
        // 2024-05-13T06:02:11Z, the moment of the examples.
        Self::at(Timestamp::constant(1_715_580_131, 0))
    }
}

impl TestClock {
    /// A clock whose wall shows `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        let inner = Inner { wall: Mutex::new(now), monotonic: watch::Sender::new(Duration::ZERO), sleepers: watch::Sender::new(0) };
        Self(Arc::new(inner))
    }

    /// Lets time pass; whoever has slept long enough wakes.
    pub fn advance(&self, by: Duration) {
        self.jump(SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX));
        self.0.monotonic.send_modify(|now| *now += by);
    }

    /// Moves the wall clock alone, either way, as a change of the system's time does.
    pub fn jump(&self, by: SignedDuration) {
        let mut wall = self.0.wall.lock().unwrap_or_else(PoisonError::into_inner);
        *wall = wall.saturating_add(by).unwrap_or(*wall);
    }

    /// Waits until at least `count` tasks sleep on this clock: the moment to move it.
    pub async fn sleepers(&self, count: usize) {
        let mut sleepers = self.0.sleepers.subscribe();
        // The sender lives in this clock, so the wait cannot fail.
        let _ = sleepers.wait_for(|now| *now >= count).await;
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.wall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn monotonic(&self) -> Duration {
        *self.0.monotonic.borrow()
    }

    async fn sleep(&self, duration: Duration) {
        struct Sleeping<'a>(&'a watch::Sender<usize>);
        impl Drop for Sleeping<'_> {
            fn drop(&mut self) {
                self.0.send_modify(|count| *count -= 1);
            }
        }
        let mut monotonic = self.0.monotonic.subscribe();
        let until = monotonic.borrow().saturating_add(duration);
        self.0.sleepers.send_modify(|count| *count += 1);
        let _sleeping = Sleeping(&self.0.sleepers);
        // The sender lives in this clock, so the wait cannot fail.
        let _ = monotonic.wait_for(|now| *now >= until).await;
    }
}
