//! What is logged, for tests that look for what must not be.

use std::fmt;
use std::sync::{Arc, Mutex, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, Interest};
use tracing::{Event, Metadata, Subscriber};

/// Keeps everything that is logged on this thread while it lives, at every level: the fields of events and of spans.
pub struct Logs {
    lines: Arc<Mutex<Vec<String>>>,
    _guard: DefaultGuard,
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lines()).finish()
    }
}

impl Logs {
    /// Begins. The first time, the process gets a subscriber that keeps nothing, unless it has one: a place in the code that is reached for the first time while nobody listens
    /// anywhere, on another thread and at the very moment in which somebody begins to, would stay silent for good.
    #[must_use]
    pub fn keep() -> Self {
        static LISTENING: Once = Once::new();
        LISTENING.call_once(|| {
            // Whoever has set one already listens as well.
            let _ = tracing::subscriber::set_global_default(Deaf);
        });
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let guard = tracing::subscriber::set_default(Keeper(Arc::clone(&lines)));
        tracing::callsite::rebuild_interest_cache();
        Self { lines, _guard: guard }
    }

    /// What was logged until now.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Keeps nothing, but wants to be asked each time.
struct Deaf;

impl Subscriber for Deaf {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Keeper(Arc<Mutex<Vec<String>>>);

impl Keeper {
    fn add(&self, line: Line) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.0);
    }
}

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.0.push_str(&format!(" {}={value} {value:?}", field.name()));
    }
}

impl Subscriber for Keeper {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(span.metadata().name().to_owned());
        span.record(&mut line);
        self.add(line);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut line = Line::default();
        values.record(&mut line);
        self.add(line);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().target().to_owned());
        event.record(&mut line);
        self.add(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_and_spans_are_kept_while_it_lives() {
        let logs = Logs::keep();
        let span = tracing::debug_span!("work", size = 3, later = tracing::field::Empty);
        span.record("later", "now");
        span.in_scope(|| tracing::trace!(error = %"no", "Tried."));
        let lines = logs.lines();
        assert!(lines.iter().any(|line| line == "work size=3") && lines.iter().any(|line| line.contains("later=\"now\"")), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("error=no") && line.contains("Tried.")), "{lines:?}");
        drop(logs);
        tracing::trace!("Nobody keeps this.");
    }
}
