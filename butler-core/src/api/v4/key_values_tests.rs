//! Every row of what load scripts know of the key-value store, request in and exact answer out.

use std::time::Duration;

use serde_json::{Value, json};

use super::testing::{Reply, Served};
use crate::api::ApiServices;
use crate::kv::KvSettings;
use crate::store::{If, KvStore};

async fn serve() -> Served {
    Served::with(ApiServices::default()).await
}

impl Served {
    async fn store(&self, namespace: &str, key: &str, value: &str) {
        self.store.put(namespace, key, value, None, If::Any, None).await.unwrap();
    }
}

#[track_caller]
fn is_nothing(reply: &Reply) {
    assert_eq!((reply.status, reply.header("content-type"), reply.body.as_str()), (204, "", ""), "{reply:?}");
}

#[tokio::test]
async fn namespaces_are_listed_in_the_order_in_which_they_began() {
    let served = serve().await;
    served.ask("GET /v4/keyvaluesnamespaces").await.is_json(200, &json!([]));
    for namespace in ["Sales ETL step 1", "ns2", "Räkna"] {
        served.store(namespace, "k", "v").await;
    }
    // An empty one stays.
    is_nothing(&served.ask("DELETE /v4/keyvalues/ns2/k").await);
    served.ask("GET /v4/keyvaluesnamespaces").await.is_json(200, &json!(["Sales ETL step 1", "ns2", "Räkna"]));
    is_nothing(&served.ask("DELETE /v4/keyvalues/Sales%20ETL%20step%201").await);
    served.ask("GET /v4/keyvaluesnamespaces").await.is_json(200, &json!(["ns2", "Räkna"]));
}

#[tokio::test]
async fn a_value_is_told_or_what_is_missing() {
    let served = serve().await;
    served.store("ns1", "k1", "v1").await;
    served.store("ns1", "a b/ä", "").await;
    served.ask("GET /v4/keyvalues/ns1?key=k1").await.is_json(200, &json!({ "namespace": "ns1", "key": "k1", "value": "v1" }));
    served.ask("GET /v4/keyvalues/ns1?key=a%20b%2F%C3%A4").await.is_json(200, &json!({ "namespace": "ns1", "key": "a b/ä", "value": "" }));
    let missing = "querystring must have required property 'key'";
    served.ask("GET /v4/keyvalues/ns1").await.is_invalid(missing);
    served.ask("GET /v4/keyvalues/none").await.is_invalid(missing);
    served.ask("GET /v4/keyvalues/ns1?key=k1&key=k1").await.is_invalid("querystring/key must be string");
    served.ask("GET /v4/keyvalues/none?key=k1").await.is_fault(400, "Namespace not found: none");
    served.ask("GET /v4/keyvalues/?key=k1").await.is_fault(400, "Namespace not found: ");
    served.ask("GET /v4/keyvalues/ns1?key=zz").await.is_fault(400, "Key 'zz' not found in namespace: ns1");
    served.ask("GET /v4/keyvalues/ns1?key=").await.is_fault(400, "Key '' not found in namespace: ns1");
    // Case counts.
    served.ask("GET /v4/keyvalues/NS1?key=k1").await.is_fault(400, "Namespace not found: NS1");
    served.ask("GET /v4/keyvalues/ns1?key=K1").await.is_fault(400, "Key 'K1' not found in namespace: ns1");
}

#[tokio::test]
async fn whether_a_key_exists_is_told() {
    let served = serve().await;
    served.store("ns1", "k1", "v1").await;
    let there = json!({ "keyExists": true, "keyValue": { "namespace": "ns1", "key": "k1", "value": "v1" } });
    served.ask("GET /v4/keyvalues/ns1/keyexists?key=k1").await.is_json(200, &there);
    served.ask("GET /v4/keyvalues/ns1/keyexists?key=zz").await.is_json(200, &json!({ "keyExists": false, "keyValue": {} }));
    served.ask("GET /v4/keyvalues/none/keyexists?key=k1").await.is_fault(400, "Namespace not found: none");
    served.ask("GET /v4/keyvalues//keyexists?key=k1").await.is_fault(400, "Namespace not found: ");
    served.ask("GET /v4/keyvalues/ns1/keyexists").await.is_invalid("querystring must have required property 'key'");
}

#[tokio::test]
async fn a_pair_is_stored_as_scripts_send_it() {
    let served = serve().await;
    for (body, key, value, ttl) in [
        (r#"{"key":"k2","value":"v2","ttl":1500}"#, "k2", "v2", 1500),
        (r#"{"key":"k","value":"v"}"#, "k", "v", 0),
        (r#"{"key":"k","value":"v","ttl":0}"#, "k", "v", 0),
        (r#"{"key":"k","value":"v","ttl":1500.9}"#, "k", "v", 1500),
        (r#"{"key":"k","value":"v","ttl":-7.5}"#, "k", "v", -7),
        (r#"{"key":"k","value":"v","ttl":"5000"}"#, "k", "v", 5000),
        (r#"{"key":"k","value":"v","ttl":null}"#, "k", "v", 0),
        (r#"{"key":"k","value":null}"#, "k", "", 0),
        (r#"{"key":"k","value":""}"#, "k", "", 0),
        (r#"{"key":"k","value":12.5}"#, "k", "12.5", 0),
        (r#"{"key":true,"value":["one"],"other":{"a":1}}"#, "true", "one", 0),
        (r#"{"key":7,"value":false}"#, "7", "false", 0),
    ] {
        let answer = json!({ "namespace": "ns1", "key": key, "value": value, "ttl": ttl });
        served.json("POST /v4/keyvalues/ns1", body).await.is_json(201, &answer);
        assert_eq!(served.store.get("ns1", key).await.unwrap().pair().unwrap().value, value, "{body}");
    }
    let answer = json!({ "namespace": "a/b: ä", "key": "k", "value": "v", "ttl": 0 });
    served.json("POST /v4/keyvalues/a%2Fb:%20%C3%A4", r#"{"key":"k","value":"v"}"#).await.is_json(201, &answer);
    let answer = json!({ "namespace": "", "key": "k", "value": "v", "ttl": 0 });
    served.json("POST /v4/keyvalues/", r#"{"key":"k","value":"v"}"#).await.is_json(201, &answer);
}

#[tokio::test]
async fn what_is_no_pair_is_not_stored() {
    let served = serve().await;
    for body in [r#"{"value":"v"}"#, r#"{"key":"","value":"v"}"#, r#"{"key":null,"value":"v"}"#, r#"{"key":"k"}"#, "{}"] {
        served.json("POST /v4/keyvalues/ns1", body).await.is_fault(400, "Required parameter is missing");
    }
    for (body, message) in [
        ("null", "body must be object"),
        ("[]", "body must be object"),
        (r#"{"key":"k","value":{}}"#, "body/value must be string"),
        (r#"{"key":"k","value":["a","b"]}"#, "body/value must be string"),
        (r#"{"key":{},"value":"v"}"#, "body/key must be string"),
        (r#"{"key":"k","value":"v","ttl":"soon"}"#, "body/ttl must be number"),
        (r#"{"key":"k","value":"v","ttl":""}"#, "body/ttl must be number"),
    ] {
        served.json("POST /v4/keyvalues/ns1", body).await.is_invalid(message);
    }
    served.ask("POST /v4/keyvalues/ns1").await.is_invalid("body must be object");
    served.send("POST /v4/keyvalues/ns1", "content-type: text/plain", "{}").await.is_invalid("body must be object");
    let empty = "Body cannot be empty when content-type is set to 'application/json'";
    served.json("POST /v4/keyvalues/ns1", "").await.is_coded(400, "FST_ERR_CTP_EMPTY_JSON_BODY", empty);
    // Nothing was made by any of it.
    served.ask("GET /v4/keyvaluesnamespaces").await.is_json(200, &json!([]));
}

#[tokio::test]
async fn a_time_to_live_is_kept_to_the_millisecond() {
    let served = serve().await;
    let put = async |key: &str, ttl: Value| {
        let body = json!({ "key": key, "value": "v", "ttl": ttl }).to_string();
        assert_eq!(served.json("POST /v4/keyvalues/ns1", &body).await.status, 201);
    };
    for (key, ttl) in
        [("short", json!(1500)), ("long", json!("60000")), ("negative", json!(-1)), ("none", json!(0)), ("made permanent", json!(10))]
    {
        put(key, ttl).await;
    }
    // Put again without an end, it has none.
    served.json("POST /v4/keyvalues/ns1", r#"{"key":"made permanent","value":"v"}"#).await;
    served.clock.advance(Duration::from_millis(1500));
    served.ask("GET /v4/keyvalues/ns1?key=short").await.is_json(200, &json!({ "namespace": "ns1", "key": "short", "value": "v" }));
    served.clock.advance(Duration::from_millis(1));
    served.ask("GET /v4/keyvalues/ns1?key=short").await.is_fault(400, "Key 'short' not found in namespace: ns1");
    served.ask("GET /v4/keyvalues/ns1/keyexists?key=short").await.is_json(200, &json!({ "keyExists": false, "keyValue": {} }));
    served.ask("DELETE /v4/keyvalues/ns1/short").await.is_fault(400, "Key 'short' not found in namespace: ns1");
    let left = r#"{"namespace":"ns1","keys":[{"key":"long"},{"key":"negative"},{"key":"none"},{"key":"made permanent"}]}"#;
    served.ask("GET /v4/keylist/ns1").await.is_text(200, left);
    // Counted anew with each put.
    put("long", json!(60_000)).await;
    served.clock.advance(Duration::from_secs(59));
    assert_eq!(served.ask("GET /v4/keyvalues/ns1?key=long").await.status, 200);
    put("endless", json!(1e300)).await;
    served.clock.advance(Duration::from_hours(24 * 365));
    assert_eq!(served.ask("GET /v4/keyvalues/ns1?key=endless").await.status, 200);
}

#[tokio::test]
async fn a_key_is_deleted_once() {
    let served = serve().await;
    for key in ["k1", "keyexists", "a/b", "%"] {
        served.store("ns1", key, "v").await;
        served.store("", key, "v").await;
    }
    for key in ["k1", "keyexists", "a%2Fb", "%25"] {
        is_nothing(&served.ask(&format!("DELETE /v4/keyvalues/ns1/{key}")).await);
        is_nothing(&served.ask(&format!("DELETE /v4/keyvalues//{key}")).await);
    }
    served.ask("DELETE /v4/keyvalues/ns1/k1").await.is_fault(400, "Key 'k1' not found in namespace: ns1");
    served.ask("DELETE /v4/keyvalues/none/k1").await.is_fault(400, "Namespace not found: none");
    served.ask("DELETE /v4/keyvalues/ns1/").await.is_fault(400, "Required parameter is missing");
    served.ask("DELETE /v4/keyvalues//").await.is_fault(400, "Required parameter is missing");
    // As the connector does it, which can't delete by itself: with a JSON type, and no body.
    served.store("ns1", "k1", "v").await;
    is_nothing(&served.send("POST /v4/keyvalues/ns1/k1", "content-type: application/json\nx-http-method-override: DELETE", "").await);
}

#[tokio::test]
async fn a_namespace_is_cleared_once() {
    let served = serve().await;
    served.store("ns1", "k1", "v1").await;
    is_nothing(&served.send("POST /v4/keyvalues/ns1", "x-http-method-override: DELETE", "").await);
    served.ask("DELETE /v4/keyvalues/ns1").await.is_fault(400, "Namespace not found: ns1");
    served.ask("GET /v4/keyvalues/ns1?key=k1").await.is_fault(400, "Namespace not found: ns1");
    served.ask("DELETE /v4/keyvalues/").await.is_fault(400, "Namespace not found: ");
}

#[tokio::test]
async fn keys_are_listed_as_text_in_the_order_in_which_they_came() {
    let served = serve().await;
    served.ask("GET /v4/keylist/ns1").await.is_fault(400, "Namespace not found: ns1");
    for key in ["k1", "k2", "k3"] {
        served.store("ns1", key, "v").await;
    }
    served.store("ns1", "k1", "again").await;
    served.store("a:b", "k", "v").await;
    served.ask("GET /v4/keylist/ns1").await.is_text(200, r#"{"namespace":"ns1","keys":[{"key":"k1"},{"key":"k2"},{"key":"k3"}]}"#);
    served.ask("GET /v4/keylist/a:b").await.is_text(200, r#"{"namespace":"a:b","keys":[{"key":"k"}]}"#);
    is_nothing(&served.ask("DELETE /v4/keyvalues/a:b/k").await);
    served.ask("GET /v4/keylist/a:b").await.is_text(200, r#"{"namespace":"a:b","keys":[]}"#);
    // As many as are not written at once.
    for number in 0..20_000 {
        served.store("many", &format!("a key of some length, which is number {number}"), "").await;
    }
    let list = served.ask("GET /v4/keylist/many").await;
    assert_eq!((list.status, list.header("content-type"), list.header("transfer-encoding")), (200, "text/plain; charset=utf-8", "chunked"));
    let lines = list.body.split("\r\n").skip(1).step_by(2);
    let keys: Value = serde_json::from_str(&lines.collect::<String>()).unwrap();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 20_000);
    assert_eq!(keys["keys"][19_999], json!({ "key": "a key of some length, which is number 19999" }));
}

#[tokio::test]
async fn a_namespace_takes_no_more_keys_than_it_may() {
    let kv = KvSettings { max_keys: Some(2), max_value: 10, ..KvSettings::default() };
    let served = Served::with(ApiServices { kv, ..ApiServices::default() }).await;
    let put = async |key: &str, value: &str, ttl: u64| {
        served.json("POST /v4/keyvalues/ns1", &json!({ "key": key, "value": value, "ttl": ttl }).to_string()).await
    };
    for key in ["a", "b", "a"] {
        assert_eq!(put(key, "v", 1000).await.status, 201);
    }
    put("c", "v", 0).await.is_fault(400, "Max number of keys (2) reached in namespace: ns1");
    assert_eq!(put("b", "new", 1000).await.status, 201);
    served.clock.advance(Duration::from_secs(2));
    assert_eq!(put("c", "v", 0).await.status, 201);
    put("d", "eleven bytes", 0).await.is_fault(400, "the value has 12 bytes, and may have 10 (`[kv] max_value`)");
}

#[tokio::test]
async fn what_is_switched_off_is_not_there() {
    let endpoints = crate::config::EndpointsConfig { key_value_store: false, ..Default::default() };
    let served = Served::with(ApiServices { endpoints, ..ApiServices::default() }).await;
    let answer = json!({ "message": "Route GET:/v4/keyvaluesnamespaces not found", "error": "Not Found", "statusCode": 404 });
    served.ask("GET /v4/keyvaluesnamespaces").await.is_json(404, &answer);
    assert_eq!(served.json("POST /v4/keyvalues/ns1", "{}").await.status, 404);
}
