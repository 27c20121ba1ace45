//! Makes the ids of events.

use jiff::Timestamp;
use uuid::{ClockSequence, ContextV7, Uuid};

use crate::event::EventId;

/// Makes ids each of which sorts after all before it, however fast they come and whatever the clock does.
#[derive(Debug, Default)]
pub(crate) struct EventIds(ContextV7);

impl EventIds {
    /// Goes on after the newest id of an earlier process.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "used by the durable store"))]
    pub(crate) fn after(newest: Option<EventId>) -> Self {
        let ids = Self::default();
        if let Some((seconds, nanos)) = newest.and_then(|id| id.0.get_timestamp()).map(|time| time.to_unix()) {
            // One millisecond on, for the counter within that one is not known.
            let nanos = u64::from(nanos) + 1_000_000;
            let _ = ids.0.generate_timestamp_sequence(seconds + nanos / 1_000_000_000, (nanos % 1_000_000_000) as u32);
        }
        ids
    }

    pub(crate) fn next(&mut self, now: Timestamp) -> EventId {
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
        EventId(Uuid::new_v7(uuid::Timestamp::from_unix(&self.0, seconds, nanos)))
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn ids_sort_by_age_within_a_moment_and_when_the_clock_goes_back() {
        let now = Timestamp::constant(1_715_580_131, 123_456_000);
        let mut ids = EventIds::default();
        let mut all: Vec<_> = (0..2000).map(|_| ids.next(now)).collect();
        all.extend((0..10).map(|seconds| ids.next(now - SignedDuration::from_secs(seconds))));
        let mut restarted = EventIds::after(all.last().copied());
        all.extend((0..10).map(|_| restarted.next(now - SignedDuration::from_hours(1))));
        all.push(restarted.next(now + SignedDuration::from_secs(1)));
        assert!(all.is_sorted());
    }
}
