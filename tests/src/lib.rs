//! What the tests of the whole program share: a process that is started, watched and killed, and a patient way to wait for what
//! another process does.

mod proc;
mod wait;

pub use proc::{Proc, Run};
pub use wait::{eventually, patience};
