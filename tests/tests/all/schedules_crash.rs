//! Killed around its firings, the scheduler does each occurrence once.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use butler_core::clock::SystemClock;
use butler_core::simulator::site::Task;
use butler_core::store::sqlite::{SqliteSettings, SqliteStore};
use butler_core::store::{RunOutcome, ScheduleStore};
use butler_tests::{Sense, Settings, eventually};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::PROGRAM;

/// How many schedules there are; each is due once.
const SCHEDULES: i64 = 40;
/// How many of them are due in each second.
const A_SECOND: i64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_its_firings_it_does_each_occurrence_once() {
    // Each has a task of its own, so that every start can be told from the others.
    let ids: Vec<Uuid> = (0..SCHEDULES).map(|_| Uuid::new_v4()).collect();
    let first = Timestamp::now().saturating_add(SignedDuration::from_secs(6)).expect("soon");
    let mut schedules = "timeout = \"2s\"\nreconcile.enabled = false\n[scheduler]\ntimezone = \"UTC\"\n".to_owned();
    for (number, id) in (0..).zip(&ids) {
        let due = first.saturating_add(SignedDuration::from_secs(number / A_SECOND)).expect("soon");
        let when = due.strftime("%S %M %H %d %m *");
        writeln!(schedules, "[scheduler.schedules.s{number}]\nwhen = \"{when}\"\ntasks = [\"{id}\"]\nmissed = \"once\"").expect("a text");
    }
    let mut sense = Sense::start(PROGRAM, Settings { site: &schedules, ..Settings::default() }).await;
    sense.site.change(|state| {
        let example = state.tasks[0].clone();
        let task = |id: &Uuid| Task { id: *id, name: format!("Task {id}"), ..example.clone() };
        state.tasks.extend(ids.iter().map(task));
    });
    let starts = |sense: &Sense| ids.iter().map(|id| sense.site.count(&format!("task/{id}/start"))).collect::<Vec<_>>();
    let (mut kills, last) = (0, SCHEDULES / A_SECOND + 7);
    while Timestamp::now().duration_since(first) < SignedDuration::from_secs(last - 6) {
        // Most often just when a task was started and nobody has heard of it yet.
        let starts = sense.site.count("task/*/start");
        let started = async {
            while sense.site.count("task/*/start") == starts {
                sense.site.wait_for(sense.site.total() + 1).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(fastrand::u64(50..900)), started).await;
        sense = sense.restarted().await;
        kills += 1;
    }
    eventually("every task to be started", async || starts(&sense).iter().all(|count| *count > 0).then_some(())).await;
    let Sense { world, butler, .. } = sense;
    butler.kill().await;
    assert!(kills > 5, "it was killed {kills} times only");
    let counts: BTreeSet<_> = ids.iter().map(|id| sense.site.count(&format!("task/{id}/start"))).collect();
    assert_eq!(counts, BTreeSet::from([1]), "after {kills} kills");

    // What is on record says the same, but for what the last kill left open.
    let store = SqliteStore::open(SqliteSettings { path: world.path("butler.db") }, Arc::new(SystemClock::default())).expect("a store");
    let mut recorded = 0;
    for number in 0..SCHEDULES {
        let runs = store.runs(&format!("s{number}"), 10).await.expect("runs");
        assert!(runs.len() <= 1, "{runs:?}");
        assert!(runs.iter().all(|run| matches!(&run.outcome, RunOutcome::Done { work, .. } if work.len() == 1)), "{runs:?}");
        recorded += runs.len();
    }
    assert!(recorded > 0, "nothing is on record");
}
