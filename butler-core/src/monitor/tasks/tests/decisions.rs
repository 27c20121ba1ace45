use super::*;
use crate::monitor::tasks::find::Limit;
use crate::monitor::tasks::memory::Failing;
use crate::monitor::tasks::usual::Usual;

const RULES: TaskWatchRules = TaskWatchRules {
    every: Duration::from_mins(1),
    late_after: Duration::from_mins(5),
    queued_after: Duration::from_mins(30),
    longest: None,
    remind: None,
};

fn expecting(expected: i64) -> TaskMemory {
    TaskMemory { expected: Some(at(expected)), ..TaskMemory::default() }
}

/// Of a task that should have started at six.
fn is_late(memory: &TaskMemory, task: &TaskStanding, look: Look) -> bool {
    let findings = find(&RULES, task, &[], memory, &look).1;
    assert!(findings.iter().all(|finding| *finding == Finding::Late { expected: SIX }), "{findings:?}");
    !findings.is_empty()
}

#[test]
fn late_is_what_should_have_started_and_did_not() {
    let yesterday = Some(execution("y", 7, at(-1440), Some(at(-1430))));
    let tomorrow = Some(at(1440));
    let ran = |start: i64, status: i64, stop: Option<i64>| Some(execution("x", status, at(start), stop.map(at)));
    for (what, next, last, now, late) in [
        ("its time has not come", Some(SIX), yesterday.clone(), -1, false),
        ("it may be a little late", Some(SIX), yesterday.clone(), 5, false),
        ("the plan stands and nothing started", Some(SIX), yesterday.clone(), 6, true),
        ("the plan has moved on and nothing started", tomorrow, yesterday.clone(), 6, true),
        ("it never ran at all", tomorrow, None, 6, true),
        ("it has no further plan and did not start", None, yesterday.clone(), 6, true),
        ("it started", tomorrow, ran(0, 7, Some(3)), 6, false),
        ("it started a little early", tomorrow, ran(-1, 7, Some(3)), 6, false),
        ("somebody started it by hand afterwards", tomorrow, ran(4, 8, Some(5)), 6, false),
        ("it runs", tomorrow, ran(1, 2, None), 6, false),
        ("it still runs from before", Some(SIX), ran(-60, 2, None), 6, false),
        ("it waits for its start", tomorrow, ran(0, 3, None), 6, false),
        ("it ran until just now, and the plan has not moved on yet", Some(SIX), ran(-60, 7, Some(4)), 6, false),
        ("it ran into its time and does not start again", Some(SIX), ran(-60, 7, Some(4)), 10, true),
    ] {
        assert_eq!(is_late(&expecting(0), &task(next, last), look(at(now))), late, "{what}");
    }
    let disabled = TaskStanding { enabled: false, ..task(Some(SIX), None) };
    assert!(!is_late(&expecting(0), &disabled, look(at(6))), "nobody waits for a task that is switched off");
}

#[test]
fn whoever_was_away_does_not_raise_false_alarms() {
    let yesterday = Some(execution("y", 7, at(-1440), Some(at(-1430))));
    let away = Look { before: Some(at(-700)), ..look(at(60)) };
    // The plan may have been changed meanwhile.
    assert!(!is_late(&expecting(0), &task(Some(at(1440)), yesterday.clone()), away));
    // A plan that still stands is none that was changed.
    assert!(is_late(&expecting(0), &task(Some(SIX), yesterday.clone()), away));
    // Right after it is back the repository may not show everything yet.
    assert!(!is_late(&expecting(0), &task(Some(SIX), yesterday.clone()), Look { is_settled: false, ..away }));
    // It ran meanwhile.
    assert!(!is_late(&expecting(0), &task(Some(SIX), Some(execution("x", 8, at(2), Some(at(9))))), away));
    // At the first look ever a plan of long ago is an old trigger, one of last night is not.
    let first = |now| Look { before: None, ..look(at(now)) };
    assert!(!is_late(&TaskMemory::default(), &task(Some(SIX), None), first(3000)));
    assert!(is_late(&TaskMemory::default(), &task(Some(SIX), None), first(300)));
}

#[test]
fn a_plan_that_is_changed_in_time_is_the_plan() {
    let mut memory = TaskMemory::default();
    assert_eq!(step(&RULES, &task(Some(SIX), None), &mut memory, &look(at(-10))), []);
    assert_eq!(step(&RULES, &task(Some(at(120)), None), &mut memory, &look(at(-1))), []);
    assert_eq!(step(&RULES, &task(Some(at(120)), None), &mut memory, &look(at(30))), []);
    assert_eq!(step(&RULES, &task(Some(at(120)), None), &mut memory, &look(at(126))), [Finding::Late { expected: at(120) }]);
}

#[test]
fn a_task_of_every_minute_that_does_not_start_is_told_of_once_an_hour() {
    let mut memory = TaskMemory::default();
    let mut told = Vec::new();
    for now in -10..130 {
        told.extend(step(&RULES, &task(Some(at(now + 1)), None), &mut memory, &look(at(now))));
    }
    assert!((2..=4).contains(&told.len()), "{told:?}");
    // As soon as it starts, a further miss is another matter.
    let started = Some(execution("x", 7, at(130), Some(at(130))));
    step(&RULES, &task(Some(at(131)), started.clone()), &mut memory, &look(at(130)));
    let again = (131..140).flat_map(|now| step(&RULES, &task(Some(at(now + 1)), started.clone()), &mut memory, &look(at(now))));
    assert_eq!(again.count(), 1);
}

fn usually(minutes: [u64; 6]) -> TaskMemory {
    let mut usual = Usual::default();
    minutes.into_iter().for_each(|minutes| usual.add(Duration::from_mins(minutes)));
    TaskMemory { usual, ..TaskMemory::default() }
}

#[test]
fn stuck_is_what_runs_far_longer_than_it_does() {
    let hour = usually([60, 55, 61, 58, 60, 62]);
    let quick = usually([1; 6]);
    let nothing = TaskMemory::default();
    let longest = TaskWatchRules { longest: Some(minutes(90)), ..RULES };
    let short_session = TaskStanding { session_timeout: 60, max_retries: 1, ..task(None, None) };
    let any = task(None, None);
    for (what, rules, memory, task, status, lasts, stuck) in [
        ("it takes an hour", RULES, &hour, &any, 2, 70, None),
        ("three times as long is not yet too long", RULES, &hour, &any, 2, 186, None),
        ("more than that is", RULES, &hour, &any, 2, 187, Some("usual")),
        ("whoever ends it may be stuck as well", RULES, &hour, &any, 5, 187, Some("usual")),
        ("a short one has ten minutes more", RULES, &quick, &any, 2, 11, None),
        ("and no more", RULES, &quick, &any, 2, 12, Some("usual")),
        ("nobody knows how long it takes", RULES, &nothing, &any, 2, 1400, None),
        ("but that no task may take so long", longest, &nothing, &any, 2, 91, Some("longest")),
        ("also one that usually does", longest, &hour, &any, 2, 91, Some("longest")),
        ("its session is to be ended after two tries of an hour each", RULES, &nothing, &short_session, 2, 129, None),
        ("and was not", RULES, &nothing, &short_session, 10, 131, Some("timeout")),
        ("it waits, and does not run", RULES, &quick, &any, 3, 20, None),
        ("it has ended", RULES, &quick, &any, 7, 100, None),
        ("nobody knows what this is", RULES, &quick, &any, 99, 100, None),
    ] {
        let stop = (status == 7).then(|| at(lasts));
        let task = TaskStanding { last: Some(execution("x", status, SIX, stop)), ..task.clone() };
        let findings = find(&rules, &task, &[], memory, &look(at(lasts))).1;
        let found = findings.iter().map(|finding| match finding {
            Finding::Stuck { limit: Limit::Usual(_), .. } => "usual",
            Finding::Stuck { limit: Limit::Longest(_), .. } => "longest",
            Finding::Stuck { limit: Limit::Timeout(_), .. } => "timeout",
            other => panic!("{other:?}"),
        });
        assert_eq!(found.collect::<Vec<_>>(), stuck.into_iter().collect::<Vec<_>>(), "{what}");
    }
}

#[test]
fn an_execution_that_waits_and_then_hangs_is_told_of_twice_and_no_more() {
    let mut memory = usually([1; 6]);
    let mut at_minute =
        |minute: i64, status: i64| step(&RULES, &task(None, Some(execution("x", status, SIX, None))), &mut memory, &look(at(minute)));
    assert_eq!(at_minute(30, 1), []);
    assert!(matches!(&at_minute(31, 3)[..], [Finding::Queued { waiting, .. }] if *waiting == minutes(31)));
    assert_eq!(at_minute(60, 3), []);
    assert!(matches!(&at_minute(61, 2)[..], [Finding::Stuck { .. }]));
    assert_eq!(at_minute(200, 2), []);
    assert_eq!(at_minute(201, 10), []);
}

#[test]
fn an_execution_that_does_not_say_since_when_is_timed_from_when_it_was_seen() {
    let mut memory = TaskMemory::default();
    let waiting = LatestExecution { start: None, ..execution("x", 3, SIX, None) };
    let mut at_minute = |minute: i64| step(&RULES, &task(None, Some(waiting.clone())), &mut memory, &look(at(minute))).len();
    assert_eq!([at_minute(0), at_minute(30), at_minute(31), at_minute(32)], [0, 0, 1, 0]);
}

#[test]
fn nothing_hangs_right_after_the_repository_is_back() {
    let memory = usually([1; 6]);
    let task = task(None, Some(execution("x", 2, SIX, None)));
    let unsettled = Look { is_settled: false, ..look(at(100)) };
    assert_eq!(find(&RULES, &task, &[], &memory, &unsettled).1, []);
    assert_eq!(find(&RULES, &task, &[], &memory, &look(at(105))).1.len(), 1);
}

#[test]
fn a_task_recovers_with_its_first_success() {
    let mut memory = TaskMemory::default();
    let mut ends = |key: &str, status: i64, minute: i64| {
        let last = Some(execution(key, status, at(minute - 1), Some(at(minute))));
        step(&RULES, &task(None, last), &mut memory, &look(at(minute)))
    };
    assert_eq!(ends("a", 7, 1), []);
    assert_eq!(ends("b", 8, 2), []);
    assert_eq!(ends("b", 8, 3), [], "seen again, it is the same failure");
    assert_eq!(ends("c", 11, 4), []);
    assert_eq!(ends("d", 6, 5), [], "an abort is neither");
    let recovered = Finding::Recovered { execution: "e".into(), at: at(6), since: at(2), count: 2 };
    assert_eq!(ends("e", 7, 6), [recovered]);
    assert_eq!(ends("f", 7, 7), []);
}

#[test]
fn reminders_come_as_often_as_they_are_wanted_and_not_all_at_once() {
    let rules = TaskWatchRules { remind: Some(minutes(60)), ..RULES };
    let failing = Some(Failing { since: SIX, count: 1, reminded: 0 });
    let mut memory = TaskMemory { failing, ended: Some("x".into()), ..TaskMemory::default() };
    let failed = task(None, Some(execution("x", 8, at(-5), Some(SIX))));
    let mut at_minute = |minute: i64| step(&rules, &failed, &mut memory, &look(at(minute)));
    let reminder = |number| [Finding::Failing { since: SIX, count: 1, number }];
    assert_eq!(at_minute(59), []);
    assert_eq!(at_minute(60), reminder(1));
    assert_eq!(at_minute(119), []);
    assert_eq!(at_minute(120), reminder(2));
    assert_eq!(at_minute(600), reminder(10), "what was missed is not made up for");
    assert_eq!(at_minute(601), []);
    assert_eq!(find(&RULES, &failed, &[], &memory, &look(at(700))).1, [], "nobody wants any");
    let disabled = TaskStanding { enabled: false, ..failed };
    assert_eq!(find(&rules, &disabled, &[], &memory, &look(at(700))).1, []);
}
