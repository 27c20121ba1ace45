//! What is due is done, once, and recorded.

use super::*;

#[tokio::test]
async fn what_is_due_is_done_at_its_time_and_once() {
    let world = World::at("2026-03-10T01:59:55Z");
    let process = world.start().await;
    process.schedules.create(schedule("0 2 * * *")).await.unwrap();
    assert_eq!(process.schedules.get("s").unwrap().next.unwrap().to_string(), "2026-03-10T02:00:00Z");
    process.looked().await;
    process.pass(5 * SECOND).await;
    assert_eq!(world.action.runs(), ["2026-03-10T02:00:00Z"]);
    process.pass_slowly(2 * MINUTE).await;
    assert_eq!(world.action.runs().len(), 1);
    assert_eq!(process.history("s").await, ["2026-03-10T02:00:00Z done: done"]);
    assert_eq!(process.schedules.get("s").unwrap().next.unwrap().to_string(), "2026-03-11T02:00:00Z");
    assert_eq!(world.told(), [""; 0]);
}

#[tokio::test]
async fn two_processes_at_one_store_do_each_occurrence_once() {
    let mut world = World::at("2026-03-10T01:59:30Z");
    world.declared = vec![schedule("*/10 * * * * *")];
    let (one, other) = (world.start().await, world.start().await);
    for _ in 0..6 {
        world.clock.advance(10 * SECOND);
        one.done().await;
        other.done().await;
    }
    let mut runs = world.action.runs();
    assert_eq!(runs.len(), 6);
    runs.dedup();
    assert_eq!(runs.len(), 6);
}

#[tokio::test]
async fn what_fails_is_told_and_recorded_and_the_next_one_comes() {
    let world = World::at("2026-03-10T01:59:59Z");
    let process = world.start().await;
    process.schedules.create(schedule("* * * * *")).await.unwrap();
    process.looked().await;
    world.action.then(Act::Fail("the repository does not answer"));
    world.action.then(Act::Panic);
    process.pass(SECOND).await;
    process.pass_slowly(2 * MINUTE).await;
    assert_eq!(
        process.history("s").await,
        [
            "2026-03-10T02:02:00Z done: done",
            "2026-03-10T02:01:00Z failed: the action panicked; see the log",
            "2026-03-10T02:00:00Z failed: the repository does not answer",
        ]
    );
    assert_eq!(world.told(), ["schedule.failed: Schedule failed: Nightly", "schedule.failed: Schedule failed: Nightly"]);
    let text = format!("{:?}", world.events.lock().unwrap()[0]);
    assert!(text.contains("was due at 2026-03-10 02:00:00 UTC") && text.contains("the repository does not answer"), "{text}");
}

#[tokio::test]
async fn an_event_is_of_the_site_and_the_task_that_the_schedule_names() {
    let world = World::at("2026-03-10T01:59:59Z");
    let process = world.start().await;
    let mut elsewhere = schedule("0 2 * * *").with_id("t");
    elsewhere.starts.site = Some("test".into());
    let task = "e959f40a-67be-4a5b-ae83-a292f96ba078";
    process.schedules.create(schedule("0 2 * * *").starting(task)).await.unwrap();
    process.schedules.create(elsewhere).await.unwrap();
    process.looked().await;
    world.action.then(Act::Fail("no"));
    world.action.then(Act::Fail("no"));
    process.pass(SECOND).await;
    let about = |event: &NewEvent| match &event.body {
        crate::event::Body::Notice(notice) => (event.site.to_string(), notice.task.as_ref().map(|task| task.task_id.to_string())),
        other => panic!("{other:?}"),
    };
    let mut told: Vec<_> = world.events.lock().unwrap().iter().map(about).collect();
    told.sort();
    assert_eq!(told, [("prod".into(), Some(task.into())), ("test".into(), None)]);
}

#[tokio::test]
async fn a_run_that_takes_long_lets_only_the_latest_wait() {
    let world = World::at("2026-03-10T01:59:59Z");
    let process = world.start().await;
    process.schedules.create(schedule("* * * * *")).await.unwrap();
    process.looked().await;
    world.action.then(Act::Wait);
    world.clock.advance(SECOND);
    process.looked().await;
    for _ in 0..18 {
        world.clock.advance(10 * SECOND);
        process.looked().await;
    }
    assert_eq!(world.action.runs(), ["2026-03-10T02:00:00Z"]);
    world.action.gate.send_replace(true);
    process.done().await;
    let late = "missed: the run before it had not come to an end when the next one was due";
    assert_eq!(
        process.history("s").await,
        [
            "2026-03-10T02:03:00Z done: done".to_owned(),
            format!("2026-03-10T02:02:00Z {late}"),
            format!("2026-03-10T02:01:00Z {late}"),
            "2026-03-10T02:00:00Z done: done at last".to_owned(),
        ]
    );
    assert_eq!(world.told().len(), 2);
}

#[tokio::test]
async fn a_jitter_puts_it_off_by_the_same_time_each_day() {
    let world = World::at("2026-03-10T01:59:00Z");
    let process = world.start().await;
    let rules = Rules { jitter: crate::config::Period(5 * MINUTE), ..Rules::default() };
    let made = process.schedules.create(schedule("0 2 * * *").with_rules(rules)).await.unwrap();
    let offset = made.offset().unsigned_abs();
    assert!(offset > SECOND && offset < 5 * MINUTE, "{offset:?}");
    process.looked().await;
    let wait = MINUTE + offset;
    let rest = Duration::from_nanos((wait.as_nanos() % (10 * SECOND).as_nanos()) as u64);
    process.pass_slowly(wait - rest).await;
    assert_eq!(world.action.runs(), [""; 0]);
    process.pass(rest).await;
    assert_eq!(world.action.runs(), ["2026-03-10T02:00:00Z"]);
}

#[tokio::test]
async fn how_work_ended_that_was_begun_stands_in_the_history() {
    let world = World::at("2026-03-10T01:59:59Z");
    let process = world.start().await;
    process.schedules.create(schedule("0 2 * * *")).await.unwrap();
    process.looked().await;
    world.action.then(Act::Begin);
    process.pass(SECOND).await;
    let work = async || process.schedules.history("s", 1).await.unwrap()[0].outcome.work()[0].clone();
    assert_eq!(work().await.end, None);
    process.stop().await;
    // The next process goes on looking.
    let end = WorkEnd { at: world.clock.now(), how: "FinishedSuccess".into() };
    *world.action.end.lock().unwrap() = Some(end.clone());
    let process = world.start().await;
    let ended = async || process.schedules.history("s", 1).await.unwrap()[0].outcome.work()[0].end.clone();
    while ended().await.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(ended().await, Some(end));
}

#[tokio::test]
async fn run_now_runs_it_beside_its_occurrences() {
    let world = World::at("2026-03-10T12:00:00Z");
    let process = world.start().await;
    let stopped = Schedule { startup: Startup::Stopped, ..schedule("0 2 * * *") };
    process.schedules.create(stopped).await.unwrap();
    assert!(matches!(process.schedules.run_now("s").await, Ok(RunOutcome::Done { .. })));
    world.action.then(Act::Fail("no"));
    world.clock.advance(SECOND);
    assert!(matches!(process.schedules.run_now("s").await, Ok(RunOutcome::Failed { .. })));
    assert_eq!(process.history("s").await.len(), 2);
    assert!(matches!(process.schedules.run_now("t").await, Err(ScheduleError::Unknown(_))));
}
