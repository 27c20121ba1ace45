//! Connections to an MQTT broker.
//!
//! A [`BrokerConfig`] says where the broker is and how it lets us in; a [`Broker`] is the same with its files and secrets read. Two
//! things use it: the sink `mqtt`, which publishes over a [`Connection`], and the [source](crate::source::mqtt_in) that says that Butler is up and takes
//! messages. Each has a connection of its own, so that neither waits for the other.
//!
//! # What is promised
//! * A message counts as published when the broker has acknowledged it (PUBACK), and not before. There is no queue: what can't be handed over now is
//!   an error now, and whoever sent it decides what becomes of it.
//! * Nothing is connected before it is needed. A connection that has ended is replaced by the next publication; one that does not answer in time is given up.
//! * A publication that is dropped gives back what it held. It may still arrive.
//! * Messages that come in are taken at most once: they are acknowledged as they arrive, and no session is kept at the broker. What they ask for, such as
//!   the start of a task, is nothing that may be repeated blindly.
//!
//! # Where the crates are
//! The protocol is spoken by `rumqttc-v4-next` (MQTT 3.1.1) and `rumqttc-v5-next` (MQTT 5), each of which is known to one file below `wire`. They get a stream that is
//! connected and secured already, so that the certificates are checked here as they are everywhere else.

mod broker;
mod config;
mod connection;
mod dial;
mod fault;
mod topic;
mod wire;

pub use broker::{Broker, BrokerError};
pub use config::{BrokerConfig, BrokerLogin, MqttVersion};
pub use connection::{Connection, Session};
pub use fault::{Fault, FaultKind};
pub use topic::{filter_fault, level, topic_fault};
pub(crate) use wire::Inbox;
pub use wire::{Incoming, Publication, Will};
