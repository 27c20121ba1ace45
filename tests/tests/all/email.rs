//! Email, to a mail server as people have it.

use butler_tests::{Exim, Sender, World, a_failure, api, eventually};

use crate::PROGRAM;

fn sink(exim: &Exim, password: &str) -> String {
    format!(
        r#"
        [sites.prod]
        host = "127.0.0.1"
        [sinks.mail]
        type = "email"
        timeout = "30s"
        retry = {{ first = "50ms", longest = "1s" }}
        [sinks.mail.options]
        host = "localhost"
        port = {port}
        tls = "starttls"
        ca = "{ca}"
        auth = {{ user = "user1", password = "{password}" }}
        from = "Butler <butler@example.com>"
        recipients = ["ops@example.com", "reject@example.com", "later@example.com", "bi@example.com"]
        priority = "high"
        [[routes]]
        events = ["reload_task.*"]
        sinks = ["mail"]
        "#,
        port = exim.port,
        ca = exim.ca().display(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recipient_has_a_mail_and_a_verdict_of_its_own() {
    let Some(exim) = Exim::start().await else { return };
    let world = World::new(PROGRAM).await;
    world.configure_all(&sink(&exim, "secret"));
    let butler = world.serve().await;
    Sender::to(&butler).failed(a_failure(1));
    let mailbox = eventually("two mails", async || {
        let mailbox = exim.mailbox();
        (mailbox.matches("\nMessage-ID:").count() == 2).then_some(mailbox)
    })
    .await;
    // `esmtpsa` is Exim's word for a session with STARTTLS and a login.
    for part in ["with esmtpsa", "To: <ops@example.com>", "To: <bi@example.com>", "X-Priority: 1 (Highest)", "Reload 1"] {
        assert!(mailbox.contains(part), "no {part:?} in:\n{mailbox}");
    }
    let deliveries = eventually("four verdicts", async || {
        let deliveries = api(&butler, "/api/deliveries").await;
        let verdicts = deliveries.as_array()?.iter().filter(|d| d["state"] != "pending" || d["attempts"].as_u64() >= Some(2));
        (verdicts.count() == 4).then_some(deliveries)
    })
    .await;
    for delivery in deliveries.as_array().expect("a list") {
        let detail = delivery["detail"].as_str().expect("a detail");
        match delivery["target"].as_str().expect("a target") {
            "reject@example.com" => {
                assert_eq!(delivery["state"], "dead");
                assert!(detail.contains("no such user"), "{delivery}");
            }
            "later@example.com" => {
                assert_eq!(delivery["state"], "pending");
                assert!(detail.contains("come back later"), "{delivery}");
            }
            _ => {
                assert_eq!(delivery["state"], "delivered", "{delivery}");
                let id = format!("Message-ID: <{}@example.com>", delivery["id"].as_str().expect("a key"));
                assert_eq!(mailbox.matches(&id).count(), 1, "{id}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_said_and_tried_again_and_never_shown() {
    let Some(exim) = Exim::start().await else { return };
    let world = World::new(PROGRAM).await;
    world.configure_all(&sink(&exim, "s3cr3t-and-wrong"));
    let butler = world.serve().await;
    Sender::to(&butler).failed(a_failure(1));
    let delivery = eventually("a second attempt", async || {
        let deliveries = api(&butler, "/api/deliveries").await;
        deliveries.as_array()?.iter().find(|d| d["attempts"].as_u64() >= Some(2)).cloned()
    })
    .await;
    assert_eq!(delivery["state"], "pending");
    assert!(delivery["detail"].as_str().expect("a reason").contains("535"), "{delivery}");
    let story = api(&butler, "/api/events/latest").await.to_string();
    for text in [story, delivery.to_string(), butler.log()] {
        assert!(!text.contains("s3cr3t-and-wrong"), "{text}");
    }
}
