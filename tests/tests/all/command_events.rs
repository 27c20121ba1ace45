//! `send`, `events` and `status`, against a running Butler.

use butler_tests::{Proc, Sender, World, a_failure, api, ending, eventually};
use insta::assert_snapshot;
use serde_json::Value;

use crate::PROGRAM;

/// Waits until nothing is on its way any more and there are so many events.
async fn settled(butler: &Proc, events: usize) {
    eventually("all events settled", async || {
        let all = api(butler, "/api/events").await;
        let all = all.as_array()?;
        let routed = all.iter().filter(|event| !event["routed"].is_null()).count();
        let deliveries = api(butler, "/api/deliveries?state=pending").await;
        (routed == events && deliveries.as_array()?.is_empty()).then_some(())
    })
    .await;
}

/// A task that failed and was told, failed again and was held back; and something that is no message.
async fn a_bad_day() -> (World, Proc) {
    let world = World::new(PROGRAM).await;
    world.configure("rate_limit = \"5m\"\n[[routes]]\nname = \"other\"\nevents = [\"server_license.*\"]\nsinks = [\"hook\"]");
    let butler = world.serve().await;
    let to = butler.address("udp");
    world.says(&butler, &["send", "raw", "--to", &to, "hello; who is there?"]).await;
    for (number, command) in ["failed-reload", "failed-reload", "aborted-reload"].into_iter().enumerate() {
        world.says(&butler, &["send", command, "--to", &to]).await;
        settled(&butler, number + 1).await;
    }
    (world, butler)
}

#[tokio::test]
async fn what_was_sent_is_listed_and_explained() {
    let (world, butler) = a_bad_day().await;
    assert_snapshot!(world.says(&butler, &["events", "list"]).await, @"
    exit code 0
    stdout:
    RECEIVED             EVENT                                 KIND          FIRST BY  DELIVERIES    ABOUT
    TIME  ID  task.aborted  udp       1 delivered   task Reload sales (app Sales)
    TIME  ID  task.failed   udp       1 suppressed  task Reload sales (app Sales)
    TIME  ID  task.failed   udp       1 delivered   task Reload sales (app Sales)
    ");
    assert_snapshot!(world.says(&butler, &["events", "explain", "latest"]).await, @"
    exit code 0
    stdout:
    task.aborted: task Reload sales (app Sales)
      event ID, site prod
      first told by udp at TIME

    What was found out
      task: MISSING, nobody can be asked: the configuration has no certificates for the site `prod`
      app owner: MISSING, nobody can be asked: the configuration has no certificates for the site `prod`

    What the routes said
      yes routes[0]: every condition fits

    Who is told
      hook: delivered at TIME after 1 try: HTTP 200 (sent without task, app owner (nobody can be asked: the configuration has no certificates for the site `prod`))
        delivery ID (route routes[0])
    ");
    let events = world.json(&butler, &["events", "list", "--kind", "task.failed"]).await;
    assert_eq!(events.as_array().map(Vec::len), Some(2));
    let (second, first) = (events[0]["event"]["id"].as_str().expect("an id"), events[1]["event"]["id"].as_str().expect("an id"));
    assert_snapshot!(world.says(&butler, &["events", "explain", second]).await, @"
    exit code 0
    stdout:
    task.failed: task Reload sales (app Sales)
      event ID, site prod
      first told by udp at TIME

    What was found out
      task: MISSING, nobody can be asked: the configuration has no certificates for the site `prod`

    What the routes said
      yes routes[0]: every condition fits

    Who is told
      hook: held back until TIME by the rate limit: delivery ID was sent
        delivery ID (route routes[0])
    ");
    let shown = world.says(&butler, &["events", "show", first]).await;
    for part in
        ["\"execution_id\":", "\"message\": \"Max retries reached\"", "Who is told\n  hook: delivered at TIME after 1 try: HTTP 200"]
    {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    let story = world.json(&butler, &["events", "explain", first]).await;
    assert_eq!(story["deliveries"][0]["state"], "delivered");
    assert_eq!(story["notes"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_start_of_an_id_is_enough() {
    let (world, butler) = a_bad_day().await;
    let latest = world.json(&butler, &["events", "list", "--max", "1"]).await;
    let id = latest[0]["event"]["id"].as_str().expect("an id");
    let story = world.json(&butler, &["events", "show", &id.to_uppercase()[..35]]).await;
    assert_eq!(story["record"]["event"]["id"], id);
    assert_snapshot!(world.says(&butler, &["events", "show", "0"]).await, @"
    exit code 64
    butler-cli: several recent events begin with `0`: give more of the id
    ");
    assert_snapshot!(world.says(&butler, &["events", "show", "ffff"]).await, @"
    exit code 64
    butler-cli: no recent event begins with `ffff`
    ");
    assert_snapshot!(world.says(&butler, &["events", "show", "11111111-67be-4a5b-ae83-a292f96ba078"]).await, @"
    exit code 64
    butler-cli: there is no event ID
    ");
}

#[tokio::test]
async fn what_was_not_taken_is_listed() {
    let (world, butler) = a_bad_day().await;
    assert_snapshot!(world.says(&butler, &["events", "rejected"]).await, @"
    exit code 0
    stdout:
    AT                   REASON        FROM             DETAIL
    TIME  unknown_type  127.0.0.1:PORT  no known message: `hello`
    ");
    let rejected = world.json(&butler, &["events", "rejected"]).await;
    assert_eq!(rejected[0]["reason"], "unknown_type");
}

#[tokio::test]
async fn how_it_stands() {
    let (world, butler) = a_bad_day().await;
    assert_snapshot!(world.says(&butler, &["status"]).await, @"
    exit code 0
    stdout:
    butler 0.1.0 is ready, up since TIME
    intake    4 received, 3 accepted, 0 duplicates, 0 waiting
              1 rejected: unknown_type (no message that Butler knows)
    journal   3 events, 0 to be routed, SIZE
    source    scheduler: is at work
    source    udp: hears on 127.0.0.1:PORT
    sink      hook: up; 2 delivered, 1 suppressed
    ");
    let status = world.json(&butler, &["status"]).await;
    // Without a word of where, it is where the configuration says.
    world.write("butler.toml", &format!("[api]\nlisten = \"{}\"\n", butler.address("api")));
    assert!(world.run(&["status"]).output().await.status.success());
    assert_eq!(status["ready"], true);
    assert_eq!(status["intake"]["received"], 4);
    assert_eq!(status["intake"]["rejected"]["unknown_type"], 1);
    assert_eq!(status["health"]["sources"]["udp"]["addresses"][0], butler.address("udp"));
}

#[tokio::test]
async fn nothing_has_happened_yet() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let butler = world.serve().await;
    assert_snapshot!(world.says(&butler, &["events", "list"]).await, @"
    exit code 0
    stdout:
    no events
    ");
    assert_snapshot!(world.says(&butler, &["events", "rejected"]).await, @"
    exit code 0
    stdout:
    nothing was rejected
    ");
    assert_snapshot!(world.says(&butler, &["events", "explain", "latest"]).await, @"
    exit code 64
    butler-cli: there are no events yet
    ");
    assert_snapshot!(world.says(&butler, &["deliveries", "list"]).await, @"
    exit code 0
    stdout:
    no deliveries
    ");
}

#[tokio::test]
async fn send_makes_a_realistic_event_of_every_option() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let butler = world.serve().await;
    let to = butler.address("udp");
    let options = [
        ["--host", "node2"],
        ["--task-name", "Läs in"],
        ["--task-id", "11111111-67be-4a5b-ae83-a292f96ba078"],
        ["--app-name", "Försäljning"],
        ["--app-id", "22222222-286a-415b-8355-1422abb22133"],
        ["--user", r"LAB\bo"],
        ["--execution-id", "33333333-ca68-4e96-a3ab-1fa86f4f32fc"],
        ["--log-time", "2026-11-25 06:02:11,123"],
        ["--log-level", "WARN"],
        ["--message", "Reload failed; see the log"],
    ];
    let args: Vec<&str> = ["send", "aborted-reload", "--to", &to].into_iter().chain(options.into_iter().flatten()).collect();
    let output = world.run(&args).output().await;
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "/scheduler-task-aborted/;node2;Läs in;Försäljning;LAB\\bo;11111111-67be-4a5b-ae83-a292f96ba078;22222222-286a-415b-8355-1422abb22133;2026-11-25 \
         06:02:11,123;WARN;33333333-ca68-4e96-a3ab-1fa86f4f32fc;Reload failed; see the log\n"
    );
    let request = world.hook.wait_for(1).await.remove(0);
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    assert_eq!(body["event"], "Qlik Sense reload aborted");
    for (key, [_, value]) in
        ["hostName", "taskName", "taskId", "appName", "appId", "user", "executionId", "logTimeStamp", "logLevel", "logMessage"]
            .iter()
            .zip(options)
    {
        assert_eq!(body[key], value, "{key}");
    }
    let output = ending(&world, &world.run(&["send", "failed-reload", "--to", &to, "--count", "5"]).output().await);
    assert!(output.ends_with("... and 2 more\n"), "{output}");
    // Each is an execution of its own, so none is a repetition.
    world.hook.wait_for(6).await;
}

#[tokio::test]
async fn whoever_follows_sees_what_happens_until_the_end() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let mut butler = world.serve().await;
    let following = world.run(&["events", "follow"]).about(&butler).ready();
    // It is told only of what happens once it watches.
    let failing = async {
        for number in 1.. {
            Sender::to(&butler).failed(a_failure(number as u128));
            world.received(number).await;
        }
    };
    let mut follower = tokio::select! {
        follower = following => follower,
        () = failing => unreachable!("it goes on for ever"),
    };
    Sender::to(&butler).failed(a_failure(0));
    eventually("all lines", async || {
        let said = follower.output();
        let parts = ["event     ", "task.failed at prod, told by udp", "routed    ", " to 1 destination", " by hook delivered"];
        parts.iter().all(|part| said.contains(part)).then_some(())
    })
    .await;
    butler.press_ctrl_c().await;
    assert!(butler.ended().await.success());
    assert!(follower.ended().await.success());
}
