//! The client of a site's engine.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::EngineSettings;
use super::connect::{address, dial};
use super::dump::dump;
use super::error::{EngineError, EngineRequest, code};
use super::reload::OpenApp;
use super::session::{Call, GLOBAL, Session};
use crate::clock::Clock;
use crate::qlik::filter::encode;

/// How long it may take until there is a session.
const CONNECTING: Duration = Duration::from_secs(10);

/// An app, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct AppSummary {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Asks a site's engine. Each question is a session of its own, which is closed when it is answered or fails.
///
/// # Cancellation
/// Dropping the future of any method closes the session's connection, which ends what the engine does for it.
#[derive(Debug)]
pub struct EngineClient {
    settings: EngineSettings,
    clock: Arc<dyn Clock>,
    encrypted: bool,
}

impl EngineClient {
    /// A client for a site; nothing is read and nothing asked yet.
    ///
    /// # Errors
    /// [`EngineError::Setup`].
    pub fn new(settings: EngineSettings, clock: Arc<dyn Clock>) -> Result<Self, EngineError> {
        Self::make(settings, clock, true)
    }

    /// A client that speaks without TLS and shows no certificate: useful only for a simulated engine.
    ///
    /// # Errors
    /// [`EngineError::Setup`].
    pub fn unencrypted(settings: EngineSettings, clock: Arc<dyn Clock>) -> Result<Self, EngineError> {
        Self::make(settings, clock, false)
    }

    fn make(settings: EngineSettings, clock: Arc<dyn Clock>, encrypted: bool) -> Result<Self, EngineError> {
        let fault = |why: String| EngineError::Setup { site: settings.site.clone(), why };
        HeaderValue::from_str(&settings.user).map_err(|_| {
            fault("`user` can't be sent in a header; expected `UserDirectory=Internal; UserId=sa_repository`, or the like".into())
        })?;
        let base = format!("https://{}", address(&settings));
        url::Url::parse(&base).map_err(|why| fault(format!("`{}` is no host name: {why}", settings.host)))?;
        Ok(Self { settings, clock, encrypted })
    }

    /// What it was made from.
    #[must_use]
    pub fn settings(&self) -> &EngineSettings {
        &self.settings
    }

    /// The apps of the site, in the engine's order.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn apps(&self) -> Result<Vec<AppSummary>, EngineError> {
        let mut session = self.open("/", "list of apps".into()).await?;
        let apps = apps(&mut session).await;
        session.close().await;
        apps
    }

    /// Everything that an app is made of but its data, as one object: properties, script, lineage, sheets and all other objects, each with all its properties.
    ///
    /// Objects that vanish while they are asked for are left out. If the engine does not tell the lineage there is none.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn dump(&self, app: &str) -> Result<Map<String, Value>, EngineError> {
        let mut session = self.open("/app/engineData", format!("dump of app {app}")).await?;
        let dump = async {
            let handle = open_app(&mut session, app, true).await?;
            dump(&mut session, handle, app).await
        };
        let dump = dump.await;
        session.close().await;
        dump
    }

    /// Opens an app with its data, to reload it.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn open_for_reload(&self, app: &str) -> Result<OpenApp, EngineError> {
        let mut session = self.open(&format!("/app/{}", encode(app)), format!("reload of app {app}")).await?;
        let opened = async {
            let version = session.call(Call::plain(GLOBAL, "EngineVersion")).await?;
            let version = version["qVersion"]["qComponentVersion"].as_str().unwrap_or("unknown");
            tracing::info!(site = %self.settings.site, app, version, "The engine opens an app to reload it.");
            open_app(&mut session, app, false).await
        };
        match opened.await {
            Ok(handle) => Ok(OpenApp { session, handle, app: app.to_owned() }),
            Err(error) => {
                session.close().await;
                Err(error)
            }
        }
    }

    async fn open(&self, path: &str, what: String) -> Result<Session, EngineError> {
        let request = Box::new(EngineRequest { site: self.settings.site.clone(), address: address(&self.settings), what });
        let limit = self.settings.timeout.min(CONNECTING);
        let socket = tokio::select! {
            biased;
            socket = dial(&self.settings, self.encrypted, path, &request) => socket?,
            () = self.clock.sleep(limit) => {
                let why = format!("no connection within {}", humantime::format_duration(limit));
                return Err(EngineError::Unreachable { request, why });
            }
        };
        Ok(Session::new(socket, request, Arc::clone(&self.clock), self.settings.timeout))
    }
}

async fn apps(session: &mut Session) -> Result<Vec<AppSummary>, EngineError> {
    const METHOD: &str = "GetDocList";
    let reply = session.call(Call::plain(GLOBAL, METHOD)).await?;
    let list = reply["qDocList"].as_array().ok_or_else(|| session.malformed(METHOD, "there is no list of apps in it"))?;
    let text = |app: &Value, member: &str| app[member].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let summary = |app: &Value| {
        let id = text(app, "qDocId").ok_or_else(|| session.malformed(METHOD, "an app in it has no id"))?;
        Ok(AppSummary { id, name: text(app, "qDocName").or_else(|| text(app, "qTitle")).unwrap_or_default() })
    };
    list.iter().map(summary).collect()
}

/// Opens an app, and gives its handle.
async fn open_app(session: &mut Session, app: &str, without_data: bool) -> Result<i64, EngineError> {
    const METHOD: &str = "OpenDoc";
    let opened = session.call(Call::new(GLOBAL, METHOD, json!([app, "", "", "", without_data]))).await;
    let reply = match opened {
        // Sessions of the same user may share what is open.
        Err(EngineError::Refused { code: code::ALREADY_OPEN, .. }) => session.call(Call::plain(GLOBAL, "GetActiveDoc")).await?,
        other => other?,
    };
    handle(&reply).ok_or_else(|| session.malformed(METHOD, "there is no handle in it"))
}

/// The handle of what a call gave back; `None` if it gave back nothing.
pub(super) fn handle(reply: &Value) -> Option<i64> {
    reply["qReturn"]["qHandle"].as_i64().filter(|handle| *handle >= 0)
}
