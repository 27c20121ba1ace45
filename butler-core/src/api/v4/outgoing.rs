//! What `/v4` sends on to others, on behalf of load scripts.

use std::fmt;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, StatusCode, Url};
use tokio::sync::OnceCell;

use crate::http_client::{self, ClientOptions};

/// A remote that takes JSON. Its address may be its password, so nothing shows it.
pub(crate) struct Remote {
    url: Url,
    headers: HeaderMap,
    timeout: Duration,
    client: OnceCell<Client>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({})", self.url.origin().ascii_serialization())
    }
}

impl Remote {
    /// `headers` may be secret. A request may take `timeout`.
    pub(crate) fn new(url: Url, headers: HeaderMap, timeout: Duration) -> Self {
        Self { url, headers, timeout, client: OnceCell::new() }
    }

    /// Sends a body; gives the status of the answer if it is one of success, else says why not.
    pub(super) async fn post(&self, content_type: &str, body: String) -> Result<StatusCode, String> {
        let origin = self.url.origin().ascii_serialization();
        let client = self.client().await?;
        let request = client.post(self.url.clone()).headers(self.headers.clone()).header(CONTENT_TYPE, content_type);
        let response =
            request.body(body).send().await.map_err(|error| format!("{origin} can't be reached: {}", cause(&error.without_url())))?;
        let status = response.status();
        if status.is_success() { Ok(status) } else { Err(format!("{origin} answered {status}")) }
    }

    async fn client(&self) -> Result<&Client, String> {
        let is_loopback = self
            .url
            .host_str()
            .is_some_and(|host| host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()));
        let options = ClientOptions { timeout: self.timeout, redirects: 0, system_proxy: !is_loopback, ..ClientOptions::default() };
        let make = || async {
            // Reading the system's roots blocks.
            let made = tokio::task::spawn_blocking(move || http_client::build(options)).await;
            made.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
        };
        self.client.get_or_try_init(make).await
    }
}

/// What lies beneath all layers of an error.
fn cause(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map(ToString::to_string).unwrap_or_default()
}
