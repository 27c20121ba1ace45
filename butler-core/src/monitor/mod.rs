//! Watching what no log datagram tells of.

#[cfg(feature = "qlik")]
pub mod tasks;
pub mod uptime;
