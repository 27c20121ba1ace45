use std::sync::Arc;

use super::*;
use crate::event::{DeliveryId, Event, EventId, Fact, TaskOutcome, TaskType};
use crate::simulator::inbox::{Answer, HttpInbox, ReceivedRequest};
use crate::sink::{Reason, Retry};
use crate::sink_suite;
use crate::testkit::sink_samples::Sample;
use crate::testkit::sink_suite::{Received, Remote as Behaviour, SinkHarness};
use crate::testkit::{HttpRemote, closed_port, make_sink};

const SECRET: &str = "s3cr3t-and-long";

struct Harness<const VERSION: u8> {
    remote: HttpRemote,
    sink: Arc<dyn Sink>,
}

fn options<const VERSION: u8>(url: &str) -> String {
    let place = match VERSION {
        1 => format!("database = 'butler'\nauth = {{ user = 'joe', password = '{SECRET}' }}"),
        2 => format!("org = 'my org'\nbucket = 'butler'\ntoken = '{SECRET}'"),
        _ => format!("database = 'butler'\ntoken = '{SECRET}'"),
    };
    format!("url = '{url}'\nversion = {VERSION}\n{place}")
}

/// Writes as a server of this version takes them: everything about them but the points is looked at.
fn points<const VERSION: u8>(request: &ReceivedRequest) -> String {
    let (path, query, content_type) = match VERSION {
        1 => ("/write", "db=butler&precision=n&rp=", None),
        2 => ("/api/v2/write", "org=my+org&bucket=butler&precision=ns", Some("text/plain; charset=utf-8")),
        _ => ("/api/v2/write", "bucket=butler&precision=ns", Some("text/plain; charset=utf-8")),
    };
    let login = if VERSION == 1 { "Basic am9lOnMzY3IzdC1hbmQtbG9uZw==".to_owned() } else { format!("Token {SECRET}") };
    assert_eq!((request.method.as_str(), request.path.as_str(), request.query.as_deref()), ("POST", path, Some(query)));
    assert_eq!(request.header("content-type"), content_type);
    assert_eq!(request.header("authorization"), Some(login.as_str()));
    // Texts as they are read back.
    request.body.replace("\\\"", "\"").replace("\\\\", "\\").replace("\\ ", " ")
}

#[async_trait]
impl<const VERSION: u8> SinkHarness for Harness<VERSION> {
    async fn start() -> Self {
        let remote = HttpRemote::start().await;
        let sink = make_sink("influxdb", &options::<VERSION>(&remote.inbox.url("")));
        Self { remote, sink }
    }

    fn sink(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.sink)
    }

    fn remote(&self, remote: Behaviour) -> bool {
        self.remote.behave(remote)
    }

    fn received(&self) -> Vec<Received> {
        // A check writes nothing.
        self.remote.received(points::<VERSION>).into_iter().filter(|received| !received.text.is_empty()).collect()
    }

    fn secrets(&self) -> Vec<String> {
        // Versions 2 and 3 have no login to be encoded.
        let encoded = (VERSION == 1).then(|| "am9lOnMzY3IzdC1hbmQtbG9uZw==".to_owned());
        std::iter::once(SECRET.to_owned()).chain(encoded).collect()
    }

    async fn unreachable(&self) -> Arc<dyn Sink> {
        make_sink("influxdb", &options::<VERSION>(&format!("http://127.0.0.1:{}", closed_port())))
    }

    async fn untrusted(&self) -> Option<Arc<dyn Sink>> {
        let (remote, _) = HttpRemote::start_tls().await;
        let sink = make_sink("influxdb", &options::<VERSION>(&remote.inbox.url("")));
        // The server lives as long as the test.
        std::mem::forget(remote);
        Some(sink)
    }

    fn http(&self) -> Option<&HttpRemote> {
        Some(&self.remote)
    }

    fn may_lack_its_place(&self) -> bool {
        true
    }
}

sink_suite!(version_1_keeps_the_contract, Harness<1>);
sink_suite!(version_2_keeps_the_contract, Harness<2>);
sink_suite!(version_3_keeps_the_contract, Harness<3>);

fn sink_with(url: &str, more: &str) -> Arc<dyn Sink> {
    make_sink("influxdb", &format!("url = '{url}'\ndatabase = 'butler'\n{more}"))
}

fn styled() -> Arc<dyn Sink> {
    sink_with("http://127.0.0.1:1", "tags = { butler_instance = 'prod-1' }\nevent_tags = { 'reload_task.*' = { event_tag = 'x' } }")
}

fn line(sink: &dyn Sink, sample: &Sample) -> String {
    sink.render(&sample.rendering()).unwrap_or_else(|fault| panic!("{fault}")).body
}

#[test]
fn memory_is_stored_as_the_original_does() {
    let mut sample = Sample::of(&"butler.uptime".parse().unwrap());
    if let crate::event::Body::Notice(notice) = &mut sample.event.body {
        let fields = [("process_memory", "150034448"), ("uptime_ms", "5"), ("version", "16.0.4")];
        notice.fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    }
    let line = line(&*styled(), &sample);
    let (point, _) = line.rsplit_once(' ').unwrap();
    let expected =
        "butler_memory_usage,butler_instance=prod-1,version=16.0.4 external=0,heap_total=143.08,heap_used=143.08,process_memory=143.08";
    assert_eq!(point, expected);
}

#[test]
fn lines() {
    let sink = styled();
    let all = Sample::all().into_iter().map(|(name, sample)| (name.to_owned(), sample));
    let tasks = TaskType::ALL.into_iter().skip(1).flat_map(|task_type| {
        let outcomes = [TaskOutcome::Failed, TaskOutcome::Aborted, TaskOutcome::Success];
        outcomes.map(|outcome| (format!("{} {}", task_type.prefix(), outcome.suffix()), Sample::task_of(Some(task_type), outcome)))
    });
    let lines: Vec<_> = all.chain(tasks).map(|(name, sample)| format!("# {name}\n{}", line(&*sink, &sample))).collect();
    insta::assert_snapshot!(lines.join("\n\n").replace('\r', "<CR>"));
}

#[test]
fn versions_2_and_3_have_sorted_tags() {
    let sink = make_sink("influxdb", &options::<3>("http://127.0.0.1:1"));
    let line = line(&*sink, &Sample::reload(TaskOutcome::Failed));
    let (key, _) = line.split_once(" execution_id=").unwrap_or_default();
    let key = key.replace("\\,", "").replace("\\ ", "_");
    let names: Vec<_> = key.split(',').skip(1).map(|tag| tag.split('=').next().unwrap_or_default()).collect();
    assert!(names.is_sorted() && names.contains(&"taskTag_Prod") && names.contains(&"appTag_sales"), "{names:?}");
}

#[test]
fn a_task_of_unknown_type_with_an_app_is_taken_for_a_reload() {
    let sink = styled();
    let mut sample = Sample::reload(TaskOutcome::Failed).unknown();
    sample.event.kind = crate::event::Kind::task(TaskOutcome::Failed);
    assert!(line(&*sink, &sample).starts_with("reload_task_failed,butler_instance=prod-1,host="));
    sample.task().app_id = None;
    assert!(line(&*sink, &sample).starts_with("task_failed,butler_instance=prod-1,host="));
}

#[test]
fn dynamic_tags_can_be_left_out() {
    let sink = sink_with("http://127.0.0.1:1", "app_tags = false\ntask_tags = false");
    assert!(!line(&*sink, &Sample::reload(TaskOutcome::Failed)).contains("Tag_"));
    assert!(!sink.needs().app);
}

#[test]
fn two_events_in_one_millisecond_are_two_points_and_a_repeat_is_the_same() {
    let sink = styled();
    let time = |id: u128| {
        let mut sample = Sample::reload(TaskOutcome::Failed);
        sample.event = Event { id: EventId(uuid::Uuid::from_u128(id)), ..sample.event };
        line(&*sink, &sample).rsplit(' ').next().unwrap_or_default().to_owned()
    };
    assert_eq!(time(41), "1715572931123000041");
    assert_eq!(time(41), time(41));
    assert_ne!(time(41), time(42));
}

#[test]
fn what_is_left_out_of_a_point_stands_in_the_preview() {
    let sink = styled();
    let mut sample = Sample::reload(TaskOutcome::Failed);
    if let Fact::Known(task) = &mut sample.facts.task {
        task.tags.push("x".repeat(5000));
    }
    let message = sink.render(&sample.rendering()).unwrap();
    assert!(message.body.starts_with("reload_task_failed,") && !message.body.contains("xxxx"));
    let preview = message.preview();
    assert!(preview.starts_with("tag `taskTag_xxxx") && preview.contains("is too long\nreload_task_failed,"), "{preview}");
}

/// Delivers some samples at once.
async fn deliver(sink: &dyn Sink, count: usize) -> Vec<Result<Receipt, DeliveryError>> {
    let sample = Sample::reload(TaskOutcome::Failed);
    let message = sink.render(&sample.rendering()).unwrap();
    let key = DeliveryId::of(sample.event.id, &"influx".into(), &sample.target);
    let delivery = Delivery { key, event: &sample.event, target: &sample.target, message: &message, attempt: 1 };
    sink.deliver_many(&vec![delivery; count]).await
}

#[tokio::test]
async fn many_points_go_out_in_one_request() {
    let inbox = HttpInbox::start().await.unwrap();
    let sink = sink_with(&inbox.url(""), "");
    let results = deliver(&*sink, 100).await;
    assert!(results.iter().all(|result| result.as_ref().is_ok_and(|r| r.detail == "HTTP 200, 100 points in one request")), "{results:?}");
    let requests = inbox.requests();
    assert_eq!((requests.len(), requests[0].body.matches("reload_task_failed,").count()), (1, 100));
    // No login is an empty one.
    assert_eq!(requests[0].header("authorization"), Some("Basic Og=="));
}

#[tokio::test]
async fn a_refused_batch_is_refused_for_all_and_a_dead_server_is_asked_once() {
    let inbox = HttpInbox::start().await.unwrap();
    let sink = sink_with(&inbox.url(""), "");
    for (status, reason, retry) in [
        (400, Reason::Rejected, Retry::Never),
        (401, Reason::Refused, Retry::Backoff),
        (413, Reason::TooLarge, Retry::Never),
        (503, Reason::ServerError, Retry::Backoff),
    ] {
        inbox.answer(Answer::status(status).body(r#"{"error":"partial write: field type conflict dropped=1"}"#));
        let results = deliver(&*sink, 3).await;
        assert_eq!(results.len(), 3);
        for result in results {
            let error = result.unwrap_err();
            assert_eq!((error.reason, error.retry), (reason, retry), "{error}");
            assert!(error.message.contains("partial write: field type conflict"), "{error}");
        }
    }
    assert_eq!(inbox.count(), 4);
}

#[tokio::test]
async fn a_database_that_is_missing_is_made_within_the_attempt() {
    let inbox = HttpInbox::start().await.unwrap();
    let sink = sink_with(&inbox.url("/behind/a/proxy"), "retention_policy = { name = '10d', duration = '10d' }");
    inbox.answer(Answer::status(404).body(r#"{"error":"database not found: \"butler\""}"#));
    inbox.answer(Answer::ok().body(r#"{"results":[{"statement_id":0}]}"#));
    inbox.answer(Answer::ok().body(r#"{"results":[{"statement_id":0}]}"#));
    inbox.answer(Answer::status(204));
    assert_eq!(deliver(&*sink, 1).await[0].as_ref().unwrap().detail, "HTTP 204");
    let said: Vec<_> = inbox.requests().into_iter().map(|r| format!("{} {}?{}", r.method, r.path, r.query.unwrap_or_default())).collect();
    assert_eq!(
        said,
        [
            "POST /behind/a/proxy/write?db=butler&precision=n&rp=",
            "POST /behind/a/proxy/query?q=create+database+%22butler%22",
            "POST /behind/a/proxy/query?q=create+retention+policy+%2210d%22+on+%22butler%22+duration+10d+replication+1+default",
            "POST /behind/a/proxy/write?db=butler&precision=n&rp=",
        ]
    );
}

#[tokio::test]
async fn a_database_that_can_not_be_made_is_tried_again() {
    let inbox = HttpInbox::start().await.unwrap();
    let sink = sink_with(&inbox.url(""), "");
    for answer in [
        Answer::status(403).body(r#"{"error":"error authorizing query: create database requires admin privilege"}"#),
        Answer::ok().body(r#"{"results":[{"statement_id":0,"error":"create database requires admin privilege"}]}"#),
    ] {
        inbox.answer(Answer::status(404));
        inbox.answer(answer);
        let error = deliver(&*sink, 1).await.remove(0).unwrap_err();
        assert_eq!((error.reason, error.retry), (Reason::Refused, Retry::Backoff), "{error}");
        assert!(error.message.contains("can't be made") && error.message.contains("admin privilege"), "{error}");
    }
}

#[tokio::test]
async fn versions_2_and_3_make_nothing_and_say_what_is_missing() {
    let inbox = HttpInbox::start().await.unwrap();
    for options in [options::<2>(&inbox.url("")), options::<3>(&inbox.url(""))] {
        let sink = make_sink("influxdb", &options);
        inbox.answer(Answer::status(404).body(r#"{"code":"not found","message":"bucket \"butler\" not found"}"#));
        let error = deliver(&*sink, 1).await.remove(0).unwrap_err();
        assert_eq!((error.reason, error.retry), (Reason::Refused, Retry::Backoff));
        assert!(error.message.contains("is there a `butler`"), "{error}");
        inbox.answer(Answer::status(400).body(r#"{"code":"invalid","message":"writing requires points"}"#));
        assert!(sink.check().await.is_ok());
    }
    assert_eq!(inbox.count(), 4);
}

#[test]
fn faults_in_options_name_the_key_and_the_remedy() {
    let faults = |options: &str| {
        let table: toml::Table = toml::from_str(options).unwrap();
        let mut issues = crate::config::Issues::default();
        crate::sink::Registry::with_compiled_in().validate("influxdb", table.into(), &mut issues);
        issues.to_string()
    };
    let all = [
        "url = 'influx.example.com:8086'\nversion = 4",
        "url = 'http://h'\norg = 'o'",
        "url = 'http://h'\nversion = 2\ndatabase = 'x'\nauth = { user = 'a', password = 'b' }",
        "url = 'http://h'\nversion = 3\nretention_policy = { name = '', duration = '10' }",
        "url = 'http://h'\ndatabase = 'x'\ntags = { time = '1', a = '' }\nevent_tags = { 'Reload' = {}, 'reload_task.*' = { _field = 'x' } }",
    ];
    insta::assert_snapshot!(all.map(|options| format!("{options}\n->\n{}", faults(options))).join("\n\n"));
}
