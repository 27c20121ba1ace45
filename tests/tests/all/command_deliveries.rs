//! `deliveries`, against a running Butler: list, show, retry, discard.

use butler_core::simulator::inbox::{Answer, HttpInbox};
use butler_tests::{Proc, Sender, World, a_failure, api, eventually};
use insta::assert_snapshot;

use crate::PROGRAM;

/// One sink that takes messages, one that refuses each, one that is not there.
struct Stage {
    world: World,
    butler: Proc,
    picky: HttpInbox,
}

impl Stage {
    async fn set() -> Self {
        let picky = HttpInbox::start().await.expect("a port");
        picky.answer_always(Some(Answer::status(400).body("no such channel")));
        let world = World::new(PROGRAM).await;
        world.configure(&format!(
            r#"
            continue = true
            [[routes]]
            name = "failures"
            events = ["reload_task.failed"]
            sinks = ["picky", "gone"]
            [sinks.picky]
            type = "webhook"
            options.url = "{}"
            [sinks.gone]
            type = "webhook"
            options.url = "http://127.0.0.1:1/"
            retry = {{ first = "1h", longest = "1h" }}
            "#,
            picky.url("/")
        ));
        let butler = world.serve().await;
        Sender::to(&butler).failed(a_failure(1));
        let stage = Self { world, butler, picky };
        stage.state_of("picky", "dead").await;
        // That it was given up is told as well, to whoever is told everything.
        stage.world.hook.wait_for(2).await;
        eventually("an attempt at the sink that is gone", async || {
            let deliveries = api(&stage.butler, "/api/deliveries?sink=gone").await;
            (deliveries[0]["attempts"] == 1).then_some(())
        })
        .await;
        stage
    }

    /// Waits until the first delivery of a sink has this state; gives its id.
    async fn state_of(&self, sink: &str, state: &str) -> String {
        eventually(&format!("{sink} {state}"), async || {
            let deliveries = api(&self.butler, &format!("/api/deliveries?sink={sink}")).await;
            let first = deliveries.as_array()?.last()?;
            (first["state"] == state).then(|| first["id"].as_str().map(str::to_owned))?
        })
        .await
    }

    async fn says(&self, args: &[&str]) -> String {
        self.world.says(&self.butler, args).await
    }
}

#[tokio::test]
async fn deliveries_are_listed_and_shown() {
    let stage = Stage::set().await;
    let (dead, gone) = (stage.state_of("picky", "dead").await, stage.state_of("gone", "pending").await);
    assert_snapshot!(stage.says(&["deliveries", "show", &dead]).await, @"
    exit code 0
    stdout:
    picky: GIVEN UP at TIME after 1 try: http://127.0.0.1:PORT answered 400 Bad Request: no such channel
      delivery ID
      event    ID
      route    failures
      created  TIME
      expires  TIME
    attempts
      TIME  rejected: http://127.0.0.1:PORT answered 400 Bad Request: no such channel
    ");
    assert_snapshot!(stage.says(&["deliveries", "show", &gone]).await, @"
    exit code 0
    stdout:
    gone: FAILING after 1 try, next at TIME: can't connect to http://127.0.0.1:1: SYSTEM ERROR
      delivery ID
      event    ID
      route    failures
      created  TIME
      expires  TIME
    attempts
      TIME  unreachable: can't connect to http://127.0.0.1:1: SYSTEM ERROR
    ");
    assert_snapshot!(stage.says(&["deliveries", "list", "--sink", "picky", "--state", "dead"]).await, @"
    exit code 0
    stdout:
    CREATED              DELIVERY                              TO     STATE  TRIES  DETAIL
    TIME  ID  picky  dead   1      http://127.0.0.1:PORT answered 400 Bad Request: no such channel
    ");
    let all = stage.world.json(&stage.butler, &["deliveries", "list"]).await;
    let count = |sink: &str| all.as_array().expect("a list").iter().filter(|d| d["sink"] == sink).count();
    assert_eq!((count("hook"), count("picky"), count("gone")), (2, 1, 1));
    let shown = stage.world.json(&stage.butler, &["deliveries", "show", &dead]).await;
    assert_eq!(shown["attempts"][0]["outcome"], "rejected");
}

#[tokio::test]
async fn what_is_dead_is_tried_again_on_somebodys_word() {
    let stage = Stage::set().await;
    let dead = stage.state_of("picky", "dead").await;
    stage.picky.answer_always(None);
    assert_snapshot!(stage.says(&["deliveries", "retry", &dead]).await, @"
    exit code 0
    stdout:
    ID is tried again
    ");
    assert_eq!(stage.state_of("picky", "delivered").await, dead);
    assert_eq!(stage.picky.count(), 2);
    let keys: Vec<_> = stage.picky.requests().iter().map(|r| r.header("idempotency-key").map(str::to_owned)).collect();
    assert_eq!(keys, [Some(dead.clone()), Some(dead.clone())]);
    assert_snapshot!(stage.says(&["deliveries", "retry", &dead]).await, @"
    exit code 64
    butler-cli: delivery ID is delivered. Only what is dead, suppressed or discarded can be tried again.
    ");
    assert_snapshot!(stage.says(&["deliveries", "show", &dead]).await, @r#"
    exit code 0
    stdout:
    picky: delivered at TIME after 2 tries: HTTP 200 (sent without task, app owner (nobody can be asked: the configuration has no certificates for the site `prod`))
      delivery ID
      event    ID
      route    failures
      created  TIME
      expires  TIME
    attempts
      TIME  rejected: http://127.0.0.1:PORT answered 400 Bad Request: no such channel
      TIME  delivered: HTTP 200 (sent without task, app owner (nobody can be asked: the configuration has no certificates for the site `prod`))
    what went out
      {"event":"Qlik Sense reload failed","hostName":"sense-node-1","user":"INTERNAL\\sa_scheduler","taskName":"Reload 1","taskId":"ID","appName":"Sales","appId":"ID","appOwnerEmail":"","logTimeStamp":"TIME,123","logLevel":"INFO","executionId":"ID","logMessage":"Max retries reached","kind":"task.failed","site":"prod","missing":["task: nobody can be asked: the configuration has no certif…
    "#);
}

#[tokio::test]
async fn what_is_pending_is_discarded_on_somebodys_word() {
    let stage = Stage::set().await;
    let gone = stage.state_of("gone", "pending").await;
    let discarded = stage.world.json(&stage.butler, &["deliveries", "discard", &gone, "--why", "the server is sold"]).await;
    assert_eq!(discarded["state"], "discarded");
    assert_snapshot!(stage.says(&["deliveries", "show", &gone]).await, @"
    exit code 0
    stdout:
    gone: discarded at TIME: the server is sold
      delivery ID
      event    ID
      route    failures
      created  TIME
      expires  TIME
    attempts
      TIME  unreachable: can't connect to http://127.0.0.1:1: SYSTEM ERROR
    ");
    assert_snapshot!(stage.says(&["deliveries", "discard", &gone]).await, @"
    exit code 64
    butler-cli: delivery ID is discarded. Only what is pending can be discarded.
    ");
    let again = stage.says(&["deliveries", "retry", &gone]).await;
    assert!(again.ends_with("ID is tried again\n"), "{again}");
    assert_snapshot!(stage.says(&["deliveries", "show", "11111111-67be-4a5b-ae83-a292f96ba078"]).await, @"
    exit code 64
    butler-cli: there is no delivery ID
    ");
}
