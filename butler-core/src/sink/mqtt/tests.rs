use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;
use crate::config::OptionsTable;
use crate::event::{Body, DeliveryId, Notice, TaskOutcome};
use crate::simulator::inbox::{Certificates, Gate, MqttAnswer, MqttInbox, MqttOptions, Published};
use crate::sink::{Registry, Retry};
use crate::sink_suite;
use crate::testkit::sink_samples::Sample;
use crate::testkit::sink_suite::{Received, Remote, SinkHarness};
use crate::testkit::{closed_port, make_sink, sink_context};

const PASSWORD: &str = "p4ssw0rd-of-mqtt";

/// A broker with a login; of version 5 with TLS, and of 3.1.1 without.
struct Harness<const VERSION: u8> {
    inbox: MqttInbox,
    folder: tempfile::TempDir,
    sink: Arc<dyn Sink>,
}

type Harness3 = Harness<3>;
type Harness5 = Harness<5>;

fn options(version: u8, port: u16, trust: &str) -> String {
    let version = if version == 5 { "5" } else { "3.1.1" };
    format!(
        "[broker]\nhost = 'localhost'\nport = {port}\nversion = '{version}'\nauth = {{ user = 'butler', password = '{PASSWORD}' }}\n{trust}"
    )
}

impl<const VERSION: u8> Harness<VERSION> {
    fn trust(folder: &tempfile::TempDir) -> String {
        if VERSION == 5 { format!("tls = true\nca = '{}'", folder.path().join("ca.pem").display()) } else { String::new() }
    }
}

#[async_trait]
impl<const VERSION: u8> SinkHarness for Harness<VERSION> {
    async fn start() -> Self {
        let certificates = Certificates::generate().unwrap_or_else(|why| panic!("{why}"));
        let folder = tempfile::tempdir().unwrap_or_else(|why| panic!("{why}"));
        std::fs::write(folder.path().join("ca.pem"), &certificates.ca_pem).unwrap_or_else(|why| panic!("{why}"));
        let tls = (VERSION == 5).then_some(certificates.server);
        let login = Some(("butler".to_owned(), PASSWORD.to_owned()));
        let inbox = broker(MqttOptions { tls, login, ..MqttOptions::default() }).await;
        let sink = make_sink("mqtt", &options(VERSION, inbox.address().port(), &Self::trust(&folder)));
        Self { inbox, folder, sink }
    }

    fn sink(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.sink)
    }

    fn remote(&self, remote: Remote) -> bool {
        self.inbox.behave();
        let refuses = |reason: u8| {
            self.inbox.answer_always(MqttAnswer::Reason(reason, format!("not with {PASSWORD}\r\nX-Injected: yes")));
            VERSION == 5
        };
        match remote {
            Remote::Accepts => true,
            Remote::Silent(gate) => {
                self.inbox.answer_always(MqttAnswer::Hold(gate));
                true
            }
            Remote::RefusesLogin => {
                self.inbox.refuse(if VERSION == 5 { 0x86 } else { 4 });
                true
            }
            Remote::Forbids if VERSION == 5 => refuses(0x87),
            Remote::Forbids => {
                self.inbox.refuse(5);
                true
            }
            Remote::Throttles(None) => refuses(0x97),
            Remote::Throttles(Some(_)) => false,
            Remote::RefusesMessage => refuses(0x90),
            Remote::IsBusy if VERSION == 5 => refuses(0x83),
            Remote::IsBusy => {
                self.inbox.refuse(3);
                true
            }
            Remote::Resets => {
                self.inbox.answer_always(MqttAnswer::Drop);
                true
            }
            Remote::AnswersByHalf => {
                self.inbox.answer_always(MqttAnswer::Half);
                true
            }
        }
    }

    fn received(&self) -> Vec<Received> {
        let received = |published: Published| {
            assert_eq!((published.qos, published.retain, published.is_will), (1, false, false));
            Received {
                key: published.properties.iter().find(|(name, _)| name == "idempotency-key").map(|(_, key)| key.clone()),
                headers: published.properties,
                text: published.payload,
            }
        };
        self.inbox.published().into_iter().map(received).collect()
    }

    fn secrets(&self) -> Vec<String> {
        vec![PASSWORD.to_owned()]
    }

    async fn unreachable(&self) -> Arc<dyn Sink> {
        make_sink("mqtt", &options(VERSION, closed_port(), &Self::trust(&self.folder)))
    }

    async fn untrusted(&self) -> Option<Arc<dyn Sink>> {
        (VERSION == 5).then(|| make_sink("mqtt", &options(VERSION, self.inbox.address().port(), "tls = true")))
    }
}

sink_suite!(mqtt_3_keeps_the_contract, Harness3);
sink_suite!(mqtt_5_keeps_the_contract, Harness5);

async fn broker(options: MqttOptions) -> MqttInbox {
    MqttInbox::start(options).await.unwrap_or_else(|why| panic!("{why}"))
}

/// A sink for a broker without TLS and login.
fn sink_of(inbox: &MqttInbox, more: &str) -> Arc<dyn Sink> {
    make_sink("mqtt", &format!("broker.host = '127.0.0.1'\nbroker.port = {}\n{more}", inbox.address().port()))
}

/// Delivers the event to each of its targets.
async fn deliver(sink: &dyn Sink, mut sample: Sample) -> Result<Receipt, DeliveryError> {
    let mut last = Ok(Receipt::default());
    for target in sink.targets(&sample.request()) {
        sample.target = target;
        let message = sink.render(&sample.rendering()).unwrap_or_else(|fault| panic!("{fault}"));
        let key = DeliveryId::of(sample.event.id, &"mqtt".into(), &sample.target);
        last = sink.deliver(&Delivery { key, event: &sample.event, target: &sample.target, message: &message, attempt: 1 }).await;
        if last.is_err() {
            break;
        }
    }
    last
}

fn failed() -> Sample {
    Sample::reload(TaskOutcome::Failed)
}

fn notice(kind: &str, fields: &[(&str, &str)]) -> Sample {
    let mut sample = Sample::notice();
    sample.event.kind = kind.parse().unwrap();
    let fields = fields.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    sample.event.body = Body::Notice(Notice { title: "The licence".into(), fields, ..Notice::default() });
    sample
}

/// Everything that was published, with its topic and, where the payload is JSON, in lines.
fn shown(published: &[Published]) -> String {
    let payload = |payload: &str| match serde_json::from_str::<serde_json::Value>(payload) {
        Ok(json) => {
            assert_eq!(json.to_string(), payload, "the JSON is compact");
            format!("{json:#}")
        }
        Err(_) => payload.to_owned(),
    };
    published.iter().map(|one| format!("{}\n{}\n", one.topic, payload(&one.payload))).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn payloads() {
    let inbox = broker(MqttOptions::default()).await;
    let sink = sink_of(&inbox, "");
    for (name, sample) in Sample::all() {
        let before = inbox.published().len();
        deliver(&*sink, sample).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let published = inbox.published().split_off(before);
        insta::with_settings!({ snapshot_suffix => name.replace([',', ' '], "_") }, { insta::assert_snapshot!(shown(&published)) });
    }
}

#[tokio::test]
async fn services_and_the_licence_have_payloads_of_their_own() {
    let inbox = broker(MqttOptions::default()).await;
    let sink = sink_of(&inbox, "");
    let service = [
        ("host", "sense-node-1"),
        ("service", "QlikSenseEngineService"),
        ("friendly_name", "Engine"),
        ("display_name", "Qlik Sense Engine Service"),
        ("dependencies", "QlikSenseServiceDispatcher\nOther"),
        ("start_type", "Automatic"),
        ("exe_path", r#""C:\Program Files\Qlik\Sense\Engine\Engine.exe" "#),
        ("status", "stopped"),
        ("previous_status", "running"),
    ];
    let license = [("expired", "false"), ("expiry_date", "2026-11-01"), ("days_until_expiry", "42")];
    let expired = [("expired", "true"), ("expiry_date", "2026-11-01"), ("days_until_expiry", "-3")];
    for (kind, fields) in [
        ("service.stopped", &service[..]),
        ("service.started", &service),
        ("service.status", &service),
        ("server_license.status", &license),
        ("server_license.status", &[]),
        ("server_license.expiring", &license),
        ("server_license.expiring", &expired),
        ("server_license.expiring", &[]),
    ] {
        deliver(&*sink, notice(kind, fields)).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
    let published: Vec<_> = inbox.published().iter().map(|one| format!("{}: {}", one.topic, one.payload)).collect();
    insta::assert_snapshot!(published.join("\n"));
}

#[tokio::test]
async fn makeshifts_are_short_and_say_why() {
    let sink = sink_of(&broker(MqttOptions::default()).await, "");
    let mut sample = failed().with_text(&"x".repeat(10_000));
    let mut all = String::new();
    for target in sink.targets(&sample.request()) {
        sample.target = target;
        let message = sink.plain(&sample.rendering(), "packets are too long");
        assert!(message.body.len() < 20_000, "{} bytes", message.body.len());
        all.push_str(&message.body);
    }
    assert_eq!(all.matches("packets are too long").count(), 2, "{all}");
}

#[tokio::test]
async fn connections_are_as_configured() {
    for (version, number) in [("3.1.1", 4), ("5", 5)] {
        let inbox = broker(MqttOptions::default()).await;
        let more =
            format!("broker.version = '{version}'\nbroker.client_id = 'edge-1'\nbroker.auth.user = 'edge-1'\nbroker.keep_alive = '90s'");
        deliver(&*sink_of(&inbox, &more), failed()).await.unwrap();
        let [client] = &inbox.clients()[..] else { panic!("{:?}", inbox.clients()) };
        assert_eq!((client.version, client.client_id.as_str(), client.user.as_deref()), (number, "edge-1", Some("edge-1")));
        assert_eq!((client.keep_alive, client.over_tls, &client.will), (90, false, &None));
        let content_types: Vec<_> = inbox.published().iter().map(|one| one.content_type.clone()).collect();
        let told = (number == 5).then(|| "text/plain".to_owned());
        assert_eq!(content_types[0], told);
    }
}

#[tokio::test]
async fn one_connection_serves_until_it_ends() {
    let inbox = broker(MqttOptions::default()).await;
    let sink = sink_of(&inbox, "");
    for _ in 0..3 {
        deliver(&*sink, failed()).await.unwrap();
    }
    assert_eq!(inbox.clients().len(), 1);
    inbox.end_connections();
    // The end may be noticed by the first attempt only, which then fails and is made again.
    for _ in 0..2 {
        if deliver(&*sink, failed()).await.is_ok() {
            break;
        }
    }
    assert_eq!((inbox.clients().len(), inbox.published().len()), (2, 8));
}

#[tokio::test]
async fn a_connection_that_does_not_answer_is_replaced() {
    let inbox = broker(MqttOptions::default()).await;
    let sink = sink_of(&inbox, "");
    let gate = Gate::closed();
    inbox.answer_always(MqttAnswer::Hold(gate.clone()));
    assert_eq!(deliver(&*sink, failed()).await.unwrap_err().reason, Reason::Timeout);
    inbox.behave();
    deliver(&*sink, failed()).await.unwrap();
    assert_eq!(inbox.clients().len(), 2);
}

#[tokio::test]
async fn whoever_waited_for_a_refusal_is_not_refused_again() {
    let inbox = broker(MqttOptions::default()).await;
    inbox.refuse(5);
    let sink = sink_of(&inbox, "");
    let (one, other) = tokio::join!(deliver(&*sink, failed()), deliver(&*sink, failed()));
    assert_eq!((one.unwrap_err().reason, other.unwrap_err().reason), (Reason::Refused, Reason::Refused));
    assert!(sink.check().await.is_err_and(|error| error.reason == Reason::Refused));
}

#[tokio::test]
async fn a_packet_that_the_broker_does_not_take_is_not_sent() {
    let inbox = broker(MqttOptions { max_packet_size: Some(4_000), ..MqttOptions::default() }).await;
    let sink = sink_of(&inbox, "broker.version = '5'\nfull_topics = { '*' = '' }");
    let error = deliver(&*sink, failed().with_text(&"x".repeat(5_000))).await.unwrap_err();
    assert_eq!((error.reason, error.retry), (Reason::TooLarge, Retry::Never), "{error}");
    deliver(&*sink, failed()).await.unwrap();
    assert_eq!(inbox.clients().len(), 1, "the connection is still there");
}

#[tokio::test]
async fn refusals_are_classified_and_shown() {
    let mut seen = String::new();
    let mut note = |what: String, error: DeliveryError, inbox: &MqttInbox| {
        let error_text = error.to_string().replace(&inbox.address().port().to_string(), "PORT");
        seen.push_str(&format!("{what}: {} {:?} {error_text}\n", error.reason.as_str(), error.retry));
    };
    let session = "broker.client_id = 'edge'";
    for (version, codes) in [("3.1.1", &[1, 2, 3, 4, 5][..]), ("5", &[0x80, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x9d])] {
        for code in codes {
            let inbox = broker(MqttOptions::default()).await;
            inbox.refuse(*code);
            let error = deliver(&*sink_of(&inbox, &format!("broker.version = '{version}'\n{session}")), failed()).await.unwrap_err();
            note(format!("{version} CONNACK {code:#04x}"), error, &inbox);
        }
    }
    let inbox = broker(MqttOptions::default()).await;
    let sink = sink_of(&inbox, &format!("broker.version = '5'\n{session}"));
    for reason in [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99] {
        inbox.answer_always(MqttAnswer::Reason(reason, "why not".into()));
        let error = deliver(&*sink, failed()).await.unwrap_err();
        note(format!("PUBACK {reason:#04x}"), error, &inbox);
    }
    inbox.answer_always(MqttAnswer::Reason(0x10, "nobody listens".into()));
    deliver(&*sink, failed()).await.unwrap();
    insta::assert_snapshot!(seen);
}

#[tokio::test]
async fn a_topic_that_is_not_allowed_does_not_hold_up_the_others() {
    let sink = sink_of(&broker(MqttOptions::default()).await, "");
    assert!(!sink.takes_down(Reason::Refused) && sink.takes_down(Reason::Unreachable) && !sink.takes_down(Reason::Rejected));
}

#[tokio::test]
async fn what_is_no_broker_is_named() {
    for version in ["3.1.1", "5"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answering = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(format!("HTTP/1.1 400 Bad Request\r\nContent-Length: 99\r\n\r\n{:99}", "").as_bytes()).await.unwrap();
            // Held open, so that what it said is what is judged.
            stream
        });
        let sink = make_sink("mqtt", &format!("broker = {{ host = '127.0.0.1', port = {port}, version = '{version}' }}"));
        let error = deliver(&*sink, failed()).await.unwrap_err();
        assert_eq!((error.reason, error.retry), (Reason::Protocol, Retry::Backoff), "{error}");
        assert!(error.to_string().contains("is no MQTT"), "{error}");
        drop(answering.await);
    }
}

#[tokio::test]
async fn the_name_in_the_certificate_is_checked() {
    let certificates = Certificates::generate().unwrap();
    let inbox = broker(MqttOptions { tls: Some(certificates.server), ..MqttOptions::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), &certificates.ca_pem).unwrap();
    let ca = folder.path().join("ca.pem");
    let more = format!("broker.tls = true\nbroker.server_name = 'localhost'\nbroker.ca = '{}'", ca.display());
    deliver(&*sink_of(&inbox, &more), failed()).await.unwrap();
    assert!(inbox.clients()[0].over_tls);
    let wrong = sink_of(&inbox, &more.replace("'localhost'", "'broker.example.com'"));
    let error = deliver(&*wrong, failed()).await.unwrap_err();
    assert!(error.reason == Reason::Tls && error.to_string().contains("set `host` to a name"), "{error}");
}

fn faults(options: &str) -> String {
    let table: toml::Table = toml::from_str(options).unwrap();
    let mut issues = Issues::default();
    Registry::with_compiled_in().validate("mqtt", OptionsTable::from(table.clone()), &mut issues);
    if issues.is_empty() {
        let made = Registry::with_compiled_in().make("mqtt", OptionsTable::from(table), &sink_context(), &mut issues);
        assert_eq!(made.is_some(), issues.is_empty());
    }
    // What the system says of a missing file differs by system, and where it is by machine.
    let lines: Vec<_> = issues.to_string().lines().map(|line| line.split(" from `").next().unwrap_or_default().to_owned()).collect();
    lines.join("\n")
}

#[test]
fn options_are_checked() {
    let all = [
        "",
        "broker = { host = 'b' }\nroot_topic = 'a/#'\ntopics = { 'reload_task.failed' = 'a/+', Odd = 'x' }\nfull_topics = { '*' = \"a\\u0000\" }",
        "broker = { host = '', tsl = true }",
        "broker = { host = 'b', tls = true, ca = 'none.pem' }",
        "broker = { host = 'b', auth = { user = 'u', password = { env = 'NO_SUCH_VARIABLE_OF_BUTLER' } } }",
        "broker = { host = 'b' }",
    ];
    insta::assert_snapshot!(all.map(faults).join("\n---\n"));
}
