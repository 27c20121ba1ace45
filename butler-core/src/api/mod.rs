//! The HTTP server: what a running Butler tells of itself, and takes.
//!
//! | request | what it does |
//! | --- | --- |
//! | `GET /healthz` | `200` as long as the process answers |
//! | `GET /readyz` | `200` while new events are taken, else `503` with the reasons |
//! | `GET /api/status` | how everything stands: intake, journal, sources, sites, sinks, orphans |
//! | `GET /api/events` | a page of events, newest first; `kind`, `site`, `task`, `since`, `before`, `max` |
//! | `GET /api/events/{id}` | an event with everything that is known about its way; `latest` is the newest |
//! | `GET /api/rejections` | the latest datagrams that were not taken, and why |
//! | `GET /api/deliveries` | a page of deliveries, newest first; `id`, `event`, `sink`, `state`, `before`, `max` |
//! | `GET /api/deliveries/{id}` | a delivery and its latest attempts |
//! | `POST /api/deliveries/{id}/retry` | tries a dead, suppressed or discarded delivery again; body `{}` |
//! | `POST /api/deliveries/{id}/discard` | gives up a pending delivery; body `{"why": "..."}` |
//!
//! Answers are JSON, and so are faults: `{"error": "what is wrong", "remedy": "what to do"}`.
//!
//! # Who may ask
//!
//! Whoever reaches the address. By default that is this machine alone; the configuration has to say `allow_anonymous` before another address is taken. A page in a
//! browser on this machine reaches the loopback too, so the `guard` turns away what a page of another origin sends, and names for the loopback that are not its own.
//!
//! # Limits
//!
//! A request has ten seconds for its head, thirty in all, 64 KiB for its body, and at most 256 connections are served at once; further ones wait.

mod admin;
mod answer;
mod guard;
mod server;
#[cfg(all(test, feature = "testkit", feature = "sqlite", feature = "http-client"))]
mod tests;

pub use admin::ApiState;
pub use server::{ApiError, Server};
