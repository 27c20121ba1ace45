//! What goes wrong with the engine on command.

use std::time::Duration;

use serde_json::{Value, json};

/// What goes wrong with a session or a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineFault {
    /// At `connect`: the WebSocket is refused with this status.
    Refuse(u16),
    /// The call is answered with this error.
    Error(i64),
    /// It is answered so much later.
    Delay(Duration),
    /// It is never answered; the connection lives.
    Hang,
    /// The connection is reset in place of the answer.
    Cut,
    /// The connection is closed in order, in place of the answer.
    Close,
    /// The answer is no JSON.
    Malformed,
    /// The engine says this, and closes the connection in order.
    Notice(EngineNotice),
}

/// What the engine says unasked, before it ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineNotice {
    /// Somebody has to log in.
    MustAuthenticate,
    /// The user has no license.
    LicenseAccessDenied,
    /// The user has too many sessions.
    MaxParallelSessionsExceeded,
    /// The session is over.
    SessionTimedOut,
}

impl EngineNotice {
    pub(super) fn message(self) -> Value {
        let (method, params) = match self {
            Self::MustAuthenticate => (
                "OnAuthenticationInformation",
                json!({ "mustAuthenticate": true, "loginUri": "https://sense-node-1/internal_forms_authentication/?targetId=1" }),
            ),
            Self::LicenseAccessDenied => ("OnLicenseAccessDenied", json!({ "severity": "fatal", "message": "No license." })),
            Self::MaxParallelSessionsExceeded => {
                ("OnMaxParallelSessionsExceeded", json!({ "severity": "fatal", "message": "Too many sessions active in parallel." }))
            }
            Self::SessionTimedOut => ("OnSessionTimedOut", json!({ "severity": "fatal", "message": "Session timed out." })),
        };
        json!({ "jsonrpc": "2.0", "method": method, "params": params })
    }
}
