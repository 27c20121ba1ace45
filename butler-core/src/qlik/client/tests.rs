#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::sync::watch;
use uuid::Uuid;

use super::*;
use crate::qlik::circuit::PROBE_EVERY;
use crate::qlik::fake::{Answer, Fake, HastyClock, closed_port, settings};
use crate::testkit::TestClock;

fn about() -> Answer {
    Answer::Json(json!({"buildVersion": "38.1.2.0", "buildDate": "9/20/2013 10:09:00 AM", "schemaPath": "About"}))
}

/// Answers the first requests with these, all others with `about`.
fn first(answers: &'static [(u16, &'static str)]) -> impl Fn(&str) -> Answer + Clone + Send + Sync + 'static {
    let count = Arc::new(AtomicUsize::new(0));
    move |_| match answers.get(count.fetch_add(1, Ordering::Relaxed)) {
        Some((status, text)) => Answer::Status(*status, text),
        None => about(),
    }
}

fn keys(fake: &Fake) -> Vec<String> {
    fake.seen().iter().map(|seen| seen.headers["x-qlik-xrfkey"].to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_request_carries_key_user_and_types() {
    let fake = Fake::start(|_| about()).await;
    let client = fake.client(TestClock::default());
    assert_eq!(client.about().await.unwrap().build_version, "38.1.2.0");
    let _ = client.about().await;
    for seen in fake.seen() {
        let key = seen.headers["x-qlik-xrfkey"].to_str().unwrap();
        assert!(key.len() == 16 && key.bytes().all(|b| b.is_ascii_alphanumeric()), "{key:?}");
        assert_eq!(seen.query, format!("xrfkey={key}"));
        assert_eq!(seen.headers["x-qlik-user"], "UserDirectory=Internal; UserId=sa_repository");
        assert_eq!(seen.headers["content-type"], "application/json");
        assert_eq!(seen.headers["accept"], "application/json, text/plain, */*");
    }
    let used = keys(&fake);
    assert_eq!(used[0], used[1], "one client, one key");
    let other = fake.client(TestClock::default());
    let _ = other.about().await;
    assert_ne!(keys(&fake)[2], used[0]);
}

#[tokio::test]
async fn a_failed_forgery_check_is_met_once_with_a_new_key() {
    const XSRF: (u16, &str) = (403, "XSRF prevention check failed. Possible XSRF discovered.");
    let fake = Fake::start(first(&[XSRF, XSRF, XSRF])).await;
    let client = fake.client(TestClock::default());
    assert!(matches!(client.about().await, Err(QlikError::Forbidden { status: 403, .. })));
    assert_eq!(fake.asked().len(), 2);
    assert!(client.about().await.is_ok());
    let keys = keys(&fake);
    assert!(keys[0] != keys[1] && keys[1] == keys[2] && keys[2] != keys[3]);
}

#[tokio::test]
async fn what_passes_is_repeated_after_a_while() {
    let fake = Fake::start(first(&[(503, "starting"), (500, ""), (429, "")])).await;
    let clock = HastyClock::default();
    assert!(fake.client(clock.clone()).about().await.is_ok());
    let slept = clock.slept();
    assert_eq!(slept.len(), 3);
    for (slept, meant) in slept.iter().zip(RETRY_WAITS) {
        assert!(*slept >= meant.mul_f64(0.8) && *slept <= meant.mul_f64(1.2), "{slept:?} for {meant:?}");
    }
}

#[tokio::test]
async fn what_does_not_pass_is_not_repeated() {
    let fake =
        Fake::start(first(&[(401, ""), (403, "Forbidden"), (404, "Not Found"), (400, "Cannot parse the expression: id eq"), (302, "")]))
            .await;
    let client = fake.client(HastyClock::default());
    let mut faults = Vec::new();
    for _ in 0..5 {
        let text = client.about().await.unwrap_err().to_string();
        faults.push(text.replace(&client.address(), "sense:4242"));
    }
    assert_eq!(fake.asked().len(), 5);
    assert_eq!(client.down_since(), None, "an answer is an answer");
    insta::assert_snapshot!(faults.join("\n"), @"
    site `prod`, GET /qrs/about at sense:4242: refused with status 401; are the certificates from this site, and does the site's `user` exist with the right to read tasks, apps and users?
    site `prod`, GET /qrs/about at sense:4242: refused with status 403 (`Forbidden`); are the certificates from this site, and does the site's `user` exist with the right to read tasks, apps and users?
    site `prod`, GET /qrs/about at sense:4242: there is no such thing (status 404)
    site `prod`, GET /qrs/about at sense:4242: status 400 (`Cannot parse the expression: id eq`) where 200 was expected; is this the port of the repository (4242)? If so, its log tells more
    site `prod`, GET /qrs/about at sense:4242: status 302 where 200 was expected; is this the port of the repository (4242)? If so, its log tells more
    ");
}

#[tokio::test]
async fn a_repository_that_is_down_is_probed_and_not_stormed() {
    let down = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_down = Arc::clone(&down);
    let fake = Fake::start(move |_| if is_down.load(Ordering::Relaxed) { Answer::Status(503, "") } else { about() }).await;
    let clock = HastyClock::default();
    let states = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&states);
    let client = RepositoryClient::unencrypted(fake.settings(), Arc::new(clock.clone())).unwrap();
    let client = client.on_change(move |state| told.lock().unwrap().push(state.down_since.is_some()));
    assert!(matches!(client.about().await, Err(QlikError::Unexpected { status: 503, .. })));
    assert_eq!(fake.asked().len(), 4);
    assert!(client.down_since().is_some());
    for _ in 0..20 {
        assert!(matches!(client.about().await, Err(QlikError::Down { .. })));
    }
    assert_eq!(fake.asked().len(), 4, "asked although known to be down");
    clock.inner.advance(PROBE_EVERY);
    assert!(client.about().await.is_err());
    assert_eq!(fake.asked().len(), 5, "a probe is one request");
    down.store(false, Ordering::Relaxed);
    clock.inner.advance(PROBE_EVERY);
    assert!(client.about().await.is_ok());
    assert_eq!(client.down_since(), None);
    assert_eq!(*states.lock().unwrap(), [true, false]);
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let (_held, address) = closed_port();
    let client = RepositoryClient::unencrypted(settings(address), Arc::new(HastyClock::default())).unwrap();
    let error = client.about().await.unwrap_err();
    assert!(matches!(error, QlikError::Unreachable { .. }), "{error}");
    assert!(!error.to_string().contains("xrfkey"), "{error}");
}

#[tokio::test]
async fn no_answer_in_time_is_a_timeout() {
    let fake = Fake::start(|_| Answer::Hang).await;
    let clock = TestClock::default();
    let client = fake.client(clock.clone());
    let asking = tokio::spawn(async move { client.about().await });
    for (tried, wait) in [10, 10, 10, 0].into_iter().enumerate() {
        fake.under_way(1).await;
        clock.sleepers(1).await;
        clock.advance(Duration::from_secs(30));
        fake.under_way(0).await;
        assert_eq!(fake.asked().len(), tried + 1);
        if wait > 0 {
            clock.sleepers(1).await;
            clock.advance(Duration::from_secs(wait));
        }
    }
    assert!(matches!(asking.await.unwrap(), Err(QlikError::Timeout { .. })));
}

#[tokio::test]
async fn no_more_than_eight_requests_are_under_way() {
    let (open, gate) = watch::channel(false);
    let fake = Fake::start(move |_| Answer::Held(gate.clone(), json!([]))).await;
    let client = fake.client(TestClock::default());
    let asking: Vec<_> = (0..20)
        .map(|number| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.task(Uuid::from_u128(number)).await })
        })
        .collect();
    fake.under_way(MAX_IN_FLIGHT).await;
    assert_eq!(client.permits.available_permits(), 0);
    assert_eq!(fake.asked().len(), MAX_IN_FLIGHT);
    open.send_replace(true);
    for asked in asking {
        assert!(matches!(asked.await.unwrap(), Ok(None)));
    }
    assert_eq!(fake.asked().len(), 20);
}

#[tokio::test]
async fn a_reply_that_is_no_json_is_malformed() {
    let fake = Fake::start(|_| Answer::Bytes(b"<html>Log in</html>".to_vec())).await;
    let client = fake.client(TestClock::default());
    let text = client.about().await.unwrap_err().to_string().replace(&client.address(), "sense:4242");
    insta::assert_snapshot!(text, @"site `prod`, GET /qrs/about at sense:4242: the reply can't be understood: it is not JSON (expected value at line 1 column 1), it begins with `<html>Log in</html>`; is this the port of the repository (4242), and nothing else in between?");
}

#[test]
fn a_client_that_cannot_be_made_says_why() {
    let make = |change: fn(&mut RepositorySettings)| {
        let mut settings = settings(([127, 0, 0, 1], 4242).into());
        settings.client_certificate = "no/such/client.pem".into();
        settings.root_certificate = "no/such/root.pem".into();
        change(&mut settings);
        RepositoryClient::new(settings, Arc::new(TestClock::default())).unwrap_err().to_string()
    };
    assert!(make(|_| ()).starts_with("site `prod`: can't read certificates from `no/such/root.pem`: "));
    assert!(make(|settings| settings.verify = false).contains("`no/such/client.pem`"), "the root is not needed when nothing is verified");
    assert!(make(|settings| settings.host = "a b".into()).contains("`a b` is no host name"));
    assert!(make(|settings| settings.user = "a\nb".into()).contains("`user` can't be sent in a header"));
}
