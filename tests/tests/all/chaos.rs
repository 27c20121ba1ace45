//! A quarter of all attempts fail, each in a way of its own, and every event arrives everywhere.

use std::collections::BTreeMap;

use butler_core::simulator::inbox::{Answer, HttpInbox, MqttAnswer, MqttInbox, MqttOptions, SmtpInbox, SmtpOptions};
use butler_tests::{Proc, Sender, World, a_failure, api, eventually};

use crate::PROGRAM;

/// How many reloads fail.
const EVENTS: u128 = 40;
/// The destinations that are called over HTTP, with what each accepts with.
const OVER_HTTP: [(&str, u16); 6] = [("hook", 200), ("slack", 200), ("teams", 202), ("newrelic", 202), ("signl4", 200), ("influx", 204)];

/// What goes wrong over HTTP. Whether the message was accepted where the answer breaks off nobody knows: then it may arrive twice.
fn mishap(random: &mut fastrand::Rng, accepts: u16) -> Answer {
    match random.u8(0..8) {
        0 => Answer::status(500),
        1 => Answer::status(503).header("Retry-After", "0"),
        2 => Answer::status(429),
        3 => Answer::status(408),
        4 => Answer::reset(),
        5 => Answer::half(),
        6 => Answer::gibberish(),
        _ => Answer::status(accepts).body("half of it").half_body(),
    }
}

/// A receiver that fails a quarter of all calls.
async fn flaky(random: &mut fastrand::Rng, accepts: u16) -> HttpInbox {
    let inbox = HttpInbox::start().await.expect("a port");
    inbox.answer_always(Some(Answer::status(accepts)));
    for _ in 0..8 * EVENTS {
        inbox.answer(if random.u8(0..4) == 0 { mishap(random, accepts) } else { Answer::status(accepts) });
    }
    inbox
}

fn configuration(inboxes: &BTreeMap<&str, HttpInbox>, mail: &SmtpInbox, broker: &MqttInbox) -> String {
    let url = |name: &str| inboxes[name].url("/x");
    let sinks = [
        ("hook", format!("type = 'webhook'\noptions.url = '{}'", url("hook"))),
        ("slack", format!("type = 'slack'\noptions.webhook_url = '{}'", url("slack"))),
        ("teams", format!("type = 'teams'\noptions.webhook_url = '{}'", url("teams"))),
        (
            "newrelic",
            format!(
                "type = 'new_relic'\noptions = {{ event_url = '{0}', log_url = '{0}', accounts.A = {{ account_id = 1, api_key = 'k' }}, event = {{}}, log = {{}} }}",
                url("newrelic")
            ),
        ),
        ("signl4", format!("type = 'signl4'\noptions.url = '{}'", url("signl4"))),
        (
            "influx",
            format!("type = 'influxdb'\noptions = {{ version = 2, url = '{}', org = 'o', bucket = 'b', token = 't' }}", url("influx")),
        ),
        (
            "mail",
            format!(
                "type = 'email'\noptions = {{ host = '127.0.0.1', port = {}, tls = 'none', from = 'butler@example.com', recipients = ['ops@example.com'] }}",
                mail.address().port()
            ),
        ),
        ("broker", format!("type = 'mqtt'\noptions.broker = {{ host = '127.0.0.1', port = {} }}", broker.address().port())),
    ];
    let names: Vec<_> = sinks.iter().map(|(name, _)| format!("'{name}'")).collect();
    let tables: String = sinks
        .iter()
        .map(|(name, options)| format!("[sinks.{name}]\nretry = {{ first = '20ms', longest = '200ms' }}\ntimeout = '10s'\n{options}\n"))
        .collect();
    format!("[sites.prod]\nhost = '127.0.0.1'\n{tables}[[routes]]\nevents = ['reload_task.*']\nsinks = [{}]\n", names.join(", "))
}

/// Waits until every delivery has come to its end; how many there are of each sink and state.
async fn settled(butler: &Proc) -> BTreeMap<(String, String), usize> {
    eventually("every delivery to end", async || {
        let events = api(butler, "/api/events?max=1000").await;
        let routed = events.as_array()?.iter().filter(|record| !record["routed"].is_null()).count();
        let open = api(butler, "/api/deliveries?state=pending&max=1").await;
        (routed as u128 >= EVENTS && open.as_array()?.is_empty()).then_some(())
    })
    .await;
    let deliveries = api(butler, "/api/deliveries?max=1000").await;
    let mut counts = BTreeMap::new();
    for delivery in deliveries.as_array().expect("a list") {
        let text = |key: &str| delivery[key].as_str().unwrap_or_default().to_owned();
        *counts.entry((text("sink"), text("state"))).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_every_event_arrives_everywhere() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut inboxes = BTreeMap::new();
    for (name, accepts) in OVER_HTTP {
        inboxes.insert(name, flaky(&mut random, accepts).await);
    }
    let mail = SmtpInbox::start(SmtpOptions::default()).await.expect("a port");
    let broker = MqttInbox::start(MqttOptions::default()).await.expect("a port");
    let world = World::new(PROGRAM).await;
    world.configure_all(&configuration(&inboxes, &mail, &broker));
    let butler = world.serve().await;
    let sender = Sender::to(&butler);
    for number in 0..EVENTS {
        match random.u8(0..8) {
            0 => mail.drop_at(["EHLO", "MAIL", "RCPT", "DATA"][random.usize(0..4)]),
            1 => mail.reply("RCPT", "451 later"),
            2 => mail.half_reply("DATA", "35"),
            3 => broker.end_connections(),
            4 => broker.answer_always([MqttAnswer::Drop, MqttAnswer::Half][random.usize(0..2)].clone()),
            _ => broker.behave(),
        }
        sender.failed(a_failure(number));
        // One after the other, so that what is set up above meets some of them under way.
        eventually("the event to be routed", async || {
            let newest = api(&butler, "/api/events?max=1").await;
            let is_it = newest[0]["event"]["body"]["task"]["task_name"] == format!("Reload {number}");
            (is_it && !newest[0]["routed"].is_null()).then_some(())
        })
        .await;
    }
    broker.behave();
    let counts = settled(&butler).await;
    let all = usize::try_from(EVENTS).expect("few");
    let delivered: BTreeMap<_, _> = counts.iter().map(|((sink, state), count)| (sink.as_str(), (state.as_str(), *count))).collect();
    for (name, per_event) in
        [("hook", 1), ("slack", 1), ("teams", 1), ("newrelic", 2), ("signl4", 1), ("influx", 1), ("mail", 1), ("broker", 2)]
    {
        assert_eq!(delivered.get(name), Some(&("delivered", per_event * all)), "{name}, seed {seed}: {counts:?}");
    }
    let named = |number: u128| format!("Reload {number}");
    // The end of a name: another may begin with it.
    let shows = |text: &str, number: u128| {
        text.match_indices(&named(number)).any(|(at, name)| !text[at + name.len()..].starts_with(|c: char| c.is_ascii_digit()))
    };
    for number in 0..EVENTS {
        for (name, accepts) in OVER_HTTP {
            let plain = |body: &str| body.replace("\\ ", " ");
            let accepted = inboxes[name]
                .requests()
                .iter()
                .filter(|request| request.answered == Some(accepts) && shows(&plain(&request.body), number))
                .count();
            assert!(accepted >= 1, "{name} does not have event {number}, seed {seed}");
        }
        assert!(mail.mails().iter().any(|mail| shows(&mail.html().unwrap_or_default(), number)), "mail {number}, seed {seed}");
        assert!(broker.published().iter().any(|published| shows(&published.payload, number)), "broker {number}, seed {seed}");
    }
    let failures: usize =
        inboxes.values().map(|inbox| inbox.requests().iter().filter(|request| !matches!(request.answered, Some(200..=299))).count()).sum();
    assert!(failures > all, "{failures} failures are hardly any");
}
