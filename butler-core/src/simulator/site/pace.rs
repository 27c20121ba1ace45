//! How fast tasks run.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;

/// How fast tasks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// Nothing is waited for: what ran is dated back, as if it had taken the usual time.
    #[default]
    Instant,
    /// Every step takes its time.
    Live(Steps),
}

/// How long the steps of an execution take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// From the trigger to the start.
    pub triggered: Duration,
    /// From the start to the end, for each try.
    pub running: Duration,
    /// From a try that failed to the next.
    pub retry: Duration,
    /// For each of the two states on the way to the end, when somebody stops it.
    pub aborting: Duration,
    /// From the end until the result names the script log.
    pub log_named: Duration,
    /// From there until the script log can be downloaded.
    pub log_ready: Duration,
}

impl Default for Steps {
    fn default() -> Self {
        Self {
            triggered: Duration::from_millis(300),
            running: Duration::from_secs(9),
            retry: Duration::from_secs(2),
            aborting: Duration::from_millis(500),
            log_named: Duration::from_millis(1_500),
            log_ready: Duration::from_secs(1),
        }
    }
}

impl Steps {
    /// Steps in which one try takes `running`, and nothing else takes longer than it.
    #[must_use]
    pub fn lasting(running: Duration) -> Self {
        let usual = Self::default();
        Self {
            triggered: usual.triggered.min(running),
            running,
            retry: usual.retry.min(running),
            aborting: usual.aborting.min(running),
            log_named: usual.log_named.min(running),
            log_ready: usual.log_ready.min(running),
        }
    }
}

impl Pace {
    pub(super) fn steps(self) -> Steps {
        match self {
            Self::Instant => Steps::default(),
            Self::Live(steps) => steps,
        }
    }

    /// How long after the end the script log is named, and ready.
    pub(super) fn log_delays(self) -> (Duration, Duration) {
        match self {
            Self::Instant => (Duration::ZERO, Duration::ZERO),
            Self::Live(steps) => (steps.log_named, steps.log_ready),
        }
    }
}

/// The time within one execution.
pub(super) struct Course {
    clock: Arc<dyn Clock>,
    pace: Pace,
    at: Timestamp,
}

impl Course {
    /// An execution that will take `planned` in all.
    pub(super) fn start(clock: Arc<dyn Clock>, pace: Pace, planned: Duration) -> Self {
        let at = match pace {
            Pace::Instant => earlier(clock.now(), planned),
            Pace::Live(_) => clock.now(),
        };
        Self { clock, pace, at }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.at
    }

    pub(super) async fn pass(&mut self, duration: Duration) {
        self.at = match self.pace {
            Pace::Instant => later(self.at, duration),
            Pace::Live(_) => {
                self.clock.sleep(duration).await;
                self.clock.now()
            }
        };
    }
}

pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(at)
}

pub(super) fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_sub(by).ok()).unwrap_or(at)
}
