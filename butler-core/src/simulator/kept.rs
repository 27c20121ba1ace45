//! What was received.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// The latest things received, and how many there were in all.
#[derive(Debug)]
pub(super) struct Kept<T> {
    latest: Mutex<VecDeque<T>>,
    count: watch::Sender<usize>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { latest: Mutex::default(), count: watch::Sender::new(0) }
    }
}

impl<T: Clone> Kept<T> {
    /// A receiver that runs for days, as in the demo, must not grow.
    const MOST: usize = 20_000;

    pub(super) fn add(&self, item: T) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.len() == Self::MOST {
            latest.pop_front();
        }
        latest.push_back(item);
        drop(latest);
        self.count.send_modify(|count| *count += 1);
    }

    pub(super) fn all(&self) -> Vec<T> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(super) fn count(&self) -> usize {
        *self.count.borrow()
    }

    pub(super) async fn wait_for(&self, count: usize) -> Vec<T> {
        // The sender lives in this value, so the wait cannot fail.
        let _ = self.count.subscribe().wait_for(|now| *now >= count).await;
        self.all()
    }
}
