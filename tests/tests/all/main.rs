//! The whole program as a process.

mod crash;
mod delivery;
mod demo;
mod email;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_butler-under-test");
