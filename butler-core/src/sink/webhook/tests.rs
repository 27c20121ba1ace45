use super::*;
use crate::config::OptionsTable;
use crate::event::{DeliveryId, Fact, Kind, TaskOutcome, TaskType};
use crate::simulator::inbox::Answer;
use crate::sink::{Reason, Registry, Retry};
use crate::sink_suite;
use crate::testkit::sink_samples::Sample;
use crate::testkit::sink_suite::{Received, Remote, SinkHarness};
use crate::testkit::{HttpRemote, closed_port, make_sink};

const SECRET_PATH: &str = "/hooks/s3cr3t-t0ken";
const SECRET_QUERY: &str = "sig=s3cr3t-signature";

struct Harness<const GET: bool> {
    remote: HttpRemote,
    sink: Arc<dyn Sink>,
}

fn options<const GET: bool>(url: &str) -> String {
    let method = if GET { "get" } else { "POST" };
    format!("url = '{url}?{SECRET_QUERY}'\nmethod = '{method}'\nheaders.X-Api-Key = 'an-api-key'")
}

#[async_trait]
impl<const GET: bool> SinkHarness for Harness<GET> {
    async fn start() -> Self {
        let remote = HttpRemote::start().await;
        let sink = make_sink("webhook", &options::<GET>(&remote.inbox.url(SECRET_PATH)));
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
            assert_eq!(request.header("x-api-key"), Some("an-api-key"));
            if GET {
                let query = request.query.as_deref().and_then(|query| query.strip_prefix(SECRET_QUERY)).unwrap_or_default();
                url::form_urlencoded::parse(query.as_bytes()).map(|(key, value)| format!("{key}={value}\n")).collect()
            } else {
                assert_eq!(request.query.as_deref(), Some(SECRET_QUERY));
                let value: serde_json::Value = serde_json::from_str(&request.body).unwrap();
                value
                    .as_object()
                    .unwrap()
                    .iter()
                    .map(|(key, value)| format!("{key}={}\n", value.as_str().unwrap_or(&value.to_string())))
                    .collect()
            }
        })
    }

    fn secrets(&self) -> Vec<String> {
        ["s3cr3t-t0ken", "s3cr3t-signature", "an-api-key"].map(str::to_owned).to_vec()
    }

    async fn unreachable(&self) -> Arc<dyn Sink> {
        make_sink("webhook", &options::<GET>(&format!("http://127.0.0.1:{}{SECRET_PATH}", closed_port())))
    }

    async fn untrusted(&self) -> Option<Arc<dyn Sink>> {
        let (remote, _) = HttpRemote::start_tls().await;
        let sink = make_sink("webhook", &options::<GET>(&remote.inbox.url(SECRET_PATH)));
        // The server lives as long as the test.
        std::mem::forget(remote);
        Some(sink)
    }

    fn http(&self) -> Option<&HttpRemote> {
        Some(&self.remote)
    }
}

sink_suite!(post_keeps_the_contract, Harness<false>);
sink_suite!(get_keeps_the_contract, Harness<true>);

async fn deliver(sink: &dyn Sink, sample: &Sample) -> Result<Receipt, DeliveryError> {
    let message = sink.render(&sample.rendering()).unwrap();
    let key = DeliveryId::of(sample.event.id, &"hook".into(), &sample.target);
    sink.deliver(&Delivery { key, event: &sample.event, target: &sample.target, message: &message, attempt: 1 }).await
}

fn body(method: &str, sample: &Sample) -> String {
    let sink = make_sink("webhook", &format!("url = 'http://127.0.0.1/p'\nmethod = '{method}'"));
    sink.render(&sample.rendering()).unwrap().body
}

#[test]
fn bodies() {
    let mut all = String::new();
    for (name, sample) in Sample::all() {
        all.push_str(&format!("# {name}\n{}\n\n{}\n\n", body("POST", &sample), body("GET", &sample)));
        assert_eq!(body("PUT", &sample), body("POST", &sample));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn other_ends_of_tasks_have_the_same_keys() {
    let mut all = String::new();
    for (task_type, outcome) in [
        (Some(TaskType::ExternalProgram), TaskOutcome::Failed),
        (Some(TaskType::Distribute), TaskOutcome::Success),
        (None, TaskOutcome::Failed),
        (Some(TaskType::Preload), TaskOutcome::Unsettled),
    ] {
        let mut sample = Sample::reload(outcome);
        sample.event.kind = Kind::Task { task_type, outcome };
        all.push_str(&format!("{}\n", body("POST", &sample)));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_doubled_backslash_becomes_one_unless_the_reload_was_aborted() {
    let user = |outcome| {
        let mut sample = Sample::reload(outcome);
        sample.task().user = r"LAB\\eva".into();
        serde_json::from_str::<serde_json::Value>(&body("POST", &sample)).unwrap()["user"].clone()
    };
    assert_eq!((user(TaskOutcome::Failed), user(TaskOutcome::Aborted)), (r"LAB\eva".into(), r"LAB\\eva".into()));
}

#[test]
fn an_unknown_owner_is_left_out_of_json_and_empty_in_a_query() {
    let mut sample = Sample::reload(TaskOutcome::Failed);
    sample.facts.owner = Fact::Unasked;
    let json = body("POST", &sample);
    assert!(!json.contains("appOwnerName") && json.contains(r#""appOwnerEmail":"","#), "{json}");
    let query = body("GET", &sample);
    assert!(query.contains("&appOwnerName=&appOwnerUserDirectory=&appOwnerUserId=&appOwnerEmail=&"), "{query}");
}

#[tokio::test]
async fn requests_are_as_the_original_makes_them() {
    let remote = HttpRemote::start().await;
    let sample = Sample::reload(TaskOutcome::Failed);
    for method in ["post", "PUT", "GET"] {
        let sink = make_sink("webhook", &format!("url = '{}'\nmethod = '{method}'", remote.inbox.url("/p?key=1")));
        deliver(&*sink, &sample).await.unwrap();
    }
    let [post, put, get] = &remote.accepted()[..] else { panic!("three requests were made") };
    assert_eq!((post.method.as_str(), put.method.as_str(), get.method.as_str()), ("POST", "PUT", "GET"));
    for request in [post, put] {
        assert_eq!((request.path.as_str(), request.query.as_deref()), ("/p", Some("key=1")));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert!(request.body.starts_with(r#"{"event":"Qlik Sense reload failed","hostName":"sense-node-1","user":"LAB\\goran","#));
        assert!(request.header("user-agent").is_some_and(|agent| agent.starts_with("butler/")));
    }
    let query = get.query.as_deref().unwrap_or_default();
    assert!(
        query.starts_with("key=1&event=Qlik+Sense+reload+failed&hostName=sense-node-1&user=LAB%5Cgoran&taskName=Reload+sales&"),
        "{query}"
    );
    assert!(query.contains("logTimeStamp=2024-05-13+06%3A02%3A11%2C123") && query.contains("appOwnerName=G%C3%B6ran"), "{query}");
    assert_eq!((get.body.as_str(), get.header("content-type")), ("", None));
}

#[tokio::test]
async fn a_known_issuer_is_trusted_and_anything_on_request() {
    let (remote, ca) = HttpRemote::start_tls().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, ca).unwrap();
    let url = remote.inbox.url("/p");
    let sample = Sample::reload(TaskOutcome::Failed);
    for trust in [format!("ca = '{}'", path.display()), "accept_untrusted = true".to_owned()] {
        let sink = make_sink("webhook", &format!("url = '{url}'\n{trust}"));
        deliver(&*sink, &sample).await.unwrap_or_else(|error| panic!("{trust}: {error}"));
    }
}

async fn redirected(status: u16, location: &str, options: &str) -> (Result<Receipt, DeliveryError>, HttpRemote) {
    let remote = HttpRemote::start().await;
    remote.inbox.answer(Answer::status(status).header("Location", location.replace("HERE", &remote.inbox.url(""))));
    let sink = make_sink("webhook", &format!("url = '{}'\n{options}", remote.inbox.url("/old")));
    (deliver(&*sink, &Sample::reload(TaskOutcome::Failed)).await, remote)
}

#[tokio::test]
async fn redirects_are_followed_with_the_message_where_it_belongs() {
    for (status, method) in [(307, "POST"), (308, "POST"), (301, "GET"), (302, "GET"), (303, "GET")] {
        let (result, remote) = redirected(status, "/new", "").await;
        assert!(result.is_ok(), "{status}");
        let last = remote.inbox.requests().pop().unwrap();
        assert_eq!((last.path.as_str(), last.method.as_str(), last.body.is_empty()), ("/new", method, method == "GET"), "{status}");
        assert!(last.header("idempotency-key").is_some());
    }
}

#[tokio::test]
async fn headers_do_not_follow_to_another_host() {
    let other = HttpRemote::start().await;
    let (result, _) = redirected(307, &other.inbox.url("/taken"), "headers.Authorization = 'Bearer abcdef'").await;
    let error = result.unwrap_err();
    assert_eq!((error.reason, error.retry, other.inbox.count()), (Reason::Rejected, Retry::Never, 0));
    assert!(error.to_string().contains("`headers` are not sent to another host"), "{error}");
    let (result, _) = redirected(307, &other.inbox.url("/taken"), "").await;
    assert!(result.is_ok() && other.inbox.count() == 1);
}

#[tokio::test]
async fn redirects_end() {
    let remote = HttpRemote::start().await;
    remote.inbox.answer_always(Some(Answer::status(302).header("Location", "/again")));
    let sink = make_sink("webhook", &format!("url = '{}'", remote.inbox.url("/p")));
    let error = deliver(&*sink, &Sample::reload(TaskOutcome::Failed)).await.unwrap_err();
    assert!(error.to_string().contains("redirects more than 5 times"), "{error}");
    assert_eq!(remote.inbox.count(), 6);
    let (result, _) = redirected(302, "ftp://elsewhere/", "").await;
    assert!(result.unwrap_err().to_string().contains("does not say where to"));
}

#[tokio::test]
async fn statuses_are_classified() {
    let remote = HttpRemote::start().await;
    let sink = make_sink("webhook", &format!("url = '{}'", remote.inbox.url("/p")));
    let mut seen = String::new();
    for status in [200, 202, 204, 400, 401, 403, 404, 407, 408, 410, 413, 422, 425, 429, 500, 502, 503, 504, 304] {
        remote.inbox.answer(Answer::status(status).body(if status == 204 { "" } else { "why\nnot" }));
        let said = match deliver(&*sink, &Sample::reload(TaskOutcome::Failed)).await {
            Ok(receipt) => receipt.detail,
            Err(error) => format!("{} {:?} {error}", error.reason.as_str(), error.retry),
        };
        seen.push_str(&format!("{status}: {}\n", said.replace(&remote.inbox.url(""), "http://HOST")));
    }
    insta::assert_snapshot!(seen);
}

#[tokio::test]
async fn a_date_to_wait_for_is_understood() {
    let remote = HttpRemote::start().await;
    // The clock of the test stands at 06:02:11.
    remote.inbox.answer(Answer::status(503).header("Retry-After", "Mon, 13 May 2024 06:02:41 GMT"));
    let sink = make_sink("webhook", &format!("url = '{}'", remote.inbox.url("/p")));
    let error = deliver(&*sink, &Sample::reload(TaskOutcome::Failed)).await.unwrap_err();
    assert_eq!((error.reason, error.retry), (Reason::ServerError, Retry::After(std::time::Duration::from_secs(30))));
}

#[tokio::test]
async fn an_accepted_message_counts_even_if_the_rest_of_the_answer_is_lost() {
    let remote = HttpRemote::start().await;
    remote.inbox.answer(Answer::ok().body("a long answer").half_body());
    let sink = make_sink("webhook", &format!("url = '{}'", remote.inbox.url("/p")));
    assert!(deliver(&*sink, &Sample::reload(TaskOutcome::Failed)).await.is_ok());
}

#[tokio::test]
async fn what_the_remote_echoes_of_the_address_is_blotted_out() {
    let remote = HttpRemote::start().await;
    let url = remote.inbox.url("/hooks/t0ken-t0ken?sig=abc%20def12");
    remote.inbox.answer(Answer::status(404).body(format!("no such hook: {url} (t0ken-t0ken, abc def12)")));
    let sink = make_sink("webhook", &format!("url = '{url}'"));
    let error = deliver(&*sink, &Sample::reload(TaskOutcome::Failed)).await.unwrap_err();
    let said = error.to_string().replace(&remote.inbox.url(""), "http://HOST");
    assert_eq!(said, "http://HOST answered 404 Not Found: no such hook: *** (***, ***)");
}

fn faults(options: &str) -> String {
    let table: toml::Table = toml::from_str(options).unwrap();
    let mut issues = Issues::default();
    let made = Registry::with_compiled_in().make("webhook", OptionsTable::from(table), &crate::testkit::sink_context(), &mut issues);
    assert!(made.is_none(), "{options}");
    issues.to_string()
}

#[test]
fn faults_name_the_key_and_the_remedy() {
    let all = [
        "",
        "url = 'http://h/p'\nmethod = 'PATCH'",
        "url = 'http://h/p'\nheaders = { 'a b' = 'x', Host = 'y' }",
        "url = 'sense.example.com/secret'",
        "url = 'ftp://h/secret'",
        "url = { env = 'BUTLER_TEST_NO_SUCH_VARIABLE' }",
        "url = 'http://h/p'\nmetod = 'POST'",
    ]
    .map(faults)
    .join("");
    insta::assert_snapshot!(all);
    let missing = faults("url = 'http://h/p'\nca = 'no-such-file.pem'");
    assert!(missing.starts_with("options.ca: can't read certificates from `") && missing.contains("no-such-file.pem`: "), "{missing}");
}

#[tokio::test]
async fn a_body_that_is_too_long_is_followed_by_a_short_one() {
    let mut sample = Sample::reload(TaskOutcome::Failed);
    sample.task().message = "ä".repeat(500);
    sample.missing = vec!["app: down".to_owned(), format!("task: {}", "x".repeat(1000))];
    for method in ["POST", "GET"] {
        let sink = make_sink("webhook", &format!("url = 'http://127.0.0.1/p'\nmethod = '{method}'"));
        let (whole, short) = (sink.render(&sample.rendering()).unwrap().body, sink.plain(&sample.rendering(), "413").body);
        assert!(whole.len() > 2000 && short.len() < 1850, "{method}: {} {}", whole.len(), short.len());
        assert!(short.contains("taskId") && short.contains("fault") && short.contains("413"), "{short}");
    }
}

#[test]
fn options_show_no_secret() {
    let options = "url = 'https://h/s3cr3t'\nheaders.X-Key = 's3cr3t'\nca = 'shown.pem'";
    let config: WebhookConfig = toml::from_str(options).unwrap();
    let shown = format!("{config:?} {config:#?}");
    assert!(shown.contains("shown.pem") && !shown.contains("s3cr3t"), "{shown}");
}
