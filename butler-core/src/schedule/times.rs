//! Times of the day, as sets of bits.

use jiff::civil::Time;

/// Seconds, minutes and hours, all of which a time needs. Bit n of a set stands for the value n.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Times {
    pub(super) seconds: u64,
    pub(super) minutes: u64,
    pub(super) hours: u32,
}

impl Times {
    /// Every second of the day.
    pub(super) const ALL: Self = Self { seconds: (1 << 60) - 1, minutes: (1 << 60) - 1, hours: (1 << 24) - 1 };

    /// The first time of a day from `from` on, which counts itself.
    pub(super) fn next(&self, from: Time) -> Option<Time> {
        let [hour, minute, second] = [from.hour(), from.minute(), from.second()].map(i8::unsigned_abs);
        let first_minute = lowest(self.minutes, 0)?;
        let first_second = lowest(self.seconds, 0)?;
        let time = |hour: u8, minute: u8, second: u8| Time::new(hour as i8, minute as i8, second as i8, 0).ok();
        if self.hours >> hour & 1 == 1 {
            if self.minutes >> minute & 1 == 1
                && let Some(second) = lowest(self.seconds, second)
            {
                return time(hour, minute, second);
            }
            if let Some(minute) = lowest(self.minutes, minute + 1) {
                return time(hour, minute, first_second);
            }
        }
        time(lowest(self.hours.into(), hour + 1)?, first_minute, first_second)
    }

    /// Whether a time is among them.
    pub(super) fn has(&self, time: Time) -> bool {
        self.seconds >> time.second() & 1 == 1 && self.minutes >> time.minute() & 1 == 1 && self.hours >> time.hour() & 1 == 1
    }
}

/// The first value of a set from `from` on.
pub(super) fn lowest(set: u64, from: u8) -> Option<u8> {
    let rest = set & u64::MAX.checked_shl(from.into()).unwrap_or_default();
    (rest != 0).then(|| rest.trailing_zeros() as u8)
}
