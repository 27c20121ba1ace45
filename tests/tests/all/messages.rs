//! What goes out, to whom: also when a template is broken, and when a limit holds messages back.

use butler_core::simulator::inbox::{HttpInbox, SmtpInbox, SmtpOptions};
use butler_tests::{Proc, Sender, World, a_failure, api, eventually, failed_again, within};
use serde_json::Value;

use crate::PROGRAM;

/// Receivers of all three kinds, and a Butler that tells all of them.
struct Three {
    world: World,
    slack: HttpInbox,
    mail: SmtpInbox,
    butler: Proc,
}

impl Three {
    /// `slack` and `mail` are further options.
    async fn start(slack: &str, mail: &str) -> Self {
        let world = World::new(PROGRAM).await;
        // They are fine when the program starts.
        world.write("slack.handlebars", r#"{ "text": "{{taskName}}" }"#);
        world.write("mail.handlebars", "<h1>{{taskName}}</h1>");
        let inbox = HttpInbox::start().await.expect("a port");
        let smtp = SmtpInbox::start(SmtpOptions::default()).await.expect("a port");
        world.configure(&format!(
            r#"
            continue = true
            [[routes]]
            events = ["reload_task.*"]
            sinks = ["slack", "mail"]
            [sinks.slack]
            type = "slack"
            options.webhook_url = "{}"
            {slack}
            [sinks.mail]
            type = "email"
            options.host = "127.0.0.1"
            options.port = {}
            options.tls = "none"
            options.from = "butler@example.com"
            options.recipients = ["ops@example.com"]
            {mail}
            "#,
            inbox.url("/services/T"),
            smtp.address().port(),
        ));
        let butler = world.serve().await;
        Self { world, slack: inbox, mail: smtp, butler }
    }

    /// The text of the Slack message and of the mail.
    async fn texts(&self) -> (String, String) {
        let slack = within("Slack", self.slack.wait_for(1)).await.remove(0);
        let slack: Value = serde_json::from_str(&slack.body).expect("JSON");
        let mail = within("mail", self.mail.wait_for(1)).await.remove(0);
        (slack["text"].as_str().unwrap_or_default().to_owned(), mail.text().expect("a text part"))
    }
}

#[tokio::test]
async fn one_event_reaches_all_three() {
    let three = Three::start("", "").await;
    Sender::to(&three.butler).failed(a_failure(1));
    let request = three.world.received(1).await.remove(0);
    let slack = within("Slack", three.slack.wait_for(1)).await.remove(0);
    let mail = within("mail", three.mail.wait_for(1)).await.remove(0);
    let text = mail.text().expect("a text part");
    for message in [&request.body, &slack.body, &text, &mail.html().expect("an HTML part")] {
        assert!(message.contains("Reload 1") && message.contains("Sales"), "{message}");
    }
    assert_eq!(mail.header("Subject").as_deref(), Some("Qlik Sense: Task failed: Reload 1"));
    let deliveries = eventually("three verdicts", async || {
        let deliveries = api(&three.butler, "/api/deliveries?state=delivered").await;
        (deliveries.as_array()?.len() == 3).then_some(deliveries)
    })
    .await;
    let key = |sink: &str| deliveries.as_array().and_then(|all| all.iter().find(|d| d["sink"] == sink)?["id"].as_str()).expect("a key");
    assert_eq!(request.header("idempotency-key"), Some(key("hook")));
    assert_eq!(slack.header("idempotency-key"), Some(key("slack")));
    assert_eq!(mail.header("Message-ID"), Some(format!("<{}@example.com>", key("mail"))));
}

#[tokio::test]
async fn a_broken_template_costs_a_message_its_looks_and_nothing_else() {
    let three = Three::start("options.template_file = \"slack.handlebars\"", "options.template_file = \"mail.handlebars\"").await;
    three.world.write("slack.handlebars", r#"{ "text": "{{#if taskName}}" }"#);
    three.world.write("mail.handlebars", "<h1>{{upper taskName}}</h1>");
    Sender::to(&three.butler).failed(a_failure(1));
    let (slack, mail) = three.texts().await;
    let faults = ["slack.handlebars`, line 1, column ", "mail.handlebars`, line 1, column 5: there is no helper `upper`"];
    for (text, fault) in [slack, mail].iter().zip(faults) {
        assert_eq!(text.lines().next(), Some("Task failed: Reload 1"));
        assert!(text.contains("Log message: Max retries reached") && text.contains(fault), "{text}");
    }
    let explained = eventually("both delivered", async || {
        let explained = three.world.says(&three.butler, &["events", "explain", "latest"]).await;
        (explained.matches(": delivered at ").count() == 3).then_some(explained)
    })
    .await;
    for fault in faults {
        assert!(explained.contains(fault), "no {fault:?} in {explained}");
    }
}

#[tokio::test]
async fn a_template_that_was_mended_is_used_at_once() {
    let three = Three::start("options.template_file = \"slack.handlebars\"", "").await;
    std::fs::remove_file(three.world.path("slack.handlebars")).expect("a file");
    let sender = Sender::to(&three.butler);
    sender.failed(a_failure(1));
    let (slack, _) = three.texts().await;
    assert!(slack.contains("slack.handlebars`: there is no such file"), "{slack}");
    three.world.write("slack.handlebars", r#"{ "text": "mended: {{taskName}}" }"#);
    sender.failed(a_failure(2));
    let second = within("Slack", three.slack.wait_for(2)).await.remove(1);
    assert!(second.body.contains("mended: Reload 2"), "{}", second.body);
}

#[tokio::test]
async fn the_next_message_says_how_many_a_limit_held_back() {
    let world = World::new(PROGRAM).await;
    world.configure("rate_limit = \"2s\"");
    let butler = world.serve().await;
    let sender = Sender::to(&butler);
    let task = a_failure(1);
    sender.failed(task.clone());
    world.received(1).await;
    // Failures go on until the limit lets one through.
    let held_back = {
        let mut sent = 1;
        loop {
            sender.failed(failed_again(&task));
            sent += 1;
            let (delivered, suppressed) = settled(&butler, sent).await;
            if delivered == 2 {
                break suppressed;
            }
        }
    };
    assert!(held_back > 0);
    let requests = world.received(2).await;
    let second: Value = serde_json::from_str(&requests[1].body).expect("JSON");
    assert_eq!(second["heldBack"], held_back);
    assert_eq!(world.hook.count(), 2);
    let suppressed = api(&butler, "/api/deliveries?state=suppressed&max=1").await;
    let reason = format!("by the rate limit: delivery {} was sent", requests[0].header("idempotency-key").expect("a key"));
    assert!(suppressed[0]["detail"].as_str().expect("a reason").ends_with(&reason), "{suppressed}");
    // Another task has a limit of its own.
    sender.failed(a_failure(2));
    world.received(3).await;
}

/// How many of so many deliveries were delivered, and how many held back, once all of them are.
async fn settled(butler: &Proc, all: usize) -> (usize, usize) {
    eventually("a verdict", async || {
        let deliveries = api(butler, "/api/deliveries?max=1000").await;
        let count = |state: &str| deliveries.as_array().map(|all| all.iter().filter(|d| d["state"] == state).count());
        let (delivered, suppressed) = (count("delivered")?, count("suppressed")?);
        (delivered + suppressed == all).then_some((delivered, suppressed))
    })
    .await
}
