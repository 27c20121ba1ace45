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
//! | `GET /api/apps` | the apps of `site`, as its engine lists them ([`AppSummary`](crate::qlik::engine::AppSummary)) |
//! | `GET /api/apps/ID/dump` | everything that an app is made of but its data |
//! | `POST /api/apps/reload` | begins to reload an app: [`ReloadRequest`](crate::qlik::engine::ReloadRequest) in; `202` once it is open |
//! | `GET /api/tasks` | the tasks of all sites, or of `site`, and whether they may be started ([`ListedTask`](crate::qlik::start::ListedTask)) |
//! | `POST /api/tasks/start` | starts tasks: [`StartRequest`](crate::qlik::start::StartRequest) in, [`StartReport`](crate::qlik::start::StartReport) out |
//! | `GET /api/tokens` | the tokens, without what is secret about them ([`ListedToken`](answers::ListedToken)) |
//! | `POST /api/tokens` | makes a token: [`NewToken`](answers::NewToken) in, [`MadeToken`](answers::MadeToken) out, the only time that it is shown |
//! | `DELETE /api/tokens/NAME` | revokes a token |
//! | `/api/schedules`, `/api/schedule/...` | what is done at which times: see [`schedules`] |
//! | `/api/kv/...` | the pairs that load scripts keep: see [`kv`] |
//! | `GET /api/openapi.json` | all of this as an OpenAPI document, made from the routes; `GET /api/docs` shows it |
//!
//! A request has thirty seconds in all and 16 KiB for its body; those about tasks three minutes and 1 MiB. Those about apps take as long as the site's engine may, and exports and imports of
//! pairs, runs and imports of schedules as long as they need. A client that sends nothing of a body for twenty seconds is not waited for.
//!
//! `state` may also be `orphaned`: pending, of a sink that is no longer configured. Whatever fails is answered with a [`Problem`](answers::Problem).
//!
//! # Who may use it
//!
//! Every request is somebody's, a [`Caller`]: who shows a token (`Authorization: Bearer TOKEN`) is known by its name, who shows a client certificate by its subject, and who shows neither is
//! anonymous. Who connects from this machine may do everything anonymously; who connects from elsewhere, or through a proxy that says so (`X-Forwarded-For` and the like), nothing. Not every proxy does: behind one on this
//! machine set `allow_anonymous = false`.
//! `[api] allow_anonymous = false` lets nobody do anything without a token, `true` lets everybody do everything. `[api] allow` names the networks that connections are taken from at all.
//!
//! A token has scopes, and each request takes one:
//!
//! | scope | opens |
//! | --- | --- |
//! | `read` | what the table above shows with `GET`, but for the configuration, the tokens, dumps of apps and pairs |
//! | `tasks:start` | starting tasks and reloading apps; the list of tasks |
//! | `apps:dump` | dumps of apps: scripts and connections are in them |
//! | `kv:read`, `kv:write` | seeing and changing pairs; a start of tasks that brings pairs along takes `kv:write` as well |
//! | `files:write` | working with files |
//! | `messages` | sending messages on |
//! | `schedules` | seeing, changing and running schedules |
//! | `admin` | everything |
//!
//! Tasks that follow a reload are subject to `[tasks.start_filter]`, but not those of a reload over `/v4`, where no filter was ever asked for them. Who is not known is answered `401`, who may not do it `403`. Everybody may ask whether the program lives (`/healthz`) and is ready (`/readyz`), but not why it is not. What describes the API
//! (`/documentation`, `/api/docs`, `/api/openapi.json`) is open to everybody as well, for a browser that opens a page sends no token.
//!
//! Tokens are made with `butler-cli token create` (`POST /api/tokens`), or stand in `[api.tokens.NAME]`, which revokes one of that name that was made. Of those that are made only a digest is
//! kept. A stream of events and an import of pairs end when their token is revoked or expires.
//!
//! A web page in a browser on this machine reaches the API too, and would be taken for whoever sits there. So what only a browser would send is turned
//! away, unless it comes with a token, which no such page knows: on loopback a `Host` that is not this machine (a foreign name that was made to point here), and for what changes something a foreign `Origin` or
//! `Sec-Fetch-Site`, or a body that is not declared as JSON, which no form can do.
//!
//! # HTTPS
//!
//! With `[api.tls]` the server speaks TLS and nothing else. Certificate, key and `client_ca` are read again within seconds when they change; what can't be used then is said in the log, and the
//! old ones stay. With `client_ca` clients may show a certificate that it has issued, and with `require_client_certificate` they have to; what they may do by it stands in `client_scopes`, and
//! is nothing by default, for a company's authority issues certificates for many things.
//!
//! # Slow and stuck clients
//!
//! No client holds what others need ([`Limits`]): each step of a connection has its time, and when `[api] max_connections` is reached, of those that wait for their client
//! the longest waiting makes room for a new one, first among those of the address that has the most. An idle connection is kept for 72 seconds while there is room.
//!
//! # What is logged
//!
//! Every request has an id, its own `X-Request-Id` if that is fit for a log, else a new one; it is in the answer and with every line that the request causes. Which requests came is logged
//! as `butler::access`: those to `/v4` at level `info`, all others at `debug`, with their query but for values whose names look secret.
//!
//! Who did what is logged as `butler::audit`, one line for each request that was refused (level `warn`, with the reason) or that may have changed something (level `info`): `who` (`anonymous`,
//! `token NAME`, `certificate SUBJECT`), `address`, `method`, `path` without its query, and `status`; a change whose client did not wait for
//! the answer has no status, and may have been made. `BUTLER_LOG=warn,butler::audit=info` shows these and else only what went wrong.

mod about;
mod admin;
pub mod answers;
#[cfg(feature = "qlik")]
mod apps;
mod auth;
#[cfg(test)]
#[cfg(feature = "testkit")]
mod conformance;
mod connections;
mod conversation;
mod denial;
mod description;
#[cfg(test)]
#[cfg(feature = "testkit")]
mod description_tests;
mod front;
#[cfg(test)]
#[cfg(feature = "testkit")]
mod fuzz;
mod guard;
pub mod kv;
mod log;
mod metrics;
mod page;
mod problem;
pub mod schedules;
mod server;
mod silences;
mod state;
mod stream;
#[cfg(test)]
#[cfg(all(feature = "sqlite", feature = "testkit"))]
mod stuck_tests;
#[cfg(feature = "qlik")]
mod tasks;
#[cfg(test)]
#[cfg(all(feature = "sqlite", feature = "testkit"))]
mod tests;
pub(crate) mod tls;
#[cfg(test)]
#[cfg(all(feature = "sqlite", feature = "testkit"))]
mod tls_tests;
#[cfg(test)]
#[cfg(all(feature = "sqlite", feature = "testkit"))]
mod token_tests;
mod tokens;
mod v4;
mod watched;

pub use auth::{Access, Caller, Who};
pub use connections::Limits;
pub use server::{ApiError, Server};
pub use state::{ApiParts, ApiServices, ApiState};
pub use tls::ServerTls;
pub use v4::Messaging;
pub(crate) use v4::{NewRelicPoster, Remote};
