//! When a schedule has its occurrences.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::when::When;
use super::window::Window;

/// How often a pattern is looked at anew after a time that the window does not allow.
const MOST_LOOKS: usize = 4_000;

/// When a schedule has its occurrences: a pattern, in a time zone, within a window.
#[derive(Debug, Clone)]
pub struct Timetable {
    when: Arc<When>,
    zone: TimeZone,
    window: Window,
}

impl Timetable {
    /// Of these.
    #[must_use]
    pub fn new(when: Arc<When>, zone: TimeZone, window: Window) -> Self {
        Self { when, zone, window }
    }

    /// The zone whose clocks count.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The first occurrence after a moment; none if there is none for years.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let mut after = after;
        for _ in 0..MOST_LOOKS {
            let next = self.when.next_after(after, &self.zone)?;
            if self.window.is_open() {
                return Some(next);
            }
            let at = next.to_zoned(self.zone.clone());
            if self.window.allows(&at) {
                return Some(next);
            }
            let opens = self.window.opens_after(&at)?;
            // An occurrence at the very moment is one.
            after = opens.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(next).max(next);
        }
        None
    }

    /// The occurrences after a moment, in their order.
    pub fn after(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        std::iter::successors(self.next_after(after), |last| self.next_after(*last))
    }
}

/// The time zone of an IANA name; none if there is no such zone.
#[must_use]
pub fn time_zone(name: &str) -> Option<TimeZone> {
    let name = name.trim();
    (!name.is_empty()).then(|| TimeZone::get(name).ok()).flatten()
}
