//! Killed at any moment, nothing that was accepted is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use butler_tests::{Proc, Sender, World, a_failure, api, eventually};
use serde_json::Value;

use crate::PROGRAM;

/// How many events each round sends.
const BURST: u128 = 40;

fn rounds() -> u32 {
    std::env::var("CRASH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(100)
}

/// What is wrong with the deliveries of all accepted events; empty if nothing is.
async fn losses(world: &World, butler: &Proc, accepted: &BTreeSet<String>) -> Vec<String> {
    let mut received: BTreeMap<String, usize> = BTreeMap::new();
    for request in world.hook.requests() {
        *received.entry(request.header("idempotency-key").unwrap_or_default().to_owned()).or_default() += 1;
    }
    let mut wrong = Vec::new();
    for event in accepted {
        let deliveries = api(butler, &format!("/api/deliveries?event={event}")).await;
        let Some(delivery) = deliveries.as_array().and_then(|all| all.first()) else {
            wrong.push(format!("event {event} has no delivery"));
            continue;
        };
        let key = delivery["id"].as_str().unwrap_or_default();
        match delivery["state"].as_str() {
            Some("delivered") if received.contains_key(key) => {}
            Some("dead") if delivery["detail"].as_str().is_some_and(|why| !why.is_empty()) => {}
            state => wrong.push(format!("delivery {key} is {state:?}, received {:?} times", received.get(key))),
        }
    }
    wrong
}

/// The events that the journal says it has accepted.
async fn accepted(butler: &Proc) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut before = String::new();
    loop {
        let page = api(butler, &format!("/api/events?max=1000{before}")).await;
        let page: Vec<String> =
            page.as_array().into_iter().flatten().filter_map(|e| e["event"]["id"].as_str().map(str::to_owned)).collect();
        let Some(last) = page.last() else { return all };
        before = format!("&before={last}");
        all.extend(page);
    }
}

/// Waits until nothing is open any more.
async fn quiet(butler: &Proc) {
    eventually("everything settled", || async {
        let status = api(butler, "/api/status").await;
        let journal = &status["journal"];
        let open = journal["deliveries"].as_array()?.iter().any(|entry| entry[1] == "pending");
        let waiting = status["intake"]["queued"].as_u64()? + journal["unrouted"].as_u64()?;
        (!open && waiting == 0).then_some(())
    })
    .await;
}

/// Kills the program at random moments of bursts, then lets it finish. Gives what was lost.
async fn kill_again_and_again(world: &World, rounds: u32, env: &[(&str, &str)]) -> Vec<String> {
    let start = async || {
        let run = env.iter().fold(world.run(&["serve"]), |run, (name, value)| run.env(name, value));
        run.ready().await
    };
    let mut random = fastrand::Rng::new();
    let mut number = 0;
    let mut seen = BTreeSet::new();
    for _ in 0..rounds {
        let butler = start().await;
        let sender = Sender::to(&butler);
        for _ in 0..BURST {
            sender.failed(a_failure(number));
            number += 1;
        }
        // The moment is what is random here; no test waits for anything by it.
        tokio::time::sleep(Duration::from_micros(random.u64(0..60_000))).await;
        if random.u8(..) < 32 {
            // What was accepted by now has to be there for ever.
            seen.extend(accepted(&butler).await);
        }
        butler.kill().await;
    }
    let butler = start().await;
    quiet(&butler).await;
    let now = accepted(&butler).await;
    let mut lost: Vec<String> = seen.difference(&now).map(|event| format!("event {event} has vanished")).collect();
    lost.extend(losses(world, &butler, &now).await);
    assert!(!now.is_empty(), "no event was accepted in {rounds} rounds");
    lost
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_loses_nothing_that_it_accepted() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let lost = kill_again_and_again(&world, rounds(), &[]).await;
    assert!(lost.is_empty(), "{} losses: {lost:#?}", lost.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_loses_is_found_out() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let store = world.path("butler.db").display().to_string();
    let lost = kill_again_and_again(&world, 5, &[("BUTLER_TEST_STORE", &store), ("BUTLER_TEST_LOSE", "1")]).await;
    assert!(lost.iter().any(|loss| loss.ends_with("has no delivery")), "nothing was noticed: {lost:#?}");
}

/// One row of the table in the store's documentation: the process dies at a point, and is started again.
async fn dies_at(point: &str) -> (World, Vec<Value>) {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let store = world.path("butler.db").display().to_string();
    let butler = world.run(&["serve"]).env("BUTLER_TEST_STORE", &store).env("BUTLER_TEST_DIE", point).ready().await;
    let sender = Sender::to(&butler);
    sender.failed(a_failure(1));
    let mut butler = butler;
    assert!(!butler.ended().await.success(), "it did not die at {point}");
    let butler = world.serve().await;
    // Its sender sends again what it does not know to be taken, as the scheduler would not; here it makes the rows before the append equal to the others.
    Sender::to(&butler).failed(a_failure(1));
    quiet_with_events(&butler).await;
    let events = api(&butler, "/api/events").await;
    (world, events.as_array().cloned().unwrap_or_default())
}

async fn quiet_with_events(butler: &Proc) {
    eventually("the event", || async {
        let events = api(butler, "/api/events").await;
        (!events.as_array()?.is_empty()).then_some(())
    })
    .await;
    quiet(butler).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_table_holds() {
    for (point, most_sent) in [
        ("before-commit:append:1", 1),
        ("after-commit:append:1", 1),
        ("after-commit:claim:1", 1),
        ("before-commit:route:1", 1),
        ("after-commit:route:1", 1),
        ("after-commit:lease:1", 1),
        ("before-commit:settle:1", 2),
        ("after-commit:settle:1", 1),
    ] {
        let (world, events) = dies_at(point).await;
        assert_eq!(events.len(), 1, "{point}: {events:#?}");
        let requests = world.hook.requests();
        assert!((1..=most_sent).contains(&requests.len()), "{point}: sent {} times", requests.len());
        let keys: BTreeSet<_> = requests.iter().filter_map(|r| r.header("idempotency-key")).collect();
        assert_eq!(keys.len(), 1, "{point}");
    }
}
