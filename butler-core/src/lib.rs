//! Butler for Qlik Sense, as a library.

#![forbid(unsafe_code)]

#[cfg(feature = "api")]
pub mod api;
pub mod clock;
pub mod config;
pub mod enrich;
pub mod event;
#[cfg(feature = "http-client")]
pub mod http_client;
pub mod pipeline;
#[cfg(feature = "qlik")]
pub mod qlik;
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

pub use async_trait::async_trait;
