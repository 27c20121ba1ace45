//! Reloading an app.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::EngineError;
use super::session::{Call, Session};

/// What the engine does when a script has an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReloadMode {
    /// It ends the reload.
    #[default]
    Abend,
    /// It would ask; nobody is there to answer, so it ends the reload.
    Ask,
    /// It goes on.
    Ignore,
}

impl ReloadMode {
    /// The mode of this number; the first if there is none.
    #[must_use]
    pub fn of(number: i64) -> Self {
        match number {
            1 => Self::Ask,
            2 => Self::Ignore,
            _ => Self::Abend,
        }
    }

    fn number(self) -> i64 {
        match self {
            Self::Abend => 0,
            Self::Ask => 1,
            Self::Ignore => 2,
        }
    }
}

/// How a reload went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reloaded {
    /// The script ran to its end, and the app is saved.
    Saved,
    /// The script failed. The app is as it was.
    Failed,
}

/// An app that is open with its data, in a session of its own. Dropping it closes the session's connection.
pub struct OpenApp {
    pub(super) session: Session,
    pub(super) handle: i64,
    pub(super) app: String,
}

impl fmt::Debug for OpenApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenApp({})", self.app)
    }
}

impl OpenApp {
    /// Reloads the app, however long it takes, saves it if the script ran to its end, and closes the session.
    ///
    /// # Errors
    /// [`EngineError`]: the reload, or saving, did not come to an end that the engine would tell.
    ///
    /// # Cancellation
    /// Dropping the future closes the connection; the engine ends the reload, or not.
    pub async fn reload(mut self, mode: ReloadMode, partial: bool) -> Result<Reloaded, EngineError> {
        let outcome = self.run(mode, partial).await;
        self.session.close().await;
        outcome
    }

    async fn run(&mut self, mode: ReloadMode, partial: bool) -> Result<Reloaded, EngineError> {
        const METHOD: &str = "DoReload";
        let call = Call::new(self.handle, METHOD, json!([mode.number(), partial]));
        match &self.session.call_for_long(call).await?["qReturn"] {
            Value::Bool(true) => {
                // A large app takes its time to be written.
                self.session.call_for_long(Call::plain(self.handle, "DoSave")).await?;
                Ok(Reloaded::Saved)
            }
            Value::Bool(false) => Ok(Reloaded::Failed),
            _ => Err(self.session.malformed(METHOD, "it does not say how the reload went")),
        }
    }
}
