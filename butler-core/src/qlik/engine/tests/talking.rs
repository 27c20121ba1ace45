//! A session over a pipe, with an engine that does as it is told.

use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::*;

/// The other end of a session.
struct Engine(WebSocketStream<DuplexStream>);

impl Engine {
    /// The next call.
    async fn call(&mut self) -> Value {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(text.as_str()).unwrap(),
                other => assert!(other.is_pong(), "{other}"),
            }
        }
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn answer(&mut self, call: &Value) {
        self.say(json!({ "jsonrpc": "2.0", "id": call["id"], "result": { "echo": call["params"][0] } })).await;
    }
}

async fn pipe() -> (Session, Engine, TestClock) {
    pipe_with(WebSocketConfig::default()).await
}

async fn pipe_with(config: WebSocketConfig) -> (Session, Engine, TestClock) {
    let clock = TestClock::default();
    let (ours, theirs) = duplex(1 << 20);
    let ours: Box<dyn super::super::connect::Stream> = Box::new(ours);
    let socket = WebSocketStream::from_raw_socket(ours, Role::Client, Some(config)).await;
    let engine = Engine(WebSocketStream::from_raw_socket(theirs, Role::Server, None).await);
    let request = Box::new(EngineRequest { site: "prod".into(), address: "sense:4747".into(), what: "proof".into() });
    (Session::new(socket, request, Arc::new(clock.clone()), Duration::from_secs(30)), engine, clock)
}

fn calls(count: usize) -> Vec<Call> {
    (0..count).map(|number| Call::new(GLOBAL, "Echo", json!([number]))).collect()
}

#[tokio::test]
async fn at_most_thirty_two_calls_are_outstanding_and_answers_may_come_in_any_order() {
    let (mut session, mut engine, _clock) = pipe().await;
    let calls = calls(100);
    let asking = session.call_all(&calls);
    let answering = async {
        let mut held = Vec::new();
        for _ in 0..32 {
            held.push(engine.call().await);
        }
        // Nobody is at work but this, so what has not come now will not come by itself.
        tokio::task::yield_now().await;
        assert!(engine.0.next().now_or_never().is_none(), "one more was sent");
        for answered in 0..100 {
            let call = held.pop().unwrap();
            engine.answer(&call).await;
            if answered < 68 {
                held.insert(0, engine.call().await);
            }
        }
        engine
    };
    let (results, _engine) = tokio::join!(asking, answering);
    let echoes: Vec<_> = results.unwrap().into_iter().map(|result| result.unwrap()["echo"].as_u64().unwrap()).collect();
    assert_eq!(echoes, (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_not_an_answer_is_passed_over() {
    let (mut session, mut engine, _clock) = pipe().await;
    let calls = calls(1);
    let answering = async {
        let call = engine.call().await;
        engine.say(json!({ "method": "OnConnected", "params": { "qSessionState": "SESSION_ATTACHED" } })).await;
        engine.say(json!({ "method": "OnAuthenticationInformation", "params": { "mustAuthenticate": false } })).await;
        engine.say(json!({ "method": "OnSomethingNew", "params": null })).await;
        engine.say(json!({ "id": 4711, "result": {} })).await;
        engine.say(json!({ "change": [1] })).await;
        engine.0.send(Message::Ping("there?".into())).await.unwrap();
        engine.answer(&call).await;
        engine
    };
    let (result, mut engine) = tokio::join!(session.call_all(&calls), answering);
    assert_eq!(result.unwrap()[0].as_ref().unwrap()["echo"], 0);
    let (_, ended) = tokio::join!(session.close(), async {
        let mut said = Vec::new();
        while let Some(Ok(message)) = engine.0.next().await {
            said.push(message);
        }
        said
    });
    assert!(matches!(&ended[..], [Message::Pong(_), Message::Close(Some(frame))] if u16::from(frame.code) == 1000), "{ended:?}");
}

#[tokio::test]
async fn a_session_that_the_engine_could_not_make_is_no_session() {
    for state in ["SESSION_ERROR_NO_LICENSE", "SESSION_ERROR_LIMIT_EXCEEDED", "SESSION_ACCESS_CONTROL_SETUP_FAILURE"] {
        let (mut session, mut engine, _clock) = pipe().await;
        engine.say(json!({ "method": "OnConnected", "params": { "qSessionState": state } })).await;
        let error = session.call(calls(1).remove(0)).await.unwrap_err();
        assert!(matches!(&error, EngineError::NoAccess { why, .. } if why == state), "{error}");
    }
}

#[tokio::test]
async fn messages_that_are_too_long_or_no_messages_end_the_session() {
    for message in
        [Message::text("\"odd\""), Message::binary(vec![1, 2, 3]), Message::text(r#"{"error":{"code":-32700,"message":"Parse error"}}"#)]
    {
        let (mut session, mut engine, _clock) = pipe().await;
        engine.0.send(message).await.unwrap();
        assert!(matches!(session.call(calls(1).remove(0)).await.unwrap_err(), EngineError::Malformed { .. }));
    }
    let small = WebSocketConfig::default().max_message_size(Some(1000)).max_frame_size(Some(1000));
    let (mut session, mut engine, _clock) = pipe_with(small).await;
    engine.0.send(Message::text("x".repeat(2000))).await.unwrap();
    let error = session.call(calls(1).remove(0)).await.unwrap_err();
    assert!(matches!(&error, EngineError::TooMuch { .. }), "{error}");
}

/// Every half minute of silence it is asked whether anybody is there.
#[tokio::test]
async fn a_long_call_goes_on_while_pings_are_answered_and_no_longer() {
    let (mut session, mut engine, clock) = pipe().await;
    let half_a_minute = Duration::from_secs(30);
    let call = tokio::spawn(async move { session.call_for_long(calls(1).remove(0)).await });
    engine.call().await;
    let pings = watch::Sender::new(0);
    let heard = pings.subscribe();
    // Reading is what answers them. After the tenth nothing is read any more.
    let reading = tokio::spawn(async move {
        while *pings.borrow() < 10 {
            assert!(matches!(engine.0.next().await, Some(Ok(Message::Ping(_)))));
            engine.0.flush().await.unwrap();
            pings.send_modify(|pings| *pings += 1);
        }
        engine
    });
    while *heard.borrow() < 10 {
        clock.sleepers(1).await;
        clock.advance(half_a_minute);
        tokio::task::yield_now().await;
    }
    assert!(!call.is_finished());
    let _silent = reading.await.unwrap();
    let since = clock.monotonic();
    while !call.is_finished() {
        clock.advance(half_a_minute);
        tokio::task::yield_now().await;
    }
    assert!(clock.monotonic() - since >= 4 * half_a_minute, "given up too early");
    let error = call.await.unwrap().unwrap_err();
    assert!(matches!(&error, EngineError::Lost { why, .. } if why == "the engine has not answered for 2m 30s"), "{error}");
}

#[tokio::test]
async fn what_trickles_in_does_not_prolong_the_wait_for_an_answer() {
    // Notices, and answers to what nobody has asked.
    for trickle in [json!({ "method": "OnConnected", "params": {} }), json!({ "id": 4711, "result": {} })] {
        let (mut session, mut engine, clock) = pipe().await;
        let call = tokio::spawn(async move { session.call(calls(1).remove(0)).await });
        engine.call().await;
        clock.sleepers(1).await;
        clock.advance(Duration::from_secs(20));
        engine.say(trickle).await;
        tokio::task::yield_now().await;
        clock.sleepers(1).await;
        clock.advance(Duration::from_secs(10));
        assert!(matches!(call.await.unwrap().unwrap_err(), EngineError::Timeout { .. }));
    }
}

#[tokio::test]
async fn all_that_comes_in_a_session_has_an_end() {
    let (mut session, mut engine, _clock) = pipe().await;
    session.left = 1000;
    let calls = calls(100);
    let answering = async {
        for _ in 0..32 {
            let call = engine.call().await;
            engine.answer(&call).await;
        }
        engine
    };
    let (results, _engine) = tokio::join!(session.call_all(&calls), answering);
    assert!(matches!(results.unwrap_err(), EngineError::TooMuch { method: "Echo", .. }));
}

#[tokio::test]
async fn the_words_of_the_engine_are_told_on_one_line_and_not_at_any_length() {
    let words = format!("no\r\n\u{1b}[31mway {}", "x".repeat(100_000));
    let (mut session, mut engine, _clock) = pipe().await;
    let calls = calls(1);
    let answering = async {
        let call = engine.call().await;
        engine.say(json!({ "id": call["id"], "error": { "code": 9, "message": words } })).await;
        engine
    };
    let (results, mut engine) = tokio::join!(session.call_all(&calls), answering);
    let refused = results.unwrap().remove(0).unwrap_err().to_string();
    engine.say(json!({ "method": "OnLicenseAccessDenied", "params": { "message": words } })).await;
    let denied = session.call(calls[0].clone()).await.unwrap_err().to_string();
    for text in [refused, denied] {
        assert!(text.contains("no") && text.len() < 1000 && !text.contains(char::is_control), "{text}");
    }
}

#[tokio::test]
async fn the_farewell_is_not_waited_for_for_ever() {
    let (session, engine, clock) = pipe().await;
    let closing = tokio::spawn(session.close());
    clock.sleepers(1).await;
    clock.advance(Duration::from_secs(2));
    closing.await.unwrap();
    drop(engine);
}
