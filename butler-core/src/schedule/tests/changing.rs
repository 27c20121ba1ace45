//! Schedules that are made, changed, declared.

use super::*;

#[tokio::test]
async fn what_is_made_is_there_after_a_restart_in_the_state_it_begins_with() {
    let world = World::at("2026-03-10T12:00:00Z");
    let process = world.start().await;
    let made = process.schedules.create(schedule("0 2 * * *")).await.unwrap();
    assert_eq!(made.created.as_deref(), Some("2026-03-10T12:00:00.000Z"));
    let other = Schedule { startup: Startup::Stop, ..schedule("0 3 * * *").with_id("t") };
    assert_eq!(process.schedules.create(other).await.unwrap().state, State::Stopped);
    process.schedules.set_state("s", State::Stopped).await.unwrap();
    process.schedules.set_state("t", State::Started).await.unwrap();
    let states = |schedules: &Schedules| {
        schedules.all().iter().map(|listed| (listed.schedule.id.clone(), listed.next.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(states(&process.schedules), [("s".into(), false), ("t".into(), true)]);
    process.kill().await;
    let process = world.start().await;
    assert_eq!(states(&process.schedules), [("s".into(), true), ("t".into(), false)]);
    process.schedules.set_enabled("s", false).await.unwrap();
    process.kill().await;
    let process = world.start().await;
    assert_eq!(states(&process.schedules), [("s".into(), false), ("t".into(), false)]);
    process.schedules.remove("s").await.unwrap();
    process.kill().await;
    assert_eq!(states(&world.open().await), [("t".into(), false)]);
}

#[tokio::test]
async fn what_is_stopped_does_nothing_and_misses_nothing() {
    let world = World::at("2026-03-10T01:59:50Z");
    let process = world.start().await;
    process.schedules.create(schedule("* * * * *")).await.unwrap();
    process.schedules.create(schedule("* * * * *").with_id("t")).await.unwrap();
    process.schedules.set_all(State::Stopped).await.unwrap();
    process.looked().await;
    process.pass_slowly(5 * MINUTE).await;
    assert_eq!(world.action.runs(), [""; 0]);
    process.schedules.set_state("s", State::Started).await.unwrap();
    process.looked().await;
    process.pass_slowly(MINUTE).await;
    assert_eq!(*world.action.runs.lock().unwrap(), [("s".to_owned(), "2026-03-10T02:05:00Z".parse().unwrap())]);
    assert_eq!(process.history("s").await.len(), 1);
    process.schedules.set_all(State::Started).await.unwrap();
    process.looked().await;
    process.pass_slowly(MINUTE).await;
    assert_eq!(world.action.runs().len(), 3);
    process.schedules.remove("t").await.unwrap();
    process.looked().await;
    process.pass_slowly(MINUTE).await;
    assert_eq!(world.action.runs().len(), 4);
}

#[tokio::test]
async fn what_is_changed_counts_at_once() {
    let world = World::at("2026-03-10T01:59:50Z");
    let process = world.start().await;
    process.schedules.create(schedule("0 2 * * *")).await.unwrap();
    process.schedules.replace(Schedule { name: "Morning".into(), ..schedule("0 8 * * *") }).await.unwrap();
    process.looked().await;
    process.pass(10 * SECOND).await;
    assert_eq!(world.action.runs(), [""; 0]);
    let listed = process.schedules.get("s").unwrap();
    assert_eq!((listed.schedule.name.as_str(), listed.next.unwrap().to_string().as_str()), ("Morning", "2026-03-10T08:00:00Z"));
    let next: Vec<_> = process.schedules.next("s", 2).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(next, ["2026-03-10T08:00:00Z", "2026-03-11T08:00:00Z"]);
}

#[tokio::test]
async fn changes_at_the_same_time_are_both_made() {
    let world = World::at("2026-03-10T12:00:00Z");
    let schedules = world.open().await;
    let made = schedules.create(schedule("0 2 * * *")).await.unwrap();
    let (one, other) = tokio::join!(
        schedules.edit("s", |old| Schedule { name: "Morning".into(), id: "t".into(), created: None, ..old }),
        schedules.edit("s", |old| Schedule { when: "0 8 * * *".into(), state: State::Stopped, ..old }),
    );
    one.unwrap();
    other.unwrap();
    let listed = schedules.get("s").unwrap();
    let expected = Schedule { name: "Morning".into(), when: "0 8 * * *".into(), state: State::Stopped, ..Schedule::clone(&made) };
    assert_eq!((&*listed.schedule, listed.next), (&expected, None));
    assert_eq!(schedules.all().len(), 1);
}

#[tokio::test]
async fn what_is_due_when_something_else_is_changed_stays_due() {
    let world = World::at("2026-03-10T01:59:59Z");
    let schedules = world.open().await;
    schedules.create(schedule("0 2 * * *")).await.unwrap();
    schedules.create(schedule("0 2 * * *").with_id("moved")).await.unwrap();
    world.clock.advance(SECOND);
    // It is due, and nobody has looked yet.
    schedules.set_state("s", State::Started).await.unwrap();
    schedules.replace(Schedule { name: "Renamed".into(), ..schedule("0 2 * * *") }).await.unwrap();
    schedules.replace(schedule("0 3 * * *").with_id("moved")).await.unwrap();
    let (intake, _queue) = Intake::channel();
    let open = Scheduler::new(schedules.clone()).open(intake, Stop::new()).await.unwrap();
    let task = tokio::spawn(async move { open.run.await.unwrap() });
    let process = Process { clock: world.clock.clone(), schedules, stop: Stop::new(), task };
    process.done().await;
    assert_eq!(*world.action.runs.lock().unwrap(), [("s".to_owned(), "2026-03-10T02:00:00Z".parse().unwrap())]);
    assert_eq!(process.schedules.get("s").unwrap().schedule.name, "Renamed");
    process.kill().await;
}

#[tokio::test]
async fn what_makes_no_sense_changes_nothing() {
    let world = World::at("2026-03-10T12:00:00Z");
    let process = world.start().await;
    let schedules = &process.schedules;
    schedules.create(schedule("0 2 * * *")).await.unwrap();
    let text = |error: ScheduleError| error.to_string();
    for (given, fault) in [
        (schedule("0 2 * * *"), "there is a schedule with the id `s` already"),
        (schedule("0 2 * * *").with_id(" "), "the id of a schedule has 1 to 255 characters, and no control characters"),
        (Schedule { action: None, ..schedule("0 2 * * *").with_id("t") }, "the schedule `t` names no task and no action"),
        (
            schedule("0 2 * * *").with_id("t").running("tidy"),
            "there is no action `tidy`; a program that embeds Butler adds it before it starts",
        ),
    ] {
        assert_eq!(schedules.create(given).await.map_err(text).unwrap_err(), fault);
    }
    assert!(matches!(schedules.create(schedule("0 25 * * *").with_id("t")).await, Err(ScheduleError::When { .. })));
    assert!(matches!(schedules.replace(schedule("0 25 * * *")).await, Err(ScheduleError::When { .. })));
    assert!(matches!(schedules.replace(schedule("0 2 * * *").with_id("t")).await, Err(ScheduleError::Unknown(_))));
    assert!(matches!(schedules.remove("t").await, Err(ScheduleError::Unknown(_))));
    assert!(matches!(schedules.set_state("t", State::Started).await, Err(ScheduleError::Unknown(_))));
    assert_eq!(schedules.all().len(), 1);
}

#[tokio::test]
async fn those_of_the_configuration_are_changed_there_alone() {
    let mut world = World::at("2026-03-10T12:00:00Z");
    let declared = Schedule { origin: Origin::Configuration, ..schedule("0 2 * * *") };
    world.declared = vec![declared.clone()];
    let process = world.start().await;
    let schedules = &process.schedules;
    for refused in [
        schedules.remove("s").await,
        schedules.replace(schedule("0 3 * * *")).await.map(drop),
        schedules.set_enabled("s", false).await.map(drop),
    ] {
        let said = refused.unwrap_err().to_string();
        assert_eq!(said, "the schedule `s` is defined in the configuration, under `[scheduler.schedules]`; change it there");
    }
    schedules.set_state("s", State::Stopped).await.unwrap();
    process.stop().await;
    // Changed there, and later taken out.
    world.declared = vec![Schedule { when: "0 3 * * *".into(), ..declared }];
    let process = world.start().await;
    let listed = process.schedules.get("s").unwrap();
    assert_eq!(listed.next.unwrap().to_string(), "2026-03-11T03:00:00Z");
    process.stop().await;
    world.declared.clear();
    assert!(world.open().await.all().is_empty());
    assert!(world.store.schedules().await.unwrap().is_empty());
}

#[tokio::test]
async fn one_that_was_made_is_not_overruled_by_the_configuration() {
    let mut world = World::at("2026-03-10T12:00:00Z");
    world.open().await.create(schedule("0 2 * * *")).await.unwrap();
    world.declared = vec![Schedule { origin: Origin::Configuration, ..schedule("0 3 * * *") }];
    let schedules = world.open().await;
    assert_eq!(schedules.all().len(), 1);
    assert_eq!(schedules.get("s").unwrap().schedule.when, "0 2 * * *");
}

#[tokio::test]
async fn what_is_switched_off_is_not_there_and_can_not_be_made() {
    let world = World::at("2026-03-10T12:00:00Z");
    world.open().await.create(schedule("0 2 * * *")).await.unwrap();
    let parts = SchedulerParts {
        store: Arc::clone(&world.store) as _,
        clock: Arc::new(world.clock.clone()),
        intake: world.intake(),
        tasks: None,
        actions: BTreeMap::new(),
    };
    let off = Schedules::open(SchedulerSettings { enabled: false, ..world.settings() }, parts).await.unwrap();
    assert!(off.all().is_empty());
    assert!(matches!(off.create(schedule("0 2 * * *").with_id("t")).await, Err(ScheduleError::Disabled)));
    assert_eq!(world.store.schedules().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_unknown_zone_stands_for_that_of_the_machine_and_unknown_members_are_kept() {
    let world = World::at("2026-03-10T12:00:00Z");
    let schedules = world.open().await;
    let text = r#"{"name":"n","cronSchedule":"0 2 * * *","timezone":"Mars/Olympus","qlikSenseTaskId":"x","startupState":"start","id":"s","lastKnownState":"started","zebra":1,"ape":[2]}"#;
    let schedule: Schedule = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&schedule).unwrap(), text);
    schedules.create(schedule).await.unwrap();
    assert_eq!(schedules.get("s").unwrap().zone, Some(TimeZone::UTC));
    let kept = world.open().await.get("s").unwrap().schedule;
    assert_eq!(kept.more.keys().collect::<Vec<_>>(), ["zebra", "ape"]);
}
