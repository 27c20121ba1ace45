//! Configuration: one TOML file, checked as a whole, with every fault at its place.
//!
//! A [`Config`] is read with [`Config::from_file`]. Reading keeps where each key stands, so that whatever is found later can be shown with its line. What
//! is written there comes to something with [`Config::resolve`]: it asks a [`Registry`](crate::sink::Registry) which types of sink there are and lets them read their
//! options, follows the names from routes to sinks and sites, opens certificates and secrets, and gives either [`Settings`] that everything is put together from, or
//! all that is wrong, at once.
//!
//! Everything has a default, which stands in the `Default` of its table in [`model`]. An unknown key is a fault, for it is mostly a known one misspelt. No message quotes
//! what may be a secret.

mod access;
mod api;
#[cfg(feature = "qlik")]
mod certificates;
mod endpoints;
mod engine;
mod example;
mod fault;
#[cfg(feature = "files")]
mod files;
mod issues;
pub(crate) mod kinds;
mod kv;
mod load;
mod messages;
pub mod model;
mod monitor;
mod options;
mod read;
mod resolve;
mod scheduler;
mod scope;
mod secret;
mod shown;
mod source;
mod spoilt;
#[cfg(test)]
mod tests;
mod values;

pub use access::{AccessSettings, Anonymous, ApiTlsConfig, ApiTlsSettings, ConfiguredToken, TokenConfig};
pub use endpoints::{Endpoint, EndpointsConfig};
pub use engine::EngineConfig;
pub use example::example;
pub use issues::{Issue, Issues, Severity};
pub use load::{Config, ConfigError};
pub use messages::{NewRelicPostAccount, NewRelicPostConfig, NewRelicPosts, SlackPostConfig};
pub use options::OptionsTable;
pub use resolve::{ApiSettings, Settings, StorePlace, StoreSettings};
pub use scope::{Scope, Scopes, UnknownScope};
pub use secret::{Secret, SecretError};
pub use shown::{ShownConfig, ShownValue};
pub use values::{ByteSize, ByteSizeError, Period, PeriodError, Texts};
