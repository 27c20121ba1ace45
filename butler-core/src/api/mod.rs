//! The HTTP server, and the small admin API that it carries.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /healthz` | `200` as long as the process answers |
//! | `GET /readyz` | `200` while new events are taken, else `503` with the reasons ([`Readiness`](answers::Readiness)) |
//! | `GET /health` | the same as `/healthz`, for health checks of containers that are there already |
//! | `GET /metrics` | figures for Prometheus, in the OpenMetrics format |
//! | `GET /api/version` | what runs here ([`Version`](answers::Version)) |
//! | `GET /api/config` | the configuration that holds, value by value with where it is written, secrets masked; with `share=true` also the rest of hosts, people and addresses ([`ShownConfig`](crate::config::ShownConfig)) |
//! | `GET /api/status` | how everything stands ([`Status`](answers::Status)) |
//! | `GET /api/events` | events, newest first; `kind`, `site`, `task`, `since`, `before`, `max` ([`EventRecord`](crate::store::EventRecord)) |
//! | `GET /api/events/ID` | an event and its way ([`EventDetails`](answers::EventDetails)); `latest` stands for the newest |
//! | `GET /api/rejections` | what was received but not taken ([`Rejection`](crate::source::Rejection)) |
//! | `GET /api/deliveries` | deliveries, newest first; `event`, `sink`, `state`, `before`, `max` ([`ListedDelivery`](answers::ListedDelivery)) |
//! | `GET /api/deliveries/ID` | a delivery and its attempts ([`DeliveryDetails`](answers::DeliveryDetails)) |
//! | `POST /api/deliveries/ID/retry` | makes a dead, suppressed or discarded delivery due again |
//! | `POST /api/deliveries/ID/discard` | gives up a pending delivery, for the reason in `{ "why": "..." }` |
//! | `GET /api/stream` | what happens, as it happens, as server-sent events ([`Happening`](crate::pipeline::Happening)) |
//! | `GET /api/silences` | what nobody is told of for a while; `ended=true` for those that are over too ([`Silence`](crate::pipeline::Silence)) |
//! | `POST /api/silences` | makes one ([`NewSilence`](crate::pipeline::NewSilence)) |
//! | `DELETE /api/silences/ID` | ends one |
//! | `GET /api/tasks` | the tasks of all sites, or of `site`, and whether they may be started ([`ListedTask`](crate::qlik::start::ListedTask)) |
//! | `GET /api/tokens` | the tokens, without what is secret about them ([`ListedToken`](answers::ListedToken)) |
//! | `POST /api/tokens` | makes a token: [`NewToken`](answers::NewToken) in, [`MadeToken`](answers::MadeToken) out, the only time that it is shown |
//! | `DELETE /api/tokens/NAME` | revokes a token |
//! | `POST /api/tasks/start` | starts tasks: [`StartRequest`](crate::qlik::start::StartRequest) in, [`StartReport`](crate::qlik::start::StartReport) out |
//!
//! A connection has fifteen seconds for a head, a request thirty in all and 16 KiB for its body (those about tasks three minutes and 1 MiB), and at most 128 connections are served at once; further ones wait.
//!
//! `state` may also be `orphaned`: pending, of a sink that is no longer configured. Whatever fails is answered with a [`Problem`](answers::Problem).
//!
//! # Who may use it
//!
//! Whoever reaches the address, which by default is on loopback. A web page in a browser on this machine reaches it too, so what only a browser would send is turned
//! away: on loopback a `Host` that is not this machine (a foreign name that was made to point here), and for what changes something a foreign `Origin` or
//! `Sec-Fetch-Site`, or a body that is not declared as JSON, which no form can do.

mod about;
mod admin;
pub mod answers;
mod auth;
mod denial;
mod front;
mod guard;
mod log;
mod metrics;
mod problem;
mod server;
mod silences;
mod state;
mod stream;
#[cfg(feature = "qlik")]
mod tasks;
#[cfg(test)]
#[cfg(all(feature = "sqlite", feature = "testkit"))]
mod tests;
mod tokens;
mod v4;

pub use auth::{Access, Caller, Who};
pub use server::{ApiError, Server};
pub use state::{ApiParts, ApiServices, ApiState};
pub use v4::Messaging;
pub(crate) use v4::{NewRelicPoster, Remote};
