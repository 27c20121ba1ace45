//! The client of a site's engine.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use uuid::Uuid;

use super::EngineSettings;
use super::connect::{address, dial};
use super::dump::dump;
use super::error::{EngineError, EngineRequest, code, in_short};
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
}

impl EngineClient {
    /// A client for a site; nothing is read and nothing asked yet.
    ///
    /// # Errors
    /// [`EngineError::Setup`].
    pub fn new(settings: EngineSettings, clock: Arc<dyn Clock>) -> Result<Self, EngineError> {
        let fault = |why: String| EngineError::Setup { site: settings.site.clone(), why };
        HeaderValue::from_str(&settings.user).map_err(|_| {
            fault("`user` can't be sent in a header; expected `UserDirectory=Internal; UserId=sa_repository`, or the like".into())
        })?;
        let base = format!("https://{}", address(&settings));
        url::Url::parse(&base).map_err(|why| fault(format!("`{}` is no host name: {why}", settings.host)))?;
        Ok(Self { settings, clock })
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
        let mut session = self.open("/", "list of apps").await?;
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
        let (mut session, handle) = self.open_app("/app/engineData", &format!("dump of app {}", in_short(app)), app, true).await?;
        let dump = dump(&mut session, handle, app).await;
        session.close().await;
        dump
    }

    /// Opens an app with its data, to reload it.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn open_for_reload(&self, app: &str) -> Result<OpenApp, EngineError> {
        let what = format!("reload of app {}", in_short(app));
        let (session, handle) = self.open_app(&format!("/app/{}", encode(app)), &what, app, false).await?;
        Ok(OpenApp { session, handle, app: app.to_owned() })
    }

    /// A session in which this app is open, and the app's handle.
    async fn open_app(&self, path: &str, what: &str, app: &str, without_data: bool) -> Result<(Session, i64), EngineError> {
        let attempt = async |path: &str| {
            let mut session = self.open(path, what).await?;
            if !without_data && let Err(error) = self.tell_version(&mut session, app).await {
                session.close().await;
                return Err(error);
            }
            match open_doc(&mut session, app, without_data).await {
                Ok(handle) => Ok((session, handle)),
                Err(error) => {
                    session.close().await;
                    Err(error)
                }
            }
        };
        match attempt(path).await {
            // What the same user asks for at the same path is one session to the engine, in which one app can be open. A name of its own makes ours one of its own.
            Err(EngineError::OtherApp { .. }) => attempt(&format!("{path}/identity/{}", Uuid::new_v4())).await,
            other => other,
        }
    }

    /// Leaves a line in the log. An engine that keeps its version to itself can reload all the same.
    async fn tell_version(&self, session: &mut Session, app: &str) -> Result<(), EngineError> {
        let version = match session.call(Call::plain(GLOBAL, "EngineVersion")).await {
            Err(EngineError::Refused { .. }) => Value::Null,
            other => other?,
        };
        let version = in_short(version["qVersion"]["qComponentVersion"].as_str().unwrap_or("unknown"));
        tracing::info!(site = %self.settings.site, app = in_short(app), version, "The engine opens an app to reload it.");
        Ok(())
    }

    async fn open(&self, path: &str, what: &str) -> Result<Session, EngineError> {
        let what = what.to_owned();
        let request = Box::new(EngineRequest { site: self.settings.site.clone(), address: address(&self.settings), what });
        let limit = self.settings.timeout.min(CONNECTING);
        let socket = tokio::select! {
            biased;
            socket = dial(&self.settings, path, &request) => socket?,
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
async fn open_doc(session: &mut Session, app: &str, without_data: bool) -> Result<i64, EngineError> {
    const METHOD: &str = "OpenDoc";
    let opened = session.call(Call::new(GLOBAL, METHOD, json!([app, "", "", "", without_data]))).await;
    let reply = match opened {
        // Whoever else is in the session has opened this one, or another.
        Err(EngineError::Refused { code: code::ALREADY_OPEN, .. }) => {
            let reply = session.call(Call::plain(GLOBAL, "GetActiveDoc")).await?;
            let open = reply["qReturn"]["qGenericId"].as_str().unwrap_or_default();
            if handle(&reply).is_some() && !open.eq_ignore_ascii_case(app) {
                return Err(EngineError::OtherApp { request: Box::new(session.request().clone()), open: in_short(open) });
            }
            reply
        }
        other => other?,
    };
    handle(&reply).ok_or_else(|| session.malformed(METHOD, "there is no handle in it"))
}

/// The handle of what a call gave back; `None` if it gave back nothing.
pub(super) fn handle(reply: &Value) -> Option<i64> {
    reply["qReturn"]["qHandle"].as_i64().filter(|handle| *handle >= 0)
}
