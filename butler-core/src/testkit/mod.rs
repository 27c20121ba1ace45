//! For tests: a clock that moves by hand, fakes, and the suites that every store and sink must pass.

mod clock;
mod fake_sink;

pub use clock::TestClock;
pub use fake_sink::{FakeSink, Taken};
