use serde_json::{Value, json};

use super::*;
use crate::config::{Issues, OptionsTable};
use crate::event::{CustomProperty, DeliveryId, Event, Fact, TaskOutcome, TaskType};
use crate::sink::{Registry, Retry};
use crate::sink_suite;
use crate::testkit::sink_samples::Sample;
use crate::testkit::sink_suite::{Received, Remote, SinkHarness};
use crate::testkit::{HttpRemote as Receiver, closed_port, make_sink, sink_context};

const KEY: &str = "k0SECRET0k";

/// `LOG`: the log API, else the event API.
struct Harness<const LOG: bool> {
    remote: Receiver,
    sink: Arc<dyn Sink>,
}

fn options<const LOG: bool>(base: &str) -> String {
    let api = if LOG { "log" } else { "event" };
    format!(
        "event_url = '{base}/'\nlog_url = '{base}/log/v1'\nheaders.X-My-Header = 'h0SECRET0h'\n{api} = {{}}\n[accounts]\nProduction = {{ account_id = 4711, api_key = '{KEY}' }}"
    )
}

/// Every text of a message.
fn texts(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text}\n"),
        Value::Array(items) => items.iter().map(texts).collect(),
        Value::Object(fields) => fields.values().map(texts).collect(),
        _ => String::new(),
    }
}

#[async_trait]
impl<const LOG: bool> SinkHarness for Harness<LOG> {
    async fn start() -> Self {
        let remote = Receiver::start().await;
        let sink = make_sink("new_relic", &options::<LOG>(&remote.inbox.url("")));
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
            assert_eq!(request.path, if LOG { "/log/v1" } else { "/v1/accounts/4711/events" });
            for (name, value) in [("content-type", "application/json; charset=utf-8"), ("api-key", KEY), ("x-my-header", "h0SECRET0h")] {
                assert_eq!(request.header(name), Some(value));
            }
            let body: Value = serde_json::from_str(&request.body).unwrap_or_else(|error| panic!("{}: {error}", request.body));
            assert!(request.body.len() <= 1_000_000);
            texts(&body)
        })
    }

    fn secrets(&self) -> Vec<String> {
        vec![KEY.to_owned(), "h0SECRET0h".to_owned()]
    }

    async fn unreachable(&self) -> Arc<dyn Sink> {
        make_sink("new_relic", &options::<LOG>(&format!("http://127.0.0.1:{}", closed_port())))
    }

    async fn untrusted(&self) -> Option<Arc<dyn Sink>> {
        let (remote, _) = Receiver::start_tls().await;
        let sink = make_sink("new_relic", &options::<LOG>(&remote.inbox.url("")));
        // The server lives as long as the test.
        std::mem::forget(remote);
        Some(sink)
    }

    fn http(&self) -> Option<&Receiver> {
        Some(&self.remote)
    }
}

sink_suite!(events_keep_the_contract, Harness<false>);
sink_suite!(logs_keep_the_contract, Harness<true>);

const ACCOUNTS: &str = "accounts.A = { account_id = 1, api_key = 'a' }\naccounts.B = { account_id = 2, api_key = 'b' }\n";

fn sink(options: &str) -> Arc<dyn Sink> {
    make_sink("new_relic", &format!("{ACCOUNTS}{options}"))
}

fn to(mut sample: Sample, target: &str) -> Sample {
    sample.target = target.into();
    sample
}

fn body(sink: &dyn Sink, sample: &Sample) -> String {
    sink.render(&sample.rendering()).unwrap_or_else(|fault| panic!("{fault}")).body
}

fn event(sink: &dyn Sink, sample: Sample) -> Value {
    let body: Value = serde_json::from_str(&body(sink, &to(sample, "A/event"))).unwrap();
    body[0].clone()
}

fn log(sink: &dyn Sink, sample: Sample) -> Value {
    let body: Value = serde_json::from_str(&body(sink, &to(sample, "A/log"))).unwrap();
    body[0].clone()
}

#[test]
fn bodies() {
    let options = "attributes = { service = 'butler' }\n[event]\ncustom_properties = true\nattributes = { kept = 'here' }\n[log]\nattributes = { service = 'logs' }";
    let sink = sink(options);
    for (name, sample) in Sample::all() {
        let mut all = String::new();
        for target in ["A/event", "A/log"] {
            let sample = to(sample.clone(), target);
            let pretty = |body: &str| serde_json::to_string_pretty(&serde_json::from_str::<Value>(body).unwrap()).unwrap();
            let plain = sink.plain(&sample.rendering(), "A answered 413");
            all.push_str(&format!("# {target}\n{}\n\n# {target}, plain\n{}\n\n", pretty(&body(&*sink, &sample)), pretty(&plain.body)));
        }
        let all = all.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        insta::with_settings!({ snapshot_suffix => name.replace([',', ' '], "_") }, { insta::assert_snapshot!(all) });
    }
}

#[test]
fn an_event_is_the_originals() {
    let sink = sink("attributes = { service = 'butler', environment = 'prod' }\nevent = {}");
    let mut sample = Sample::reload(TaskOutcome::Failed);
    sample.task().user = r"LAB\\eva".into();
    let expected = concat!(
        r#"[{"environment":"prod","service":"butler","version":"VERSION","qs_hostName":"sense-node-1","qs_user":"LAB//eva","qs_taskName":"Reload sales","#,
        r#""qs_taskId":"dec2a02a-1680-44ef-8dc2-e2bfb180af87","qs_appName":"Sales","qs_appId":"e7af59a0-c243-480d-9571-08727551a66f","#,
        r#""qs_logTimeStamp":"2024-05-13 06:02:11,123","qs_logLevel":"INFO","qs_executionId":"14a81bf5-f81c-4047-b1a1-193b0920de28","#,
        r#""qs_logMessage":"Max retries reached","qs_taskTag_Prod":"true","qs_taskTag_Finance":"true","qs_appTag_sales":"true","#,
        r#""eventType":"qs_reloadTaskFailedEvent","timestamp":1715572931123}]"#,
    );
    assert_eq!(body(&*sink, &to(sample, "A/event")).replace(env!("CARGO_PKG_VERSION"), "VERSION"), expected);
}

#[test]
fn names_follow_from_the_kind() {
    let sink = sink("event = {}\nlog = {}");
    let names = |sample: Sample| {
        let names = [event(&*sink, sample.clone())["eventType"].clone(), log(&*sink, sample)["common"]["attributes"]["logtype"].clone()];
        names.map(|name| name.as_str().unwrap_or_default().to_owned())
    };
    let named = |kind: &str| Sample { event: Event { kind: kind.parse().unwrap(), ..Sample::notice().event }, ..Sample::notice() };
    for (sample, stem) in [
        (Sample::reload(TaskOutcome::Aborted), "reloadTaskAborted"),
        (Sample::reload(TaskOutcome::Success), "reloadTaskSuccess"),
        (Sample::task_of(Some(TaskType::ExternalProgram), TaskOutcome::Aborted), "externalProgramTaskAborted"),
        (Sample::task_of(None, TaskOutcome::Failed), "reloadTaskFailed"),
        (Sample::engine_reload(), "engineReloadFailed"),
        (named("task.late"), "taskLate"),
        (named("butler.store_failing"), "butlerStoreFailing"),
    ] {
        assert_eq!(names(sample), [format!("qs_{stem}Event"), format!("qs_{stem}Log")]);
    }
    let mut unknown = Sample::task_of(None, TaskOutcome::Failed);
    unknown.task().app_id = None;
    assert_eq!(names(unknown)[0], "qs_taskFailedEvent");
}

#[test]
fn the_message_of_a_log_is_the_originals() {
    let sink = sink("log = { tail_script_log_lines = 1 }");
    let message = |sample: Sample| log(&*sink, sample)["logs"].clone();
    let details = "2024-05-13T04:00:02.900Z\tChanging task state to Triggered\n";
    let dashes = "\r\n-------------------------------\r\n\r\n";
    for outcome in [TaskOutcome::Failed, TaskOutcome::Aborted] {
        let mut sample = Sample::reload(outcome);
        if let Fact::Known(result) = &mut sample.facts.result {
            result.details.truncate(1);
        }
        if let Fact::Known(log) = &mut sample.facts.script_log {
            log.tail = vec!["x".into(), "y".into()];
        }
        assert_eq!(message(sample.clone()), json!([{ "message": format!("{details}{dashes}y") }]));
        // No script log could be had.
        sample.facts.script_log = Fact::Missing { why: "gone".into(), is_final: false };
        let all = log(&*sink, sample.clone());
        assert_eq!(all["logs"], json!([{ "message": "Script log not available for this reload task." }]));
        let names: Vec<_> =
            all["common"]["attributes"].as_object().unwrap().keys().filter(|name| name.contains("execut")).cloned().collect();
        assert_eq!(names, ["qs_executionId"]);
        // The repository says that there is none.
        if let Fact::Known(result) = &mut sample.facts.result {
            result.script_log_size = 0;
        }
        let all = log(&*sink, sample);
        assert_eq!(all["logs"], json!([{ "message": format!("{details}{dashes}") }]));
        let attributes = &all["common"]["attributes"];
        assert_eq!((&attributes["qs_scriptLogSize"], &attributes["qs_scriptLogTailCount"]), (&json!(0), &json!(1)));
    }
    let external = log(&*sink, Sample::task_of(Some(TaskType::ExternalProgram), TaskOutcome::Failed));
    assert!(
        external["logs"][0]["message"]
            .as_str()
            .is_some_and(|message| message.ends_with("Changing task state from Started to FinishedFail\n"))
    );
}

#[test]
fn events_hold_texts_and_numbers_alone() {
    let sink = sink("[event]\ncustom_properties = true");
    for (name, sample) in Sample::all() {
        let event = event(&*sink, sample);
        let fields = event.as_object().unwrap();
        assert!(fields.values().all(|value| value.is_string() || value.is_number()), "{name}: {fields:?}");
    }
    let mut sample = Sample::reload(TaskOutcome::Failed);
    if let Fact::Known(task) = &mut sample.facts.task {
        task.custom_properties = ["1", "2"].map(|value| CustomProperty { name: "Level".into(), value: value.into() }).to_vec();
        task.tags = vec!["Nightly load".into()];
    }
    let event = event(&*sink, sample);
    assert_eq!((&event["qs_taskCp_Level"], &event["qs_taskTag_Nightly load"]), (&json!("1, 2"), &json!("true")));
}

#[test]
fn limits_are_kept_and_what_matters_stays() {
    let sink = sink("event = {}\nlog = {}");
    let mut sample = Sample::reload(TaskOutcome::Failed).with_text(&"\u{1}é".repeat(30_000));
    if let Fact::Known(task) = &mut sample.facts.task {
        task.tags = (0..400).map(|number| format!("{number}{}", "t".repeat(300))).collect();
        task.custom_properties = (0..3000).map(|number| CustomProperty { name: format!("n{number}"), value: "v".repeat(5000) }).collect();
    }
    if let Fact::Known(log) = &mut sample.facts.script_log {
        log.tail = vec!["x".repeat(150_000), "Error: here".into()];
    }
    for target in ["A/event", "A/log"] {
        let sample = to(sample.clone(), target);
        let whole = body(&*sink, &sample);
        let short = sink.plain(&sample.rendering(), "413").body;
        assert!(whole.len() <= 1_000_000 && short.len() < 120_000, "{target}: {} {}", whole.len(), short.len());
        assert!(short.contains(r#""butler_fault":"413""#), "{target}");
    }
    let event = event(&*sink, sample.clone());
    let fields = event.as_object().unwrap();
    assert!(fields.len() <= 254 && fields.keys().all(|name| name.chars().count() <= 255), "{}", fields.len());
    assert!(fields["butler_attributesLeftOut"].as_u64().is_some_and(|count| count > 100));
    assert_eq!(fields["eventType"], "qs_reloadTaskFailedEvent");
    let message = log(&*sink, sample)["logs"][0]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.chars().count() == 100_000 && message.ends_with("x\r\nError: here"));
}

fn targets(sink: &dyn Sink, sample: &Sample) -> String {
    let names: Vec<_> = sink.targets(&sample.request()).iter().map(|target| target.as_str().to_owned()).collect();
    names.join(" ")
}

#[test]
fn accounts_are_chosen_always_and_by_property() {
    let mut sample = Sample::reload(TaskOutcome::Failed);
    if let Fact::Known(task) = &mut sample.facts.task {
        let values = [("Account", "B"), ("Account", "Ghost"), ("Account", "B"), ("Other", "A")];
        task.custom_properties = values.map(|(name, value)| CustomProperty { name: name.into(), value: value.into() }).to_vec();
    }
    for (options, expected) in [
        ("event = {}", "A/event B/event"),
        ("event = {}\nlog = { accounts = ['B'] }", "A/event B/event B/log"),
        ("event = { accounts_by_property = 'Account' }", "B/event Ghost/event"),
        ("event = { accounts = ['A', 'B'], accounts_by_property = 'Account' }", "A/event B/event Ghost/event"),
        ("event = { accounts_by_property = 'account' }\nlog = {}", "A/log B/log"),
    ] {
        assert_eq!(targets(&*sink(options), &sample), expected, "{options}");
    }
}

#[test]
fn what_went_wrong_and_cannot_be_told_by_property_goes_to_all() {
    let chosen = sink("event = { accounts_by_property = 'Account' }");
    assert!(chosen.deciding_needs().task && sink("event = {}").deciding_needs().is_none());
    let also = sink("event = { accounts = ['A'], accounts_by_property = 'Account' }");
    for (sample, by_property, with_always) in [
        (Sample::reload(TaskOutcome::Failed).unknown(), "A/event B/event", "A/event B/event"),
        (Sample::reload(TaskOutcome::Success).unknown(), "", "A/event"),
        (Sample::reload(TaskOutcome::Failed), "", "A/event"),
        (Sample::engine_reload(), "A/event B/event", "A/event"),
        (Sample::notice(), "A/event B/event", "A/event"),
    ] {
        assert_eq!(
            (targets(&*chosen, &sample), targets(&*also, &sample)),
            (by_property.to_owned(), with_always.to_owned()),
            "{:?}",
            sample.event.kind
        );
    }
}

async fn deliver(sink: &dyn Sink, sample: &Sample) -> Result<Receipt, DeliveryError> {
    let message = sink.render(&sample.rendering()).unwrap();
    let key = DeliveryId::of(sample.event.id, &"s".into(), &sample.target);
    sink.deliver(&Delivery { key, event: &sample.event, target: &sample.target, message: &message, attempt: 1 }).await
}

#[tokio::test]
async fn an_account_that_is_not_configured_is_a_dead_delivery_that_says_so() {
    let sink = sink("event = { accounts_by_property = 'Account' }");
    let error = deliver(&*sink, &to(Sample::reload(TaskOutcome::Failed), "Ghost/event")).await.unwrap_err();
    assert_eq!((error.reason, error.retry), (Reason::Rejected, Retry::Never));
    assert_eq!(
        error.to_string(),
        "the account `Ghost` is not configured; correct the custom property that names it, or add it to `accounts` (which knows `A`, `B`) and revive this delivery"
    );
    let error = deliver(&*sink, &to(Sample::reload(TaskOutcome::Failed), "A/log")).await.unwrap_err();
    assert!(error.to_string().starts_with("nothing is sent to the log API of `A` any more"), "{error}");
}

#[tokio::test]
async fn each_account_has_its_own_key_and_place() {
    let remote = Receiver::start().await;
    let base = remote.inbox.url("");
    let sink = sink(&format!("event_url = '{base}'\nlog_url = '{base}/log'\nevent = {{}}\nlog = {{}}"));
    let sample = Sample::reload(TaskOutcome::Failed);
    for target in sink.targets(&sample.request()) {
        deliver(&*sink, &Sample { target, ..sample.clone() }).await.unwrap();
    }
    let seen: Vec<_> =
        remote.accepted().iter().map(|request| format!("{} {}", request.path, request.header("api-key").unwrap_or_default())).collect();
    assert_eq!(seen, ["/v1/accounts/1/events a", "/v1/accounts/2/events b", "/log a", "/log b"]);
}

#[tokio::test]
async fn the_time_is_left_out_once_it_is_too_old_to_be_taken() {
    let remote = Receiver::start().await;
    let base = remote.inbox.url("");
    let sink = sink(&format!("event_url = '{base}'\nlog_url = '{base}/log'\nevent = {{}}\nlog = {{}}"));
    // The clock of the test stands two hours after the sample.
    for (hours, is_there) in [(0, true), (20, true), (22, false), (200, false)] {
        for target in ["A/event", "A/log"] {
            let mut sample = to(Sample::reload(TaskOutcome::Failed), target);
            sample.event.at -= SignedDuration::from_hours(hours);
            deliver(&*sink, &sample).await.unwrap();
            let body = remote.accepted().pop().unwrap().body;
            assert_eq!(body.contains(r#""timestamp":"#), is_there, "{hours} {target}");
            assert!(body.contains("qs_reloadTaskFailed") && serde_json::from_str::<Value>(&body).is_ok());
        }
    }
}

#[test]
fn what_concerns_one_account_does_not_take_down_the_others() {
    let sink = sink("event = {}");
    let down: Vec<_> = [Reason::Refused, Reason::Throttled, Reason::Unreachable, Reason::Timeout, Reason::ServerError, Reason::Rejected]
        .map(|reason| sink.takes_down(reason))
        .to_vec();
    assert_eq!(down, [false, false, true, true, true, false]);
}

#[test]
fn regions_have_their_addresses() {
    let urls = |options: &str| {
        let config: NewRelicConfig = toml::from_str(&format!("{ACCOUNTS}{options}\nevent = {{}}\nlog = {{}}")).unwrap();
        format!("{:?}", config.build_remotes(&sink_context()).unwrap().values().map(HttpRemote::shown).collect::<Vec<_>>())
    };
    assert!(urls("").contains("https://insights-collector.newrelic.com") && urls("").contains("https://log-api.newrelic.com"));
    let eu = urls("region = 'eu'");
    assert!(eu.contains("https://insights-collector.eu01.nr-data.net") && eu.contains("https://log-api.eu.newrelic.com"), "{eu}");
}

#[test]
fn faults_in_options_name_the_key() {
    let fault = |options: &str| {
        let table: toml::Table = toml::from_str(options).unwrap();
        let mut issues = Issues::default();
        let made = Registry::with_compiled_in().make("new_relic", OptionsTable::from(table), &sink_context(), &mut issues);
        assert!(made.is_none(), "{options}");
        issues.to_string()
    };
    let all = [
        "".to_owned(),
        "accounts = {}".to_owned(),
        ACCOUNTS.to_owned(),
        format!("{ACCOUNTS}event = {{ accounts = ['C', 'A'] }}\nlog = {{ accounts = [], tail = 3 }}"),
        format!("{ACCOUNTS}event = {{ accounts_by_property = ' ' }}\nregion = 'mars'"),
        format!("{ACCOUNTS}event = {{}}\nevent_url = 'insights'\nlog_url = 'ftp://h/'\nheaders = {{ Api-Key = 'x', 'a b' = 'y' }}"),
        "event = {}\naccounts.\"\" = { account_id = 1, api_key = '' }".to_owned(),
        "event = {}\naccounts.C = { account_id = 1, api_key = '' }".to_owned(),
        "event = {}\naccounts.C = { account_id = 'x', api_key = { env = 'BUTLER_TEST_NO_SUCH_VARIABLE' } }".to_owned(),
        "event = {}\naccounts.C = { account_id = 1, api_key = { env = 'BUTLER_TEST_NO_SUCH_VARIABLE' } }".to_owned(),
    ]
    .map(|options| fault(&options))
    .join("");
    insta::assert_snapshot!(all);
}

#[test]
fn options_show_no_secret() {
    let config: NewRelicConfig =
        toml::from_str("accounts.A = { account_id = 1, api_key = 's3cr3t' }\nheaders.X = 's3cr3t'\nlog_url = 'shown'").unwrap();
    let shown = format!("{config:?} {config:#?}");
    assert!(shown.contains("shown") && !shown.contains("s3cr3t"), "{shown}");
}

#[test]
fn static_attributes_give_way_to_ours() {
    let sink = sink("event = {}\nattributes = { eventType = 'mine', timestamp = 'never', qs_taskName = 'x', version = 'y', Z = 'z' }");
    let event = event(&*sink, Sample::reload(TaskOutcome::Failed));
    assert_eq!(
        (&event["eventType"], &event["qs_taskName"], &event["Z"]),
        (&json!("qs_reloadTaskFailedEvent"), &json!("Reload sales"), &json!("z"))
    );
    assert!(event["timestamp"].is_number() && event["version"] != "y");
}

#[test]
fn a_measurement_of_butler_goes_to_the_metric_api_alone() {
    let options = r#"
        attributes = { service = "butler" }
        event = {}
        metric = { accounts = ["B"], attributes = { environment = "prod" } }
    "#;
    let sink = sink(options);
    let mut sample = Sample::of(&"butler.uptime".parse().unwrap());
    let fields = [("uptime_ms", "262861000"), ("interval_ms", "900000"), ("process_memory", "126291968"), ("version", "1")];
    if let crate::event::Body::Notice(notice) = &mut sample.event.body {
        notice.fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    }
    assert_eq!(targets(&*sink, &sample), "B/metric");
    let sample = to(sample, "B/metric");
    let expected = json!([{
        "common": {
            "timestamp": sample.event.at.as_millisecond(), "interval.ms": 900_000,
            "attributes": { "metricType": "butler-uptime", "service": "butler", "environment": "prod", "version": env!("CARGO_PKG_VERSION") },
        },
        "metrics": [
            { "name": "qs_butlerHeapUsed", "type": "gauge", "value": 126_291_968 },
            { "name": "qs_butlerHeapTotal", "type": "gauge", "value": 126_291_968 },
            { "name": "qs_butlerExternalMem", "type": "gauge", "value": 0 },
            { "name": "qs_butlerProcessMem", "type": "gauge", "value": 126_291_968 },
            { "name": "qs_butlerUptimeMillisec", "type": "gauge", "value": 262_861_000 },
        ],
    }]);
    assert_eq!(serde_json::from_str::<Value>(&body(&*sink, &sample)).unwrap(), expected);
    assert_eq!(targets(&*sink, &Sample::notice()), "A/event B/event");
}
