//! A session: what was opened in it, and how a call is answered.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::EngineCall;
use super::fault::{EngineFault, EngineNotice};
use super::methods;
use crate::simulator::site::shared::Shared;

/// On whose behalf a session is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct User {
    pub(super) directory: String,
    pub(super) id: String,
}

/// What a handle leads to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Object {
    /// The app that is open.
    App,
    /// A list that lives as long as the session, with its definition.
    List(Value),
    /// An object of this id.
    Part(String),
}

/// The app that is open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opened {
    pub(super) app: Uuid,
    pub(super) without_data: bool,
}

/// The one app that can be open in a session, for all who share the session.
#[derive(Debug, Clone, Default)]
pub(super) struct Doc(pub(super) Arc<OpenedOrNot>);

pub(super) type OpenedOrNot = Mutex<Option<Opened>>;

impl Doc {
    pub(super) fn opened(&self) -> Option<Opened> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self, opened: Opened) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened);
    }
}

/// A session, or one of several connections to it.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) id: Uuid,
    pub(super) user: User,
    pub(super) doc: Doc,
    pub(super) reloaded: bool,
    path: String,
    objects: Vec<Object>,
}

/// What a call comes to.
pub(super) enum Answer {
    /// This is said.
    Text(String),
    /// The connection is reset.
    Cut,
    /// The connection is closed.
    Close,
    /// This is said unasked, and the connection is closed.
    Notice(EngineNotice),
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal(pub(super) i64);

impl Refusal {
    pub(super) const UNKNOWN_METHOD: Self = Self(-32601);
    pub(super) const PARAMETERS: Self = Self(-32602);
    pub(super) const NOT_FOUND: Self = Self(2);
    pub(super) const ALREADY_OPEN: Self = Self(1002);
    pub(super) const UNKNOWN_APP: Self = Self(1003);
    pub(super) const OTHER_MODE: Self = Self(1009);

    fn words(self) -> &'static str {
        match self.0 {
            2 => "Object not found",
            5 => "Access denied",
            15 => "Request aborted",
            1002 => "App already open",
            1003 => "App not found",
            1007 => "App invalid",
            1009 => "App already open in different mode",
            -32601 => "Method not found",
            -32602 => "Invalid method parameter(s)",
            -32700 => "Parse error",
            _ => "Internal error",
        }
    }

    fn message(self, id: &Value) -> String {
        let Self(code) = self;
        let words = self.words();
        json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "parameter": words, "message": words } }).to_string()
    }
}

#[derive(Deserialize)]
struct Request {
    id: Value,
    method: String,
    #[serde(default = "global")]
    handle: i64,
    #[serde(default)]
    params: Value,
    #[serde(default)]
    delta: bool,
}

fn global() -> i64 {
    -1
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, path: String, user: User, doc: Doc) -> Self {
        Self { shared, id: Uuid::new_v4(), user, doc, reloaded: false, path, objects: Vec::new() }
    }

    /// Carries a call out.
    pub(super) async fn answer(&mut self, text: &str) -> Answer {
        let Ok(Request { id, method, handle, params, delta }) = serde_json::from_str(text) else {
            return Answer::Text(Refusal(-32700).message(&Value::Null));
        };
        let path = self.path.clone();
        self.shared.engine.calls.add(EngineCall { path, handle, method: method.clone(), params: params.clone(), delta });
        for fault in self.shared.engine.faults.of(&method) {
            match fault {
                EngineFault::Delay(delay) => self.shared.clock.sleep(delay).await,
                EngineFault::Error(code) => return Answer::Text(Refusal(code).message(&id)),
                EngineFault::Hang => return pending().await,
                EngineFault::Cut | EngineFault::Refuse(_) => return Answer::Cut,
                EngineFault::Close => return Answer::Close,
                EngineFault::Malformed => return Answer::Text(r#"{"jsonrpc":"2.0","id":"#.to_owned()),
                EngineFault::Notice(notice) => return Answer::Notice(notice),
            }
        }
        let result = if handle == -1 {
            methods::global(self, &method, &params)
        } else {
            match self.object(handle).cloned() {
                None => Err(Refusal::PARAMETERS),
                Some(Object::App) if method == "DoReload" => methods::reload(self, &params).await,
                Some(Object::App) => methods::app(self, &method, &params),
                Some(object) => methods::part(self, &object, &method),
            }
        };
        Answer::Text(match result {
            Err(refusal) => refusal.message(&id),
            Ok(result) if delta => {
                let patch = |(member, value): (String, Value)| (member, json!([{ "op": "add", "path": "/", "value": value }]));
                let result: Value = members(result).into_iter().map(patch).collect::<serde_json::Map<_, _>>().into();
                json!({ "jsonrpc": "2.0", "id": id, "delta": true, "result": result }).to_string()
            }
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string(),
        })
    }

    /// A handle for an object.
    pub(super) fn give(&mut self, object: Object) -> i64 {
        self.objects.push(object);
        i64::try_from(self.objects.len()).unwrap_or(i64::MAX)
    }

    /// The handle of the app that is open.
    pub(super) fn app_handle(&mut self) -> i64 {
        match self.objects.iter().position(|object| *object == Object::App) {
            Some(place) => i64::try_from(place + 1).unwrap_or(i64::MAX),
            None => self.give(Object::App),
        }
    }

    fn object(&self, handle: i64) -> Option<&Object> {
        self.objects.get(usize::try_from(handle).ok()?.checked_sub(1)?)
    }
}

fn members(result: Value) -> serde_json::Map<String, Value> {
    match result {
        Value::Object(members) => members,
        _ => serde_json::Map::new(),
    }
}
