//! The embedded durable store.

use std::path::PathBuf;

/// Where and how the embedded store lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteSettings {
    /// The database file; its lock file stands beside it.
    pub path: PathBuf,
}
