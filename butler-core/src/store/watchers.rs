//! Who waits for news of a journal.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use super::Interest;
use crate::event::SinkName;

/// A channel for each interest; what it carries only counts up.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    events: watch::Sender<u64>,
    sinks: Mutex<HashMap<SinkName, watch::Sender<u64>>>,
}

/// Who is to be woken.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    pub(crate) events: bool,
    pub(crate) sinks: HashSet<SinkName>,
}

impl Watchers {
    pub(crate) fn watch(&self, interest: Interest<'_>) -> watch::Receiver<u64> {
        match interest {
            Interest::Events => self.events.subscribe(),
            Interest::Sink(name) => {
                let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
                sinks.entry(name.clone()).or_default().subscribe()
            }
        }
    }

    pub(crate) fn wake(&self, wakes: Wakes) {
        if wakes.events {
            self.events.send_modify(|count| *count += 1);
        }
        let sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        for sink in wakes.sinks.iter().filter_map(|name| sinks.get(name)) {
            sink.send_modify(|count| *count += 1);
        }
    }
}
