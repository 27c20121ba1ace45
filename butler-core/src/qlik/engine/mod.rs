//! The engine of a site: which apps there are, what is in one, and how one is reloaded.
//!
//! The engine speaks JSON-RPC over a WebSocket. An [`EngineClient`] opens a session for each question and closes it when the question is answered, when it is not, and when nobody waits
//! for the answer any more. [`Apps`] knows the engines of all sites, and reloads apps in the background: it is what the REST API and the command line use.

mod apps;
mod client;
mod connect;
mod dump;
mod error;
mod reload;
mod reloads;
mod session;
#[cfg(all(test, feature = "testkit"))]
mod tests;

pub use apps::{Apps, AppsError, ReloadRequest};
pub use client::{AppSummary, EngineClient};
pub use error::{EngineError, EngineRequest};
pub use reload::{OpenApp, ReloadMode, Reloaded};

use std::path::PathBuf;
use std::time::Duration;

use crate::event::SiteName;

/// How a site's engine is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineSettings {
    /// The site.
    pub site: SiteName,
    /// Host name or address of the engine's node.
    pub host: String,
    /// 4747 on real sites.
    pub port: u16,
    /// `client.pem` of the exported certificates.
    pub client_certificate: PathBuf,
    /// `client_key.pem`.
    pub client_key: PathBuf,
    /// `root.pem`.
    pub root_certificate: PathBuf,
    /// Whether the engine's certificate is checked. The host name has to be one that the certificate names.
    pub verify: bool,
    /// `X-Qlik-User`: on whose behalf the engine is asked.
    pub user: String,
    /// How long the engine may take for one answer. A reload may take as long as it likes.
    pub timeout: Duration,
}
