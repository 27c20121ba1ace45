//! Watching what no log datagram tells of.

pub mod tasks;
