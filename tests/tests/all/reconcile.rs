//! What no datagram told is found in the repository.

use std::collections::BTreeMap;

use butler_core::event::ExecutionStatus;
use butler_core::simulator::inbox::HttpInbox;
use butler_core::simulator::site::{Execution, ExecutionRecord, Outcome, Site};
use butler_tests::{Proc, Sense, Settings, api, eventually};
use serde_json::Value;

use crate::PROGRAM;

const OFTEN: &str = "[sites.prod.reconcile]\nevery = \"500ms\"";
/// Every task of the site that can be started, with how it ends: all sorts of ends for each.
const OUTCOMES: [Outcome; 3] = [Outcome::FAILED, Outcome::Aborted, Outcome::Success];

/// A Butler that has everything told that a task comes to, by the webhook alone.
async fn sense(more_of_site: &str) -> Sense {
    let route = "[[routes]]\nevents = [\"*\"]\nsinks = [\"hook\"]";
    let settings = Settings { site: more_of_site, route: "when.task = \"nothing of this name\"", more: route, ..Settings::default() };
    Sense::start(PROGRAM, settings).await
}

/// Runs tasks in turn, so that each ends in every way; distributions are another story, which the repository alone can tell the end of.
async fn day(site: &Site, runs: std::ops::Range<usize>) -> Vec<Execution> {
    let state = site.state();
    let tasks: Vec<_> = state.tasks.iter().filter(|task| task.enabled && !task.name.contains("Distribute")).map(|task| task.id).collect();
    let mut ended = Vec::new();
    for number in runs {
        let outcome = OUTCOMES[(number / tasks.len()) % OUTCOMES.len()];
        ended.push(site.run(tasks[number % tasks.len()], outcome).await.expect("a run"));
    }
    ended
}

/// How often each execution was told to the webhook, by the scheduler's id of it.
async fn told(hook: &HttpInbox, butler: &Proc) -> BTreeMap<String, usize> {
    let events = api(butler, "/api/events?max=1000").await;
    let execution: BTreeMap<String, String> = events
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|record| {
            let event = &record["event"];
            Some((event["id"].as_str()?.to_owned(), event["body"]["task"]["execution_id"].as_str()?.to_owned()))
        })
        .collect();
    let deliveries = api(butler, "/api/deliveries?state=delivered&max=1000").await;
    let event_of: BTreeMap<_, _> = deliveries
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|delivery| Some((delivery["id"].as_str()?.to_owned(), delivery["event"].as_str()?.to_owned())))
        .collect();
    let mut told = BTreeMap::new();
    for request in hook.requests().iter().filter(|request| request.answered == Some(200)) {
        let execution = request.header("idempotency-key").and_then(|key| execution.get(event_of.get(key)?));
        if let Some(execution) = execution {
            *told.entry(execution.clone()).or_default() += 1;
        }
    }
    told
}

async fn all_told(hook: &HttpInbox, butler: &Proc, ended: &[Execution]) -> BTreeMap<String, usize> {
    eventually("everything to be told", async || {
        let told = told(hook, butler).await;
        ended.iter().all(|execution| told.contains_key(&execution.execution_id.to_string())).then_some(told)
    })
    .await
}

#[tokio::test]
async fn a_day_with_lost_datagrams_and_a_crash_in_the_middle_is_told_whole() {
    let Sense { site, world, butler, slack: _slack, mail: _mail } = sense(OFTEN).await;
    site.lose_datagrams(0.3, 7);
    let mut ended = day(&site, 0..30).await;
    // It dies with whatever is under way, and more happens while nobody listens.
    butler.kill().await;
    ended.extend(day(&site, 30..40).await);
    let butler = world.serve().await;
    site.send_datagrams_to(Some(butler.address("udp").parse().expect("an address")));
    ended.extend(day(&site, 40..70).await);
    assert!((5..35).contains(&ended.iter().filter(|execution| execution.lost).count()));
    let told = all_told(&world.hook, &butler, &ended).await;
    assert_eq!(told.len(), ended.len(), "{told:?}");
    let events = api(&butler, "/api/events?max=1000").await;
    let by = |source: &str| events.as_array().expect("a list").iter().filter(|record| record["event"]["source"] == source).count();
    assert_eq!(by("udp") + by("qrs_poll"), ended.len());
    // One crash: what was under way then, as many as a sink has in flight, may have been told twice.
    assert!(told.values().all(|count| *count <= 2) && told.values().sum::<usize>() <= ended.len() + 8, "{told:?}");
    assert!(by("udp") > 0 && by("qrs_poll") >= 10);
}

#[tokio::test]
async fn a_site_that_sends_no_datagram_gets_every_alert() {
    let sense = sense(OFTEN).await;
    sense.site.send_datagrams_to(None);
    let ended = day(&sense.site, 0..12).await;
    let told = all_told(&sense.world.hook, &sense.butler, &ended).await;
    assert!(told.values().all(|count| *count == 1), "{told:?}");
    let body: Value = serde_json::from_str(&sense.world.received(1).await[0].body).expect("JSON");
    assert!(body["taskName"].as_str().is_some_and(|name| !name.is_empty()), "{body}");
    let explained = sense.world.says(&sense.butler, &["events", "explain", "latest"]).await;
    assert!(explained.contains("found by reconciliation: no datagram told of it"), "{explained}");
    assert!(!explained.contains("which may be another run"), "{explained}");
    let listed = sense.world.says(&sense.butler, &["events", "list"]).await;
    assert!(listed.contains("qrs_poll"), "{listed}");
}

#[tokio::test]
async fn a_repository_that_was_away_is_caught_up_with_without_a_storm() {
    let sense = sense(OFTEN).await;
    sense.site.send_datagrams_to(None);
    let first = day(&sense.site, 0..3).await;
    all_told(&sense.world.hook, &sense.butler, &first).await;
    sense.site.set_down(true);
    let away = day(&sense.site, 3..40).await;
    eventually("the outage to be known", async || {
        let status = api(&sense.butler, "/api/status").await;
        status["health"]["sites"]["prod"]["down_since"].is_string().then_some(())
    })
    .await;
    let before = sense.site.total();
    sense.site.set_down(false);
    let told = all_told(&sense.world.hook, &sense.butler, &away).await;
    assert!(told.values().all(|count| *count == 1), "{told:?}");
    // For each event its result and its script log, which others share nothing of; what they share is asked once.
    let asked = sense.site.total() - before;
    let of_rounds = sense.site.count("executionresult/full") + sense.site.count("executionresult/count");
    assert!(asked < away.len() * 8 + of_rounds, "{asked} requests, {of_rounds} of rounds");
}

#[tokio::test]
async fn datagrams_that_do_not_come_are_told_of_with_the_remedy() {
    let sense = sense(OFTEN).await;
    let (task, now) = (sense.site.state().tasks[0].id, jiff::Timestamp::now());
    // As the repository shows them; no datagram was sent. Its clock is ahead of ours, which must not matter.
    sense.site.change(|state| {
        let failure = state.executions[0].clone();
        state.executions.extend([1, 7, 14].map(|minute| {
            let stop = Some(now + jiff::SignedDuration::from_mins(minute));
            let (id, execution_id) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
            ExecutionRecord { id, execution_id, task, status: ExecutionStatus(8), start: Some(now), stop, ..failure.clone() }
        }));
    });
    let silence = eventually("the silence to be noticed", async || {
        let events = api(&sense.butler, "/api/events?max=1000").await;
        events.as_array().expect("a list").iter().find(|record| record["event"]["kind"] == "butler.source_silent").cloned()
    })
    .await;
    let notice = &silence["event"]["body"]["notice"];
    assert_eq!(notice["title"], "No log datagram comes from the site `prod` any more");
    let (text, address) = (notice["text"].as_str().unwrap_or_default(), sense.butler.address("udp"));
    assert!(
        text.contains("3 executions") && text.contains("LocalLogConfig.xml") && text.contains(&format!("listens on {address}")),
        "{text}"
    );
    // It goes out like any other, and the failures themselves were told.
    let bodies = sense.world.received(4).await;
    assert_eq!(bodies.iter().filter(|request| request.body.contains("No log datagram comes")).count(), 1);
    sense.fails(task).await;
    sense.world.received(5).await;
    let listed = sense.world.says(&sense.butler, &["events", "list"]).await;
    assert_eq!(listed.matches("butler.source_silent").count(), 1, "{listed}");
}

#[tokio::test]
async fn a_repository_that_calls_has_an_execution_told_at_once() {
    let calls = "[sites.prod.reconcile]\nevery = \"1h\"\nnotify_url = \"http://127.0.0.1:0\"\nnotify_listen = \"127.0.0.1:0\"";
    let Sense { site, world, butler, slack: _slack, mail: _mail } = sense(calls).await;
    site.send_datagrams_to(None);
    let subscribed = async || eventually("a subscription", async || (site.subscriptions() == 1).then_some(())).await;
    subscribed().await;
    assert!(butler.address("qrs_poll").starts_with("127.0.0.1:"));
    let mut ended = day(&site, 0..3).await;
    all_told(&world.hook, &butler, &ended).await;
    // Another process takes over from one that had no time to say so.
    butler.kill().await;
    ended.extend(day(&site, 3..6).await);
    let mut butler = world.serve().await;
    all_told(&world.hook, &butler, &ended).await;
    subscribed().await;
    ended.extend(day(&site, 6..9).await);
    all_told(&world.hook, &butler, &ended).await;
    butler.press_ctrl_c().await;
    butler.ended().await;
    assert_eq!(site.subscriptions(), 0);
}
