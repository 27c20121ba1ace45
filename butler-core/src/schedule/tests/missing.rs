//! What passed while nobody looked.

use super::*;

const DOWN: &str = "missed: Butler was not running then, or the clock has been put forward";
const COVERED: &str = "missed: it was missed; a later run makes up for it";

/// A schedule at every hour, and a process that is down from half past one to half past four.
async fn after_three_hours(rule: Missed, by: impl AsyncFnOnce(Process)) -> (World, Process) {
    let world = World::at("2026-03-10T01:30:00Z");
    let process = world.start().await;
    process.schedules.create(missed("0 * * * *", rule)).await.unwrap();
    process.looked().await;
    by(process).await;
    world.clock.advance(3 * HOUR);
    let process = world.start().await;
    process.done().await;
    (world, process)
}

#[tokio::test]
async fn what_was_missed_while_it_was_down_is_treated_by_the_rule() {
    for killed in [false, true] {
        let down = async |process: Process| if killed { process.kill().await } else { process.stop().await };
        let (world, process) = after_three_hours(Missed::Skip, down).await;
        assert_eq!(world.action.runs(), [""; 0]);
        let history = process.history("s").await;
        assert_eq!(history, ["04", "03", "02"].map(|hour| format!("2026-03-10T{hour}:00:00Z {DOWN}")));
        assert_eq!(world.told(), ["schedule.missed: Schedule missed 3 times: Nightly"]);

        let (world, process) = after_three_hours(Missed::Once, down).await;
        assert_eq!(world.action.runs(), ["2026-03-10T04:00:00Z"]);
        assert_eq!(process.history("s").await[1..], ["03", "02"].map(|hour| format!("2026-03-10T{hour}:00:00Z {COVERED}")));
        assert_eq!(world.told(), [""; 0]);

        let (world, process) = after_three_hours(Missed::All, down).await;
        assert_eq!(world.action.runs(), ["02", "03", "04"].map(|hour| format!("2026-03-10T{hour}:00:00Z")));
        assert_eq!(world.told(), [""; 0]);
        // And it goes on from there.
        process.pass_slowly(30 * MINUTE).await;
        assert_eq!(world.action.runs().len(), 4);
    }
}

#[tokio::test]
async fn a_clock_put_forward_is_as_time_that_passed() {
    let world = World::at("2026-03-10T01:30:00Z");
    let process = world.start().await;
    process.schedules.create(schedule("0 * * * *")).await.unwrap();
    process.looked().await;
    world.clock.jump(SignedDuration::from_hours(3));
    process.pass(10 * SECOND).await;
    assert_eq!(world.action.runs(), [""; 0]);
    assert_eq!(process.history("s").await.len(), 3);
    assert_eq!(world.told().len(), 1);
}

#[tokio::test]
async fn a_clock_put_back_repeats_nothing_and_loses_nothing() {
    let world = World::at("2026-03-10T01:59:55Z");
    let process = world.start().await;
    process.schedules.create(schedule("0 * * * *")).await.unwrap();
    process.looked().await;
    process.pass(5 * SECOND).await;
    assert_eq!(world.action.runs(), ["2026-03-10T02:00:00Z"]);
    world.clock.jump(SignedDuration::from_mins(-90));
    process.pass(10 * SECOND).await;
    assert_eq!(process.schedules.get("s").unwrap().next.unwrap().to_string(), "2026-03-10T01:00:00Z");
    process.pass_slowly(3 * HOUR).await;
    let mut runs = world.action.runs();
    runs.sort();
    assert_eq!(runs, ["01", "02", "03"].map(|hour| format!("2026-03-10T{hour}:00:00Z")));
}

#[tokio::test]
async fn what_is_long_ago_is_left_alone() {
    let world = World::at("2026-03-10T01:30:00Z");
    let process = world.start().await;
    process.schedules.create(missed("0 * * * *", Missed::All)).await.unwrap();
    process.looked().await;
    process.stop().await;
    world.clock.advance(48 * HOUR);
    let process = world.start().await;
    process.done().await;
    assert_eq!(world.action.runs().len(), 24);
    assert_eq!(world.action.runs()[0], "2026-03-11T02:00:00Z");
}

/// A process that was killed while a run was under way, so long ago, and the next one, to which the action says this of that run.
async fn killed_under_way(rule: Missed, down: Duration, recovered: Result<Option<ActionReport>, ActionError>) -> (World, Process) {
    let world = World::at("2026-03-10T01:59:59Z");
    let process = world.start().await;
    process.schedules.create(missed("0 2 * * *", rule)).await.unwrap();
    process.looked().await;
    world.action.then(Act::Wait);
    world.clock.advance(SECOND);
    while world.action.runs().is_empty() {
        tokio::task::yield_now().await;
    }
    process.kill().await;
    world.store.forget_holders();
    world.action.recoveries.lock().unwrap().push_back(recovered);
    world.clock.advance(down);
    let process = world.start().await;
    process.done().await;
    (world, process)
}

#[tokio::test]
async fn a_run_that_never_came_back_is_looked_for_before_anything_is_done_again() {
    for rule in [Missed::Skip, Missed::Once, Missed::All] {
        for down in [SECOND, HOUR] {
            let (world, process) = killed_under_way(rule, down, Ok(Some(ActionReport::done("it was done")))).await;
            assert_eq!(world.action.runs().len(), 1, "{rule:?} {down:?}");
            assert_eq!(process.history("s").await, ["2026-03-10T02:00:00Z done: it was done"]);

            let (world, process) = killed_under_way(rule, down, Err(ActionError::skipped("nobody knows"))).await;
            assert_eq!(world.action.runs().len(), 1);
            assert_eq!(process.history("s").await, ["2026-03-10T02:00:00Z missed: nobody knows"]);
            assert_eq!(world.told(), ["schedule.missed: Schedule missed: Nightly"]);

            // It surely did nothing: then it is run, unless it is too late for that.
            let (world, _process) = killed_under_way(rule, down, Ok(None)).await;
            let is_run = down == SECOND || rule != Missed::Skip;
            assert_eq!(world.action.runs().len(), if is_run { 2 } else { 1 }, "{rule:?} {down:?}");
        }
    }
}

#[tokio::test]
async fn an_end_in_order_waits_for_what_is_under_way() {
    let world = World::at("2026-03-10T01:59:59Z");
    let process = world.start().await;
    process.schedules.create(schedule("0 2 * * *")).await.unwrap();
    process.looked().await;
    world.action.then(Act::Wait);
    world.clock.advance(SECOND);
    while world.action.runs().is_empty() {
        tokio::task::yield_now().await;
    }
    let gate = world.action.gate.clone();
    let (schedules, ending) = (process.schedules.clone(), process.stop());
    tokio::join!(ending, async move {
        gate.send_replace(true);
    });
    assert_eq!(schedules.history("s", 9).await.unwrap().len(), 1);
}
