//! Where a broker is, and how it lets us in, as it is written in a configuration.

use std::path::PathBuf;
use std::time::Duration;

use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};

use crate::config::{Issues, Period, Secret};

/// A broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrokerConfig {
    /// Its name or address.
    pub host: String,
    /// Its port; 8883 with TLS and 1883 without, if not set.
    pub port: Option<u16>,
    /// The version of the protocol.
    pub version: MqttVersion,
    /// Whether the connection is secured by TLS.
    pub tls: bool,
    /// A file with the certificates, in PEM form, that alone are trusted as issuers of the broker's certificate.
    pub ca: Option<PathBuf>,
    /// Takes any certificate, unverified.
    pub accept_untrusted: bool,
    /// The name that the broker's certificate has to show, if that is not `host`.
    pub server_name: Option<String>,
    /// A file with the certificate by which Butler shows who it is, in PEM form.
    pub client_certificate: Option<PathBuf>,
    /// A file with the key of that certificate.
    pub client_key: Option<PathBuf>,
    /// The name of the session at the broker, where that matters; a random one if not set. No two connections may have the same one at the same time.
    pub client_id: Option<String>,
    /// The login, if the broker wants one.
    pub auth: Option<BrokerLogin>,
    /// After how long without any traffic the other side is asked for a sign of life.
    pub keep_alive: Period,
}

/// The login at a broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerLogin {
    /// The user.
    pub user: String,
    /// The password; none where a certificate takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

/// The versions of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum MqttVersion {
    /// 3.1.1, which every broker speaks.
    #[default]
    #[serde(rename = "3.1.1")]
    V3,
    /// 5, in which a broker says why it refuses a message.
    #[serde(rename = "5")]
    V5,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: None,
            version: MqttVersion::default(),
            tls: false,
            ca: None,
            accept_untrusted: false,
            server_name: None,
            client_certificate: None,
            client_key: None,
            client_id: None,
            auth: None,
            keep_alive: Period(Duration::from_mins(1)),
        }
    }
}

impl BrokerConfig {
    /// The longest `keep_alive` that the protocol can say.
    const LONGEST_KEEP_ALIVE: Duration = Duration::from_secs(65_535);

    /// The broker of this name or address, without TLS.
    #[must_use]
    pub fn new(host: impl Into<String>) -> Self {
        Self { host: host.into(), ..Self::default() }
    }

    /// Reports what is wrong with it, without I/O.
    pub fn validate(&self, issues: &mut Issues) {
        if self.host.trim().is_empty() {
            issues.at("host", "this names no broker");
        } else if self.host.contains("://") {
            issues.at_with_help(
                "host",
                "this is an address of the web and no host",
                "leave out `mqtt://`; for `mqtts://` set `tls = true`",
            );
        } else if ServerName::try_from(self.name()).is_err() {
            let key = if self.server_name.is_some() { "server_name" } else { "host" };
            issues.at(key, "this is no host name and no address; the port belongs into `port`");
        }
        if !self.tls {
            let given = [
                ("ca", self.ca.is_some()),
                ("accept_untrusted", self.accept_untrusted),
                ("server_name", self.server_name.is_some()),
                ("client_certificate", self.client_certificate.is_some()),
                ("client_key", self.client_key.is_some()),
            ];
            for (key, _) in given.into_iter().filter(|(_, given)| *given) {
                issues.at_with_help(key, "there are no certificates without TLS", "add `tls = true`, or leave this out");
            }
        }
        match (&self.client_certificate, &self.client_key) {
            (Some(_), None) => issues.at("client_certificate", "a certificate is worth nothing without its key; add `client_key`"),
            (None, Some(_)) => issues.at("client_key", "a key is worth nothing without its certificate; add `client_certificate`"),
            _ => {}
        }
        if self.client_id.as_ref().is_some_and(|id| id.is_empty() || id.chars().any(char::is_control)) {
            issues.at("client_id", "this is no name of a session; leave it out for a random one");
        }
        if self.auth.as_ref().is_some_and(|auth| auth.user.is_empty()) {
            issues.at("auth.user", "this names no user");
        }
        if !(Duration::from_secs(1)..=Self::LONGEST_KEEP_ALIVE).contains(&self.keep_alive.0) {
            issues.at_with_help(
                "keep_alive",
                format!("`{}` can't be said to a broker", self.keep_alive),
                "\"1m\" is usual; at least 1s, at most 18h",
            );
        }
    }

    /// The name that the broker's certificate has to show.
    pub(super) fn name(&self) -> &str {
        self.server_name.as_deref().unwrap_or(&self.host).trim()
    }

    /// The name of the session.
    pub(super) fn session(&self) -> String {
        self.client_id.clone().unwrap_or_else(|| format!("butler_{:08x}", fastrand::u32(..)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> String {
        let config: BrokerConfig = toml::from_str(text).unwrap();
        let mut issues = Issues::default();
        config.validate(&mut issues);
        issues.to_string()
    }

    #[test]
    fn every_fault_is_reported_at_its_key() {
        assert_eq!(faults("host = 'broker.example.com'"), "");
        assert_eq!(faults("host = '10.0.0.1'\ntls = true\nserver_name = 'broker'\nclient_certificate = 'a'\nclient_key = 'b'"), "");
        let all = [
            "",
            "host = 'mqtts://broker:8883'",
            "host = 'broker:8883'",
            "host = 'b'\nserver_name = 'a b'\nca = 'x'\naccept_untrusted = true",
            "host = 'b'\ntls = true\nclient_certificate = 'x'",
            "host = 'b'\ntls = true\nclient_key = 'x'",
            "host = 'b'\nclient_id = ''\nkeep_alive = '0s'\nauth.user = ''",
            "host = 'b'\nkeep_alive = '19h'",
        ];
        insta::assert_snapshot!(all.map(faults).join("\n"));
    }

    #[test]
    fn sessions_without_a_name_get_one_of_their_own() {
        let config = BrokerConfig::new("broker");
        let (one, other) = (config.session(), config.session());
        assert!(one.starts_with("butler_") && one.len() == 15 && one != other, "{one} {other}");
        assert_eq!(BrokerConfig { client_id: Some("edge".into()), ..config }.session(), "edge");
    }
}
