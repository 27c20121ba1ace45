use serde_json::Value;

use super::*;
use crate::config::OptionsTable;
use crate::event::{Event, Fact, Kind, NoticeTask, TaskOutcome, TaskType};
use crate::sink::Registry;
use crate::sink_suite;
use crate::testkit::sink_samples::Sample;
use crate::testkit::sink_suite::{Received, Remote, SinkHarness};
use crate::testkit::{HttpRemote as Receiver, closed_port, make_sink};

const HOOK: &str = "/webhook/t0SECRET0t";

struct Harness {
    remote: Receiver,
    sink: Arc<dyn Sink>,
}

fn at(base: &str) -> Arc<dyn Sink> {
    make_sink("signl4", &format!("url = '{base}{HOOK}'"))
}

#[async_trait]
impl SinkHarness for Harness {
    async fn start() -> Self {
        let remote = Receiver::start().await;
        let sink = at(&remote.inbox.url(""));
        Self { remote, sink }
    }

    fn sink(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.sink)
    }

    fn remote(&self, remote: Remote) -> bool {
        self.remote.behave(remote)
    }

    fn received(&self) -> Vec<Received> {
        self.remote.received(|request| {
            assert_eq!((request.path.as_str(), request.header("content-type")), (HOOK, Some("application/json")));
            let body: Value = serde_json::from_str(&request.body).unwrap_or_else(|error| panic!("{}: {error}", request.body));
            let keys: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(keys, ["Title", "Message", "Severity", "X-S4-Service", "X-S4-ExternalID", "X-S4-Status"]);
            assert!(body["Severity"].is_number());
            format!("{}\n{}", body["Title"].as_str().unwrap_or_default(), body["Message"].as_str().unwrap_or_default())
        })
    }

    fn secrets(&self) -> Vec<String> {
        vec!["t0SECRET0t".to_owned()]
    }

    async fn unreachable(&self) -> Arc<dyn Sink> {
        at(&format!("http://127.0.0.1:{}", closed_port()))
    }

    async fn untrusted(&self) -> Option<Arc<dyn Sink>> {
        let (remote, _) = Receiver::start_tls().await;
        let sink = at(&remote.inbox.url(""));
        // The server lives as long as the test.
        std::mem::forget(remote);
        Some(sink)
    }

    fn http(&self) -> Option<&Receiver> {
        Some(&self.remote)
    }
}

sink_suite!(keeps_the_contract, Harness);

fn sink(options: &str) -> Arc<dyn Sink> {
    make_sink("signl4", &format!("url = 'http://127.0.0.1/x'\n{options}"))
}

fn body(sink: &dyn Sink, sample: &Sample) -> String {
    sink.render(&sample.rendering()).unwrap_or_else(|fault| panic!("{fault}")).body
}

/// A notice of this kind about the task of the samples.
fn about_the_task(kind: &str) -> Sample {
    let mut sample = Sample::notice();
    let task = NoticeTask { task_id: Sample::reload(TaskOutcome::Failed).event.task_id().unwrap(), ..NoticeTask::default() };
    if let crate::event::Body::Notice(notice) = &mut sample.event.body {
        notice.task = Some(task);
    }
    Sample { event: Event { kind: kind.parse().unwrap(), ..sample.event }, ..sample }
}

#[test]
fn bodies() {
    let sink = sink("");
    let mut all = String::new();
    for (name, sample) in Sample::all() {
        let plain = sink.plain(&sample.rendering(), "SIGNL4 answered 413").body;
        all.push_str(&format!("# {name}\n{}\n{plain}\n\n", body(&*sink, &sample)));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn alerts_are_the_originals() {
    let sink = sink("service = 'Qlik Sense'\nseverity = 10\n[kinds.\"reload_task.failed\"]\nseverity = 1");
    let expected = |title: &str, severity: u32| {
        format!(
            r#"{{"Title":"{title}","Message":"Task: Reload sales","Severity":{severity},"X-S4-Service":"Qlik Sense","X-S4-ExternalID":"dec2a02a-1680-44ef-8dc2-e2bfb180af87","X-S4-Status":"new"}}"#
        )
    };
    assert_eq!(body(&*sink, &Sample::reload(TaskOutcome::Failed)), expected("Qlik Sense reload task failed", 1));
    assert_eq!(body(&*sink, &Sample::reload(TaskOutcome::Aborted)), expected("Qlik Sense task aborted", 10));
}

#[test]
fn titles_tell_the_tasks_apart() {
    let sink = sink("");
    let title =
        |sample: &Sample| serde_json::from_str::<Value>(&body(&*sink, sample)).unwrap()["Title"].as_str().unwrap_or_default().to_owned();
    for (task_type, outcome, expected) in [
        (None, TaskOutcome::Failed, "Qlik Sense reload task failed"),
        (Some(TaskType::UserSync), TaskOutcome::Failed, "Qlik Sense user sync task failed"),
        (Some(TaskType::Preload), TaskOutcome::Aborted, "Qlik Sense preload task was aborted"),
        (Some(TaskType::Reload), TaskOutcome::Success, "Qlik Sense reload task succeeded"),
        (Some(TaskType::Distribute), TaskOutcome::Unsettled, "Qlik Sense distribute task ended, its outcome is not known yet"),
    ] {
        assert_eq!(title(&Sample::task_of(task_type, outcome)), expected);
    }
    let mut unknown = Sample::reload(TaskOutcome::Failed);
    unknown.event.kind = Kind::task(TaskOutcome::Failed);
    unknown.task().app_id = None;
    assert_eq!(title(&unknown), "Qlik Sense task failed");
}

#[test]
fn what_recovers_resolves_the_alert_that_it_is_about() {
    let sink = sink("");
    let both = |sample: &Sample| {
        let body: Value = serde_json::from_str(&body(&*sink, sample)).unwrap();
        (body["X-S4-Status"].as_str().unwrap_or_default().to_owned(), body["X-S4-ExternalID"].as_str().unwrap_or_default().to_owned())
    };
    let (status, id) = both(&Sample::reload(TaskOutcome::Failed));
    assert_eq!(status, "new");
    for (sample, expected) in [
        (Sample::reload(TaskOutcome::Success), "resolved"),
        (about_the_task("task.recovered"), "resolved"),
        (about_the_task("task.late"), "new"),
        (about_the_task("task.failing"), "new"),
        (Sample::task_of(Some(TaskType::Distribute), TaskOutcome::Unsettled), "new"),
    ] {
        assert_eq!(both(&sample), (expected.to_owned(), id.clone()), "{}", sample.event.kind);
    }
    assert_eq!(both(&Sample::notice()).1, Sample::notice().event.id.to_string());
}

#[test]
fn apps_that_are_not_included_are_not_told_of() {
    let app = "E7AF59A0-c243-480d-9571-08727551a66f";
    let other = "11111111-c243-480d-9571-08727551a66f";
    let example = "47d38f73-628f-44e1-a62c-841604b123ff";
    let is_told = |apps: &str, sample: &Sample| !sink(&format!("include_apps = [{apps}]")).targets(&sample.request()).is_empty();
    let reload = Sample::reload(TaskOutcome::Failed);
    for (apps, expected) in [
        (String::new(), true),
        (format!("'{app}'"), true),
        (format!("'{other}', '{app}'"), true),
        (format!("'{other}'"), false),
        (format!("'{example}'"), true),
        (format!("'{example}', '{other}'"), false),
    ] {
        assert_eq!(is_told(&apps, &reload), expected, "{apps}");
    }
    let apps = format!("'{other}'");
    assert!(is_told(&apps, &Sample::notice()) && is_told(&apps, &Sample::task_of(Some(TaskType::UserSync), TaskOutcome::Failed)));
    // What the event does not name, the repository may.
    let mut unnamed = Sample::reload(TaskOutcome::Failed);
    unnamed.task().app_id = None;
    assert!(!is_told(&apps, &unnamed));
    unnamed.facts.task = Fact::Unasked;
    assert!(is_told(&apps, &unnamed));
}

#[test]
fn service_and_severity_follow_the_kind() {
    let ranked = sink("severity = 3\n[kinds]\n'reload_task.*' = { service = 'Reloads' }\n'reload_task.aborted' = { severity = 7 }");
    let both = |sample: Sample| {
        let body: Value = serde_json::from_str(&body(&*ranked, &sample)).unwrap();
        format!("{} {}", body["X-S4-Service"].as_str().unwrap_or_default(), body["Severity"])
    };
    assert_eq!(both(Sample::reload(TaskOutcome::Failed)), "Reloads 3");
    assert_eq!(both(Sample::reload(TaskOutcome::Aborted)), "Default service name 7");
    assert_eq!(both(Sample::notice()), "Default service name 3");
    let plain: Value = serde_json::from_str(&body(&*sink(""), &Sample::notice())).unwrap();
    assert_eq!((plain["Severity"].as_u64(), plain["X-S4-Service"].as_str()), (Some(99), Some("Default service name")));
}

#[test]
fn faults_in_options_name_the_key() {
    let fault = |options: &str| {
        let table: toml::Table = toml::from_str(options).unwrap();
        let mut issues = Issues::default();
        Registry::with_compiled_in().validate("signl4", OptionsTable::from(table), &mut issues);
        issues.to_string()
    };
    let all = [
        "",
        "url = 'https://h/x'\nseverity = 'high'",
        "url = 'https://h/x'\nkinds.Reload = { severity = 1, servic = 'x' }",
        "url = 'https://h/x'\ninclude_apps = ['Sales', 'e7af59a0-c243-480d-9571-08727551a66f']",
        "url = 'https://h/x'\ninclude_apps = ['47d38f73-628f-44e1-a62c-841604b123ff']",
    ]
    .map(fault)
    .join("");
    insta::assert_snapshot!(all);
}

#[test]
fn options_show_no_secret() {
    let config: Signl4Config = toml::from_str("url = 'https://h/s3cr3t'\nservice = 'shown'").unwrap();
    let shown = format!("{config:?} {config:#?}");
    assert!(shown.contains("shown") && !shown.contains("s3cr3t"), "{shown}");
}
