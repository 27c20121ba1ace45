//! A broker with its files and secrets read.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use super::config::{BrokerConfig, MqttVersion};
use super::fault::{Fault, FaultKind};
use crate::tls::{self, Identity, Trust};

/// A broker, and how it lets us in.
pub struct Broker {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) version: MqttVersion,
    pub(super) client_id: String,
    pub(super) login: Option<(String, Option<String>)>,
    pub(super) keep_alive: Duration,
    tls: Option<Tls>,
}

struct Tls {
    name: ServerName<'static>,
    trust: Trust,
    identity: Option<Identity>,
    connector: OnceCell<TlsConnector>,
}

/// A file or a secret that can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {why}")]
pub struct BrokerError {
    /// The key, from `broker` on.
    pub key: &'static str,
    /// Why.
    pub why: String,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Broker({} as {})", self.shown(), self.client_id)
    }
}

impl Broker {
    /// Reads what the configuration names; relative paths start at `base_dir`. Connects to nothing.
    ///
    /// # Errors
    /// [`BrokerError`], with the key.
    pub fn new(config: &BrokerConfig, base_dir: &Path) -> Result<Self, BrokerError> {
        let login = match &config.auth {
            None => None,
            Some(auth) => {
                let password = auth.password.as_ref().map(|password| password.reveal(base_dir)).transpose();
                let password = password.map_err(|why| BrokerError { key: "broker.auth.password", why: why.to_string() })?;
                Some((auth.user.clone(), password))
            }
        };
        Ok(Self {
            host: config.host.trim().to_owned(),
            port: config.port.unwrap_or(if config.tls { 8883 } else { 1883 }),
            version: config.version,
            client_id: config.session(),
            login,
            keep_alive: config.keep_alive.0,
            tls: if config.tls { Some(Tls::new(config, base_dir)?) } else { None },
        })
    }

    /// Host and port, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        match self.host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]:{}", self.port),
            Err(_) => format!("{}:{}", self.host, self.port),
        }
    }

    /// The name of the session at the broker.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// A text of the broker without the password, should it repeat it, in one line and not long.
    pub(super) fn blotted(&self, text: &str) -> String {
        const LONGEST: usize = 200;
        let password = self.login.as_ref().and_then(|(_, password)| password.as_deref()).filter(|password| !password.is_empty());
        let text = password.map_or_else(|| text.to_owned(), |password| text.replace(password, "***"));
        text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect()
    }

    /// The name in its certificate, and what secures a connection; none without TLS.
    pub(super) async fn tls(&self) -> Result<Option<(ServerName<'static>, TlsConnector)>, Fault> {
        let Some(tls) = &self.tls else { return Ok(None) };
        let make = || async {
            let (trust, identity) = (tls.trust.clone(), tls.identity.clone());
            // Reading the system's roots blocks.
            let made = tokio::task::spawn_blocking(move || tls::client_config(trust, identity)).await;
            let fault = |why: String| Fault::new(FaultKind::Tls, format!("TLS can't be set up: {why}"));
            let config = made.map_err(|why| fault(why.to_string()))?.map_err(|why| fault(why.to_string()))?;
            Ok::<_, Fault>(TlsConnector::from(Arc::new(config)))
        };
        let connector = tls.connector.get_or_try_init(make).await?;
        Ok(Some((tls.name.clone(), connector.clone())))
    }
}

impl Tls {
    fn new(config: &BrokerConfig, base_dir: &Path) -> Result<Self, BrokerError> {
        let failed = |key| move |why: tls::TlsError| BrokerError { key, why: why.to_string() };
        let roots = config.ca.as_ref().map(|ca| tls::read_certificates(&base_dir.join(ca))).transpose().map_err(failed("broker.ca"))?;
        let identity = match (&config.client_certificate, &config.client_key) {
            (Some(certificate), Some(key)) => {
                let read = tls::read_identity(&base_dir.join(certificate), &base_dir.join(key));
                Some(read.map_err(failed("broker.client_certificate"))?)
            }
            _ => None,
        };
        let name = config.name();
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| BrokerError { key: "broker.server_name", why: format!("`{name}` can't be the name in a certificate") })?;
        let trust = match (config.accept_untrusted, roots) {
            (true, _) => Trust::Anything,
            (false, Some(roots)) => Trust::Only(roots),
            (false, None) => Trust::System,
        };
        Ok(Self { name, trust, identity, connector: OnceCell::new() })
    }
}
