//! No secret of any sink is shown: not in the log, not in an answer of the API, not by a command.

use butler_core::simulator::inbox::{Answer, HttpInbox, MqttInbox, MqttOptions, SmtpInbox, SmtpOptions};
use butler_tests::{Sender, World, a_failure, api, eventually};

use crate::PROGRAM;

/// Every secret that is planted bears this.
const PLANTED: &str = "pl4ntedS3cret";
/// The login of InfluxDB 1, as it stands in a header.
const ENCODED: &str = "am9lOnBsNG50ZWRTM2NyZXQz";

/// The sinks that are called over HTTP, each at a server of its own: the type, further options, and what that server knows of the secrets. `URL` stands for where it listens.
fn over_http() -> [(&'static str, &'static str, String, String); 7] {
    let path = |name: &str| format!("/{PLANTED}/{name}");
    [
        (
            "hook",
            "webhook",
            format!("url = 'URL{}?key=1', headers = {{ authorization = 'Bearer {PLANTED}1' }}", path("hook")),
            format!("{} {PLANTED}1", path("hook")),
        ),
        ("slack", "slack", format!("webhook_url = 'URL{}'", path("slack")), path("slack")),
        ("teams", "teams", format!("webhook_url = 'URL{}'", path("teams")), path("teams")),
        ("signl4", "signl4", format!("url = 'URL{}'", path("signl4")), path("signl4")),
        (
            "newrelic",
            "new_relic",
            format!(
                "event_url = 'URL', log_url = 'URL/log', accounts.A = {{ account_id = 1, api_key = '{PLANTED}2' }}, event = {{}}, log = {{}}"
            ),
            format!("{PLANTED}2"),
        ),
        (
            "influx1",
            "influxdb",
            format!("url = 'URL', database = 'b', auth = {{ user = 'joe', password = '{PLANTED}3' }}"),
            format!("{PLANTED}3 {ENCODED}"),
        ),
        ("influx2", "influxdb", format!("version = 2, url = 'URL', org = 'o', bucket = 'b', token = '{PLANTED}4'"), format!("{PLANTED}4")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_planted_is_found_nowhere() {
    let mut servers = Vec::new();
    let mut sinks = Vec::new();
    for (name, type_name, options, known) in over_http() {
        let server = HttpInbox::start().await.expect("a port");
        // What a remote says when it refuses is where secrets get loose: this one repeats all that it was asked with.
        server.answer_always(Some(Answer::status(403).body(known)));
        let url = server.url("");
        sinks.push((name, format!("type = '{type_name}'\noptions = {{ {} }}", options.replace("URL", url.trim_end_matches('/')))));
        servers.push(server);
    }
    let login = Some(("joe".to_owned(), "another".to_owned()));
    let mail = SmtpInbox::start(SmtpOptions { login: login.clone(), ..SmtpOptions::default() }).await.expect("a port");
    let broker = MqttInbox::start(MqttOptions { login, ..MqttOptions::default() }).await.expect("a port");
    let auth = |number: u32| format!("auth = {{ user = 'joe', password = '{PLANTED}{number}' }}");
    let (smtp, mqtt) = (mail.address().port(), broker.address().port());
    sinks.push((
        "mail",
        format!(
            "type = 'email'\noptions = {{ host = '127.0.0.1', port = {smtp}, tls = 'none', {}, from = 'b@example.com', recipients = ['o@example.com'] }}",
            auth(5)
        ),
    ));
    sinks.push(("broker", format!("type = 'mqtt'\noptions.broker = {{ host = '127.0.0.1', port = {mqtt}, {} }}", auth(6))));
    let names: Vec<_> = sinks.iter().map(|(name, _)| format!("'{name}'")).collect();
    let tables: String =
        sinks.iter().map(|(name, options)| format!("[sinks.{name}]\nretry = {{ first = '50ms', longest = '1s' }}\n{options}\n")).collect();
    let world = World::new(PROGRAM).await;
    world.configure_all(&format!(
        "[log]\nlevel = 'trace'\n[sites.prod]\nhost = '127.0.0.1'\n{tables}[[routes]]\nevents = ['reload_task.*']\nsinks = [{}]\n",
        names.join(", ")
    ));
    let butler = world.serve().await;
    Sender::to(&butler).failed(a_failure(1));
    let deliveries = eventually("an attempt of each sink", async || {
        let deliveries = api(&butler, "/api/deliveries?max=100").await;
        let tried = |name: &str| {
            deliveries.as_array().is_some_and(|all| all.iter().any(|one| one["sink"] == name && one["attempts"].as_u64() >= Some(1)))
        };
        sinks.iter().all(|(name, _)| tried(name)).then_some(deliveries)
    })
    .await;
    let mut shown = vec![("the list of deliveries".to_owned(), deliveries.to_string())];
    for delivery in deliveries.as_array().expect("a list") {
        let path = format!("/api/deliveries/{}", delivery["id"].as_str().expect("an id"));
        shown.push((path.clone(), api(&butler, &path).await.to_string()));
    }
    for path in ["/api/status", "/api/events", "/api/events/latest", "/api/rejections"] {
        shown.push((path.to_owned(), api(&butler, path).await.to_string()));
    }
    for args in [&["status"][..], &["events", "explain", "latest"], &["deliveries", "list"], &["check", "--print"]] {
        shown.push((args.join(" "), world.says(&butler, args).await));
    }
    for (name, _) in &sinks {
        for command in ["render", "test-sink"] {
            shown.push((format!("{command} {name}"), world.says(&butler, &[command, name]).await));
        }
    }
    shown.push(("the log".to_owned(), format!("{}{}", butler.log(), butler.output())));
    for (what, text) in shown {
        assert!(!text.contains(PLANTED) && !text.contains(ENCODED), "{what} shows a secret: {text}");
    }
    // They were planted indeed.
    let all = servers.iter().flat_map(HttpInbox::requests).map(|request| format!("{} {:?}", request.path, request.headers));
    assert!(all.filter(|request| request.contains(PLANTED) || request.contains(ENCODED)).count() >= servers.len());
}
