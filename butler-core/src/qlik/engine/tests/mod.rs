//! The engine's client: against a simulated site over mutual TLS, and, where the engine has to be odd, over a pipe.

#![expect(clippy::unwrap_used, reason = "tests")]

mod asking;
mod following;
mod reloading;
mod talking;

use std::sync::Arc;

use tempfile::TempDir;
use uuid::{Uuid, uuid};

use super::session::{Call, GLOBAL, Session};
use super::*;
use crate::clock::Clock;
use crate::simulator::site::{EngineSessions, Site, SiteOptions, SiteState};
use crate::testkit::TestClock;

const SALES: Uuid = uuid!("66bc109d-286a-415b-8355-1422abb22133");
const HR: Uuid = uuid!("deba4bcf-47e4-472e-97b2-4fe8d6498e11");
const NOWHERE: Uuid = uuid!("00000000-47e4-472e-97b2-4fe8d6498e11");

/// A site, its exported certificates, and the clock of both sides.
struct World {
    site: Arc<Site>,
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
        let site = Arc::new(Site::start(SiteState::example(), options).await.unwrap());
        site.write_certificates(folder.path()).unwrap();
        Self { site, folder, clock }
    }

    fn settings(&self) -> EngineSettings {
        self.site.engine_settings("prod", self.folder.path())
    }

    fn client(&self) -> Arc<EngineClient> {
        self.client_of(self.settings())
    }

    fn client_of(&self, settings: EngineSettings) -> Arc<EngineClient> {
        Arc::new(EngineClient::new(settings, Arc::new(self.clock.clone()) as Arc<dyn Clock>).unwrap())
    }

    /// A session of the same user.
    async fn session(&self, path: &str) -> Session {
        let request =
            EngineRequest { site: "prod".into(), address: self.site.engine_address().to_string(), what: "another session".into() };
        let socket = super::connect::dial(&self.settings(), path, &request).await.unwrap();
        Session::new(socket, Box::new(request), Arc::new(self.clock.clone()), self.settings().timeout)
    }

    /// The calls of the engine, each with its parameters.
    fn calls(&self) -> Vec<String> {
        self.site.engine_calls().into_iter().map(|call| format!("{} {}", call.method, call.params)).collect()
    }

    /// Waits until no session is open, and gives what there were.
    async fn ended(&self) -> EngineSessions {
        self.site.wait_for_engine(|sessions| sessions.open == 0 && sessions.opened > 0).await
    }
}
