//! The engine of a simulated site: JSON-RPC over WebSockets, with client certificates.
//!
//! Connections of one user to one path are one session, in which one app can be open; `/identity/ANYTHING` at the end of the path makes it another. It opens an app, shows what is in it,
//! reloads and saves it. A request with `delta` is answered with patches, one without it with plain values.

mod fault;
mod methods;
mod objects;
mod serve;
mod session;

pub use fault::{EngineFault, EngineNotice};
pub(super) use serve::serve;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::watch;

use self::session::{Doc, OpenedOrNot, User};
use super::faults::{Faults, On};
use super::running::Site;
use crate::simulator::kept::Kept;

/// A call that the engine has got.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineCall {
    /// The path of the session's address, as it was sent.
    pub path: String,
    /// The handle; -1 for what is not within an app.
    pub handle: i64,
    /// The method.
    pub method: String,
    /// Its parameters.
    pub params: serde_json::Value,
    /// Whether patches were asked for.
    pub delta: bool,
}

/// How many sessions there are and were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EngineSessions {
    /// Open now.
    pub open: usize,
    /// Opened in all.
    pub opened: usize,
    /// Of those that ended, how many the client closed in order (code 1000).
    pub closed: usize,
}

/// What the engine's sessions share.
#[derive(Debug, Default)]
pub(super) struct Engine {
    faults: Faults<EngineFault>,
    calls: Kept<EngineCall>,
    sessions: watch::Sender<EngineSessions>,
    /// The sessions that last, each with the path and the user that it is of.
    docs: Mutex<HashMap<(String, User), Weak<OpenedOrNot>>>,
}

impl Engine {
    /// The session of a user at a path, and whether there was one already.
    fn doc(&self, path: &str, user: &User) -> (Doc, bool) {
        let mut docs = self.docs.lock().unwrap_or_else(PoisonError::into_inner);
        docs.retain(|_, doc| doc.strong_count() > 0);
        let key = (path.to_owned(), user.clone());
        if let Some(doc) = docs.get(&key).and_then(Weak::upgrade) {
            return (Doc(doc), true);
        }
        let doc = Doc::default();
        docs.insert(key, Arc::downgrade(&doc.0));
        (doc, false)
    }
}

impl Site {
    /// Where the engine listens.
    #[must_use]
    pub fn engine_address(&self) -> SocketAddr {
        self.engine
    }

    /// How an [`EngineClient`](crate::qlik::engine::EngineClient) reaches this site, with its certificates in `folder`.
    #[cfg(feature = "qlik")]
    #[must_use]
    pub fn engine_settings(&self, name: &str, folder: impl AsRef<std::path::Path>) -> crate::qlik::engine::EngineSettings {
        let repository = self.repository_settings(name, folder);
        crate::qlik::engine::EngineSettings {
            site: repository.site,
            host: super::running::reached(self.engine),
            port: self.engine.port(),
            client_certificate: repository.client_certificate,
            client_key: repository.client_key,
            root_certificate: repository.root_certificate,
            verify: repository.verify,
            user: repository.user,
            timeout: repository.timeout,
        }
    }

    /// Has something go wrong in the engine: at a method, `site.engine_fault("DoReload", EngineFault::Cut)`, or when a session begins, at `connect`. Faults add up as those of the repository.
    pub fn engine_fault(&self, on: impl Into<On>, fault: EngineFault) {
        self.shared.engine.faults.add(on.into(), fault);
    }

    /// Ends all faults of the engine.
    pub fn clear_engine_faults(&self) {
        self.shared.engine.faults.clear();
    }

    /// The calls that the engine has got, the latest twenty thousand.
    #[must_use]
    pub fn engine_calls(&self) -> Vec<EngineCall> {
        self.shared.engine.calls.all()
    }

    /// How many sessions there are and were.
    #[must_use]
    pub fn engine_sessions(&self) -> EngineSessions {
        *self.shared.engine.sessions.borrow()
    }

    /// Waits until the engine's sessions are as wanted.
    pub async fn wait_for_engine(&self, wanted: impl FnMut(&EngineSessions) -> bool) -> EngineSessions {
        let mut sessions = self.shared.engine.sessions.subscribe();
        // The sender lives in what is shared, so the wait cannot fail.
        sessions.wait_for(wanted).await.map_or_else(|_| EngineSessions::default(), |sessions| *sessions)
    }

    /// Waits until the engine has got `count` calls in all.
    pub async fn wait_for_engine_calls(&self, count: usize) -> Vec<EngineCall> {
        self.shared.engine.calls.wait_for(count).await
    }
}
