//! The directories of `[files]`, at the start.

use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use crate::clock::Clock;
use crate::files::{FileSettings, Files};

/// For how long the start waits for shares that do not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Finds the directories. Those that do not answer in time are looked for on while Butler runs.
pub(super) async fn find(settings: FileSettings, clock: &dyn Clock) -> Result<Arc<Files>, StartError> {
    let files = Arc::new(Files::new(settings).map_err(StartError::WorkingDirectory)?);
    tokio::select! {
        biased;
        () = files.find() => {}
        () = clock.sleep(PATIENCE) => tracing::warn!("A directory of [files] does not answer. Butler starts without waiting for it."),
    }
    Ok(files)
}
