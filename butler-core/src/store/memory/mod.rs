//! A store in memory: it keeps every promise of the contracts but the one of outliving the process.
//!
//! For tests, for the demo, and for programs that embed Butler and have nothing to lose at their end. It is written as plainly as the contracts are, for
//! it is also what the durable store is compared with: where a database keeps marks to be fast, as who of a lane is its head, this one looks.

mod deliveries;
mod events;
mod keeping;
mod ledger;
mod pairs;
mod queries;
mod schedules;
mod states;
mod store;

pub use store::MemoryStore;

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;
