//! For tests: a clock that moves by hand, fakes, and the suites that every store and sink must pass.

mod clock;
pub mod sink_samples;

pub use clock::TestClock;
