//! Whatever is sent to the API, it answers, and knows what it answers: requests made from its own documents, sent over a socket.
//!
//! The same requests every time, so that a failure is one for everybody; with `BUTLER_FUZZ=n` other ones, `n` of each document.

mod requests;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use self::requests::{Request, any_of};
use crate::api::ApiServices;
use crate::api::conformance::{Answered, Document, Strictness};
use crate::api::v4::testing::{Reply, Served, scheduler_settings, schedules};
use crate::clock::Clock;
use crate::event::{Body, Class, DeliveryId, Kind, NewEvent, Target, TaskEvent, TaskOutcome};
use crate::pipeline::{NewSilence, SilenceDesk};
use crate::schedule::Schedule;
use crate::store::memory::MemoryStore;
use crate::store::{Journal, NewDelivery, Routing};
use crate::testkit::TestClock;

/// How many requests are made from each document.
const CASES: u32 = 600;

/// Texts with which operations of `/v4` say that they can't do what they were asked for, because what they need is not configured here or the request makes no sense. The original
/// answers in the same way, as a failure of the server.
const OWNED_UP_TO: [(&str, &str); 17] = [
    ("/v4/base62tobase16", "Failed converting from base62 to base16"),
    ("/v4/base16tobase62", "Failed converting from base16 to base62"),
    ("/v4/slackpostmessage", "Failed sending Slack message"),
    ("/v4/newrelic/event", "Failed posting event to New Relic"),
    ("/v4/newrelic/metric", "Failed posting metric to New Relic"),
    ("/v4/mqttpublishmessage", "Failed publishing MQTT message"),
    ("/v4/reloadtask/{taskId}/start", "Failed starting task"),
    ("/v4/apps/list", "Failed getting list of Sense apps"),
    ("/v4/senselistapps", "Failed getting list of Sense apps"),
    ("/v4/app/{appId}/dump", "Failed dumping app"),
    ("/v4/senseappdump/{appId}", "Failed dumping app"),
    ("/v4/app/{appId}/reload", "Failed reloading app"),
    ("/v4/filecopy", "Failed copying file"),
    ("/v4/filemove", "Failed moving file"),
    ("/v4/filedelete", "Failed deleting file"),
    ("/v4/createdir", "Failed to create directory"),
    ("/v4/createdirqvd", "Failed to create directory"),
];

fn runner() -> TestRunner {
    let asked = std::env::var("BUTLER_FUZZ").ok().and_then(|cases| cases.parse().ok());
    let config = Config { cases: asked.unwrap_or(CASES), failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    match asked {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    }
}

/// An API in front of a store with something in it, and the ids of that.
async fn served() -> (Served, Vec<String>) {
    let clock = TestClock::default();
    let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    let silences = SilenceDesk::open(Arc::clone(&store) as _, Arc::new(clock.clone())).await.unwrap();
    let until = Some(clock.now() + SignedDuration::from_hours(1));
    let silence = silences.add(NewSilence { until, why: "an upgrade".into(), ..NewSilence::default() }, "a test").await.unwrap();
    let event = NewEvent {
        site: "prod".into(),
        kind: Kind::task(TaskOutcome::Failed),
        at: clock.now(),
        source: "udp".into(),
        keys: Vec::new(),
        body: Body::Task(TaskEvent::default()),
    };
    let id = store.append(vec![event]).await.unwrap()[0].id();
    let claim = store.claim(Duration::from_secs(30), 1).await.unwrap().remove(0);
    let delivery = NewDelivery {
        sink: "ops".into(),
        target: Target::only(),
        lane: None,
        limit: None,
        route: "all".into(),
        class: Class::Alert,
        expires: clock.now() + SignedDuration::from_hours(24),
        silenced: None,
    };
    store.route(claim.token, Routing { deliveries: vec![delivery], ..Routing::default() }).await.unwrap();
    let schedules = schedules(scheduler_settings(), Arc::clone(&store) as _, &clock).await;
    let schedule = Schedule::new("Nightly", "0 2 * * *").starting("e959f40a-67be-4a5b-ae83-a292f96ba078");
    let schedule = schedules.create(schedule).await.unwrap().id.clone();
    let known = vec![id.to_string(), DeliveryId::of(id, &"ops".into(), &Target::only()).to_string(), silence.id, schedule];
    let config = crate::config::Config::from_toml("", "").unwrap();
    let services =
        ApiServices { config: Some(config), silences: Some(Arc::new(silences)), schedules: Some(schedules), ..ApiServices::default() };
    (Served::of(services, store, clock).await, known)
}

/// Sends requests that the document at `path` describes, and looks at every answer.
fn fuzz(path: &str, judge: impl Fn(&Document, &Request, &Reply) -> Vec<String>) {
    let runtime = Runtime::new().unwrap();
    let (served, known) = runtime.block_on(served());
    let answered = RefCell::new(BTreeMap::<String, BTreeSet<u16>>::new());
    let document = Document(runtime.block_on(served.ask(&format!("GET {path}"))).value());
    let outcome = runner().run(&any_of(&document, &known), |request| {
        let Some(reply) = runtime.block_on(served.try_raw(&wire(&request, &served))).and_then(Reply::in_one) else {
            return Err(proptest::test_runner::TestCaseError::fail("no answer"));
        };
        answered.borrow_mut().entry(format!("{} {}", request.method, request.path)).or_default().insert(reply.status);
        let faults = judge(&document, &request, &reply);
        match faults.is_empty() {
            true => Ok(()),
            false => Err(proptest::test_runner::TestCaseError::fail(format!("{faults:?}: {reply:?}"))),
        }
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, Request { method, target, headers, body, .. })) => {
            let body: String = String::from_utf8_lossy(&body).chars().take(300).collect();
            panic!("{method} {target}\n{headers:?}\n{body}\n{why}")
        }
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
    // Every operation was asked for, and many of them did something.
    let answered = answered.into_inner();
    let all = document.operations().into_iter().filter(|operation| !operation.is_endless());
    let all = all.map(|operation| format!("{} {}", operation.method, operation.path)).collect::<Vec<_>>();
    assert!(all.iter().all(|operation| answered.contains_key(operation)), "{answered:?}");
    let done = all.iter().filter(|operation| answered[*operation].iter().any(|status| (200..300).contains(status))).count();
    assert!(done * 3 > all.len(), "{answered:?}");
    // It goes on as if nothing had been.
    let after = runtime.block_on(served.ask("GET /v4/butlerping"));
    assert_eq!(after.status, 200);
}

fn wire(request: &Request, served: &Served) -> Vec<u8> {
    let Request { method, target, headers, body, .. } = request;
    let mut head =
        format!("{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n", served.address, body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

#[test]
fn our_own_api_answers_as_it_says() {
    fuzz("/api/openapi.json", |document, request, reply| {
        if reply.status >= 500 {
            return vec!["it failed".to_owned()];
        }
        // What is no HTTP has no address that could be looked up, and a `HEAD` has no body.
        let Some(operation) = document.find(request.method, &request.target).filter(|_| !reply.head.contains("content-length: 0\r\n"))
        else {
            return Vec::new();
        };
        operation.faults(Answered { status: reply.status, kind: reply.header("content-type"), body: &reply.body }, Strictness::NamedOnly)
    });
}

#[test]
fn the_api_of_scripts_fails_only_where_it_owns_up_to_it() {
    fuzz("/documentation/json", |_, request, reply| {
        let owned_up_to = OWNED_UP_TO.iter().any(|(path, message)| {
            let said = || serde_json::from_str::<Value>(&reply.body).unwrap_or_default();
            let in_words = || said() == json!({ "statusCode": 500, "error": "Internal Server Error", "message": message });
            *path == request.path && (in_words() || request.is_head() && reply.body.is_empty())
        });
        if reply.status >= 500 && !owned_up_to { vec!["it failed".to_owned()] } else { Vec::new() }
    });
}
