//! Who shows a token, over the socket.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::Access;
use super::tests::{Answer, PATIENCE, Served, serve_by};
use crate::config::AccessSettings;
use crate::event::EventId;
use crate::pipeline::Happening;
use crate::store::memory::MemoryStore;
use crate::testkit::TestClock;

/// As a server for which tokens can be made.
async fn serve_by_tokens() -> Served {
    let clock = Arc::new(TestClock::default());
    let store = Arc::new(MemoryStore::new(clock.clone()));
    let access = Access::open(&AccessSettings::default(), store, clock).await.unwrap();
    serve_by(|server| server.admitting(access)).await
}

#[tokio::test]
async fn whoever_watches_by_a_token_does_so_no_longer_than_it_counts() {
    let served = serve_by_tokens().await;
    let Answer(status, _, made) = served.command("/api/tokens", r#"{ "name": "watcher", "scopes": ["read"] }"#).await;
    assert_eq!(status, 200, "{made}");
    let watch = async |token: &str| {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let request = format!("GET /api/stream HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{token}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = vec![0; 4096];
        let count = stream.read(&mut text).await.unwrap();
        assert!(String::from_utf8_lossy(&text[..count]).starts_with("HTTP/1.1 200"));
        stream
    };
    let mut watching = watch(&format!("authorization: Bearer {}\r\n", made["secret"].as_str().unwrap())).await;
    let mut others = watch("").await;
    let revoke = "DELETE /api/tokens/watcher HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert_eq!(served.send(revoke).await.0, 200);
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, watching.read_to_end(&mut rest)).await.expect("it is never closed").unwrap();
    // Whoever needs no token goes on.
    served.health.feed().tell(|| [Happening::Routed { event: EventId(Uuid::from_u128(7)), deliveries: 0, silenced: 0 }]);
    assert!(others.read(&mut [0; 4096]).await.unwrap() > 0);
}

#[tokio::test]
async fn whoever_shows_a_token_may_come_through_a_proxy_by_any_name() {
    let served = serve_by_tokens().await;
    let (_, deliveries) = served.event(&["ops"]).await;
    let discard = format!("/api/deliveries/{}/discard", deliveries[0]);
    let Answer(_, _, made) = served.command("/api/tokens", r#"{ "name": "browser", "scopes": ["admin"] }"#).await;
    let proxied =
        "host: butler.example\r\norigin: https://butler.example:8443\r\nsec-fetch-site: same-site\r\ncontent-type: application/json\r\n";
    for (token, status) in [("", 403), ("authorization: Bearer wrong\r\n", 403), ("authorization: Bearer\r\n", 403)] {
        assert_eq!(served.post(&discard, &format!("{proxied}{token}"), "{}").await.0, status, "{token}");
    }
    let token = format!("authorization: Bearer {}\r\n", made["secret"].as_str().unwrap());
    assert_eq!(served.post(&discard, &format!("{proxied}{token}"), "{}").await.0, 200);
    assert_eq!(served.post(&discard, &format!("host: a\r\n{proxied}{token}"), "{}").await.0, 400, "of two hosts");
}

#[tokio::test]
async fn an_import_goes_on_no_longer_than_its_token_counts() {
    let served = serve_by_tokens().await;
    let Answer(_, _, made) = served.command("/api/tokens", r#"{ "name": "importer", "scopes": ["kv:write"] }"#).await;
    let token = made["secret"].as_str().unwrap();
    let head = format!("POST /api/kv/import HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nconnection: close\r\n");
    let begun = "content-type: application/x-ndjson\r\ncontent-length: 1000\r\n\r\n{\"namespace\":\"a\",\"key\":\"b\",\"value\":\"c\"}\n";
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(format!("{head}{begun}").as_bytes()).await.unwrap();
    // It has been let in once the token has been used.
    let used = async || served.ask("/api/tokens").await[0]["last_used"].is_string();
    tokio::time::timeout(PATIENCE, async { while !used().await {} }).await.expect("it is never used");
    let revoke = "DELETE /api/tokens/importer HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert_eq!(served.send(revoke).await.0, 200);
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("an answer").unwrap();
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("what was stored before stays"), "{answer}");
}
