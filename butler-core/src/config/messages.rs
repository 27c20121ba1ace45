//! `[api.slack]` and `[api.new_relic]`: where messages of load scripts go.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::secret::Secret;

/// `[api.slack]`: the Slack to which `/v4/slackpostmessage` posts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackPostConfig {
    /// The incoming webhook.
    pub webhook_url: Secret,
}

/// `[api.new_relic]`: the accounts of New Relic to which `/v4/newrelic/event` and `/v4/newrelic/metric` post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRelicPostConfig {
    /// The accounts, by names of one's own.
    pub accounts: BTreeMap<String, NewRelicPostAccount>,
    /// Events.
    #[serde(default)]
    pub event: NewRelicPosts,
    /// Metrics.
    #[serde(default)]
    pub metric: NewRelicPosts,
}

/// `[api.new_relic.accounts.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRelicPostAccount {
    /// Its number.
    pub account_id: u64,
    /// A key that may insert (a licence key).
    pub api_key: Secret,
}

/// `[api.new_relic.event]` and `[api.new_relic.metric]`: what is sent along, and to whom.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewRelicPosts {
    /// The API, if it is not that of the USA: for events what comes before `v1/accounts/...`, for metrics all of it.
    pub url: Option<String>,
    /// The accounts that get them; all if it is left out.
    pub accounts: Option<Vec<String>>,
    /// Further headers, each a secret.
    pub headers: BTreeMap<String, Secret>,
    /// Attributes that are always sent along; those of the script come before them.
    pub attributes: BTreeMap<String, String>,
}
