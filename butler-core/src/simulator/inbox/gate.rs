//! Something that is waited for until it is opened.

use tokio::sync::watch;

/// A gate that holds whoever waits at it until it is opened. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate(watch::Sender<State>);

#[derive(Debug, Clone, Copy, Default)]
struct State {
    open: bool,
    waiting: usize,
}

impl Default for Gate {
    fn default() -> Self {
        Self(watch::Sender::new(State::default()))
    }
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn closed() -> Self {
        Self::default()
    }

    /// Opens it for good.
    pub fn open(&self) {
        self.0.send_modify(|state| state.open = true);
    }

    /// Waits until it is open.
    pub async fn pass(&self) {
        let mut state = self.0.subscribe();
        self.0.send_modify(|state| state.waiting += 1);
        // The sender lives in this gate, so the wait cannot fail.
        let _ = state.wait_for(|state| state.open).await;
    }

    /// Waits until `count` have come to it.
    pub async fn reached_by(&self, count: usize) {
        let _ = self.0.subscribe().wait_for(|state| state.waiting >= count).await;
    }
}
