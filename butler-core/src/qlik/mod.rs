//! Everything that talks to Qlik Sense.
//!
//! That is the repository (QRS), which knows tasks, apps, users and how executions went, and the [`engine`], which has the apps open. [`RepositoryClient`] asks the repository, [`QlikError`] says
//! why an answer could not be had. `client` is how one question is asked, `lookup`, `executions`, `changes` and `script_log` are the questions, `map` makes
//! facts of the replies, `script_error` finds in a script log why the reload failed, `circuit` knows whether the repository answers at all, and [`start`]
//! starts tasks on somebody's word.

mod ask;
mod changes;
mod circuit;
mod client;
pub mod engine;
mod error;
mod executions;
#[cfg(all(test, feature = "testkit"))]
pub(crate) mod fake;
mod filter;
mod log_ends;
mod lookup;
pub(crate) mod map;
mod script_error;
mod script_log;
mod standing;
pub mod start;
mod trust;

pub use changes::Subscription;
pub use circuit::RepositoryState;
pub use client::{Download, RepositoryClient};
pub use error::{QlikError, Request};
pub use executions::{EndedExecution, EndedSpan};
pub use filter::Filter;
pub use lookup::About;
pub use standing::{LatestExecution, TaskStanding};

use std::path::PathBuf;
use std::time::Duration;

use crate::event::SiteName;

/// How a site's repository is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositorySettings {
    /// The site.
    pub site: SiteName,
    /// Host name or address of the central node.
    pub host: String,
    /// 4242 on real sites.
    pub port: u16,
    /// `client.pem` of the exported certificates.
    pub client_certificate: PathBuf,
    /// `client_key.pem`.
    pub client_key: PathBuf,
    /// `root.pem`.
    pub root_certificate: PathBuf,
    /// Whether the repository's certificate is checked. The host name has to be one that the certificate names.
    pub verify: bool,
    /// `X-Qlik-User`: on whose behalf the repository is asked.
    pub user: String,
    /// How long one request may take.
    pub timeout: Duration,
    /// How long task, app and user look-ups are remembered.
    pub cache: Duration,
}
