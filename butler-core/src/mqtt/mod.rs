//! Connections to an MQTT broker.
//!
//! A [`BrokerConfig`] says where the broker is and how it lets us in; a [`Broker`] is the same with its files and secrets read. The sink
//! `mqtt` publishes over a [`Connection`].
//!
//! # What is promised
//! * A message counts as published when the broker has acknowledged it (PUBACK), and not before. There is no queue: what can't be handed over now is
//!   an error now, and whoever sent it decides what becomes of it.
//! * Nothing is connected before it is needed. A connection that has ended is replaced by the next publication; one that does not answer in time is given up.
//! * A publication that is dropped gives back what it held. It may still arrive.
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
pub use wire::{Incoming, Publication, Will};
