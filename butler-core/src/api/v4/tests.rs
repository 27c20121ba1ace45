//! The frame around all endpoints, and those of the system.

use std::time::Duration;

use serde_json::json;

use super::testing::Served;
use crate::api::ApiServices;
use crate::config::EndpointsConfig;

async fn served() -> Served {
    Served::with(ApiServices::default()).await
}

#[tokio::test]
async fn butler_says_that_it_is_there() {
    let served = served().await;
    let expected = json!({ "response": "Butler reporting for duty", "butlerVersion": env!("CARGO_PKG_VERSION") });
    let reply = served.ask("GET /v4/butlerping").await;
    reply.is_json(200, &expected);
    assert_eq!((reply.header("keep-alive"), reply.header("x-ratelimit-limit")), ("timeout=72", ""));
    let head = served.ask("HEAD /v4/butlerping").await;
    assert_eq!((head.status, head.body.as_str(), head.header("content-type")), (200, "", "application/json; charset=utf-8"));
    // Whatever a GET brings along does not matter.
    served.json("GET /v4/butlerping?x=1", "{").await.is_json(200, &expected);
}

#[tokio::test]
async fn endpoints_are_listed_in_their_order_and_can_be_switched_off() {
    let all = served().await.ask("GET /v4/configfile/endpointsenabled").await;
    let names = all.value();
    let names: Vec<_> = names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(&names[..4], ["apiListEnabledEndpoints", "base62ToBase16", "base16ToBase62", "butlerping"]);

    let endpoints = EndpointsConfig { butlerping: false, ..EndpointsConfig::default() };
    let fewer = Served::with(ApiServices { endpoints, ..ApiServices::default() }).await;
    assert!(!fewer.ask("GET /v4/configfile/endpointsenabled").await.body.contains("butlerping"));
    let gone = json!({ "message": "Route GET:/v4/butlerping not found", "error": "Not Found", "statusCode": 404 });
    fewer.ask("GET /v4/butlerping").await.is_json(404, &gone);
}

#[tokio::test]
async fn numbers_to_other_bases() {
    let served = served().await;
    let (long62, long16) = ("6DMW88LpSok9Z7P7hUK0wv7bF", "3199af08bfeeaf5d420f27ed9c01e74370077");
    for (query, base62, base16) in [
        (format!("base62tobase16?base62={long62}"), long62, long16),
        (format!("base16tobase62?base16={long16}"), long62, long16),
        ("base62tobase16?base62=00a".to_owned(), "00a", "a"),
        ("base62tobase16?base62=".to_owned(), "", "0"),
        ("base16tobase62?base16=0".to_owned(), "0", "0"),
        ("base16tobase62?base16=".to_owned(), "0", ""),
    ] {
        let reply = served.ask(&format!("GET /v4/{query}")).await;
        reply.is_json(200, &json!({ "base62": base62, "base16": base16 }));
    }
    served.ask("GET /v4/base62tobase16").await.is_invalid("querystring must have required property 'base62'");
    served.ask("GET /v4/base16tobase62?base62=1").await.is_invalid("querystring must have required property 'base16'");
    served.ask("GET /v4/base62tobase16?base62=1&base62=2").await.is_invalid("querystring/base62 must be string");
    served.ask("GET /v4/base62tobase16?base62=a-b").await.is_fault(500, "Failed converting from base62 to base16");
    served.ask("GET /v4/base62tobase16?base62=%C3%A5").await.is_fault(500, "Failed converting from base62 to base16");
    served.ask("GET /v4/base16tobase62?base16=AB").await.is_fault(500, "Failed converting from base16 to base62");
}

#[tokio::test]
async fn what_is_no_endpoint_is_named_as_it_was_asked_for() {
    let served = served().await;
    for (line, route) in [
        ("GET /v4/nope?x=1", "GET:/v4/nope?x=1"),
        ("GET /", "GET:/"),
        ("GET /V4/butlerping", "GET:/V4/butlerping"),
        ("GET /v4/butlerping/", "GET:/v4/butlerping/"),
        ("GET /v4//butlerping", "GET:/v4//butlerping"),
        ("GET /v4/../v4/butlerping", "GET:/v4/../v4/butlerping"),
        ("PUT /v4/butlerping", "PUT:/v4/butlerping"),
        ("OPTIONS /v4/butlerping", "OPTIONS:/v4/butlerping"),
        ("PATCH /v4/butlerping%2", "PATCH:/v4/butlerping%2"),
    ] {
        let expected = json!({ "message": format!("Route {route} not found"), "error": "Not Found", "statusCode": 404 });
        served.ask(line).await.is_json(404, &expected);
    }
}

#[tokio::test]
async fn a_post_may_stand_for_another_method() {
    let served = served().await;
    let ping = served.ask("GET /v4/butlerping").await.value();
    for token in ["GET", "get", "Get"] {
        served.send("POST /v4/butlerping", &format!("X-HTTP-METHOD-Override: {token}"), "").await.is_json(200, &ping);
    }
    // What stands for a GET is one, whatever it brings along.
    served.send("POST /v4/butlerping", "X-HTTP-Method-Override: GET\ncontent-type: application/json", "{").await.is_json(200, &ping);
    let head = served.send("POST /v4/butlerping", "X-HTTP-Method-Override: HEAD", "").await;
    assert_eq!((head.status, head.header("content-type")), (200, "application/json; charset=utf-8"));
    for (line, token, route) in [
        ("POST /v4/butlerping", "POST", "POST:/v4/butlerping"),
        ("POST /v4/butlerping", "nonsense", "NONSENSE:/v4/butlerping"),
        ("POST /v4/butlerping?a=b", "no sense", "NO SENSE:/v4/butlerping?a=b"),
        // Only a POST may.
        ("PUT /v4/butlerping", "GET", "PUT:/v4/butlerping"),
    ] {
        let expected = json!({ "message": format!("Route {route} not found"), "error": "Not Found", "statusCode": 404 });
        served.send(line, &format!("X-HTTP-Method-Override: {token}"), "").await.is_json(404, &expected);
    }
    served.send("GET /v4/butlerping", "X-HTTP-Method-Override: PUT", "").await.is_json(200, &ping);
}

#[tokio::test]
async fn an_escape_that_means_nothing_is_told_before_all_else() {
    let served = served().await;
    for (method, url) in [
        ("GET", "/v4/keyvalues/n%2?key=a"),
        ("PUT", "/v4/nope%"),
        ("POST", "/v4/butlerping/%zz"),
        ("DELETE", "/v4/%ff"),
        ("GET", "/v4/base62tobase16?base62=%2"),
        ("GET", "/v4/base62tobase16?base62=%ff"),
    ] {
        let reply = served.ask(&format!("{method} {url}")).await;
        assert_eq!((reply.status, reply.header("content-type")), (400, "application/json"), "{url}");
        assert_eq!(reply.header("x-request-id").len(), 32, "it is in the log like any other");
        let message = format!("'{url}' is not a valid url component");
        let expected = json!({ "error": "Bad Request", "code": "FST_ERR_BAD_URL", "message": message, "statusCode": 400 });
        assert_eq!(reply.value(), expected);
    }
}

#[tokio::test]
async fn each_address_may_ask_so_often() {
    let served = Served::with(ApiServices { rate_limit: 2, ..ApiServices::default() }).await;
    let first = served.ask("GET /v4/butlerping").await;
    let limits = |reply: &super::testing::Reply| {
        ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"].map(|name| reply.header(name).to_owned())
    };
    assert_eq!(limits(&first), ["2", "1", "60", ""]);
    // What is no endpoint is not counted, nor is what can't be read at all.
    for line in ["GET /v4/nope", "POST /v4/butlerping", "GET /v4/%"] {
        assert_eq!(limits(&served.ask(line).await), ["", "", "", ""], "{line}");
    }
    served.clock.advance(Duration::from_millis(17_500));
    let second = served.ask("GET /v4/base62tobase16").await;
    second.is_invalid("querystring must have required property 'base62'");
    assert_eq!(limits(&second), ["2", "0", "43", ""]);
    let third = served.ask("GET /v4/butlerping").await;
    third.is_fault(429, "Rate limit exceeded, retry in 43 seconds");
    assert_eq!(limits(&third), ["2", "0", "43", "43"]);
    served.clock.advance(Duration::from_millis(42_000));
    served.ask("GET /v4/butlerping").await.is_fault(429, "Rate limit exceeded, retry in 1 second");
    served.clock.advance(Duration::from_secs(1));
    assert_eq!(served.ask("GET /v4/butlerping").await.status, 200);
    served.ask("GET /v4/butlerping").await;
    served.ask("GET /v4/butlerping").await.is_fault(429, "Rate limit exceeded, retry in 1 minute");
}
