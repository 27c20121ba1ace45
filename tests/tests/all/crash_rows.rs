//! Killed at each row of the table in the store's documentation.

use std::collections::BTreeSet;

use butler_tests::{Proc, Sender, World, a_failure, api, eventually};
use serde_json::Value;

use crate::PROGRAM;
use crate::crash::quiet;

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
