//! Silences: for a while, nobody is told of what is known already, and nothing is lost by it.

use butler_tests::{Sense, Settings, api, eventually};
use insta::assert_snapshot;

use crate::PROGRAM;

#[tokio::test]
async fn what_is_silenced_is_listed_and_can_be_sent_after_all() {
    let sense = Sense::start(PROGRAM, Settings { site: "reconcile.enabled = false", ..Settings::default() }).await;
    let says = async |args: &[&str]| sense.world.says(&sense.butler, args).await;
    let add = ["silences", "add", "--for", "2h", "--why", "an upgrade", "--task", "Reload *", "--sink", "hook"];
    let made = sense.world.json(&sense.butler, &add).await;
    let id = made["id"].as_str().expect("an id").to_owned();
    let listed = says(&["silences", "list"]).await;
    assert!(listed.contains(&id) && listed.contains("task Reload *, by hook") && listed.contains("an upgrade"), "{listed}");

    let sense = sense.restarted().await;
    sense.site.send_datagrams_to(sense.butler.address("udp").parse().ok());
    let says = async |args: &[&str]| sense.world.says(&sense.butler, args).await;
    sense.fails(sense.task("Reload sales").id).await;
    // The others are told.
    sense.shown().await;
    let story = eventually("a suppressed delivery", async || {
        let story = api(&sense.butler, "/api/events/latest").await;
        let deliveries = story["deliveries"].as_array()?.clone();
        deliveries.into_iter().find(|delivery| delivery["state"] == "suppressed")
    })
    .await;
    assert_eq!(story["sink"], "hook");
    assert!(story["detail"].as_str().is_some_and(|detail| detail.contains(&id) && detail.ends_with(": an upgrade")), "{story}");
    assert_eq!(sense.world.hook.count(), 0);

    let ended = says(&["silences", "end", &id]).await.replace(&id, "abcdefgh");
    assert_snapshot!(ended, @"
    exit code 0
    stdout:
    abcdefgh is over
    ");
    assert_snapshot!(says(&["silences", "list"]).await, @"
    exit code 0
    stdout:
    no silences
    ");
    let delivery = story["id"].as_str().expect("an id");
    assert!(says(&["deliveries", "retry", delivery]).await.contains("is tried again"));
    assert_eq!(sense.hook_body(1).await["taskName"], "Reload sales");
    sense.fails(sense.task("Reload HR").id).await;
    assert_eq!(sense.hook_body(2).await["taskName"], "Reload HR");
}

#[tokio::test]
async fn what_makes_no_sense_is_no_silence() {
    let sense = Sense::start(PROGRAM, Settings::default()).await;
    let says = async |args: &[&str]| sense.world.says(&sense.butler, args).await;
    assert_snapshot!(says(&["silences", "add", "--for", "31d", "--why", "x"]).await, @"
    exit code 64
    butler-cli: a silence needs an end: `until` has to be in the future, after `from`, and at most 30 days after it
    ");
    assert_snapshot!(says(&["silences", "add", "--for", "1h", "--why", " "]).await, @"
    exit code 64
    butler-cli: a silence needs a reason: whoever wonders about it should find one in `why`
    ");
    assert_snapshot!(says(&["silences", "add", "--for", "1h", "--why", "x", "--sink", "hooks"]).await, @"
    exit code 64
    butler-cli: there is no sink `hooks`. Known: hook, mail, slack.
    ");
    assert_snapshot!(says(&["silences", "end", "nobody"]).await, @"
    exit code 64
    butler-cli: there is no silence `nobody`
    ");
}
