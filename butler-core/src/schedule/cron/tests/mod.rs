//! Tests of cron expressions: what is understood, what comes when, and what others say.

mod brute_force;
mod dialect;
mod others;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Cron, CronError, Months};

fn cron(text: &str) -> Cron {
    Cron::parse(text, Months::FromOne).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The next few times after an instant.
fn next(cron: &Cron, after: Timestamp, zone: &TimeZone, count: usize) -> Vec<Timestamp> {
    std::iter::successors(cron.next_after(after, zone), |after| cron.next_after(*after, zone)).take(count).collect()
}
