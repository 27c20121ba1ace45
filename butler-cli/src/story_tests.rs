//! Stories as people read them.

use butler_core::api::answers::{EventDetails, IntakeStatus, ListedDelivery, SinkDown, Status};
use butler_core::event::{
    Body, DeliveryId, Event, EventId, Fact, Facts, Kind, ScriptError, ScriptLog, TaskEvent, TaskFacts, TaskOutcome, TaskType,
};
use butler_core::pipeline::{HealthReport, SinkHealth, SiteHealth, SourceHealth, Unrouted};
use butler_core::source::RejectReason;
use butler_core::store::{AttemptRecord, DeliveryRecord, DeliveryState, EventRecord, JournalStats, RouteNote, Sighting};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::{commands, story};

const AT: Timestamp = Timestamp::constant(1_715_580_131, 0);

fn event() -> Event {
    let task = TaskEvent { task_name: "Reload sales".into(), app_name: "Sales".into(), ..TaskEvent::default() };
    Event {
        id: EventId(Uuid::from_u128(7)),
        site: "prod".into(),
        kind: Kind::Task { task_type: Some(TaskType::Reload), outcome: TaskOutcome::Failed },
        at: AT,
        received: AT,
        source: "udp".into(),
        body: Body::Task(task),
    }
}

fn delivery(number: u128, sink: &str, state: DeliveryState, detail: &str) -> ListedDelivery {
    let record = DeliveryRecord {
        id: DeliveryId(Uuid::from_u128(number)),
        seq: 1,
        event: event().id,
        sink: sink.into(),
        target: if sink == "mail" { "bi@example.com".into() } else { "".into() },
        route: "all".into(),
        state,
        attempts: 2,
        lost: 0,
        created: AT,
        due: AT,
        expires: AT,
        settled: (state != DeliveryState::Pending).then_some(AT),
        failing_since: None,
        waiting_in_lane: false,
        overtaken: false,
        detail: detail.into(),
        preview: "Reload failed".into(),
    };
    ListedDelivery { record, orphaned: false, sink_down: None }
}

/// A delivery that waits, with something particular about it.
fn pending(number: u128, change: impl FnOnce(&mut ListedDelivery)) -> ListedDelivery {
    let mut listed = delivery(number, "chat", DeliveryState::Pending, "HTTP 500");
    change(&mut listed);
    listed
}

fn details(deliveries: Vec<ListedDelivery>) -> EventDetails {
    let facts = Facts {
        task: Fact::Known(TaskFacts { name: "Reload sales".into(), ..TaskFacts::default() }),
        app: Fact::Missing { why: "the repository does not answer".into(), is_final: false },
        script_log: Fact::Known(ScriptLog {
            rows: 312,
            error: Some(ScriptError {
                text: "Error: Field 'Rate' not found".into(),
                row: 310,
                statement: vec!["0018 facts:".into(), "0019 LOAD Rate RESIDENT staging".into()],
            }),
            ..ScriptLog::default()
        }),
        ..Facts::default()
    };
    let note = |route: &str, matched, why: &str| RouteNote { route: route.into(), matched, why: why.into() };
    EventDetails {
        record: EventRecord { event: event(), routed: Some(AT), sightings: 3, deliveries: Vec::new() },
        facts,
        sightings: vec![Sighting { source: "udp".into(), at: AT }],
        notes: vec![note("finance", false, "`stream` does not fit"), note("all", true, "every condition fits")],
        deliveries,
    }
}

#[test]
fn an_explanation_says_who_told_first_and_what_no_datagram_told() {
    let told_by = |sources: &[&str]| {
        let mut told = details(Vec::new());
        told.sightings = sources.iter().map(|source| Sighting { source: (*source).into(), at: AT }).collect();
        told.record.sightings = sources.len() as u64;
        let text = story::explain(&told, &TimeZone::UTC);
        text.lines().skip(2).take_while(|line| !line.is_empty()).map(|line| format!("{}\n", line.trim())).collect::<String>()
    };
    let text = [&["qrs_poll"][..], &["qrs_poll-prod", "qrs_poll-prod"], &["qrs_poll", "udp"], &["udp", "qrs_poll", "udp", "udp"]]
        .map(told_by)
        .concat();
    insta::assert_snapshot!(text, @r#"
    first told by qrs_poll at 2024-05-13 06:02:11
    found by reconciliation: no datagram told of it
    first told by qrs_poll-prod at 2024-05-13 06:02:11, and once more by qrs_poll-prod; it is one event all the same
    found by reconciliation: no datagram told of it
    first told by qrs_poll at 2024-05-13 06:02:11, and once more by udp; it is one event all the same
    first told by udp at 2024-05-13 06:02:11, and 3 more times by qrs_poll, udp (2 times); it is one event all the same
    "#);
}

#[test]
fn an_explanation_says_what_was_found_what_routes_said_and_how_each_delivery_stands() {
    let down = SinkDown { since: AT, error: "connection refused".into() };
    let told = details(vec![
        delivery(1, "ops", DeliveryState::Delivered, "HTTP 200"),
        delivery(2, "mail", DeliveryState::Dead, "550 no such user"),
        delivery(3, "chat", DeliveryState::Suppressed, "held back by the rate limit"),
        delivery(4, "chat", DeliveryState::Discarded, "discarded: told by phone"),
        pending(5, |_| {}),
        pending(6, |listed| listed.record.attempts = 0),
        pending(7, |listed| listed.record.waiting_in_lane = true),
        pending(8, |listed| listed.record.overtaken = true),
        pending(9, |listed| listed.sink_down = Some(down)),
        pending(10, |listed| listed.orphaned = true),
    ]);
    insta::assert_snapshot!(story::explain(&told, &TimeZone::UTC), @r#"
    reload_task.failed: task Reload sales (app Sales)
      event 00000000-0000-0000-0000-000000000007, site prod
      first told by udp at 2024-05-13 06:02:11, and 2 more times; it is one event all the same

    What was found out
      task: Reload sales
      app: MISSING, the repository does not answer
      script log: 312 lines
      why it failed: Error: Field 'Rate' not found (line 310 of the script log)
        0018 facts:
        0019 LOAD Rate RESIDENT staging

    What the routes said
      no  finance: `stream` does not fit
      yes all: every condition fits

    Who is told
      ops: delivered at 2024-05-13 06:02:11 after 2 tries: HTTP 200
        delivery 00000000-0000-0000-0000-000000000001 (route all)
      mail (bi@example.com): GIVEN UP at 2024-05-13 06:02:11 after 2 tries: 550 no such user
        delivery 00000000-0000-0000-0000-000000000002 (route all)
      chat: held back by the rate limit
        delivery 00000000-0000-0000-0000-000000000003 (route all)
      chat: discarded at 2024-05-13 06:02:11: told by phone
        delivery 00000000-0000-0000-0000-000000000004 (route all)
      chat: FAILING after 2 tries, next at 2024-05-13 06:02:11: HTTP 500
        delivery 00000000-0000-0000-0000-000000000005 (route all)
      chat: waiting, not tried yet
        delivery 00000000-0000-0000-0000-000000000006 (route all)
      chat: waits for an older message about the same task
        delivery 00000000-0000-0000-0000-000000000007 (route all)
      chat: FAILING after 2 tries, next at 2024-05-13 06:02:11; others about the same task were let ahead: HTTP 500
        delivery 00000000-0000-0000-0000-000000000008 (route all)
      chat: WAITS, after 2 tries: the sink is down since 2024-05-13 06:02:11 and is tried with one message at a time: connection refused
        delivery 00000000-0000-0000-0000-000000000009 (route all)
      chat: orphaned: there is no sink `chat` any more. `was = ["chat"]` in another sink adopts it; else it is given up when it is too old. Last: HTTP 500
        delivery 00000000-0000-0000-0000-00000000000a (route all)
    "#);
}

#[test]
fn an_explanation_raises_its_voice_when_nobody_is_told() {
    let mut untold = details(Vec::new());
    assert!(story::explain(&untold, &TimeZone::UTC).contains("NOBODY, although something went wrong"));
    assert_eq!(story::fate(&untold.record), "NOBODY is told");
    untold.record.event.kind = Kind::Task { task_type: None, outcome: TaskOutcome::Success };
    assert!(story::explain(&untold, &TimeZone::UTC).ends_with("Who is told\n  nobody\n"));
    untold.record.routed = None;
    assert!(story::explain(&untold, &TimeZone::UTC).ends_with("Who is told\n  not decided yet\n"));
}

#[test]
fn a_delivery_shows_its_attempts_and_what_went_out() {
    let attempts = ["HTTP 500", "HTTP 503"].map(|detail| AttemptRecord { at: AT, outcome: "server_error".into(), detail: detail.into() });
    let mut listed = pending(5, |_| {});
    listed.record.lost = 1;
    insta::assert_snapshot!(story::delivery(&listed, &attempts, &TimeZone::UTC), @r#"
    chat: FAILING after 2 tries, next at 2024-05-13 06:02:11: HTTP 500
      delivery 00000000-0000-0000-0000-000000000005
      event    00000000-0000-0000-0000-000000000007
      route    all
      created  2024-05-13 06:02:11
      expires  2024-05-13 06:02:11
      1 attempt never returned: the program ended, or hung
    attempts
      2024-05-13 06:02:11  server_error: HTTP 500
      2024-05-13 06:02:11  server_error: HTTP 503
    what went out
      Reload failed
    "#);
}

#[test]
fn the_status_says_what_is_wrong_and_what_to_do() {
    let sink = SinkHealth { down_since: Some(AT), last_error: Some("connection refused".into()), ..SinkHealth::default() };
    let source = SourceHealth { addresses: vec!["0.0.0.0:9998".into()], error: None };
    let site = SiteHealth { down_since: Some(AT), last_error: Some("no answer".into()) };
    let status = Status {
        version: "1.2.3".into(),
        started: AT,
        uptime_seconds: 60,
        ready: false,
        health: HealthReport {
            store: Some((AT, "the store is full".into())),
            sources: [("udp".into(), source)].into(),
            sinks: [("ops".into(), sink), ("mail".into(), SinkHealth::default())].into(),
            sites: [("prod".into(), site)].into(),
            unrouted: Some(Unrouted { to_fallback: 2, to_nobody: 1, latest: event().id }),
        },
        connections: Default::default(),
        intake: IntakeStatus {
            received: 12,
            accepted: 9,
            duplicates: 1,
            queued: 0,
            rejected: [(RejectReason::KernelDrop, 5), (RejectReason::Sender, 2)].into(),
        },
        journal: JournalStats {
            events: 9,
            unrouted: 0,
            deliveries: vec![
                ("ops".into(), DeliveryState::Pending, 4),
                ("ops".into(), DeliveryState::Dead, 1),
                ("old".into(), DeliveryState::Pending, 3),
            ],
            bytes: 3 << 19,
        },
        orphans: [("old".into(), 3)].into(),
    };
    insta::assert_snapshot!(commands::status::text(&status, &TimeZone::UTC), @r#"
    butler 1.2.3 is NOT ready, up since 2024-05-13 06:02:11
    intake    12 received, 9 accepted, 1 duplicates, 0 waiting
              2 rejected: sender (the sender is neither this machine, nor the site's host, nor listed in `[udp] allow`)
              5 rejected: kernel_drop (lost before Butler could read them: the system's receive buffer was full)
    journal   9 events, 0 to be routed, 1.5 MiB
    store     refuses since 2024-05-13 06:02:11: the store is full
    routes    2 events that went wrong were on no route and went to the fallback, 1 went to NOBODY; the latest is 00000000-0000-0000-0000-000000000007
    source    udp: hears on 0.0.0.0:9998
    site      prod: the repository does not answer since 2024-05-13 06:02:11: no answer
    sink      mail: up; nothing yet
    sink      ops: DOWN since 2024-05-13 06:02:11: connection refused; 4 pending, 1 dead
    orphans   3 pending for `old`, which is no longer configured; `was = ["old"]` in another sink adopts them
    "#);
}
