//! What was turned away, summed up for the log.
//!
//! The thread only counts. The first of a kind is told within a second; what follows is summed up once a minute, also when nothing more comes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::source::RejectReason;

/// How often the same is told.
const PAUSE: Duration = Duration::from_mins(1);
/// How many senders are told apart; what others send is summed up.
const SENDERS: usize = 256;

/// What is counted for the log, beside the counters of the intake.
#[derive(Debug, Default)]
pub(super) struct Tally {
    too_long: AtomicU64,
    rate_limit: AtomicU64,
    queue_full: AtomicU64,
    kernel_drop: AtomicU64,
    senders: Mutex<HashMap<Option<IpAddr>, u64>>,
}

impl Tally {
    pub(super) fn count(&self, reason: RejectReason) {
        self.count_many(reason, 1);
    }

    pub(super) fn count_many(&self, reason: RejectReason, count: u64) {
        if let Some(counter) = self.counter(reason) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    pub(super) fn count_sender(&self, sender: IpAddr) {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let known = senders.len() < SENDERS || senders.contains_key(&Some(sender));
        *senders.entry(known.then_some(sender)).or_default() += 1;
    }

    fn counter(&self, reason: RejectReason) -> Option<&AtomicU64> {
        match reason {
            RejectReason::TooLong => Some(&self.too_long),
            RejectReason::RateLimit => Some(&self.rate_limit),
            RejectReason::QueueFull => Some(&self.queue_full),
            RejectReason::KernelDrop => Some(&self.kernel_drop),
            _ => None,
        }
    }
}

/// A line for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) what: What,
    /// How many since it was last told.
    pub(super) count: u64,
}

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// A sender that is not allowed; `None` for all those that were too many to tell apart.
    Sender(Option<IpAddr>),
    /// Any other reason.
    Reason(RejectReason),
}

/// Decides what is told when.
#[derive(Debug, Default)]
pub(super) struct Reporter {
    /// Counted and not told yet; bounded by the bound of the tally and by forgetting.
    open: HashMap<What, u64>,
    told: HashMap<What, Duration>,
}

impl Reporter {
    /// Takes what was counted, and gives what is to be told now; at the `end` that is everything.
    pub(super) fn due(&mut self, tally: &Tally, now: Duration, end: bool) -> Vec<Notice> {
        for reason in RejectReason::ALL {
            let count = tally.counter(reason).map_or(0, |counter| counter.swap(0, Ordering::Relaxed));
            if count > 0 {
                *self.open.entry(What::Reason(reason)).or_default() += count;
            }
        }
        let senders = std::mem::take(&mut *tally.senders.lock().unwrap_or_else(PoisonError::into_inner));
        for (sender, count) in senders {
            let what = What::Sender(sender);
            // The tally begins anew each time; this is what keeps the whole bounded.
            let known = self.open.len() < SENDERS || self.open.contains_key(&what);
            *self.open.entry(if known { what } else { What::Sender(None) }).or_default() += count;
        }
        self.told.retain(|_, told| now < told.saturating_add(PAUSE));
        let told = &mut self.told;
        let mut due = Vec::new();
        self.open.retain(|what, count| {
            let wait = !end && (told.contains_key(what) || told.len() >= 2 * SENDERS);
            if !wait {
                told.insert(*what, now);
                due.push(Notice { what: *what, count: *count });
            }
            wait
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn sender(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn the_first_is_told_at_once_and_the_rest_once_a_minute() {
        let (tally, mut reporter) = (Tally::default(), Reporter::default());
        assert_eq!(reporter.due(&tally, secs(0), false), []);
        tally.count(RejectReason::RateLimit);
        let notice = |count| Notice { what: What::Reason(RejectReason::RateLimit), count };
        assert_eq!(reporter.due(&tally, secs(1), false), [notice(1)]);
        tally.count_many(RejectReason::RateLimit, 5);
        assert_eq!(reporter.due(&tally, secs(2), false), []);
        tally.count(RejectReason::TooLong);
        assert_eq!(reporter.due(&tally, secs(3), false), [Notice { what: What::Reason(RejectReason::TooLong), count: 1 }]);
        assert_eq!(reporter.due(&tally, secs(60), false), []);
        // Nothing new has come, but the last burst is told all the same.
        assert_eq!(reporter.due(&tally, secs(61), false), [notice(5)]);
        assert_eq!(reporter.due(&tally, secs(500), false), []);
    }

    #[test]
    fn the_end_leaves_nothing_untold() {
        let (tally, mut reporter) = (Tally::default(), Reporter::default());
        for expected in [1, 3] {
            tally.count_many(RejectReason::KernelDrop, expected);
            let due = reporter.due(&tally, secs(0), expected == 3);
            assert_eq!(due, [Notice { what: What::Reason(RejectReason::KernelDrop), count: expected }]);
        }
    }

    #[test]
    fn each_sender_is_told_once_a_minute() {
        let (tally, mut reporter) = (Tally::default(), Reporter::default());
        let told = |notices: Vec<Notice>| {
            let mut told: Vec<_> = notices.into_iter().map(|notice| (notice.what, notice.count)).collect();
            told.sort_by_key(|(_, count)| *count);
            told
        };
        tally.count_sender(sender(1));
        tally.count_sender(sender(2));
        tally.count_sender(sender(2));
        let what = |last| What::Sender(Some(sender(last)));
        assert_eq!(told(reporter.due(&tally, secs(0), false)), [(what(1), 1), (what(2), 2)]);
        tally.count_sender(sender(1));
        tally.count_sender(sender(3));
        assert_eq!(told(reporter.due(&tally, secs(30), false)), [(what(3), 1)]);
        assert_eq!(told(reporter.due(&tally, secs(60), false)), [(what(1), 1)]);
    }

    #[test]
    fn a_flood_of_senders_takes_bounded_memory() {
        let (tally, mut reporter) = (Tally::default(), Reporter::default());
        let mut told = 0;
        for second in 0..100 {
            for number in 0..1000_u32 {
                tally.count_sender(IpAddr::from((second * 1000 + number).to_be_bytes()));
            }
            told += reporter.due(&tally, secs(u64::from(second)), false).iter().map(|notice| notice.count).sum::<u64>();
            assert!(reporter.open.len() <= SENDERS + 1 && reporter.told.len() <= 2 * SENDERS);
        }
        told += reporter.due(&tally, secs(100), true).iter().map(|notice| notice.count).sum::<u64>();
        assert_eq!(told, 100_000);
    }
}
