//! Whole script logs, for sinks that keep them.
//!
//! A script log can be hundreds of megabytes: nobody holds it in memory or in the store. Whoever wants the whole of it asks for it when the message leaves, and takes it
//! in pieces.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::SiteName;

/// Which log is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogReference {
    /// The task that wrote it.
    pub task: Uuid,
    /// The result of the execution that wrote it.
    pub result: Option<Uuid>,
    /// The repository's reference of it; zeros while there was none.
    pub file: Option<Uuid>,
}

/// Why a log can't be had now. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// Nobody answers, or the connection broke.
    #[error("{0}")]
    Unavailable(String),
    /// The answer is of no use.
    #[error("{0}")]
    Unusable(String),
}

/// Gives the script logs of one site.
///
/// # Contract
/// * A log that is not there, or not yet, is none, and no error.
/// * It bounds its time by itself: no piece is waited for without an end.
///
/// # Cancellation
/// Dropping a future, or the pieces, gives back what was held.
#[async_trait]
pub trait LogSource: std::fmt::Debug + Send + Sync + 'static {
    /// Opens a log.
    ///
    /// # Errors
    /// [`LogError`].
    async fn open(&self, log: LogReference) -> Result<Option<Box<dyn LogPieces + '_>>, LogError>;
}

/// A log that comes in pieces, which may end anywhere.
#[async_trait]
pub trait LogPieces: Send {
    /// The next piece; none at the end.
    ///
    /// # Errors
    /// [`LogError`]; what came before is not the whole log then.
    async fn next(&mut self) -> Result<Option<Bytes>, LogError>;
}

/// Who is asked for the logs of which site. Clones are the same desk: it is handed out before anybody sits there.
#[derive(Debug, Clone, Default)]
pub struct LogDesk(Arc<RwLock<BTreeMap<SiteName, Arc<dyn LogSource>>>>);

impl LogDesk {
    /// Seats whom to ask about a site, in place of another.
    pub fn seat(&self, site: SiteName, source: Arc<dyn LogSource>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(site, source);
    }

    /// Whom to ask about a site.
    #[must_use]
    pub fn of(&self, site: &SiteName) -> Option<Arc<dyn LogSource>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(site).cloned()
    }
}
