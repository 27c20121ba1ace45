use super::*;
use futures_util::future::join_all;
use jiff::Timestamp;

use crate::clock::SystemClock;
use crate::simulator::inbox::{Answer, Gate, HttpInbox};
use crate::testkit::sink_context;

fn wait(text: &'static str) -> Option<Duration> {
    retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]), &SystemClock::default())
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    assert_eq!(wait("7"), Some(Duration::from_secs(7)));
    assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
    let later = wait("Thu, 31 Dec 2099 23:59:59 GMT");
    let expected = Timestamp::constant(4_102_444_799, 0).duration_since(Timestamp::now()).as_secs();
    assert!(later.is_some_and(|wait| wait.as_secs().abs_diff(u64::try_from(expected).unwrap()) < 5), "{later:?}");
    assert_eq!(wait("soon"), None);
    assert_eq!(wait("-5"), None);
}

#[test]
fn everything_in_an_address_is_secret() {
    let url = Url::parse("https://user:passw0rd@h.example/services/T000/B000/XyZ123456/a%2Fb%2Fc?token=abc%20def").unwrap();
    let found = secrets(&url, &HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("Bearer header-value"))]));
    for part in ["passw0rd", "XyZ123456", "a/b/c", "abc def", "Bearer header-value", "header-value", "services"] {
        assert!(found.iter().any(|secret| secret == part), "{part}");
    }
}

#[tokio::test]
async fn as_many_connections_are_kept_as_attempts_run_at_once() {
    const AT_ONCE: usize = 16;
    let inbox = HttpInbox::start().await.unwrap();
    let context = SinkContext { max_in_flight: AT_ONCE, ..sink_context() };
    let remote = HttpRemote::new("url", &inbox.url("/p"), HeaderMap::new(), Trust::System, &context).unwrap();
    let round = async || {
        let gate = Gate::closed();
        inbox.answer_always(Some(Answer::ok().behind(&gate)));
        let before = inbox.connections();
        let all = join_all((0..AT_ONCE).map(|_| remote.reach()));
        let open = async {
            gate.reached_by(AT_ONCE).await;
            gate.open();
        };
        let (all, ()) = tokio::join!(all, open);
        assert!(all.iter().all(Result::is_ok));
        inbox.connections() - before
    };
    assert_eq!(round().await, AT_ONCE);
    // A connection is given back a moment after its answer, so not every round finds all of them.
    for _ in 0..10 {
        if round().await == 0 {
            return;
        }
    }
    panic!("every round made new connections");
}
