use super::*;
use crate::config::OptionsTable;
use crate::event::{DeliveryId, Fact, TaskOutcome};
use crate::simulator::inbox::Answer;
use crate::sink::{Registry, Retry};
use crate::sink_suite;
use crate::testkit::sink_samples::Sample;
use crate::testkit::sink_suite::{Received, Remote, SinkHarness};
use crate::testkit::{HttpRemote, closed_port, make_sink};

const HOOK: &str = "/services/T0SECRET0/B0SECRET0/x0SECRET0x";

struct Harness<const BASIC: bool> {
    remote: HttpRemote,
    sink: Arc<dyn Sink>,
}

fn options<const BASIC: bool>(url: &str) -> String {
    let message = if BASIC { "basic" } else { "formatted" };
    format!("webhook_url = '{url}'\nmessage = '{message}'\nchannel = 'alerts'\nbasic_template = '{{{{headline}}}}: {{{{logMessage}}}}'")
}

/// Every text of a message, with Slack's entities read back.
fn texts(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{}\n", text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")),
        Value::Array(items) => items.iter().map(texts).collect(),
        Value::Object(fields) => fields.values().map(texts).collect(),
        _ => String::new(),
    }
}

#[async_trait]
impl<const BASIC: bool> SinkHarness for Harness<BASIC> {
    async fn start() -> Self {
        let remote = HttpRemote::start().await;
        let sink = make_sink("slack", &options::<BASIC>(&remote.inbox.url(HOOK)));
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
            assert_eq!(request.header("content-type"), Some("application/json; charset=utf-8"));
            let message: Value = serde_json::from_str(&request.body).unwrap_or_else(|error| panic!("{}: {error}", request.body));
            assert_eq!(message["channel"], "alerts");
            texts(&message)
        })
    }

    fn secrets(&self) -> Vec<String> {
        ["T0SECRET0", "B0SECRET0", "x0SECRET0x"].map(str::to_owned).to_vec()
    }

    async fn unreachable(&self) -> Arc<dyn Sink> {
        make_sink("slack", &options::<BASIC>(&format!("http://127.0.0.1:{}{HOOK}", closed_port())))
    }

    async fn untrusted(&self) -> Option<Arc<dyn Sink>> {
        let (remote, _) = HttpRemote::start_tls().await;
        let sink = make_sink("slack", &options::<BASIC>(&remote.inbox.url(HOOK)));
        // The server lives as long as the test.
        std::mem::forget(remote);
        Some(sink)
    }

    fn http(&self) -> Option<&HttpRemote> {
        Some(&self.remote)
    }
}

sink_suite!(formatted_keeps_the_contract, Harness<false>);
sink_suite!(basic_keeps_the_contract, Harness<true>);

fn sink(options: &str) -> Arc<dyn Sink> {
    make_sink("slack", &format!("webhook_url = 'http://127.0.0.1/x'\n{options}"))
}

fn rendered(sink: &dyn Sink, sample: &Sample) -> Value {
    let message = sink.render(&sample.rendering()).unwrap_or_else(|fault| panic!("{fault}"));
    serde_json::from_str(&message.body).unwrap_or_else(|error| panic!("{}: {error}", message.body))
}

fn with_file(source: &str, options: &str) -> (tempfile::TempDir, Arc<dyn Sink>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.handlebars");
    // It is read for every message; one that is broken from the start makes no sink.
    std::fs::write(&path, "{}").unwrap();
    let sink = sink(&format!("template_file = '{}'\n{options}", path.display()));
    std::fs::write(&path, source).unwrap();
    (folder, sink)
}

#[test]
fn messages() {
    let formatted = sink("username = 'Qlik Sense'\nchannel = 'sense-task-failure'\nicon_emoji = ':ghost:'");
    let basic = sink("username = 'Qlik Sense'\nchannel = 'sense-task-failure'\nicon_emoji = ':ghost:'\nmessage = 'basic'");
    for (name, sample) in Sample::all() {
        let pretty = |sink: &dyn Sink| serde_json::to_string_pretty(&rendered(sink, &sample)).unwrap_or_default();
        let plain = formatted.plain(&sample.rendering(), "the template `t.handlebars`: there is no helper `foo`").body;
        let all = format!("# formatted\n{}\n\n# basic\n{}\n\n# plain\n{plain}", pretty(&*formatted), pretty(&*basic));
        insta::with_settings!({ snapshot_suffix => name.replace([',', ' '], "_") }, { insta::assert_snapshot!(all) });
    }
}

#[test]
fn a_basic_message_is_the_originals() {
    let sink = sink(
        "username = 'Qlik Sense'\nchannel = 'sense-task-failure'\nicon_emoji = ':ghost:'\nmessage = 'basic'\nbasic_template = 'Qlik Sense reload failed: \"{{taskName}}\"'",
    );
    let mut sample = Sample::reload(TaskOutcome::Failed);
    sample.task().task_name = "O'Brien & <co>".into();
    let body = sink.render(&sample.rendering()).unwrap().body;
    assert_eq!(
        body,
        concat!(
            r#"{"username":"Qlik Sense","channel":"sense-task-failure","icon_emoji":":ghost:","blocks":["#,
            r#"{"type":"header","text":{"type":"plain_text","text":"Qlik Sense reload failed: \"O'Brien &amp; &lt;co&gt;\""}},"#,
            r#"{"type":"divider"},{"type":"actions","elements":["#,
            r#"{"type":"button","text":{"type":"plain_text","emoji":true,"text":"Open QMC"},"style":"primary","url":"https://sense.example.com/qmc"},"#,
            r#"{"type":"button","text":{"type":"plain_text","emoji":true,"text":"Open Hub"},"style":"primary","url":"https://sense.example.com/hub"}]}]}"#,
        )
    );
}

#[test]
fn buttons_without_an_address_are_left_out() {
    let mut sample = Sample::reload(TaskOutcome::Failed);
    sample.site.links.hub = String::new();
    let basic = sink("message = 'basic'");
    assert_eq!(rendered(&*basic, &sample)["blocks"][2]["elements"].as_array().map(Vec::len), Some(1));
    sample.site.links.qmc = String::new();
    assert_eq!(rendered(&*basic, &sample)["blocks"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_template_of_a_user_is_merged_over_the_sender() {
    let source = r#"{ "channel": "{{#if (eq appStreamName.name 'Finance')}}finance{{/if}}", "blocks": [ { "type": "section", "text": { "type": "mrkdwn", "text": "{{taskName}} {{{user}}}" } } ] }"#;
    let (_folder, sink) = with_file(source, "username = 'u'\nchannel = 'c'\nicon_emoji = ':i:'");
    let mut sample = Sample::reload(TaskOutcome::Failed);
    sample.task().task_name = r"a\q".into();
    let body = sink.render(&sample.rendering()).unwrap().body;
    let expected = r#"{"username":"u","channel":"finance","icon_emoji":":i:","blocks":[{"type":"section","text":{"type":"mrkdwn","text":"a\\q LAB/goran"}}]}"#;
    assert_eq!(body, expected);
}

#[test]
fn line_breaks_and_tabs_of_the_script_log_are_real() {
    let source = r#"{ "text": "{{{scriptLogTail}}}|{{scriptLogHead}}|{{scriptLogTailCount}}" }"#;
    let (_folder, sink) = with_file(source, "");
    for outcome in [TaskOutcome::Failed, TaskOutcome::Aborted] {
        let mut sample = Sample::reload(outcome);
        if let Fact::Known(log) = &mut sample.facts.script_log {
            log.tail = vec!["x \"1\" \\".into(), "y\tz".into()];
            log.head = vec!["<a>".into()];
        }
        assert_eq!(rendered(&*sink, &sample)["text"], "x \"1\" \\\ny\tz|&lt;a&gt;|15");
    }
}

#[test]
fn files_by_kind_come_before_the_one_for_tasks() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("{{ \"text\": \"{name}\" }}")).unwrap();
        path.display().to_string()
    };
    let (task, aborted, butler) = (file("task"), file("aborted"), file("butler"));
    let sink = sink(
        &format!(
            "template_file = '{task}'\n[template_files]\n'*.aborted' = '{task}'\n'reload_task.ab*' = '{aborted}'\n'butler.*' = '{butler}'"
        )
        .replace("'*.aborted' = '", "'reload_task.*' = '"),
    );
    let text = |sample: Sample| rendered(&*sink, &sample)["text"].clone();
    assert_eq!(text(Sample::reload(TaskOutcome::Failed)), "task");
    assert_eq!(text(Sample::reload(TaskOutcome::Aborted)), "aborted");
    assert_eq!(text(Sample::notice()), "butler");
    assert_eq!(text(Sample::engine_reload()), "App reload failed: Sales");
}

#[test]
fn notes_are_added_below_a_template_that_does_not_show_them() {
    let sample = Sample::reload(TaskOutcome::Failed).unknown();
    let (_folder, blocks) = with_file(r#"{ "blocks": [ { "type": "divider" } ] }"#, "");
    let last = rendered(&*blocks, &sample)["blocks"][1].to_string();
    assert!(last.contains("Not known: task, app, app owner, ") && last.contains("3 messages like this were held back"), "{last}");
    let (_folder, text) = with_file(r#"{ "text": "t" }"#, "");
    assert!(rendered(&*text, &sample)["text"].as_str().is_some_and(|text| text.starts_with("t\nNot known: task, ")));
    let (_folder, own) = with_file(r#"{ "text": "{{heldBack}}" }"#, "");
    assert_eq!(rendered(&*own, &sample)["text"], "3");
}

#[test]
fn faults_of_a_template_name_its_file() {
    let fault = |source: &str| {
        let (folder, sink) = with_file(source, "");
        let fault = sink.render(&Sample::reload(TaskOutcome::Failed).rendering()).unwrap_err().to_string();
        let shown = folder.path().join("t.handlebars").display().to_string();
        fault.replace(&shown, "t.handlebars")
    };
    let all = [r#"{ "text": {{taskName}} }"#, "[]", "{{#if a}}", "{{nope 1}}", "{{> other}}"].map(fault).join("\n");
    insta::assert_snapshot!(all);
    let (folder, gone) = with_file("{}", "");
    std::fs::remove_file(folder.path().join("t.handlebars")).unwrap();
    let fault = gone.render(&Sample::reload(TaskOutcome::Failed).rendering()).unwrap_err().to_string();
    assert!(fault.starts_with("can't read the template `") && fault.ends_with("t.handlebars`: there is no such file"), "{fault}");
}

#[test]
fn needs_follow_the_templates() {
    let lines = |head, tail| Some(LogLines { head, tail });
    let all = sink("tail_script_log_lines = 7").needs();
    assert!(all.task && all.app && all.owner && all.result && all.script_log == lines(15, 7), "{all:?}");
    assert!(sink("message = 'basic'").needs().is_none());
    let (_folder, file) = with_file(r#"{ "text": "{{taskTags}}{{scriptLogTail}}" }"#, "");
    let needs = file.needs();
    assert!(needs.task && needs.script_log == lines(0, 15) && !needs.result, "{needs:?}");
}

async fn answered(answer: Answer) -> (DeliveryError, usize) {
    let remote = HttpRemote::start().await;
    remote.inbox.answer(answer);
    let sink = make_sink("slack", &format!("webhook_url = '{}'", remote.inbox.url(HOOK)));
    let sample = Sample::reload(TaskOutcome::Failed);
    let message = sink.render(&sample.rendering()).unwrap();
    let key = DeliveryId::of(sample.event.id, &"s".into(), &sample.target);
    let delivery = Delivery { key, event: &sample.event, target: &sample.target, message: &message, attempt: 1 };
    (sink.deliver(&delivery).await.unwrap_err(), remote.inbox.count())
}

#[tokio::test]
async fn what_slack_says_is_shown_and_what_it_cannot_read_told_apart() {
    let (error, _) = answered(Answer::status(400).body("invalid_blocks")).await;
    assert!(error.to_string().ends_with("answered 400 Bad Request: invalid_blocks"), "{error}");
    assert_eq!((error.reason, error.retry), (Reason::Malformed, Retry::Never));
    for (status, said, reason) in
        [(400, "user_not_found", Reason::Rejected), (404, "channel_not_found", Reason::Rejected), (403, "invalid_token", Reason::Refused)]
    {
        let (error, _) = answered(Answer::status(status).body(said)).await;
        assert_eq!((error.reason, error.retry), (reason, Retry::Never), "{error}");
    }
}

#[tokio::test]
async fn a_redirect_that_drops_the_message_is_no_success() {
    for status in [301, 302, 303] {
        let (error, count) = answered(Answer::status(status).header("Location", "/login")).await;
        assert_eq!((error.reason, error.retry, count), (Reason::Protocol, Retry::Backoff, 1), "{error}");
        assert!(error.to_string().contains("to where the message can't follow"), "{error}");
    }
}

#[test]
fn the_last_line_of_a_log_survives_whatever_stands_around_it() {
    let formatted = sink("");
    for length in [2900, 2940, 2960, 2999, 3000, 9000] {
        let mut sample = Sample::reload(TaskOutcome::Failed);
        if let Fact::Known(log) = &mut sample.facts.script_log {
            log.tail = vec!["x".repeat(length - 12), "Error: here".into()];
            log.head = vec!["Begin: there".into(), "x".repeat(length - 13)];
        }
        let message = rendered(&*formatted, &sample);
        let texts: Vec<_> = message["blocks"].as_array().into_iter().flatten().filter_map(|block| block["text"]["text"].as_str()).collect();
        assert!(texts.iter().any(|text| text.ends_with("Error: here```")), "{length}");
        assert!(texts.iter().any(|text| text.contains("```Begin: there")), "{length}");
        assert!(texts.iter().all(|text| text.encode_utf16().count() <= 3000), "{length}");
    }
}

#[test]
fn a_result_of_another_run_is_said_to_be_one_where_it_is_shown() {
    let mut sample = Sample::reload(TaskOutcome::Failed);
    sample.missing = vec![words::UNCERTAIN.to_owned()];
    let formatted = rendered(&*sink(""), &sample).to_string();
    assert!(
        formatted.contains("those of the task's latest run, which need not be the one") && !formatted.contains("Not known"),
        "{formatted}"
    );
}

#[test]
fn faults_in_options_name_the_key() {
    let fault = |options: &str| {
        let table: toml::Table = toml::from_str(options).unwrap();
        let mut issues = Issues::default();
        Registry::with_compiled_in().validate("slack", OptionsTable::from(table), &mut issues);
        issues.to_string()
    };
    let all = [
        "",
        "webhook_url = 'https://h/x'\nmessage = 'fancy'",
        "webhook_url = 'https://h/x'\nbasic_template = '{{#if x}}'",
        "webhook_url = 'https://h/x'\nmessage = 'basic'\ntemplate_file = 'x'",
        "webhook_url = 'https://h/x'\ntemplate_files.Reload = 'x'",
        "webhook_url = 'https://h/x'\nchanel = 'x'",
    ]
    .map(fault)
    .join("");
    insta::assert_snapshot!(all);
}

#[test]
fn options_show_no_secret() {
    let config: SlackConfig = toml::from_str("webhook_url = 'https://h/s3cr3t'\nchannel = 'shown'").unwrap();
    let shown = format!("{config:?} {config:#?}");
    assert!(shown.contains("shown") && !shown.contains("s3cr3t"), "{shown}");
}

proptest::proptest! {
    #[test]
    fn any_text_gives_valid_json_within_the_limits(text in "(.|\\PC|[<>&\"\\\\\r\n]){0,400}") {
        let formatted = sink("");
        for sample in [Sample::reload(TaskOutcome::Failed), Sample::reload(TaskOutcome::Failed).unknown(), Sample::engine_reload(), Sample::notice()] {
            let message = rendered(&*formatted, &sample.with_text(&text));
            let blocks = message["blocks"].as_array().cloned().unwrap_or_default();
            proptest::prop_assert!((1..=50).contains(&blocks.len()));
            for block in blocks {
                let longest = if block["type"] == "header" { 150 } else { 3000 };
                let text = block["text"]["text"].as_str().unwrap_or(" ");
                proptest::prop_assert!((1..=longest).contains(&text.encode_utf16().count()));
            }
        }
    }
}
