//! What can be wrong with a schedule in words.

use super::LONGEST;

/// Why a text is no schedule, and what would be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// There is nothing.
    #[error("a schedule is missing; write one such as `every 5 minutes`, `every weekday at 14:30` or `on Monday at 9am`")]
    Missing,
    /// It is longer than anything that makes sense.
    #[error("the schedule has {length} bytes; {LONGEST} are the most")]
    TooLong {
        /// How many bytes it has.
        length: usize,
    },
    /// It stops making sense somewhere.
    #[error("`{text}` is not understood at character {position}, {}: {fault}", found.as_ref().map_or("its end".into(), |found| format!("`{found}`")))]
    NotUnderstood {
        /// The text.
        text: String,
        /// Which character of it, from 1.
        position: usize,
        /// What stands there. None is the end of the text.
        found: Option<String>,
        /// What is wrong with that, or what was expected instead.
        fault: String,
    },
    /// Nothing is all that it asks for.
    #[error("`{text}` would never come: no time is all that it asks for")]
    Never {
        /// The text.
        text: String,
    },
}
