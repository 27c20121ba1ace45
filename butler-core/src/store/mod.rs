//! What must outlive the process.
//!
//! Four small traits and an umbrella: [`Journal`] for events and their deliveries, [`KvStore`] for the load scripts' pairs, [`ScheduleStore`]
//! for schedules and their occurrences, [`StateStore`] for small named state. [`Store`] is all four, and `Arc<dyn Store>` upcasts to each.
//!
//! Two stores come with the library: [`memory`], always compiled, for tests and for those who bring nothing, and `sqlite`, the durable default. Both
//! pass one suite (`testkit::store_suite`), and whoever writes a third passes the same.

mod ids;
mod journal;
mod kv;
pub mod memory;
mod records;
pub(crate) mod rules;
mod schedule;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod state;
mod watchers;

pub use journal::{
    Appended, Claim, ClaimToken, Interest, Journal, Lease, LeaseToken, Leased, Limit, LimitState, MAX_LOST, NewDelivery, Routing, Settled,
    Settlement, Suppression,
};
pub use kv::{DeleteOutcome, If, Increment, KvEntry, KvStore, Lookup, PutOutcome};
pub use records::{
    AttemptRecord, DeliveryQuery, DeliveryRecord, DeliveryState, EventQuery, EventRecord, JournalStats, PrunePolicy, PruneReport,
    RouteNote, Sighting, Story,
};
pub use schedule::{OccurrenceClaim, OpenRun, RunOutcome, ScheduleRecord, ScheduleRun, ScheduleStore, Work, WorkEnd};
pub use state::{StateEntry, StateStore};

use std::path::PathBuf;

/// All that must outlive the process, in one.
pub trait Store: Journal + KvStore + ScheduleStore + StateStore {}

impl<T: Journal + KvStore + ScheduleStore + StateStore> Store for T {}

/// Why a store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The place where the data lives can't be opened or written.
    #[error("the store `{}` can't be {doing}: {why}. {remedy}", path.display())]
    Unavailable {
        /// The file.
        path: PathBuf,
        /// `opened`, `written`.
        doing: &'static str,
        /// What the system said.
        why: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// Another process holds it.
    #[error("the store `{}` is in use by process {holder}. Stop that one first, or give this one a `[store] path` of its own", path.display())]
    Held {
        /// The file.
        path: PathBuf,
        /// The holder's process id, as far as it is known.
        holder: String,
    },
    /// A later version of the program wrote it.
    #[error("the store `{}` has format {found}, this program knows up to {known}. Use the newer program, or move the file away", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The file's format.
        found: i64,
        /// The newest format this program knows.
        known: i64,
    },
    /// No more fits: the disk or the configured size is full.
    #[error("the store is full: {0}")]
    Full(String),
    /// Something stored can't be read back.
    #[error("stored data can't be read ({what}): {why}")]
    Corrupt {
        /// Which data.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// Reading or writing failed.
    #[error("the store failed: {0}")]
    Failed(String),
    /// The store is closed; nothing more is taken.
    #[error("the store is closed")]
    Closed,
}
