//! Butler inside your program, whole: configuration, durable store, an event, its delivery, an orderly end.
//!
//! Here the event comes from this program itself, and the webhook is one that only listens. Run it:
//!
//! ```text
//! cargo run -p butler-examples --bin embed
//! ```

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::time::Duration;

use butler_core::Butler;
use butler_core::config::Config;
use butler_core::event::{Body, DedupKey, Kind, NewEvent, TaskEvent, TaskOutcome};
use butler_core::simulator::inbox::HttpInbox;
use butler_core::store::{DeliveryQuery, DeliveryState};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // What a real program has instead: a folder for its data, and people who look at a webhook.
    let folder = tempfile::tempdir()?;
    let webhook = HttpInbox::start().await?;
    let text = format!(
        r#"
        [udp]
        enabled = false
        [api]
        enabled = false
        [sinks.ops]
        type = "webhook"
        options.url = "{}"
        [[routes]]
        events = ["*"]
        sinks = ["ops"]
        "#,
        webhook.url("/alerts")
    );

    // Relative paths, as that of the store, begin at the folder. `Config::from_file` reads a file instead.
    let config = Config::from_toml(&text, folder.path())?;
    let butler = Butler::builder(config).start().await?;

    // Once `submit` has returned the event is on disk: it will be delivered, whatever happens to this process.
    let accepted = butler.intake().submit(a_failed_reload()).await?;
    println!("accepted: {accepted:?}");

    let received = webhook.wait_for(1).await;
    println!("received: {}", received[0].body);

    // The end settles what is under way, so afterwards the journal tells how it went.
    let store = butler.store().clone();
    butler.shutdown(Duration::from_secs(5)).await?;
    for delivery in store.deliveries(DeliveryQuery::default()).await? {
        println!("delivery: {} to {} is {}, {}", delivery.id, delivery.sink, delivery.state.as_str(), delivery.detail);
        assert_eq!(delivery.state, DeliveryState::Delivered);
    }
    Ok(())
}

fn a_failed_reload() -> NewEvent {
    NewEvent {
        site: "prod".into(),
        kind: Kind::task(TaskOutcome::Failed),
        at: std::time::SystemTime::now().try_into().unwrap_or_default(),
        source: "example".into(),
        // Told again under the same key, it is recognised and delivered once.
        keys: vec![DedupKey::Exact("reload 4711".into())],
        body: Body::Task(TaskEvent { task_name: "Reload sales".into(), message: "Disk full".into(), ..TaskEvent::default() }),
    }
}

#[test]
fn it_runs_to_its_end() {
    main().expect("a good end");
}
