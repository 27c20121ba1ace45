//! For tests: a clock that moves by hand, fakes, and the suites that every store and sink must pass.

mod clock;
mod fake_sink;
mod faulty_store;
mod http_remote;
mod logs;
pub mod sink_suite;
pub mod store_suite;

/// The events that suites and snapshots render.
pub use crate::sink::sample as sink_samples;
pub use clock::TestClock;
pub use fake_sink::{FakeSink, Taken};
pub use faulty_store::{FaultyStore, StoreFault};
pub use http_remote::{HttpRemote, closed_port, make_sink, sink_context};
pub use logs::Logs;
