//! What the tests of the whole program share: a process that is started, watched and killed, what stands around it, and a patient
//! way to wait for what another process does.

mod certificates;
mod exim;
mod influxd;
mod mosquitto;
mod proc;
mod redact;
mod sense;
mod subscriber;
mod wait;
mod world;

pub use exim::Exim;
pub use influxd::{Influxd, USER};
pub use mosquitto::Mosquitto;
pub use proc::{Proc, Run};
pub use redact::{ending, redacted};
pub use sense::{Sense, Settings};
pub use subscriber::Subscriber;
pub use wait::{eventually, patience, within};
pub use world::{Sender, World, a_failure, api, failed_again, http};
