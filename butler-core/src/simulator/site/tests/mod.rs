//! The client and the enricher of this library against a simulated site, over mutual TLS.

#![expect(clippy::unwrap_used, reason = "tests")]

mod facts;
mod faulty;
mod files;
mod refused;
mod runs;

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use uuid::{Uuid, uuid};

use super::*;
use crate::clock::Clock;
use crate::http_client::{self, ClientOptions};
use crate::qlik::{RepositoryClient, RepositorySettings};
use crate::testkit::TestClock;
use crate::tls::{Trust, read_certificates, read_identity};

const SALES: Uuid = uuid!("e959f40a-67be-4a5b-ae83-a292f96ba078");
const ODD: Uuid = uuid!("11c2a02a-1680-44ef-8dc2-e2bfb180af87");
const FAILING: Uuid = uuid!("dec2a02a-1680-44ef-8dc2-e2bfb180af87");
const DISABLED: Uuid = uuid!("9c1f7d52-0f5c-4c0e-9d57-3f1c53b8a7e4");
const KEY: &str = "0123456789abcdef";
const USER: &str = "UserDirectory=INTERNAL; UserId=sa_repository";

/// A site, its exported certificates, and its clock.
struct World {
    site: Site,
    folder: TempDir,
    clock: TestClock,
}

impl World {
    async fn new() -> Self {
        Self::with(SiteOptions::default()).await
    }

    async fn with(options: SiteOptions) -> Self {
        let (folder, clock) = (TempDir::new().unwrap(), TestClock::default());
        let options = SiteOptions { clock: Arc::new(clock.clone()), ..options };
        let site = Site::start(SiteState::example(), options).await.unwrap();
        site.write_certificates(folder.path()).unwrap();
        Self { site, folder, clock }
    }

    fn settings(&self) -> RepositorySettings {
        self.site.repository_settings("prod", self.folder.path())
    }

    fn client(&self, clock: impl Clock) -> Arc<RepositoryClient> {
        Arc::new(RepositoryClient::new(self.settings(), Arc::new(clock)).unwrap())
    }

    /// Whoever asks by hand.
    fn http(&self) -> reqwest::Client {
        let file = |name| self.folder.path().join(name);
        let trust = Trust::Only(read_certificates(&file("root.pem")).unwrap());
        let identity = Some(read_identity(&file("client.pem"), &file("client_key.pem")).unwrap());
        http_client::build(ClientOptions { trust, identity, system_proxy: false, ..ClientOptions::default() }).unwrap()
    }

    /// Status and text of the answer to a request as it should be.
    async fn ask(&self, path: &str) -> (u16, String) {
        let joint = if path.contains('?') { '&' } else { '?' };
        let request = self.http().get(format!("https://{}/qrs/{path}{joint}xrfkey={KEY}", self.site.address()));
        sent(request.header("X-Qlik-Xrfkey", KEY).header("X-Qlik-User", USER)).await
    }
}

async fn sent(request: reqwest::RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}
