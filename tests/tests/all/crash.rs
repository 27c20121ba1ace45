//! Killed at any moment, nothing that was accepted is lost: each accepted event is delivered to every destination, or is dead with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use butler_core::simulator::inbox::{Answer, HttpInbox};
use butler_tests::{Proc, Sender, World, a_failure, api, eventually};
use serde_json::Value;

use crate::PROGRAM;

/// How many events each round sends.
const BURST: u128 = 20;
/// The longest that the program lives in a round, in microseconds. Where a process needs longer to begin, less would never let an attempt end.
const LONGEST: u64 = if cfg!(windows) { 240_000 } else { 60_000 };
/// The destinations of every event: a webhook that works, and one that fails every other time.
const SINKS: [&str; 2] = ["hook", "flaky"];

fn rounds() -> u32 {
    std::env::var("CRASH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(100)
}

/// What a destination has received: keys, and whether it has ever said yes to them.
struct Witness<'a> {
    inbox: &'a HttpInbox,
    noted: usize,
    keys: BTreeMap<String, bool>,
}

impl<'a> Witness<'a> {
    fn new(inbox: &'a HttpInbox) -> Self {
        Self { inbox, noted: 0, keys: BTreeMap::new() }
    }

    /// An inbox remembers the latest requests only, so they are noted now and then.
    fn note_if_many(&mut self) {
        if self.inbox.count() - self.noted > 5_000 {
            self.note();
        }
    }

    fn note(&mut self) {
        self.noted = self.inbox.count();
        for request in self.inbox.requests() {
            let key = request.header("idempotency-key").expect("a key").to_owned();
            *self.keys.entry(key).or_default() |= request.answered == Some(200);
        }
    }
}

/// Everything of a list, page by page; `cursor` is where an entry has what the next page begins at.
async fn pages(butler: &Proc, list: &str, cursor: &str) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let before = match all.last().and_then(|last| last.pointer(cursor)) {
            Some(Value::String(id)) => format!("&before={id}"),
            Some(number) => format!("&before={number}"),
            None => String::new(),
        };
        let page = api(butler, &format!("{list}?max=1000{before}")).await;
        let page = page.as_array().expect("a list");
        if page.is_empty() {
            return all;
        }
        all.extend(page.iter().cloned());
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The events that the journal says it has accepted, and the tasks that they are about.
async fn accepted(butler: &Proc) -> BTreeMap<String, String> {
    let events = pages(butler, "/api/events", "/event/id").await;
    events.iter().map(|event| (text(event, "/event/id"), text(event, "/event/body/task/task_id"))).collect()
}

/// How many events the journal holds, and how many were accepted since the program was started.
async fn counts(butler: &Proc) -> (u64, u64) {
    let status = api(butler, "/api/status").await;
    let count = |pointer| status.pointer(pointer).and_then(Value::as_u64).expect("a number");
    // In this order: what is accepted in between stands in the journal already.
    let accepted = count("/intake/accepted");
    (count("/journal/events"), accepted)
}

/// Waits until nothing is open any more.
pub(crate) async fn quiet(butler: &Proc) {
    eventually("everything settled", async || {
        let status = api(butler, "/api/status").await;
        let journal = &status["journal"];
        let open = journal["deliveries"].as_array()?.iter().any(|entry| entry[1] == "pending");
        let waiting = status["intake"]["queued"].as_u64()? + journal["unrouted"].as_u64()?;
        (!open && waiting == 0).then_some(())
    })
    .await;
}

/// What is wrong with the deliveries of the accepted events, and with what was received; and how many deliveries are dead.
fn losses(accepted: &BTreeMap<String, String>, deliveries: &[Value], witnesses: &[Witness<'_>; 2]) -> (Vec<String>, usize) {
    let by_place: BTreeMap<(String, String), &Value> =
        deliveries.iter().map(|delivery| ((text(delivery, "/event"), text(delivery, "/sink")), delivery)).collect();
    let (mut wrong, mut dead, mut known) = (Vec::new(), 0, BTreeSet::new());
    for event in accepted.keys() {
        for (sink, witness) in SINKS.iter().zip(witnesses) {
            let Some(delivery) = by_place.get(&(event.clone(), (*sink).to_owned())) else {
                wrong.push(format!("event {event} has no delivery to {sink}"));
                continue;
            };
            let key = text(delivery, "/id");
            match delivery["state"].as_str() {
                Some("delivered") if witness.keys.get(&key) == Some(&true) => {}
                Some("dead") if !text(delivery, "/detail").is_empty() => dead += 1,
                state => wrong.push(format!("delivery {key} to {sink} is {state:?}, and was accepted there: {:?}", witness.keys.get(&key))),
            }
            known.insert(key);
        }
    }
    for (sink, witness) in SINKS.iter().zip(witnesses) {
        let unknown = witness.keys.keys().filter(|key| !known.contains(*key));
        wrong.extend(unknown.map(|key| format!("delivery {key} to {sink} was sent and has vanished")));
    }
    (wrong, dead)
}

/// The world of the test: every event goes to two webhooks, one of which fails every other time.
async fn two_hooks(rounds: u32) -> (World, HttpInbox) {
    let world = World::new(PROGRAM).await;
    let flaky = HttpInbox::start().await.expect("a port");
    for _ in 0..u128::from(rounds + 1) * BURST {
        for answer in [Answer::status(503), Answer::ok(), Answer::half(), Answer::ok()] {
            flaky.answer(answer);
        }
    }
    world.configure_all(&format!(
        r#"
        [sites.prod]
        host = "127.0.0.1"
        [sinks.hook]
        type = "webhook"
        options.url = "{}"
        [sinks.flaky]
        type = "webhook"
        retry = {{ first = "20ms", longest = "200ms" }}
        options.url = "{}"
        [[routes]]
        events = ["task.failed", "reload_task.failed"]
        sinks = ["hook", "flaky"]
        "#,
        world.hook.url("/hook"),
        flaky.url("/flaky"),
    ));
    (world, flaky)
}

/// Kills the program at random moments of bursts, then lets it finish in peace. Gives what was lost.
async fn kill_again_and_again(rounds: u32, lose: Option<&str>) -> Vec<String> {
    let (world, flaky) = two_hooks(rounds).await;
    let store = world.path("butler.db").display().to_string();
    let start = async || {
        let run = world.run(&["serve"]);
        let run = match lose {
            Some(what) => run.env("BUTLER_TEST_STORE", &store).env("BUTLER_TEST_LOSE", what),
            None => run,
        };
        run.ready().await
    };
    let burst = |butler: &Proc, from: u128| {
        let sender = Sender::to(butler);
        (from..from + BURST).for_each(|number| sender.failed(a_failure(number)));
    };
    let mut witnesses = [Witness::new(&world.hook), Witness::new(&flaky)];
    let (mut random, mut number) = (fastrand::Rng::new(), 0);
    let (mut seen, mut lost, mut expected) = (BTreeSet::new(), Vec::new(), 0);
    for round in 0..rounds {
        let butler = start().await;
        // Now and then somebody looks: what the program says it has accepted has to be there for ever.
        let looks = round.is_multiple_of(8);
        let before = if looks { counts(&butler).await } else { (0, 0) };
        if looks && before.0 < expected {
            lost.push(format!("{} accepted events have vanished", expected - before.0));
        }
        burst(&butler, number);
        number += BURST;
        // The moment is what is random here; no test waits for anything by it.
        tokio::time::sleep(Duration::from_micros(random.u64(0..LONGEST))).await;
        if looks {
            seen.extend(accepted(&butler).await.into_keys());
            expected = before.0 + counts(&butler).await.1 - before.1;
        }
        butler.kill().await;
        witnesses.iter_mut().for_each(Witness::note_if_many);
    }

    let butler = start().await;
    burst(&butler, number);
    eventually("the last burst", async || (api(&butler, "/api/status").await["intake"]["received"] == BURST as u64).then_some(())).await;
    quiet(&butler).await;
    let now = accepted(&butler).await;
    let deliveries = pages(&butler, "/api/deliveries", "/seq").await;
    witnesses.iter_mut().for_each(Witness::note);

    lost.extend(seen.iter().filter(|event| !now.contains_key(*event)).map(|event| format!("event {event} has vanished")));
    let tasks: BTreeSet<&String> = now.values().collect();
    let in_peace = (number..number + BURST).map(|number| a_failure(number).task_id.to_string());
    lost.extend(
        in_peace
            .filter(|task| !tasks.contains(task))
            .map(|task| format!("the event of task {task} was accepted in peace and has vanished")),
    );
    let (wrong, dead) = losses(&now, &deliveries, &witnesses);
    lost.extend(wrong);
    if lost.is_empty() {
        // Else it would prove little: most of what was sent was accepted, and hardly any of it was given up.
        assert!(now.len() as u128 > number / 4, "of {number} events {} were accepted", now.len());
        assert!(dead * 50 <= deliveries.len(), "of {} deliveries {dead} are dead", deliveries.len());
    }
    lost
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_loses_nothing_that_it_accepted() {
    let lost = kill_again_and_again(rounds(), None).await;
    assert!(lost.is_empty(), "{} losses: {lost:#?}", lost.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_loses_events_is_found_out() {
    let lost = kill_again_and_again(2, Some("events:7")).await;
    assert!(lost.iter().any(|loss| loss.ends_with("was accepted in peace and has vanished")), "nothing was noticed: {lost:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_loses_deliveries_is_found_out() {
    let lost = kill_again_and_again(2, Some("deliveries:7")).await;
    assert!(lost.iter().any(|loss| loss.contains("has no delivery to")), "nothing was noticed: {lost:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_forgets_what_was_not_delivered_is_found_out() {
    let lost = kill_again_and_again(2, Some("failures:3")).await;
    assert!(
        lost.iter().any(|loss| loss.contains(r#"is Some("delivered"), and was accepted there: Some(false)"#)),
        "nothing was noticed: {lost:#?}"
    );
}
