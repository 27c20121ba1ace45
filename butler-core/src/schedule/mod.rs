//! Schedules: when something happens, by the clock of a time zone.
//!
//! [`cron`] reads cron expressions.

pub mod cron;
