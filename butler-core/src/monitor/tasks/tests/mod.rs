//! Decisions by table and by property, and the watch against a simulated site.

#![expect(clippy::unwrap_used, reason = "tests")]

mod decisions;
mod properties;
mod watching;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::find::{Finding, Look, find};
use super::memory::TaskMemory;
use super::rules::TaskWatchRules;
use crate::event::ExecutionStatus;
use crate::qlik::{LatestExecution, TaskStanding};

/// 2024-05-13T06:00:00Z.
const SIX: Timestamp = Timestamp::constant(1_715_580_000, 0);

/// So many minutes after six.
fn at(minutes: i64) -> Timestamp {
    SIX + SignedDuration::from_mins(minutes)
}

fn after(seconds: i64) -> Timestamp {
    SIX + SignedDuration::from_secs(seconds)
}

fn task(next: Option<Timestamp>, last: Option<LatestExecution>) -> TaskStanding {
    TaskStanding {
        id: Uuid::from_u128(1),
        name: "Reload sales".into(),
        enabled: true,
        session_timeout: 1440,
        next,
        last,
        ..TaskStanding::default()
    }
}

fn execution(key: &str, status: i64, start: Timestamp, stop: Option<Timestamp>) -> LatestExecution {
    let duration_ms = stop.map_or(0, |stop| i64::try_from(stop.duration_since(start).as_millis()).unwrap());
    LatestExecution { key: key.into(), status: ExecutionStatus(status), start: Some(start), stop, duration_ms }
}

/// A look after another one a minute before.
fn look(now: Timestamp) -> Look {
    Look { now, before: Some(now - SignedDuration::from_mins(1)), is_settled: true, gap: SignedDuration::from_mins(10) }
}

/// Looks and remembers, the way a restart in between would.
fn step(rules: &TaskWatchRules, task: &TaskStanding, memory: &mut TaskMemory, look: &Look) -> Vec<Finding> {
    let (after, findings) = find(rules, task, &[], memory, look);
    let seen = after.seen.clone();
    *memory = serde_json::from_str(&serde_json::to_string(&after).unwrap()).unwrap();
    memory.seen = seen;
    assert_eq!(*memory, after, "what is kept is what was remembered");
    findings
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}
