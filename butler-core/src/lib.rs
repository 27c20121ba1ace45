//! Butler for Qlik Sense, as a library.
//!
//! Qlik Sense runs tasks, app reloads above all, and tells nobody when one fails. Butler hears of it, finds out what happened, and tells
//! people where they look. Its promise: **no failed reload goes unnoticed**. What it has accepted is delivered or visible, across any crash.
//!
//! # The way of an event
//!
//! A [`source`] hears something and hands it to the intake, which puts it into the journal of the [`store`]: from then on it is accepted. The
//! [`pipeline`] claims it, asks an [`Enricher`](enrich::Enricher) for the facts that decide, applies the routes, and stores one delivery for each destination. A worker for each [`sink`]
//! leases what is due, looks for the facts that the message shows, renders it, makes one attempt, and settles how it went. Retries,
//! order, rate limits and outages are the pipeline's business; a sink only knows how to hand one message over.
//!
//! # Embedding
//!
//! ```no_run
//! use std::time::Duration;
//! use butler_core::{Butler, config::Config};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::from_file("butler.toml")?;
//! let butler = Butler::builder(config).start().await?;
//! tokio::signal::ctrl_c().await?;
//! butler.shutdown(Duration::from_secs(10)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The library installs nothing for the whole process, makes no runtime, never prints and never exits. Clock, cryptography, HTTP clients and sinks
//! are values, so several Butlers live side by side in one process. What it has to say it says through [`tracing`].
//!
//! # Extending
//!
//! A destination of your own is a [`Sink`](sink::Sink) and its [`SinkConfig`](sink::SinkConfig); where events come from is an [`EventSource`](source::EventSource); where they are kept is a
//! [`Store`](store::Store). Each trait states its contract as a list, and the feature `testkit` has a suite whose tests are these points.
//!
//! # Features
//!
//! `sqlite` (the embedded durable store), `qlik` (the repository's client), `mqtt` (an MQTT broker), `files` (file operations), `api`, and one feature for each sink (`sink-email`, `sink-slack`, ...) are on by default. `simulator`
//! is a Qlik Sense site in a box, `testkit` what tests need.

#![forbid(unsafe_code)]

#[cfg(feature = "api")]
pub mod api;
pub mod app;
pub mod clock;
pub mod config;
pub mod enrich;
pub mod event;
mod file;
#[cfg(feature = "files")]
pub mod files;
#[cfg(feature = "http-client")]
pub mod http_client;
pub mod kv;
mod listen;
pub mod monitor;
#[cfg(feature = "mqtt")]
pub mod mqtt;
pub mod pipeline;
#[cfg(feature = "qlik")]
pub mod qlik;
pub mod schedule;
#[cfg(feature = "simulator")]
pub mod simulator;
pub mod sink;
pub mod source;
pub mod store;
#[cfg(feature = "template")]
pub mod template;
#[cfg(feature = "testkit")]
pub mod testkit;
#[cfg(feature = "tls")]
pub mod tls;

pub use app::{Builder, Butler, ShutdownError, StartError};
pub use async_trait::async_trait;
