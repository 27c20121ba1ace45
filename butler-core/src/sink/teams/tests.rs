use super::*;
use crate::config::OptionsTable;
use crate::event::{DeliveryId, Fact, TaskOutcome};
use crate::simulator::inbox::Answer;
use crate::sink::{Reason, Registry, Retry};
use crate::sink_suite;
use crate::testkit::sink_samples::Sample;
use crate::testkit::sink_suite::{Received, Remote, SinkHarness};
use crate::testkit::{HttpRemote as Receiver, closed_port, make_sink};

const HOOK: &str = "/workflows/w0SECRET0w/triggers/manual/paths/invoke?api-version=2016-06-01&sig=s0SECRET0s";
const FORMATTED: u8 = 0;
const BASIC: u8 = 1;
const MESSAGE_CARD: u8 = 2;

struct Harness<const FORM: u8> {
    remote: Receiver,
    sink: Arc<dyn Sink>,
}

fn options<const FORM: u8>(url: &str) -> String {
    let form = match FORM {
        FORMATTED => "message = 'formatted'",
        BASIC => "message = 'basic'\nbasic_card = 'adaptive'",
        _ => "message = 'basic'\nbasic_card = 'message_card'",
    };
    format!("webhook_url = '{url}'\n{form}\nbasic_template = '{{{{headline}}}}: {{{{logMessage}}}}'")
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
impl<const FORM: u8> SinkHarness for Harness<FORM> {
    async fn start() -> Self {
        let remote = Receiver::start().await;
        let sink = make_sink("teams", &options::<FORM>(&remote.inbox.url(HOOK)));
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
            assert_eq!(request.header("content-type"), Some("application/json"));
            let message: Value = serde_json::from_str(&request.body).unwrap_or_else(|error| panic!("{}: {error}", request.body));
            assert_eq!(message.get("@type").is_some(), FORM == MESSAGE_CARD);
            assert!(request.body.len() <= 28_000 && 2 * request.body.encode_utf16().count() <= 28_000, "{}", request.body.len());
            texts(&message)
        })
    }

    fn secrets(&self) -> Vec<String> {
        ["w0SECRET0w", "s0SECRET0s"].map(str::to_owned).to_vec()
    }

    async fn unreachable(&self) -> Arc<dyn Sink> {
        make_sink("teams", &options::<FORM>(&format!("http://127.0.0.1:{}{HOOK}", closed_port())))
    }

    async fn untrusted(&self) -> Option<Arc<dyn Sink>> {
        let (remote, _) = Receiver::start_tls().await;
        let sink = make_sink("teams", &options::<FORM>(&remote.inbox.url(HOOK)));
        // The server lives as long as the test.
        std::mem::forget(remote);
        Some(sink)
    }

    fn http(&self) -> Option<&Receiver> {
        Some(&self.remote)
    }
}

sink_suite!(formatted_keeps_the_contract, Harness<FORMATTED>);
sink_suite!(basic_keeps_the_contract, Harness<BASIC>);
sink_suite!(message_card_keeps_the_contract, Harness<MESSAGE_CARD>);

fn sink(options: &str) -> Arc<dyn Sink> {
    make_sink("teams", &format!("webhook_url = 'http://127.0.0.1/x'\n{options}"))
}

fn rendered(sink: &dyn Sink, sample: &Sample) -> Value {
    let message = sink.render(&sample.rendering()).unwrap_or_else(|fault| panic!("{fault}"));
    serde_json::from_str(&message.body).unwrap_or_else(|error| panic!("{}: {error}", message.body))
}

fn with_file(source: &str) -> (tempfile::TempDir, Arc<dyn Sink>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.handlebars");
    // It is read for every message; one that is broken from the start makes no sink.
    std::fs::write(&path, "{}").unwrap();
    let sink = sink(&format!("template_file = '{}'", path.display()));
    std::fs::write(&path, source).unwrap();
    (folder, sink)
}

#[test]
fn messages() {
    let formatted = sink("");
    let [adaptive, message_card] = ["adaptive", "message_card"].map(|card| sink(&format!("message = 'basic'\nbasic_card = '{card}'")));
    for (name, sample) in Sample::all() {
        let pretty = |sink: &dyn Sink| serde_json::to_string_pretty(&rendered(sink, &sample)).unwrap_or_default();
        let plain = |sink: &dyn Sink| sink.plain(&sample.rendering(), "the template `t.handlebars`: there is no helper `foo`").body;
        let all = format!(
            "# formatted\n{}\n\n# basic\n{}\n\n# basic, message card\n{}\n\n# plain\n{}\n\n# plain, message card\n{}",
            pretty(&*formatted),
            pretty(&*adaptive),
            pretty(&*message_card),
            plain(&*formatted),
            plain(&*message_card)
        );
        insta::with_settings!({ snapshot_suffix => name.replace([',', ' '], "_") }, { insta::assert_snapshot!(all) });
    }
}

#[test]
fn a_basic_message_card_is_the_originals() {
    let sink = sink("message = 'basic'\nbasic_template = 'Qlik Sense reload failed: \"{{taskName}}\"'");
    let mut sample = Sample::reload(TaskOutcome::Failed);
    sample.task().task_name = "O'Brien & <co>".into();
    let expected = concat!(
        r#"{"@type":"MessageCard","@context":"https://schema.org/extensions","summary":"Qlik Sense reload failed: \"O'Brien & <co>\"","#,
        r#""themeColor":"0078D7","title":"Qlik Sense reload failed: \"O'Brien & <co>\"","potentialAction":["#,
        r#"{"@type":"OpenUri","name":"Qlik Sense QMC","targets":[{"os":"default","uri":"https://sense.example.com/qmc"}]},"#,
        r#"{"@type":"OpenUri","name":"Qlik Sense Hub","targets":[{"os":"default","uri":"https://sense.example.com/hub"}]}]}"#,
    );
    assert_eq!(sink.render(&sample.rendering()).unwrap().body, expected);
}

#[test]
fn the_card_of_basic_messages_follows_the_host() {
    let card = |url: &str, more: &str| {
        let sink = make_sink("teams", &format!("webhook_url = '{url}'\nmessage = 'basic'\n{more}"));
        if rendered(&*sink, &Sample::notice()).get("@type").is_some() { "message card" } else { "adaptive" }
    };
    for (url, expected) in [
        ("https://prod-12.westeurope.logic.azure.com:443/workflows/a?sig=b", "adaptive"),
        ("https://PROD-12.WESTEUROPE.LOGIC.AZURE.COM/workflows/a?sig=b", "adaptive"),
        ("https://default0.1f.environment.api.powerplatform.com/powerautomate/automations/direct/workflows/a", "adaptive"),
        ("https://contoso.webhook.office.com/webhookb2/a/IncomingWebhook/b/c", "message card"),
        ("https://notlogic.azure.com/a", "message card"),
        ("https://logic.azure.com.example.com/a", "message card"),
    ] {
        assert_eq!(card(url, ""), expected, "{url}");
        assert_eq!(card(url, "basic_card = 'adaptive'"), "adaptive");
        assert_eq!(card(url, "basic_card = 'message_card'"), "message card");
    }
}

#[test]
fn what_has_no_address_has_no_button() {
    let mut sample = Sample::reload(TaskOutcome::Failed);
    sample.site.links.hub = String::new();
    for options in ["", "message = 'basic'\nbasic_card = 'adaptive'", "message = 'basic'"] {
        let shown = rendered(&*sink(options), &sample).to_string();
        assert!(shown.contains("QMC") && !shown.contains("Hub"), "{shown}");
    }
    sample.site.links.qmc = String::new();
    let basic = rendered(&*sink("message = 'basic'"), &sample);
    assert_eq!(basic.get("potentialAction"), None);
}

/// The texts that Teams takes for Markdown.
fn markdown(value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(markdown).collect(),
        Value::Object(fields) if matches!(fields.get("type").and_then(Value::as_str), Some("TextBlock" | "FactSet")) => texts(value),
        Value::Object(fields) => fields.values().map(markdown).collect(),
        _ => String::new(),
    }
}

#[test]
fn the_built_in_templates_show_values_as_they_are() {
    let nasty = "*bold* _it_ [here](https://evil.example.com)";
    for (name, sample) in Sample::all() {
        let message = rendered(&*sink(""), &sample.with_text(nasty));
        assert!(!markdown(&message).contains("evil"), "{name}");
        assert!(texts(&message).contains(nasty), "{name}");
    }
}

#[test]
fn a_template_of_a_user_is_sent_as_it_is_made() {
    let source = r#"{ "type": "message", "attachments": [ { "content": { "body": [
        { "type": "TextBlock", "text": "{{taskName}} {{{user}}} {{tasId}}" },
        { "type": "CodeBlock", "codeSnippet": "{{scriptLogTail}}|{{{executionDetailsConcatenated}}}" }
    ], "z": 1, "a": {{scriptLogTailCount}} } } ] }"#;
    let (_folder, sink) = with_file(source);
    for outcome in [TaskOutcome::Failed, TaskOutcome::Aborted] {
        let mut sample = Sample::reload(outcome);
        sample.task().task_name = r#"a\new "q" <b> & 'c'"#.into();
        if let Fact::Known(log) = &mut sample.facts.script_log {
            log.tail = vec![r"x C:\new".into(), "y\tz".into()];
        }
        if let Fact::Known(result) = &mut sample.facts.result {
            result.details.truncate(1);
        }
        let expected = concat!(
            r#"{"type":"message","attachments":[{"content":{"body":[{"type":"TextBlock","text":"a\\new \"q\" <b> & 'c' LAB/goran "},"#,
            r#"{"type":"CodeBlock","codeSnippet":"x C:\\new\ny\tz|2024-05-13T04:00:02.900Z\tChanging task state to Triggered\n"}],"#,
            r#""z":1,"a":15}}]}"#,
        );
        assert_eq!(sink.render(&sample.rendering()).unwrap().body, expected);
    }
}

#[test]
fn notes_are_added_below_a_template_that_does_not_show_them() {
    let sample = Sample::reload(TaskOutcome::Failed).unknown();
    let (_folder, card) = with_file(r#"{ "attachments": [ { "content": { "body": [ { "type": "TextBlock", "text": "t" } ] } } ] }"#);
    let last = rendered(&*card, &sample)["attachments"][0]["content"]["body"][1].to_string();
    assert!(last.contains("Not known: task, app, app owner, ") && last.contains("3 messages like this were held back"), "{last}");
    let (_folder, text) = with_file(r#"{ "text": "t" }"#);
    assert!(rendered(&*text, &sample)["text"].as_str().is_some_and(|text| text.starts_with("t\n\nNot known: task, ")));
    let (_folder, own) = with_file(r#"{ "text": "{{heldBack}}" }"#);
    assert_eq!(rendered(&*own, &sample)["text"], "3");
}

#[test]
fn faults_of_a_template_name_its_file() {
    let fault = |source: &str| {
        let (folder, sink) = with_file(source);
        let fault = sink.render(&Sample::reload(TaskOutcome::Failed).rendering()).unwrap_err().to_string();
        fault.replace(&folder.path().join("t.handlebars").display().to_string(), "t.handlebars")
    };
    insta::assert_snapshot!([r#"{ "text": {{taskName}} }"#, "[]", "{{#if a}}", "{{nope 1}}"].map(fault).join("\n"));
}

#[test]
fn the_script_log_is_shortened_before_anything_else() {
    let (_folder, sink) = with_file(
        r#"{ "attachments": [ { "content": { "body": [
            { "type": "TextBlock", "text": "{{logMessage}}" }, { "type": "CodeBlock", "codeSnippet": "{{scriptLogTail}}" }, { "type": "CodeBlock", "codeSnippet": "{{scriptLogHead}}" }
        ] } } ] }"#,
    );
    for length in [1_000, 8_500, 12_000, 13_500] {
        let mut sample = Sample::reload(TaskOutcome::Failed);
        sample.task().message = "m".repeat(length);
        if let Fact::Known(log) = &mut sample.facts.script_log {
            log.tail = vec!["x".repeat(5000), "Error: here".into()];
            log.head = vec!["Begin: there".into(), "x".repeat(5000)];
        }
        let message = rendered(&*sink, &sample);
        let text =
            |index: usize, key: &str| message["attachments"][0]["content"]["body"][index][key].as_str().unwrap_or_default().to_owned();
        assert_eq!(text(0, "text").len(), length);
        let cut = "----Script log truncated by Butler----";
        assert!(text(1, "codeSnippet").starts_with(cut) && text(2, "codeSnippet").ends_with(cut), "{length}");
        if length < 13_000 {
            assert!(text(1, "codeSnippet").ends_with("Error: here") && text(2, "codeSnippet").starts_with("Begin: there"), "{length}");
        }
    }
}

async fn answered(answer: Answer) -> Result<Receipt, DeliveryError> {
    let remote = Receiver::start().await;
    remote.inbox.answer(answer);
    let sink = make_sink("teams", &format!("webhook_url = '{}'", remote.inbox.url(HOOK)));
    let sample = Sample::reload(TaskOutcome::Failed);
    let message = sink.render(&sample.rendering()).unwrap();
    let key = DeliveryId::of(sample.event.id, &"s".into(), &sample.target);
    sink.deliver(&Delivery { key, event: &sample.event, target: &sample.target, message: &message, attempt: 1 }).await
}

#[tokio::test]
async fn a_success_that_is_none_is_a_failure() {
    for answer in [Answer::status(202), Answer::status(200).body("1"), Answer::status(200).body(r#"{"id":"7"}"#)] {
        assert!(answered(answer).await.is_ok());
    }
    let connector = |status: u16| {
        format!("Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {status} with ContextId tcid=0")
    };
    for (status, reason, retry) in [
        (429, Reason::Throttled, Retry::Backoff),
        (413, Reason::TooLarge, Retry::Never),
        (400, Reason::Malformed, Retry::Never),
        (403, Reason::Refused, Retry::Never),
        (404, Reason::Rejected, Retry::Never),
        (503, Reason::ServerError, Retry::Backoff),
    ] {
        let error = answered(Answer::status(200).body(connector(status))).await.unwrap_err();
        assert_eq!((error.reason, error.retry), (reason, retry), "{error}");
        assert!(error.to_string().contains("did not post the message; it says: Webhook message delivery failed"), "{error}");
    }
    let error = answered(Answer::ok().body("Webhook message delivery failed with error: s0SECRET0s")).await.unwrap_err();
    assert_eq!((error.reason, error.retry), (Reason::Protocol, Retry::Backoff));
    assert!(!error.to_string().contains("s0SECRET0s"), "{error}");
}

#[tokio::test]
async fn a_connector_posts_only_when_it_says_so() {
    let remote = Receiver::start().await;
    let here = HttpRemote::new("u", &remote.inbox.url("/x"), HeaderMap::new(), crate::tls::Trust::System, &crate::testkit::sink_context())
        .unwrap();
    let mut judged = Vec::new();
    for said in ["1", " 1\n", "", "Summary or Text is required.", "<html>sign in</html>"] {
        remote.inbox.answer(Answer::status(200).body(said));
        let request = Request { method: Method::POST, query: None, body: None, key: None, redirects: Redirects::WithMessage };
        let accepted = here.send_and_read(request).await.unwrap();
        assert!(answer::judge(&accepted, false, &here).is_ok());
        judged.push(answer::judge(&accepted, true, &here).map_err(|error| (error.reason, error.retry)).err());
    }
    let unclear = Some((Reason::Protocol, Retry::Backoff));
    assert_eq!(judged, [None, None, unclear, Some((Reason::Malformed, Retry::Never)), unclear]);
}

#[tokio::test]
async fn what_teams_cannot_read_is_told_apart() {
    let said = r#"{"error":{"code":"TriggerInputSchemaMismatch","message":"The input body for trigger 'manual' did not match its schema definition."}}"#;
    for (status, said, reason) in [
        (400, said, Reason::Malformed),
        (400, "Bad payload received by generic incoming webhook.", Reason::Malformed),
        (400, r#"{"error":{"code":"WorkflowTriggerIsNotEnabled"}}"#, Reason::Rejected),
        (413, "", Reason::TooLarge),
    ] {
        let error = answered(Answer::status(status).body(said)).await.unwrap_err();
        assert_eq!((error.reason, error.retry), (reason, Retry::Never), "{error}");
    }
}

#[test]
fn needs_follow_the_templates() {
    let lines = |head, tail| Some(LogLines { head, tail });
    let all = sink("tail_script_log_lines = 7").needs();
    assert!(all.task && all.app && all.owner && all.result && all.script_log == lines(15, 7), "{all:?}");
    assert!(sink("message = 'basic'").needs().is_none());
    let (_folder, file) = with_file(r#"{ "text": "{{taskTags}}{{scriptLogTail}}" }"#);
    let needs = file.needs();
    assert!(needs.task && needs.script_log == lines(0, 15) && !needs.result, "{needs:?}");
}

#[test]
fn faults_in_options_name_the_key() {
    let fault = |options: &str| {
        let table: toml::Table = toml::from_str(options).unwrap();
        let mut issues = Issues::default();
        Registry::with_compiled_in().validate("teams", OptionsTable::from(table), &mut issues);
        issues.to_string()
    };
    let all = [
        "",
        "webhook_url = 'https://h/x'\nmessage = 'fancy'",
        "webhook_url = 'https://h/x'\nbasic_template = '{{#if x}}'",
        "webhook_url = 'https://h/x'\nmessage = 'basic'\ntemplate_file = 'x'\nbasic_card = 'other'",
        "webhook_url = 'https://h/x'\nbasic_card = 'adaptive'",
        "webhook_url = 'https://h/x'\ntemplate_files.Reload = 'x'",
        "webhook_url = 'https://h/x'\nwebhok = 'x'",
    ]
    .map(fault)
    .join("");
    insta::assert_snapshot!(all);
}

#[test]
fn options_show_no_secret() {
    let config: TeamsConfig = toml::from_str("webhook_url = 'https://h/s3cr3t'\nbasic_template = 'shown'").unwrap();
    let shown = format!("{config:?} {config:#?}");
    assert!(shown.contains("shown") && !shown.contains("s3cr3t"), "{shown}");
}

proptest::proptest! {
    #[test]
    fn any_text_gives_a_card_that_teams_takes(text in "(.|\\PC|[<>&\"\\\\\r\n]){0,600}") {
        let formatted = sink("");
        for sample in [Sample::reload(TaskOutcome::Failed), Sample::reload(TaskOutcome::Failed).unknown(), Sample::engine_reload(), Sample::notice()] {
            let mut message = object(rendered(&*formatted, &sample.with_text(&text)));
            proptest::prop_assert!(limits::fits(&message));
            proptest::prop_assert!(card::body_of(&mut message).is_some_and(|body| body.len() > 2));
        }
    }
}
