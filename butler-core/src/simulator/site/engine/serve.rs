//! From a connection to a session, and back.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use super::fault::{EngineFault, EngineNotice};
use super::session::{Answer, Session, User};
use crate::simulator::site::answer::on_behalf_of;
use crate::simulator::site::fuse::Fuse;
use crate::simulator::site::shared::Shared;

/// That a session is open, until it is dropped.
struct Counted<'a>(&'a Shared);

impl<'a> Counted<'a> {
    fn open(shared: &'a Shared) -> Self {
        shared.engine.sessions.send_modify(|sessions| {
            sessions.open += 1;
            sessions.opened += 1;
        });
        Self(shared)
    }

    fn closed_in_order(&self) {
        self.0.engine.sessions.send_modify(|sessions| sessions.closed += 1);
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.engine.sessions.send_modify(|sessions| sessions.open -= 1);
    }
}

/// What is looked at when a connection becomes a WebSocket.
struct Upgrade<'a> {
    /// It is refused with this one.
    status: Option<StatusCode>,
    path: &'a mut String,
    user: &'a mut Option<String>,
}

impl Callback for Upgrade<'_> {
    fn on_request(self, request: &Request, response: Response) -> Result<Response, ErrorResponse> {
        request.uri().path().clone_into(self.path);
        *self.user = request.headers().get("x-qlik-user").map(|user| String::from_utf8_lossy(user.as_bytes()).into_owned());
        match self.status {
            None => Ok(response),
            Some(status) => {
                let mut refusal = ErrorResponse::new(Some("on command".to_owned()));
                *refusal.status_mut() = status;
                Err(refusal)
            }
        }
    }
}

/// Carries a session from its upgrade to its end.
pub(in super::super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, shared: &Arc<Shared>, fuse: &Fuse) {
    let mut status = None;
    let mut notice = None;
    for fault in shared.engine.faults.of("connect") {
        match fault {
            EngineFault::Refuse(refused) => status = StatusCode::from_u16(refused).ok(),
            EngineFault::Delay(delay) => shared.clock.sleep(delay).await,
            EngineFault::Hang => return std::future::pending().await,
            EngineFault::Notice(wanted) => notice = Some(wanted),
            EngineFault::Cut => return fuse.blow(),
            EngineFault::Close => return,
            EngineFault::Error(_) | EngineFault::Malformed => {}
        }
    }
    let (mut path, mut user) = (String::new(), None);
    let upgrade = Upgrade { status, path: &mut path, user: &mut user };
    let Ok(mut socket) = accept_hdr_async(stream, upgrade).await else { return };
    let counted = Counted::open(shared);
    let user = match on_behalf_of(shared, user.as_deref()) {
        Ok((directory, id)) => User { directory: directory.to_owned(), id: id.to_owned() },
        Err(_) => return say(&mut socket, EngineNotice::MustAuthenticate).await,
    };
    if let Some(notice) = notice {
        return say(&mut socket, notice).await;
    }
    let known = json!({ "mustAuthenticate": false, "userDirectory": user.directory, "userId": user.id });
    let (doc, attached) = shared.engine.doc(&path, &user);
    let state = if attached { "SESSION_ATTACHED" } else { "SESSION_CREATED" };
    let greetings = [("OnAuthenticationInformation", known), ("OnConnected", json!({ "qSessionState": state }))];
    for (method, params) in greetings {
        let greeting = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        if socket.send(Message::text(greeting.to_string())).await.is_err() {
            return;
        }
    }
    talk(&mut socket, Session::new(Arc::clone(shared), path, user, doc), fuse, &counted).await;
}

/// Answers calls one after the other. Meanwhile it is listened, so that pings are answered during a reload.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    mut session: Session,
    fuse: &Fuse,
    counted: &Counted<'_>,
) {
    let mut calls = VecDeque::new();
    loop {
        let Some(call) = (match calls.pop_front() {
            Some(call) => Some(call),
            None => hear(socket, counted).await,
        }) else {
            return;
        };
        let answer = {
            let mut answer = pin!(session.answer(&call));
            loop {
                tokio::select! {
                    biased;
                    answer = &mut answer => break answer,
                    heard = hear(socket, counted) => match heard {
                        Some(call) => calls.push_back(call),
                        None => return,
                    },
                }
            }
        };
        match answer {
            Answer::Text(text) => {
                if socket.send(Message::text(text)).await.is_err() {
                    return;
                }
            }
            Answer::Cut => return fuse.blow(),
            Answer::Close => return close(socket).await,
            Answer::Notice(notice) => return say(socket, notice).await,
        }
    }
}

/// The next call; none at the end of the session.
async fn hear<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, counted: &Counted<'_>) -> Option<String> {
    loop {
        match socket.next().await?.ok()? {
            Message::Text(text) => return Some(text.as_str().to_owned()),
            Message::Close(Some(CloseFrame { code: CloseCode::Normal, .. })) => counted.closed_in_order(),
            _ => {}
        }
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, notice: EngineNotice) {
    if socket.send(Message::text(notice.message().to_string())).await.is_ok() {
        close(socket).await;
    }
}

async fn close<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) {
    // Whoever does not hear it has gone already.
    if socket.close(None).await.is_ok() {
        while let Some(Ok(_)) = socket.next().await {}
    }
}
