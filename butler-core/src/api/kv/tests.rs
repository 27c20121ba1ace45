//! The API over its socket.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Counted, PairPage, Stored};
use crate::api::ApiServices;
use crate::api::v4::testing::{Reply, Served};
use crate::kv::{ImportReport, KvSettings};
use crate::store::{If, KvStore};

async fn serve() -> Served {
    Served::with(ApiServices {
        kv: KvSettings { max_keys: Some(5), max_value: 100, max_key: 20, max_namespace: 20 },
        ..ApiServices::default()
    })
    .await
}

/// What was answered, with the words if it was refused.
#[track_caller]
fn is_refused(reply: &Reply, status: u16, words: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert!(reply.value()["error"].as_str().is_some_and(|error| error.contains(words)), "{reply:?}");
}

impl Served {
    async fn put(&self, query: &str, headers: &str, body: Value) -> Reply {
        self.send(&format!("PUT /api/kv/pair?{query}"), &format!("content-type: application/json\n{headers}"), &body.to_string()).await
    }

    async fn put_plainly(&self, query: &str, value: &str) -> u64 {
        let reply = self.put(query, "", json!({ "value": value })).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        serde_json::from_str::<Stored>(&reply.body).unwrap().version
    }

    async fn page(&self, query: &str) -> (Vec<String>, Option<u64>) {
        let reply = self.ask(&format!("GET /api/kv/pairs?{query}")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let page: PairPage = serde_json::from_str(&reply.body).unwrap();
        (page.pairs.into_iter().map(|pair| pair.key).collect(), page.next)
    }
}

#[tokio::test]
async fn a_pair_of_any_characters_is_put_read_and_deleted() {
    let served = serve().await;
    for query in
        ["namespace=&key=", "namespace=.&key=..", "namespace=a%2Fb&key=%3F%26%23%25", "namespace=%C3%A4&key=x%00y", "namespace=+&key=a+b"]
    {
        let version = served.put_plainly(query, "Räkna\n\"1\"").await;
        let reply = served.ask(&format!("GET /api/kv/pair?{query}")).await;
        assert_eq!((reply.status, reply.header("etag")), (200, format!("\"{version}\"").as_str()));
        assert_eq!((&reply.value()["value"], &reply.value()["version"]), (&json!("Räkna\n\"1\""), &json!(version)), "{query}");
        assert_eq!(served.ask(&format!("DELETE /api/kv/pair?{query}")).await.status, 204);
        is_refused(&served.ask(&format!("GET /api/kv/pair?{query}")).await, 404, "there is no key `");
        is_refused(&served.ask(&format!("DELETE /api/kv/pair?{query}")).await, 404, "there is no key `");
    }
    assert_eq!(served.ask("GET /api/kv/namespaces").await.value(), json!(["", ".", "a/b", "ä", " "]));
    assert_eq!(served.ask("DELETE /api/kv/namespaces?namespace=.").await.status, 204);
    is_refused(&served.ask("DELETE /api/kv/namespaces?namespace=.").await, 404, "there is no namespace `.`");
    is_refused(&served.ask("GET /api/kv/pair?namespace=.&key=..").await, 404, "there is no namespace `.`");
    is_refused(&served.ask("GET /api/kv/pair?namespace=x").await, 400, "missing field `key`");
}

#[tokio::test]
async fn a_change_can_depend_on_what_is_there() {
    let served = serve().await;
    const OF: &str = "namespace=ns&key=k";
    let put = async |headers: &str, value: &str| served.put(OF, headers, json!({ "value": value })).await;
    is_refused(&put("if-match: *", "x").await, 412, "there is no such pair");
    let first = put("if-none-match: *", "1").await.header("etag").to_owned();
    is_refused(&put("if-none-match: *", "x").await, 412, "the pair is there with version");
    let second = put(&format!("if-match: {first}"), "2").await.header("etag").to_owned();
    is_refused(&put(&format!("if-match: {first}"), "x").await, 412, "the pair is there with version");
    assert_eq!(put("if-match: *", "3").await.status, 200);
    let swap = async |if_value: &str, value: &str| served.put(OF, "", json!({ "value": value, "if_value": if_value })).await;
    is_refused(&swap("2", "x").await, 412, "the condition does not hold");
    assert_eq!(swap("3", "4").await.status, 200);
    is_refused(&served.put(OF, "if-match: *", json!({ "value": "x", "if_value": "4" })).await, 400, "only one of");
    let delete = async |headers: &str| served.send(&format!("DELETE /api/kv/pair?{OF}"), headers, "").await;
    is_refused(&delete(&format!("if-match: {second}")).await, 412, "the pair is there with version");
    for missing in ["namespace=ns&key=none", "namespace=none&key=k"] {
        for tag in ["*", "\"7\""] {
            let reply = served.send(&format!("DELETE /api/kv/pair?{missing}"), &format!("if-match: {tag}"), "").await;
            is_refused(&reply, 412, "there is no such pair");
        }
    }
    let reply = served.ask(&format!("GET /api/kv/pair?{OF}")).await;
    assert_eq!(reply.value()["value"], "4");
    let newest = reply.header("etag").to_owned();
    let known = served.send(&format!("GET /api/kv/pair?{OF}"), &format!("if-none-match: {newest}"), "").await;
    assert_eq!((known.status, known.body.as_str(), known.header("etag")), (304, "", newest.as_str()));
    assert_eq!(delete(&format!("if-match: {newest}")).await.status, 204);
}

#[tokio::test]
async fn what_lives_for_a_time_says_until_when() {
    let served = serve().await;
    assert_eq!(served.put("namespace=ns&key=k", "", json!({ "value": "v", "ttl_ms": 1500 })).await.status, 200);
    let expires = crate::clock::Clock::now(&served.clock) + Duration::from_millis(1500);
    assert_eq!(served.ask("GET /api/kv/pair?namespace=ns&key=k").await.value()["expires"], expires.to_string());
    served.clock.advance(Duration::from_millis(1501));
    assert_eq!(served.ask("GET /api/kv/pair?namespace=ns&key=k").await.status, 404);
    assert_eq!(served.put("namespace=ns&key=k", "", json!({ "value": "v", "ttl_ms": 0 })).await.status, 200);
    assert_eq!(served.ask("GET /api/kv/pair?namespace=ns&key=k").await.value()["expires"], Value::Null);
}

#[tokio::test]
async fn pairs_are_listed_by_page_and_prefix() {
    let served = serve().await;
    for key in ["b1", "a1", "b2", "a2"] {
        served.put_plainly(&format!("namespace=ns&key={key}"), "v").await;
    }
    assert_eq!(served.page("namespace=ns").await, (vec!["b1".into(), "a1".into(), "b2".into(), "a2".into()], None));
    let (keys, next) = served.page("namespace=ns&max=3").await;
    assert_eq!(keys, ["b1", "a1", "b2"]);
    assert_eq!(served.page(&format!("namespace=ns&max=3&after={}", next.unwrap())).await, (vec!["a2".into()], None));
    assert_eq!(served.page("namespace=ns&prefix=a").await.0, ["a1", "a2"]);
    is_refused(&served.ask("GET /api/kv/pairs?namespace=none").await, 404, "there is no namespace `none`");
    is_refused(&served.ask("GET /api/kv/pairs?prefix=a").await, 400, "missing field `namespace`");
}

/// However long the values are, an answer stays short; what is left comes with the next page.
#[tokio::test]
async fn a_page_of_long_values_ends_early() {
    let served = Served::with(ApiServices::default()).await;
    let long = "x".repeat(1 << 20);
    for number in 0..30 {
        served.store.put("ns", &number.to_string(), &long, None, If::Any, None).await.unwrap();
    }
    let (mut keys, mut next) = served.page("namespace=ns&max=1000").await;
    assert!(keys.len() < 30);
    while let Some(after) = next {
        let (more, then) = served.page(&format!("namespace=ns&max=1000&after={after}")).await;
        keys.extend(more);
        next = then;
    }
    assert_eq!(keys, (0..30).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn numbers_are_added_to() {
    let served = serve().await;
    let add = async |body: &str| served.json("POST /api/kv/increment?namespace=ns&key=n", body).await;
    let counted = |reply: Reply| serde_json::from_str::<Counted>(&reply.body).unwrap().value;
    assert_eq!(counted(add("{}").await), 1);
    assert_eq!(counted(add("").await), 2);
    assert_eq!(counted(add(r#"{ "by": -10 }"#).await), -8);
    served.put_plainly("namespace=ns&key=n", "seven").await;
    is_refused(&add("{}").await, 409, "the value of `n` is no whole number of 64 bits");
    served.put_plainly("namespace=ns&key=n", &i64::MIN.to_string()).await;
    is_refused(&add(r#"{ "by": -1 }"#).await, 409, "or would be none any more");
    is_refused(&add(r#"{ "by": 1.5 }"#).await, 400, "the body can't be read");
}

#[tokio::test]
async fn limits_are_told_in_words() {
    let served = serve().await;
    is_refused(
        &served.put(&format!("namespace=ns&key={}", "k".repeat(21)), "", json!({ "value": "v" })).await,
        400,
        "the key has 21 bytes, and may have 20",
    );
    let long = json!({ "value": "v".repeat(101) });
    is_refused(&served.put("namespace=ns&key=k", "", long).await, 413, "the value has 101 bytes, and may have 100 (`[kv] max_value`)");
    is_refused(&served.put("namespace=ns&key=k", "", json!({ "value": "v".repeat(100_000) })).await, 413, "the body is longer than");
    for number in 0..5 {
        served.put_plainly(&format!("namespace=ns&key={number}"), "v").await;
    }
    is_refused(
        &served.put("namespace=ns&key=k", "", json!({ "value": "v" })).await,
        409,
        "the namespace `ns` holds as many keys as it may: 5",
    );
    is_refused(&served.send("PUT /api/kv/pair?namespace=ns&key=k", "", r#"{"value":"v"}"#).await, 415, "the body has to be JSON");
}

#[tokio::test]
async fn what_is_exported_can_be_imported_elsewhere() {
    let served = serve().await;
    for (namespace, key) in [("a", "1"), ("b", "2"), ("a", "3")] {
        served.put_plainly(&format!("namespace={namespace}&key={key}"), "v").await;
    }
    let export = served.ask("GET /api/kv/export").await;
    assert_eq!((export.status, export.header("content-type")), (200, "application/x-ndjson"));
    let text: String = export.body.split("\r\n").skip(1).step_by(2).collect();
    insta::assert_snapshot!(text, @r#"
    {"namespace":"a","key":"1","value":"v"}
    {"namespace":"a","key":"3","value":"v"}
    {"namespace":"b","key":"2","value":"v"}
    "#);
    assert_eq!(served.ask("GET /api/kv/export?namespace=b").await.body.matches("namespace").count(), 1);
    is_refused(&served.ask("GET /api/kv/export?namespace=none").await, 404, "there is no namespace `none`");

    let elsewhere = serve().await;
    elsewhere.put_plainly("namespace=a&key=1", "here").await;
    let import = async |query: &str, text: &str| {
        let reply = elsewhere.send(&format!("POST /api/kv/import{query}"), "content-type: application/x-ndjson", text).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        serde_json::from_str::<ImportReport>(&reply.body).unwrap()
    };
    let kept = import("?existing=keep", &text).await;
    assert_eq!((kept.lines, kept.stored, kept.kept), (3, 2, 1));
    assert_eq!(elsewhere.ask("GET /api/kv/pair?namespace=a&key=1").await.value()["value"], "here");
    let all = import("", &format!("{text}no pair\n")).await;
    assert_eq!((all.lines, all.stored, all.refused, all.problems[0].line), (4, 3, 1, 4));
    assert_eq!(elsewhere.ask("GET /api/kv/pair?namespace=a&key=1").await.value()["value"], "v");
    is_refused(&elsewhere.json("POST /api/kv/import", &text).await, 415, "lines of JSON");
}
