//! Who may use the API, as it is configured.

use std::collections::BTreeMap;

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
}
