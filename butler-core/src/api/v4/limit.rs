//! How often one address may ask.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};

use crate::clock::Clock;

/// From the first request of an address on, so long its requests are counted together.
const WINDOW: Duration = Duration::from_mins(1);
/// So many addresses are remembered before those whose time is over are looked for.
const MANY: usize = 4096;

/// Counts requests by the address of the client.
#[derive(Debug)]
pub(super) struct Limiter {
    most: u32,
    clock: Arc<dyn Clock>,
    windows: Mutex<HashMap<IpAddr, Window>>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    /// When it ends, by the clock's monotonic time.
    ends: Duration,
    count: u32,
}

/// How an address stands after a request of it was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    limit: u32,
    remaining: u32,
    /// Seconds until it is counted anew, rounded up.
    pub(super) reset: u64,
    /// Whether the request is one too many.
    pub(super) exceeded: bool,
}

impl Limiter {
    /// So many requests a minute; `None` if there is no limit.
    pub(super) fn new(most: u32, clock: Arc<dyn Clock>) -> Option<Self> {
        (most > 0).then(|| Self { most, clock, windows: Mutex::default() })
    }

    /// Counts a request.
    pub(super) fn count(&self, client: IpAddr) -> Standing {
        let now = self.clock.monotonic();
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MANY {
            windows.retain(|_, window| window.ends > now);
        }
        let window = windows.entry(client.to_canonical()).or_insert(Window { ends: Duration::ZERO, count: 0 });
        if window.ends <= now {
            *window = Window { ends: now + WINDOW, count: 0 };
        }
        // What is turned away prolongs nothing.
        window.count = window.count.saturating_add(1);
        let left = window.ends - now;
        let reset = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        let remaining = self.most.saturating_sub(window.count);
        Standing { limit: self.most, remaining, reset, exceeded: window.count > self.most }
    }
}

impl Standing {
    /// Tells the client.
    pub(super) fn write(self, headers: &mut HeaderMap) {
        headers.insert("x-ratelimit-limit", self.limit.into());
        headers.insert("x-ratelimit-remaining", self.remaining.into());
        headers.insert("x-ratelimit-reset", HeaderValue::from(self.reset));
        if self.exceeded {
            headers.insert("retry-after", HeaderValue::from(self.reset));
        }
    }
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests {
    use super::*;
    use crate::testkit::TestClock;

    #[test]
    fn each_address_has_its_own_minute() {
        let clock = TestClock::default();
        assert!(Limiter::new(0, Arc::new(clock.clone())).is_none());
        let limiter = Limiter::new(2, Arc::new(clock.clone())).unwrap();
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = limiter.count(one);
        assert_eq!((first.remaining, first.reset, first.exceeded), (1, 60, false));
        clock.advance(Duration::from_millis(17_500));
        assert_eq!(limiter.count("::ffff:192.0.2.1".parse().unwrap()).remaining, 0);
        let third = limiter.count(one);
        assert_eq!((third.remaining, third.reset, third.exceeded), (0, 43, true));
        assert!(!limiter.count(other).exceeded);
        clock.advance(Duration::from_millis(42_499));
        assert_eq!((limiter.count(one).reset, limiter.count(one).exceeded), (1, true));
        clock.advance(Duration::from_millis(1));
        assert!(!limiter.count(one).exceeded);
    }

    #[test]
    fn addresses_that_were_here_once_are_forgotten() {
        let clock = TestClock::default();
        let limiter = Limiter::new(1, Arc::new(clock.clone())).unwrap();
        for n in 0..u32::try_from(MANY).unwrap() {
            limiter.count(IpAddr::V4(n.into()));
        }
        clock.advance(WINDOW);
        limiter.count("192.0.2.1".parse().unwrap());
        assert_eq!(limiter.windows.lock().unwrap().len(), 1);
    }
}
