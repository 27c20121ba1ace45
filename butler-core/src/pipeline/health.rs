//! How everything stands right now: what readiness and the admin API ask.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::feed::Feed;
use crate::event::{EventId, SinkName, SiteName, SourceName};

/// How everything stands, and what happens. The stages write, whoever wants to know takes a report, or watches.
#[derive(Debug, Default)]
pub struct Health {
    report: Mutex<HealthReport>,
    feed: Feed,
}

/// A picture of how everything stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct HealthReport {
    /// Since when the store refuses to take events, and why; `None` while it takes them.
    pub store: Option<(Timestamp, String)>,
    /// Sources.
    pub sources: BTreeMap<SourceName, SourceHealth>,
    /// Sinks.
    pub sinks: BTreeMap<SinkName, SinkHealth>,
    /// Sites that can be asked.
    pub sites: BTreeMap<SiteName, SiteHealth>,
    /// What went wrong and was on no route, since the start; `None` if there was nothing.
    #[serde(default)]
    pub unrouted: Option<Unrouted>,
}

/// What went wrong and was on no route: the routes leave a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Unrouted {
    /// How many of these events the fallback was told of.
    pub to_fallback: u64,
    /// How many nobody was told of.
    pub to_nobody: u64,
    /// The latest of them.
    pub latest: EventId,
}

impl HealthReport {
    /// Whether new events are taken: the store writes, and every source hears.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.store.is_none() && self.sources.values().all(|source| source.error.is_none())
    }
}

/// How a source stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct SourceHealth {
    /// Where it listens.
    pub addresses: Vec<String>,
    /// Why it does not hear, if it doesn't.
    pub error: Option<String>,
}

/// How a sink stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct SinkHealth {
    /// Since when it is down; `None` while it is up.
    pub down_since: Option<Timestamp>,
    /// How its latest failed attempt failed.
    pub last_error: Option<String>,
    /// When it last accepted something.
    pub last_delivered: Option<Timestamp>,
    /// Attempts under way.
    pub in_flight: usize,
}

/// How a site's repository stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct SiteHealth {
    /// Since when it does not answer; `None` while it does, or was not asked yet.
    pub down_since: Option<Timestamp>,
    /// How its latest failed request failed.
    pub last_error: Option<String>,
}

impl Health {
    /// Changes the picture; `write` must not block.
    pub fn update(&self, write: impl FnOnce(&mut HealthReport)) {
        write(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What happens.
    #[must_use]
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// The picture now.
    #[must_use]
    pub fn report(&self) -> HealthReport {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
