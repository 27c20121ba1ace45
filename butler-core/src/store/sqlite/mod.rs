//! The embedded durable store: one SQLite file.
//!
//! # What is promised
//!
//! When a call that changes something returns, the change is on disk: the file is in WAL mode with `synchronous = FULL`, so each commit is an `fsync`. One thread
//! writes; it takes every call that waits, runs each in a savepoint of its own, commits once, and answers then. A crowd of callers shares one
//! `fsync`, and one that fails takes no other with it. A few connections read beside it, and never wait for it.
//!
//! One process holds the file, by a lock on `<file>.lock`; a second one is refused with the number of the first. So claims and leases that stand in the file when
//! it is opened belong to nobody: claims are void, and open leases count as lost.
//!
//! # What a crash leaves
//!
//! | killed after | on restart |
//! | --- | --- |
//! | a datagram was received, before the commit of its append | it is lost to this path; nobody was told that it was accepted |
//! | the commit of `append` | the event is there, unrouted; the router claims it |
//! | `claim`, while facts are looked up | the claim is void; the event is claimed again, with `attempt` one higher |
//! | the deciding, before the commit of `route` | the same: nothing of the decision is stored |
//! | the commit of `route` | event, facts and deliveries are there, the event is routed; the workers lease them |
//! | `lease`, before anything was sent | the lease is void and counts as lost; the delivery is leased again, alone among those that were lost, and is dead after five such losses in a row |
//! | the remote accepted, before the commit of `settle` | the same: it is sent once more, under the same idempotency key |
//! | the commit of `settle` | the delivery is settled and is not sent again |
//! | a slice of `prune`, before its commit | the slice is still there, and goes next time |
//! | a namespace of pairs was dropped, while its pairs are removed | it is gone; what is left of its pairs goes with the next prune |
//! | the copy before a change of format | the old file is untouched, the copy may be incomplete and is made anew |
//!
//! # What is in the file
//!
//! `format_1.sql` and what follows it describe it. Bodies, facts and notes are JSON, whose readers take fields that are missing for their defaults, so that older rows stay readable. The
//! format's number stands in `user_version`; a newer one is refused, an older one is copied and then brought up to date by steps that are never changed again.

mod cache;
mod deliveries;
mod events;
mod failpoint;
mod keeping;
mod lanes;
mod lock;
mod pairs;
mod queries;
mod schedules;
mod schema;
mod states;
mod store;
mod values;
mod versions;
mod writer;

pub use failpoint::{Failpoint, Failpoints};
pub use store::{SqliteSettings, SqliteStore};
pub use writer::Call;

#[cfg(test)]
#[cfg(feature = "testkit")]
mod model;
#[cfg(test)]
#[cfg(feature = "testkit")]
mod proofs;
#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;
