//! `[api]`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::access::{ApiTlsConfig, TokensConfig};
use super::endpoints::EndpointsConfig;
use super::messages::{NewRelicPostConfig, SlackPostConfig};

/// `[api]`: the HTTP server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    /// Whether there is one.
    pub enabled: bool,
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: String,
    /// Whether somebody who shows no token may do everything: `true` for everybody, `false` for nobody; if it is left out, for whoever connects from this machine. Behind a proxy on this
    /// machine it has to be `false`, for whoever comes through a proxy that does not say so connects from this machine too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_anonymous: Option<bool>,
    /// Tokens beside those that are made while it runs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tokens: TokensConfig,
    /// Addresses and networks (`10.0.0.0/8`) from which connections are taken, beside this machine; from everywhere if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<String>>,
    /// Connections at a time. When there are as many, those that wait for their client longest make room for new ones.
    pub max_connections: u32,
    /// HTTPS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ApiTlsConfig>,
    /// How many requests to `/v4` each address may send a minute; `0` for as many as it likes.
    pub rate_limit: u32,
    /// Which endpoints of `/v4` there are.
    pub endpoints: EndpointsConfig,
    /// Where messages for Slack go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack: Option<SlackPostConfig>,
    /// Where events and metrics for New Relic go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_relic: Option<NewRelicPostConfig>,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: "127.0.0.1:8080".into(),
            allow_anonymous: None,
            tokens: TokensConfig::new(),
            allow: None,
            max_connections: 512,
            tls: None,
            rate_limit: 100,
            endpoints: EndpointsConfig::default(),
            slack: None,
            new_relic: None,
        }
    }
}
