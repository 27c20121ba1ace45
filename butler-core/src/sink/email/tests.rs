use super::*;
use crate::config::OptionsTable;
use crate::event::{DeliveryId, Fact, LogLines, TaskOutcome};
use crate::simulator::inbox::{Certificates, Gate, Mail, SmtpInbox, SmtpOptions, SmtpTls};
use crate::sink::{Reason, Registry, Retry};
use crate::sink_suite;
use crate::testkit::sink_samples::Sample;
use crate::testkit::sink_suite::{Received, Remote, SinkHarness};
use crate::testkit::{closed_port, make_sink};

const PASSWORD: &str = "p4ssw0rd-of-smtp";

struct Harness {
    inbox: SmtpInbox,
    folder: tempfile::TempDir,
    sink: Arc<dyn Sink>,
}

fn login() -> Option<(String, String)> {
    Some(("butler".to_owned(), PASSWORD.to_owned()))
}

fn options(port: u16, trust: &str) -> String {
    format!(
        "host = 'localhost'\nport = {port}\nfrom = 'Qlik Sense <sense@example.com>'\nrecipients = ['ops@example.com']\nauth = {{ user = 'butler', password = '{PASSWORD}' }}\n{trust}"
    )
}

impl Harness {
    fn trust(&self) -> String {
        format!("ca = '{}'", self.folder.path().join("ca.pem").display())
    }
}

#[async_trait]
impl SinkHarness for Harness {
    async fn start() -> Self {
        let certificates = Certificates::generate().unwrap_or_else(|why| panic!("{why}"));
        let folder = tempfile::tempdir().unwrap_or_else(|why| panic!("{why}"));
        std::fs::write(folder.path().join("ca.pem"), &certificates.ca_pem).unwrap_or_else(|why| panic!("{why}"));
        let tls = SmtpTls::StartTls(certificates.server);
        let inbox =
            SmtpInbox::start(SmtpOptions { tls, login: login(), ..SmtpOptions::default() }).await.unwrap_or_else(|why| panic!("{why}"));
        let trust = format!("ca = '{}'", folder.path().join("ca.pem").display());
        let sink = make_sink("email", &options(inbox.address().port(), &trust));
        Self { inbox, folder, sink }
    }

    fn sink(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.sink)
    }

    fn remote(&self, remote: Remote) -> bool {
        self.inbox.behave();
        match remote {
            Remote::Accepts => {}
            Remote::Silent(gate) => self.inbox.hold_at(".", &gate),
            Remote::Throttles(_) => return false,
            Remote::RefusesLogin => self.inbox.reply("AUTH", &format!("535 5.7.8 {PASSWORD} is wrong")),
            Remote::Forbids => self.inbox.reply("MAIL", "530 5.7.0 not you"),
            Remote::RefusesMessage => self.inbox.reply("RCPT", "550 5.1.1 no such user"),
            Remote::IsBusy => self.inbox.reply("RCPT", "451 4.3.0 later"),
            Remote::Resets => self.inbox.drop_at("DATA"),
            Remote::AnswersByHalf => self.inbox.half_reply(".", "25"),
        }
        true
    }

    fn received(&self) -> Vec<Received> {
        let received = |mail: Mail| {
            assert!(mail.over_tls && mail.user.as_deref() == Some("butler"));
            assert_eq!((mail.from.as_str(), &mail.to[..]), ("sense@example.com", &["ops@example.com".to_owned()][..]));
            let head = mail.data.split("\r\n\r\n").next().unwrap_or_default();
            let headers = head.split("\r\n").filter_map(|line| line.split_once(": "));
            let id = mail.header("message-id").unwrap_or_default();
            let subject = mail.header("subject").unwrap_or_default();
            let parts = [Some(subject), mail.text(), mail.html().map(|html| html.replace("&lt;", "<").replace("&amp;", "&"))];
            Received {
                key: id.strip_prefix('<').and_then(|id| id.strip_suffix("@example.com>")).map(str::to_owned),
                headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
                text: parts.into_iter().flatten().collect::<Vec<_>>().join("\n"),
            }
        };
        self.inbox.mails().into_iter().map(received).collect()
    }

    fn secrets(&self) -> Vec<String> {
        vec![PASSWORD.to_owned()]
    }

    async fn unreachable(&self) -> Arc<dyn Sink> {
        make_sink("email", &options(closed_port(), &self.trust()))
    }

    async fn untrusted(&self) -> Option<Arc<dyn Sink>> {
        Some(make_sink("email", &options(self.inbox.address().port(), "")))
    }
}

sink_suite!(email_keeps_the_contract, Harness);

async fn deliver(sink: &dyn Sink, mut sample: Sample) -> Result<Receipt, DeliveryError> {
    sample.target = sink.targets(&sample.request()).remove(0);
    let message = sink.render(&sample.rendering()).unwrap_or_else(|fault| sink.plain(&sample.rendering(), &fault.to_string()));
    let key = DeliveryId::of(sample.event.id, &"mail".into(), &sample.target);
    sink.deliver(&Delivery { key, event: &sample.event, target: &sample.target, message: &message, attempt: 1 }).await
}

fn failed() -> Sample {
    Sample::reload(TaskOutcome::Failed)
}

async fn inbox(options: SmtpOptions) -> SmtpInbox {
    SmtpInbox::start(options).await.unwrap_or_else(|why| panic!("{why}"))
}

/// A sink for a server without TLS.
fn plain_sink(inbox: &SmtpInbox, more: &str) -> Arc<dyn Sink> {
    let port = inbox.address().port();
    make_sink(
        "email",
        &format!("host = '127.0.0.1'\nport = {port}\ntls = 'none'\nfrom = 'sense@example.com'\nrecipients = ['ops@example.com']\n{more}"),
    )
}

async fn only_mail(inbox: &SmtpInbox) -> Mail {
    inbox.wait_for(1).await.remove(0)
}

#[tokio::test]
async fn mails() {
    let inbox = inbox(SmtpOptions::default()).await;
    let sink = make_sink(
        "email",
        &format!(
            "host = '127.0.0.1'\nport = {}\ntls = 'none'\nfrom = 'Qlik Sense Göteborg (do not reply) <sense@example.com>'\nrecipients = ['ops@example.com']\npriority = 'high'",
            inbox.address().port()
        ),
    );
    for (at, (name, sample)) in (1..).zip(Sample::all()) {
        deliver(&*sink, sample).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let mail = inbox.wait_for(at).await.pop().unwrap_or_else(|| panic!("{name}"));
        let head = mail.data.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n", "\n");
        // The boundary is another one each time.
        let head = head.split("boundary=").next().unwrap_or_default();
        let version = env!("CARGO_PKG_VERSION");
        let (text, html) = (mail.text().unwrap_or_default(), mail.html().unwrap_or_default().replace(version, "VERSION"));
        let all = format!("{head}\n\n{}\n\n{}", text.replace("\r\n", "\n"), html.replace("\r\n", "\n"));
        insta::with_settings!({ snapshot_suffix => name.replace([',', ' '], "_") }, { insta::assert_snapshot!(all) });
    }
}

#[tokio::test]
async fn headers_are_as_the_original_writes_them() {
    for (priority, expected) in [("high", Some(("1 (Highest)", "High"))), ("low", Some(("5 (Lowest)", "Low"))), ("normal", None)] {
        let inbox = inbox(SmtpOptions::default()).await;
        let mut sample = failed();
        sample.task().task_name = "Räkna om 💥 O'Brien & <co>\r\nBcc: evil@example.com".into();
        deliver(&*plain_sink(&inbox, &format!("priority = '{priority}'")), sample).await.unwrap();
        let mail = only_mail(&inbox).await;
        let header = |name: &str| mail.header(name);
        assert_eq!(header("from").as_deref(), Some("<sense@example.com>"));
        assert_eq!(header("to").as_deref(), Some("<ops@example.com>"));
        assert_eq!(header("subject").as_deref(), Some("Qlik Sense: Reload task failed: Räkna om 💥 O'Brien & <co> Bcc: evil@example.com"));
        assert_eq!(header("bcc"), None);
        assert!(
            mail.data.is_ascii() && header("date").is_some_and(|date| date == "Mon, 13 May 2024 06:02:11 +0000"),
            "{:?}",
            header("date")
        );
        assert_eq!(header("mime-version").as_deref(), Some("1.0"));
        assert_eq!(header("x-priority").as_deref(), expected.map(|(number, _)| number));
        assert_eq!(header("x-msmail-priority").as_deref(), expected.map(|(_, word)| word));
        assert_eq!(header("importance").as_deref(), expected.map(|(_, word)| word));
        assert!(mail.data.lines().all(|line| line.len() <= 998) && !mail.data.replace("\r\n", "").contains(['\r', '\n']));
    }
}

#[tokio::test]
async fn dots_at_line_starts_survive() {
    let inbox = inbox(SmtpOptions::default()).await;
    let mut sample = failed();
    if let Fact::Known(log) = &mut sample.facts.script_log {
        log.tail = vec![".".into(), "..two".into(), ".one".into()];
    }
    deliver(&*plain_sink(&inbox, ""), sample).await.unwrap();
    let mail = only_mail(&inbox).await;
    assert!(mail.text().is_some_and(|text| text.contains("\r\n.\r\n..two\r\n.one\r\n")));
    assert!(mail.html().is_some_and(|html| html.contains(">.\r\n..two\r\n.one</pre>")));
}

#[tokio::test]
async fn connections_are_secured_as_configured() {
    let certificates = Certificates::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &certificates.ca_pem).unwrap();
    let starttls = SmtpTls::StartTls(certificates.server.clone());
    let implicit = SmtpTls::Implicit(certificates.server.clone());
    for (server, tls, secured) in [
        (starttls.clone(), "starttls", true),
        (implicit.clone(), "implicit", true),
        (starttls.clone(), "opportunistic", true),
        (SmtpTls::Never, "opportunistic", false),
        (SmtpTls::Never, "none", false),
    ] {
        let inbox = inbox(SmtpOptions { tls: server, login: login(), ..SmtpOptions::default() }).await;
        let trust = format!("ca = '{}'\ntls = '{tls}'", ca.display());
        let sink = make_sink("email", &options(inbox.address().port(), &trust));
        deliver(&*sink, failed()).await.unwrap_or_else(|error| panic!("{tls}: {error}"));
        let mail = only_mail(&inbox).await;
        assert_eq!((mail.over_tls, mail.user.as_deref()), (secured, Some("butler")), "{tls}");
        assert_eq!(inbox.commands().last().map(String::as_str), Some("QUIT"));
    }
    // By name alone, over an address.
    let inbox = inbox(SmtpOptions { tls: starttls, login: login(), ..SmtpOptions::default() }).await;
    let trust = format!("ca = '{}'\nserver_name = 'localhost'", ca.display());
    let sink = make_sink("email", &options(inbox.address().port(), &trust).replace("host = 'localhost'", "host = '127.0.0.1'"));
    deliver(&*sink, failed()).await.unwrap();
    let wrong = make_sink("email", &options(inbox.address().port(), &trust.replace("'localhost'", "'mail.example.com'")));
    assert_eq!(deliver(&*wrong, failed()).await.unwrap_err().reason, Reason::Tls);
    let any = make_sink("email", &options(inbox.address().port(), "accept_untrusted = true\nserver_name = 'mail.example.com'"));
    deliver(&*any, failed()).await.unwrap();
}

#[tokio::test]
async fn login_is_used_where_plain_is_not_offered() {
    let inbox = inbox(SmtpOptions { login: login(), mechanisms: "LOGIN CRAM-MD5 DIGEST-MD5".into(), ..SmtpOptions::default() }).await;
    deliver(&*make_sink("email", &options(inbox.address().port(), "tls = 'none'")), failed()).await.unwrap();
    assert_eq!(only_mail(&inbox).await.user.as_deref(), Some("butler"));
}

#[tokio::test]
async fn replies_are_classified_and_shown() {
    let inbox = inbox(SmtpOptions { login: login(), ..SmtpOptions::default() }).await;
    let sink = make_sink("email", &options(inbox.address().port(), "tls = 'none'"));
    let mut seen = String::new();
    for (command, reply) in [
        ("CONNECT", "554 5.7.1 blocked"),
        ("CONNECT", "421 4.3.2 too busy"),
        ("EHLO", "502 5.5.2 what?"),
        ("AUTH", "535 5.7.8 p4ssw0rd-of-smtp is wrong"),
        ("AUTH", "535 5.7.8 AGJ1dGxlcgBwNHNzdzByZC1vZi1zbXRw is no login"),
        ("AUTH", "454 4.7.0 directory down"),
        ("MAIL", "530 5.7.0 log in first"),
        ("MAIL", "550 5.7.1 not from there"),
        ("RCPT", "550-5.1.1 no such\r\n550 5.1.1 user"),
        ("RCPT", "450 4.2.0 greylisted"),
        ("RCPT", "421 4.4.5 bye"),
        ("DATA", "451 4.3.0 disk full"),
        (".", "552 5.3.4 too big"),
        (".", "554 5.6.0 spam"),
        (".", "452 4.3.1 disk full"),
        ("MAIL", "hello"),
    ] {
        inbox.behave();
        inbox.reply_always(command, reply);
        let error = deliver(&*sink, failed()).await.err().unwrap_or_else(|| panic!("{command} {reply}: accepted"));
        seen.push_str(&format!("{command} {reply:?}: {} {:?} {error}\n", error.reason.as_str(), error.retry));
    }
    for command in ["CONNECT", "EHLO", "MAIL", "."] {
        inbox.behave();
        inbox.drop_at(command);
        let error = deliver(&*sink, failed()).await.unwrap_err();
        seen.push_str(&format!("{command} dropped: {} {:?} {error}\n", error.reason.as_str(), error.retry));
    }
    let seen = seen.replace(&inbox.address().port().to_string(), "PORT");
    assert_eq!(inbox.count(), 0);
    insta::assert_snapshot!(seen);
}

#[tokio::test]
async fn a_server_without_starttls_is_named_with_the_remedy() {
    let inbox = inbox(SmtpOptions::default()).await;
    let sink = make_sink("email", &options(inbox.address().port(), ""));
    let error = deliver(&*sink, failed()).await.unwrap_err();
    assert_eq!((error.reason, error.retry), (Reason::Tls, Retry::Backoff));
    let said = error.to_string().replace(&inbox.address().port().to_string(), "PORT");
    insta::assert_snapshot!(said);
    assert!(!inbox.commands().iter().any(|command| command == "AUTH"));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_on() {
    let inbox = inbox(SmtpOptions::default()).await;
    let gate = Gate::closed();
    inbox.hold_at("CONNECT", &gate);
    let error = deliver(&*plain_sink(&inbox, ""), failed()).await.unwrap_err();
    assert_eq!((error.reason, error.retry), (Reason::Timeout, Retry::Backoff), "{error}");
}

#[tokio::test]
async fn a_check_logs_in() {
    let inbox = inbox(SmtpOptions { login: login(), ..SmtpOptions::default() }).await;
    let sink = make_sink("email", &options(inbox.address().port(), "tls = 'none'"));
    assert!(sink.check().await.unwrap().detail.ends_with("answers and takes the login"));
    inbox.reply("AUTH", "535 no");
    assert_eq!(sink.check().await.unwrap_err().reason, Reason::Refused);
}

#[tokio::test]
async fn users_templates_make_subject_and_body() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("partials")).unwrap();
    std::fs::write(folder.path().join("partials/sign.handlebars"), "-- {{hostName}}").unwrap();
    std::fs::write(folder.path().join("task.handlebars"), "<p>{{taskName}} {{user}} {{emailRecipients.common}}</p>{{> sign}}").unwrap();
    std::fs::write(folder.path().join("aborted.handlebars"), "<b>{{user}}</b>").unwrap();
    let base = folder.path().display();
    let more = format!(
        "subject = '{{{{taskName}}}} & co'\nsubjects = {{ 'reload_task.aborted' = 'stopped: {{{{taskName}}}}' }}\ntemplate_file = '{base}/task.handlebars'\ntemplate_files = {{ 'reload_task.aborted' = '{base}/aborted.handlebars' }}\npartials_dir = '{base}/partials'"
    );
    let inbox = inbox(SmtpOptions::default()).await;
    let sink = plain_sink(&inbox, &more);
    let made = |mut sample: Sample| {
        sample.task().user = r"LAB\\eva".into();
        sample.task().task_name = "O'Brien".into();
        let message = sink.render(&sample.rendering()).unwrap();
        (message.subject.unwrap_or_default(), message.body)
    };
    let (subject, body) = made(failed());
    assert_eq!((subject.as_str(), body.as_str()), ("O'Brien & co", r"<p>O&#x27;Brien LAB\eva ops@example.com</p>-- sense-node-1"));
    let (subject, body) = made(Sample::reload(TaskOutcome::Aborted));
    assert_eq!((subject.as_str(), body.as_str()), ("stopped: O'Brien", r"<b>LAB\\eva</b>"));
    let (_, body) = made(failed().unknown());
    assert!(body.contains("Not known: task, app, app owner") && body.contains("3 messages like this were held back"), "{body}");
    let needs = sink.needs();
    assert!(needs.owner && needs.script_log.is_none() && !needs.task, "{needs:?}");
    let all = plain_sink(&inbox, "tail_script_log_lines = 3").needs();
    assert!(all.task && all.app && all.result && all.script_log == Some(LogLines { head: 15, tail: 3 }), "{all:?}");
}

#[test]
fn a_slow_server_is_waited_for_longer_than_a_hook() {
    let usual = |name| Registry::with_compiled_in().timeout(name);
    assert_eq!((usual("email"), usual("pager")), (Some(Duration::from_mins(1)), None));
}

#[test]
fn faults_in_options_name_the_key_and_the_remedy() {
    let fault = |options: &str| {
        let table: toml::Table = toml::from_str(options).unwrap();
        let mut issues = Issues::default();
        Registry::with_compiled_in().validate("email", OptionsTable::from(table), &mut issues);
        issues.to_string()
    };
    let all = [
        "",
        "host = 'smtp.example.com:25'\nfrom = 'Ops'\nrecipients = ['a@x.se', 'Ops <b@x.se>']",
        "host = ' '\nfrom = 'a@x.se'\nsubject = '{{#if}'\nsubjects = { reload = 'x', 'butler.*' = '{{/if}}' }",
        "host = 'h'\nfrom = 'a@x.se'\ntls = 'ssl'",
        "host = 'h'\nfrom = 'a@x.se'\napp_owner = { enabled = true }",
        "host = 'h'\nfrom = 'a@x.se'\nserver_name = 'a b'\ntemplate_files = { 'Reload*' = 'x' }",
    ]
    .map(fault)
    .join("");
    insta::assert_snapshot!(all);
}

#[test]
fn options_show_no_secret() {
    let options = "host = 'shown'\nfrom = 'a@x.se'\nauth = { user = 'u', password = 's3cr3t' }";
    let config: EmailConfig = toml::from_str(options).unwrap();
    let shown = format!("{config:?} {config:#?}");
    assert!(shown.contains("shown") && !shown.contains("s3cr3t"), "{shown}");
}
