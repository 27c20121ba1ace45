//! A session with an engine: calls out, replies and notices in.
//!
//! Whoever has the session drives it: nothing goes on behind its back, and dropping it closes the connection. Calls are sent without waiting for the replies to those before,
//! at most [`OUTSTANDING`] at a time.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};

use super::connect::Socket;
use super::error::{EngineError, EngineRequest, code, in_short};
use crate::clock::Clock;

/// How much may come in a session, in bytes: all that an app is made of but its data is far smaller. In memory it takes several times as much.
pub(super) const LARGEST: usize = 64 * 1024 * 1024;
/// How many calls wait for their replies at a time.
const OUTSTANDING: usize = 32;
/// How often a call is sent again that the engine broke off.
const AGAIN: u32 = 5;
/// How long nothing has to be heard during a long call before the engine is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(30);
/// After how many pings in vain it counts as gone.
const PINGS: u32 = 4;
/// How long is waited for what the engine may have to say before it goes, and for its part of the farewell.
const FAREWELL: Duration = Duration::from_secs(2);

/// The handle of what is not within an app.
pub(super) const GLOBAL: i64 = -1;

/// A call of a method.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) handle: i64,
    pub(super) method: &'static str,
    pub(super) params: Value,
}

impl Call {
    pub(super) fn new(handle: i64, method: &'static str, params: Value) -> Self {
        Self { handle, method, params }
    }

    /// A call without parameters.
    pub(super) fn plain(handle: i64, method: &'static str) -> Self {
        Self::new(handle, method, json!([]))
    }
}

/// How long is waited for a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// As long as one may take.
    Usual,
    /// As long as the engine shows that it is there.
    Endless,
}

/// A session with an engine.
pub(super) struct Session {
    socket: Socket,
    request: Box<EngineRequest>,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    last_id: u64,
    /// How many bytes may still come.
    pub(super) left: usize,
}

/// What comes in.
#[derive(Deserialize)]
struct Incoming {
    id: Option<u64>,
    result: Option<Value>,
    error: Option<Failure>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
}

/// What a call comes to, with the id of the call.
type Reply = (u64, Result<Value, Failure>);

#[derive(Deserialize)]
struct Failure {
    code: i64,
    #[serde(default)]
    message: String,
}

impl Session {
    pub(super) fn new(socket: Socket, request: Box<EngineRequest>, clock: Arc<dyn Clock>, timeout: Duration) -> Self {
        Self { socket, request, clock, timeout, last_id: 0, left: LARGEST }
    }

    /// Calls a method, and gives its result.
    pub(super) async fn call(&mut self, call: Call) -> Result<Value, EngineError> {
        self.exchange(&[call], Patience::Usual).await?.pop().unwrap_or(Ok(Value::Null))
    }

    /// Calls a method that may take hours. Pings keep the connection alive, and show that the engine is there.
    pub(super) async fn call_for_long(&mut self, call: Call) -> Result<Value, EngineError> {
        self.exchange(&[call], Patience::Endless).await?.pop().unwrap_or(Ok(Value::Null))
    }

    /// Calls many methods at once. There is one result for each call, in their order.
    ///
    /// # Errors
    /// The session is of no use any more.
    pub(super) async fn call_all(&mut self, calls: &[Call]) -> Result<Vec<Result<Value, EngineError>>, EngineError> {
        self.exchange(calls, Patience::Usual).await
    }

    async fn exchange(&mut self, calls: &[Call], patience: Patience) -> Result<Vec<Result<Value, EngineError>>, EngineError> {
        let mut results: Vec<Option<Result<Value, EngineError>>> = calls.iter().map(|_| None).collect();
        let mut to_send: VecDeque<(usize, u32)> = (0..calls.len()).map(|index| (index, 0)).collect();
        let mut waiting: HashMap<u64, (usize, u32)> = HashMap::new();
        loop {
            while waiting.len() < OUTSTANDING
                && let Some((index, broken_off)) = to_send.pop_front()
            {
                waiting.insert(self.send(&calls[index]).await?, (index, broken_off));
            }
            let Some(method) = waiting.values().map(|(index, _)| *index).min().map(|index| calls[index].method) else { break };
            let since = self.clock.monotonic();
            let (index, broken_off, reply) = loop {
                let (id, reply) = self.reply(method, patience, since).await?;
                // Of what nobody has asked for nobody need hear.
                if let Some((index, broken_off)) = waiting.remove(&id) {
                    break (index, broken_off, reply);
                }
            };
            match reply {
                Err(Failure { code: code::ABORTED, .. }) if broken_off < AGAIN => to_send.push_front((index, broken_off + 1)),
                Err(Failure { code, message }) => {
                    let (request, method) = (self.request.clone(), calls[index].method);
                    results[index] = Some(Err(EngineError::Refused { request, method, code, message: in_short(&message) }));
                }
                Ok(result) => results[index] = Some(Ok(result)),
            }
        }
        Ok(results.into_iter().flatten().collect())
    }

    async fn send(&mut self, call: &Call) -> Result<u64, EngineError> {
        self.last_id += 1;
        let Call { handle, method, params } = call;
        let text = json!({ "jsonrpc": "2.0", "id": self.last_id, "method": method, "handle": handle, "params": params }).to_string();
        self.write(Message::text(text), method).await?;
        Ok(self.last_id)
    }

    async fn write(&mut self, message: Message, method: &'static str) -> Result<(), EngineError> {
        let written = tokio::select! {
            biased;
            written = self.socket.send(message) => written,
            () = self.clock.sleep(self.timeout) => return Err(self.late(method)),
        };
        match written {
            Ok(()) => Ok(()),
            Err(error) => Err(self.last_words(method).await.unwrap_or_else(|| EngineError::during(self.request.clone(), method, &error))),
        }
    }

    /// Why the engine does not listen any more, if it says so: what it sent before it went has not been read yet.
    async fn last_words(&mut self, method: &'static str) -> Option<EngineError> {
        let clock = Arc::clone(&self.clock);
        let listen = async {
            loop {
                let message = match self.socket.next().await? {
                    Ok(message) => message,
                    Err(error) => return tls_fault(self.request.clone(), method, &error),
                };
                if let Err(error) = self.understand(&message, method) {
                    return Some(error);
                }
            }
        };
        tokio::select! {
            biased;
            error = listen => error,
            () = clock.sleep(FAREWELL) => None,
        }
    }

    /// The next reply, and the call that it is for; it is waited for since then.
    async fn reply(&mut self, method: &'static str, patience: Patience, since: Duration) -> Result<Reply, EngineError> {
        let mut pings = 0;
        loop {
            let wait = match patience {
                Patience::Usual => (since + self.timeout).saturating_sub(self.clock.monotonic()),
                Patience::Endless => PING_EVERY,
            };
            let message = tokio::select! {
                biased;
                message = self.socket.next() => message,
                () = self.clock.sleep(wait) => match patience {
                    Patience::Usual => return Err(self.late(method)),
                    Patience::Endless if pings == PINGS => {
                        let why = format!("the engine has not answered for {}", humantime::format_duration(PING_EVERY * (PINGS + 1)));
                        return Err(self.lost(method, why));
                    }
                    Patience::Endless => {
                        pings += 1;
                        self.write(Message::Ping(Default::default()), method).await?;
                        continue;
                    }
                },
            };
            pings = 0;
            let message = match message {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(EngineError::during(self.request.clone(), method, &error)),
                None => return Err(self.lost(method, "the engine closed the connection".into())),
            };
            let left = self.left.checked_sub(message.len());
            self.left = left.ok_or_else(|| EngineError::TooMuch { request: self.request.clone(), method })?;
            if let Some(reply) = self.understand(&message, method)? {
                return Ok(reply);
            }
        }
    }

    /// The reply that a message is, if it is one.
    fn understand(&self, message: &Message, method: &'static str) -> Result<Option<Reply>, EngineError> {
        let malformed = |why: String| EngineError::Malformed { request: self.request.clone(), method, why };
        let text = match message {
            Message::Text(text) => text.as_str(),
            Message::Binary(_) => return Err(malformed("it is no text".into())),
            Message::Close(farewell) => return Err(self.lost(method, farewell_in_words(farewell.as_ref()))),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Ok(None),
        };
        let incoming: Incoming = serde_json::from_str(text).map_err(|why| malformed(format!("it is no JSON-RPC ({why})")))?;
        match incoming {
            Incoming { id: Some(id), error: Some(failure), .. } => Ok(Some((id, Err(failure)))),
            Incoming { id: Some(id), result, .. } => Ok(Some((id, Ok(result.unwrap_or_default())))),
            Incoming { method: Some(notice), params, .. } => self.notice(&notice, &params, method).map(|()| None),
            Incoming { error: Some(failure), .. } => Err(malformed(format!("it is an error of no call: {}", in_short(&failure.message)))),
            _ => Ok(None),
        }
    }

    /// What the engine says unasked.
    fn notice(&self, notice: &str, params: &Value, method: &'static str) -> Result<(), EngineError> {
        let request = || self.request.clone();
        let or = |words: &str| in_short(params["message"].as_str().filter(|message| !message.is_empty()).unwrap_or(words));
        match notice {
            "OnConnected" => match params["qSessionState"].as_str() {
                Some(state) if state.contains("ERROR") || state.contains("FAILURE") => {
                    Err(EngineError::NoAccess { request: request(), why: in_short(state) })
                }
                _ => Ok(()),
            },
            "OnAuthenticationInformation" if params["mustAuthenticate"] == true => {
                Err(EngineError::NotAuthenticated { request: request() })
            }
            "OnLicenseAccessDenied" => Err(EngineError::NoAccess { request: request(), why: or("it has no license") }),
            "OnMaxParallelSessionsExceeded" => Err(EngineError::NoAccess { request: request(), why: or("it has too many sessions") }),
            "OnSessionTimedOut" => Err(self.lost(method, or("the session timed out"))),
            other => {
                tracing::debug!(site = %self.request.site, notice = in_short(other), "The engine says something that means nothing here.");
                Ok(())
            }
        }
    }

    fn late(&self, method: &'static str) -> EngineError {
        EngineError::Timeout { request: self.request.clone(), method, after: self.timeout }
    }

    fn lost(&self, method: &'static str, why: String) -> EngineError {
        EngineError::Lost { request: self.request.clone(), method, why }
    }

    /// That a reply is not as it should be.
    pub(super) fn malformed(&self, method: &'static str, why: &str) -> EngineError {
        EngineError::Malformed { request: self.request.clone(), method, why: why.to_owned() }
    }

    pub(super) fn request(&self) -> &EngineRequest {
        &self.request
    }

    /// Ends the session in order. It takes two seconds at the most, whatever the engine does.
    pub(super) async fn close(mut self) {
        let clock = Arc::clone(&self.clock);
        let farewell = async {
            let frame = CloseFrame { code: CloseCode::Normal, reason: Default::default() };
            if self.socket.close(Some(frame)).await.is_ok() {
                while let Some(Ok(message)) = self.socket.next().await {
                    if message.is_close() {
                        break;
                    }
                }
            }
        };
        tokio::select! {
            biased;
            () = farewell => {}
            () = clock.sleep(FAREWELL) => {}
        }
    }
}

fn tls_fault(request: Box<EngineRequest>, method: &'static str, error: &tungstenite::Error) -> Option<EngineError> {
    crate::tls::error_within(error).map(|_| EngineError::during(request, method, error))
}

fn farewell_in_words(farewell: Option<&CloseFrame>) -> String {
    match farewell {
        Some(frame) if frame.reason.is_empty() => format!("the engine closed it with code {}", frame.code),
        Some(frame) => format!("the engine closed it with code {}: {}", frame.code, in_short(&frame.reason)),
        None => "the engine closed it".into(),
    }
}
