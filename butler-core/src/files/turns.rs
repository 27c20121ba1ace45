//! Work off the runtime: so many at once, and an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;

use super::error::FileError;

/// Whether whoever works should end.
#[derive(Debug, Default)]
pub(super) struct Stop(AtomicBool);

impl Stop {
    pub(super) fn check(&self) -> Result<(), FileError> {
        if self.0.load(Ordering::Relaxed) { Err(FileError::Stopped) } else { Ok(()) }
    }
}

/// Runs what blocks, `at_once` at the most.
#[derive(Debug)]
pub(super) struct Turns {
    free: Arc<Semaphore>,
    all: u32,
    stop: Arc<Stop>,
}

impl Turns {
    pub(super) fn new(at_once: usize) -> Self {
        let all = u32::try_from(at_once.clamp(1, 64)).unwrap_or(1);
        Self { free: Arc::new(Semaphore::new(all as usize)), all, stop: Arc::default() }
    }

    /// Does it when it is its turn. What has begun goes on to its end, whether anybody waits for it or not.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Stop) -> Result<T, FileError> + Send + 'static,
    ) -> Result<T, FileError> {
        // It is never closed.
        let turn = Arc::clone(&self.free).acquire_owned().await.map_err(|_| FileError::Stopped)?;
        let stop = Arc::clone(&self.stop);
        let (log, span) = (tracing::dispatcher::get_default(Clone::clone), tracing::Span::current());
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            stop.check()?;
            tracing::dispatcher::with_default(&log, || span.in_scope(|| work(&stop)))
        });
        match done.await {
            Ok(result) => result,
            Err(why) => match why.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends.
                Err(_) => Err(FileError::Stopped),
            },
        }
    }

    /// Ends what is under way, at its next step, and everything after it.
    pub(super) fn stop(&self) {
        self.stop.0.store(true, Ordering::Relaxed);
    }

    /// The same, and waits until nothing is under way.
    pub(super) async fn close(&self) {
        self.stop();
        let _all = self.free.acquire_many(self.all).await;
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.stop();
    }
}
