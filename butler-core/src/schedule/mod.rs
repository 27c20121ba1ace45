//! Schedules: when something happens, by the clock of a time zone.
//!
//! [`cron`] reads cron expressions, [`text`] what people write, such as `every 5 minutes`; [`When`] is either. All of them only compute: they take an
//! instant and a zone, and say the next instant. Nothing here waits.

pub mod cron;
pub mod text;
mod times;
mod when;
mod zoned;

pub use when::{When, WhenError};
