//! HTTP clients for sinks and for Qlik Sense, made from values alone.

use std::time::Duration;

use reqwest::redirect::Policy;

use crate::tls::{self, Identity, TlsError, Trust};

/// How a client is to be.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Which servers it trusts.
    pub trust: Trust,
    /// By what it shows who it is.
    pub identity: Option<Identity>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long a whole request may take.
    pub timeout: Duration,
    /// How many redirects it follows.
    pub redirects: usize,
    /// How many idle connections it keeps to one host.
    pub idle_per_host: usize,
    /// Whether `HTTP_PROXY` and its like are honoured.
    pub system_proxy: bool,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            trust: Trust::System,
            identity: None,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            redirects: 5,
            idle_per_host: 8,
            system_proxy: true,
        }
    }
}

/// Makes a client. With [`Trust::System`] this reads the system's roots, which takes a while: call it at first use.
///
/// # Errors
/// [`TlsError`].
pub fn build(options: ClientOptions) -> Result<reqwest::Client, ClientError> {
    let tls = tls::client_config(options.trust, options.identity)?;
    let redirects = if options.redirects == 0 { Policy::none() } else { Policy::limited(options.redirects) };
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(options.connect_timeout)
        .timeout(options.timeout)
        .redirect(redirects)
        .pool_max_idle_per_host(options.idle_per_host)
        .user_agent(concat!("butler/", env!("CARGO_PKG_VERSION")));
    if !options.system_proxy {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| ClientError::Client(error.to_string()))
}

/// Why a client can't be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Its TLS side.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Anything else.
    #[error("can't make an HTTP client: {0}")]
    Client(String),
}
