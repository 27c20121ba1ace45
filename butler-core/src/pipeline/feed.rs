//! What happens, as it happens, for whoever wants to watch. It is a convenience: what has to be known stands in the journal.

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::{Receiver, Sender};

use crate::event::{DeliveryId, EventId, Kind, SinkName, SiteName, SourceName};

/// So much may happen while somebody who watches is slow; then they miss some of it.
const LONGEST_LAG: usize = 1024;

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(tag = "what", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Happening {
    /// The journal has taken an event.
    Accepted {
        /// The event.
        event: EventId,
        /// What happened, as far as its source knows.
        kind: Kind,
        /// Where.
        site: SiteName,
        /// Who told first.
        source: SourceName,
    },
    /// It is decided where an event goes.
    Routed {
        /// The event.
        event: EventId,
        /// How many deliveries it came to.
        deliveries: usize,
        /// How many of them are silenced.
        silenced: usize,
    },
    /// A delivery has been tried, or is given up.
    Tried {
        /// The delivery.
        delivery: DeliveryId,
        /// By which sink.
        sink: SinkName,
        /// What came of it.
        outcome: Outcome,
        /// Why, if it did not go well.
        why: Option<String>,
    },
    /// Whoever watches was too slow, and misses some of what happened.
    Missed {
        /// How much.
        count: u64,
    },
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The remote has it.
    Delivered,
    /// It failed, and is tried again.
    Retry,
    /// It failed for good.
    Dead,
    /// It is not sent, for a reason that is no failure.
    Suppressed,
}

/// Tells those who watch.
#[derive(Debug)]
pub struct Feed(Sender<Happening>);

impl Default for Feed {
    fn default() -> Self {
        Self(Sender::new(LONGEST_LAG))
    }
}

impl Feed {
    /// From now on.
    #[must_use]
    pub fn watch(&self) -> Receiver<Happening> {
        self.0.subscribe()
    }

    /// Tells of what `happenings` gives, which is asked only if somebody watches.
    pub(crate) fn tell<I: IntoIterator<Item = Happening>>(&self, happenings: impl FnOnce() -> I) {
        if self.0.receiver_count() > 0 {
            for happening in happenings() {
                // Nobody may be left.
                let _ = self.0.send(happening);
            }
        }
    }
}
