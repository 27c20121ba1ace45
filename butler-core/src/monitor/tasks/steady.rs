//! A wall clock that does not jump.
//!
//! Plans and starts are moments of the repository's wall clock, and are compared with ours. A change of the system's time must neither make everything late nor hide what is. So time
//! goes on as the monotonic clock says; what the wall shows instead is believed once it has done so for a while, for then it is the correction of a clock that was wrong.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How far the wall may be from the steady time without that being a jump: clocks are slewed all the time.
const DRIFT: SignedDuration = SignedDuration::from_secs(10);
/// How long a jump has to last to be believed.
const BELIEVED_AFTER: Duration = Duration::from_mins(10);

/// The time, steadily.
#[derive(Debug)]
pub(super) struct Steady {
    wall: Timestamp,
    monotonic: Duration,
    /// When the wall was first seen to have jumped.
    jumped: Option<Duration>,
}

impl Steady {
    pub(super) fn new(wall: Timestamp, monotonic: Duration) -> Self {
        Self { wall, monotonic, jumped: None }
    }

    /// The time now, given what the two clocks show.
    pub(super) fn now(&mut self, wall: Timestamp, monotonic: Duration) -> Timestamp {
        let passed = SignedDuration::try_from(monotonic.saturating_sub(self.monotonic)).unwrap_or(SignedDuration::MAX);
        let expected = self.wall.saturating_add(passed).unwrap_or(Timestamp::MAX);
        if wall.duration_since(expected).abs() > DRIFT {
            let jumped = *self.jumped.get_or_insert(monotonic);
            if monotonic.saturating_sub(jumped) < BELIEVED_AFTER {
                return expected;
            }
        }
        *self = Self::new(wall, monotonic);
        wall
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::constant(1_715_580_131, 0);

    fn at(seconds: i64) -> Timestamp {
        START + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn a_jump_is_believed_once_it_has_lasted() {
        let mut steady = Steady::new(START, Duration::ZERO);
        let mut now = |wall: i64, monotonic: u64| steady.now(at(wall), Duration::from_secs(monotonic));
        assert_eq!(now(62, 60), at(62), "a slewed clock is followed");
        assert_eq!(now(7320, 120), at(122), "a jump is not");
        assert_eq!(now(180, 180), at(180), "and is forgotten when it is taken back");
        assert_eq!(now(-3600, 240), at(240));
        assert_eq!(now(-3060, 780), at(780));
        assert_eq!(now(-3000, 840), at(-3000), "until it has lasted");
        assert_eq!(now(-2940, 900), at(-2940));
    }

    proptest! {
        #[test]
        fn a_jump_that_is_taken_back_is_never_seen(
            steps in prop::collection::vec(1_u64..120, 1..50),
            jump in -1_000_000_i64..1_000_000,
            from in 0_u64..2000,
            lasts in 1_u64..590,
        ) {
            let mut steady = Steady::new(START, Duration::ZERO);
            let mut monotonic = 0;
            for step in steps {
                monotonic += step;
                let is_jumped = (from..from + lasts).contains(&monotonic);
                let real = i64::try_from(monotonic).unwrap();
                let shown = if is_jumped { real + jump } else { real };
                let now = steady.now(at(shown), Duration::from_secs(monotonic));
                prop_assert!(now.duration_since(at(real)).abs() <= DRIFT, "{now} at {real} s");
            }
        }
    }
}
