//! Clients that are slow, stuck or silent, and what that means for the others.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connections::Limits;
use super::tests::{PATIENCE, Served, serve_by};

/// So long that no test sees the end of it.
const NEVER: Duration = Duration::from_hours(1);

const ASK: &[u8] = b"GET /api/status HTTP/1.1\r\nhost: localhost\r\n\r\n";
const SLOW_HEAD: &[u8] = b"GET /api/status HTTP/1.1\r\nhost: local";
const SLOW_BODY: &[u8] = b"POST /api/tokens HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";

fn limits(connections: usize) -> Limits {
    Limits { connections, handshake: NEVER, head: NEVER, body: NEVER, idle: NEVER, answer: NEVER, drain: NEVER }
}

/// A client that says this, and then neither says nor takes anything.
async fn stuck(served: &Served, says: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    // The server may have closed it already, to make room; and it takes no more than its buffers hold.
    let _ = timeout(Duration::from_millis(50), stream.write_all(says)).await;
    stream
}

/// Waits until something is so.
async fn eventually(mut so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !so().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, wait).await.expect("it never is so");
}

/// How many connections had to go because their time was up. Nothing if whoever asks had to go itself, on a busy machine.
async fn timed_out(served: &Served) -> Option<u64> {
    let mut stream = TcpStream::connect(served.address).await.ok()?;
    stream.write_all(b"GET /api/status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (_, status) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str::<serde_json::Value>(status).ok()?["connections"]["timed_out"].as_u64()
}

/// Whatever came before the server closed the connection.
async fn end_of(mut stream: TcpStream) -> String {
    let mut all = Vec::new();
    // Closed is closed, in whatever way.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("it is never closed");
    String::from_utf8_lossy(&all).to_lowercase()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_stuck_clients_disturb_nobody() {
    let served = serve_by(|server| server.limited(limits(64))).await;
    // Far more answers than buffers hold, and nobody takes them.
    let greedy = ASK.repeat(20_000);
    let mut held = Vec::new();
    for number in 0..500 {
        let says = [b"", SLOW_HEAD, SLOW_BODY, ASK, &greedy][number % 5];
        held.push(stuck(&served, says).await);
        // In the midst of it, others are answered.
        if number % 10 == 9 {
            assert_eq!(served.get("/healthz").await.0, 200);
        }
    }
    for _ in 0..50 {
        assert_eq!(served.get("/healthz").await.0, 200);
    }
    let connections = &served.ask("/api/status").await["connections"];
    assert!(connections["displaced"].as_u64() >= Some(436), "{connections}");
    assert!(connections["open"].as_u64() <= Some(64), "{connections}");
    assert_eq!(connections["timed_out"], 0, "{connections}");
    drop(held);
}

#[tokio::test]
async fn each_way_to_be_stuck_has_its_time() {
    let soon = Duration::from_millis(100);
    for (limits, says, answer) in [
        (Limits { head: soon, ..limits(8) }, &b""[..], ""),
        (Limits { head: soon, ..limits(8) }, SLOW_HEAD, ""),
        (Limits { idle: soon, ..limits(8) }, ASK, "http/1.1 200"),
        (Limits { answer: soon, ..limits(8) }, &ASK.repeat(20_000), "http/1.1 200"),
    ] {
        let served = serve_by(|server| server.limited(limits)).await;
        let stream = stuck(&served, says).await;
        eventually(async || timed_out(&served).await >= Some(1)).await;
        let said = end_of(stream).await;
        assert!(said.starts_with(answer) || said.is_empty(), "{said}");
    }
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_refused_in_words() {
    let served = serve_by(|server| server.limited(Limits { body: Duration::from_millis(100), ..limits(8) })).await;
    let said = end_of(stuck(&served, SLOW_BODY).await).await;
    assert!(said.starts_with("http/1.1 408") && said.contains("connection: close"), "{said}");
    assert!(said.contains("the body of the request did not come within"), "{said}");
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let served = serve_by(|server| server.limited(limits(8))).await;
    let long = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-long: {}\r\n\r\n", "x".repeat(300_000));
    // It may not hear the answer, for it goes on talking while the server has hung up.
    let said = end_of(stuck(&served, long.as_bytes()).await).await;
    assert!(said.is_empty() || said.starts_with("http/1.1 431"), "{said}");
    assert_eq!(served.get("/healthz").await.0, 200);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_who_never_finishes_asking() {
    let served = serve_by(|server| server.limited(limits(8))).await;
    let held = [stuck(&served, b"").await, stuck(&served, SLOW_HEAD).await];
    assert_eq!(served.get("/healthz").await.0, 200);
    served.stop.cancel();
    timeout(PATIENCE, served.server).await.expect("the server ends").unwrap();
    drop(held);
}
