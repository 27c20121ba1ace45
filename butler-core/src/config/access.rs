//! Who may use the API, as it is configured.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::scope::{Scope, Scopes};
use super::secret::Secret;

/// `[api.tokens.NAME]`: a token that is made elsewhere, for containers and the like. Others are made with `butler-cli token create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// What its bearer sends; 20 characters at the least.
    pub token: Secret,
    /// What its bearer may do.
    pub scopes: Vec<Scope>,
}

/// `[api.tokens]`, by name.
pub(super) type TokensConfig = BTreeMap<String, TokenConfig>;

/// `[api.tls]`: HTTPS in place of HTTP. The files are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiTlsConfig {
    /// The certificate and its issuers, in PEM form.
    pub certificate: PathBuf,
    /// Its key, in PEM form, without a password.
    pub key: PathBuf,
    /// Certificates by which those of clients are issued; without them clients are not asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<PathBuf>,
    /// Whether who shows no such certificate is not even talked to.
    #[serde(default)]
    pub require_client_certificate: bool,
    /// What whoever shows one may do, unless a token says otherwise.
    #[serde(default)]
    pub client_scopes: Vec<Scope>,
}

/// HTTPS, as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiTlsSettings {
    /// The certificate and its issuers.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// By what clients' certificates are issued, if they are asked for.
    pub client_ca: Option<PathBuf>,
    /// Whether they have to show one.
    pub require_client_certificate: bool,
}

/// Who may do everything without saying who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Anonymous {
    /// Whoever connects from this machine.
    #[default]
    Loopback,
    /// Nobody.
    Nobody,
    /// Everybody.
    Everyone,
}

/// A token of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredToken {
    /// By what its bearer is known.
    pub name: String,
    /// What its bearer sends, as a literal.
    pub token: Secret,
    /// What its bearer may do.
    pub scopes: Scopes,
}

/// Who may use the API.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessSettings {
    /// Who needs no token.
    pub anonymous: Anonymous,
    /// Tokens beside those that are made while it runs.
    pub tokens: Vec<ConfiguredToken>,
    /// What whoever shows a client certificate may do.
    pub of_certificates: Scopes,
}
