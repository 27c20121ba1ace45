//! What the admin API answers, for those who serve it and those who ask it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::{Period, Scopes};
use crate::event::{Facts, SinkName, SourceName};
use crate::pipeline::HealthReport;
use crate::source::RejectReason;
use crate::store::{AttemptRecord, DeliveryRecord, EventRecord, JournalStats, RouteNote, Sighting};

/// How everything stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Of the program.
    pub version: String,
    /// Since when it runs.
    pub started: Timestamp,
    /// The same, in seconds.
    pub uptime_seconds: u64,
    /// Whether new events are taken.
    pub ready: bool,
    /// Store, sources, sinks and sites.
    pub health: HealthReport,
    /// What was counted at the way in.
    pub intake: IntakeStatus,
    /// Connections to the API.
    #[serde(default)]
    pub connections: ConnectionCounts,
    /// How much the journal holds.
    pub journal: JournalStats,
    /// Sinks that are no longer configured, and how many deliveries still wait for each.
    pub orphans: BTreeMap<SinkName, u64>,
}

/// What runs here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// Always `butler`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What was counted at the way in, since the start.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct IntakeStatus {
    /// Datagrams and events that were handed in.
    pub received: u64,
    /// Of these, what the journal took as new.
    pub accepted: u64,
    /// What had been told before.
    pub duplicates: u64,
    /// What waits to be journalled.
    pub queued: usize,
    /// What was not taken, by reason.
    pub rejected: BTreeMap<RejectReason, u64>,
}

/// Connections to the API, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ConnectionCounts {
    /// Now.
    pub open: usize,
    /// That waited for their client and had to make room for others.
    pub displaced: u64,
    /// That waited for their client too long.
    pub timed_out: u64,
    /// From addresses that are not allowed.
    pub turned_away: u64,
}

/// Whether new events are taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// Whether.
    pub ready: bool,
    /// Why the store takes nothing, if it doesn't.
    pub store: Option<String>,
    /// Sources that don't hear, and why.
    pub sources: BTreeMap<SourceName, String>,
}

/// An event with everything that is known about its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventDetails {
    /// The event.
    pub record: EventRecord,
    /// What was found out about it.
    pub facts: Facts,
    /// Who told us, and when; the first twenty.
    pub sightings: Vec<Sighting>,
    /// What the routes said.
    pub notes: Vec<RouteNote>,
    /// Where it went or goes.
    pub deliveries: Vec<ListedDelivery>,
}

/// A delivery, in the light of what is configured and how its sink stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ListedDelivery {
    /// What the journal says.
    #[serde(flatten)]
    pub record: DeliveryRecord,
    /// It is pending, and its sink is no longer configured.
    pub orphaned: bool,
    /// It is pending, and its sink does not work at the moment.
    pub sink_down: Option<SinkDown>,
}

/// Since when a sink does not work, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SinkDown {
    /// Since when.
    pub since: Timestamp,
    /// How its latest attempt failed.
    pub error: String,
}

/// A delivery with its attempts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryDetails {
    /// The delivery.
    pub delivery: ListedDelivery,
    /// Its attempts, oldest first; the latest twenty.
    pub attempts: Vec<AttemptRecord>,
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// What is wrong.
    pub error: String,
    /// What to do, if that is not plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// A token to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// By what its bearer is known.
    pub name: String,
    /// What its bearer may do.
    pub scopes: Scopes,
    /// How long it is good for; for good if it is left out.
    #[serde(default)]
    pub expires_in: Option<Period>,
}

/// A token, without what is secret about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListedToken {
    /// By what its bearer is known.
    pub name: String,
    /// What its bearer may do.
    pub scopes: Scopes,
    /// It stands in the configuration, and can only be revoked there.
    pub configured: bool,
    /// When it was made; unknown if it stands in the configuration.
    pub created: Option<Timestamp>,
    /// From when on it opens nothing.
    pub expires: Option<Timestamp>,
    /// When it was last shown; across restarts to within ten minutes.
    pub last_used: Option<Timestamp>,
}

/// A token that was made. This is the only time that it is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MadeToken {
    /// What its bearer sends.
    pub secret: String,
    /// The rest of it.
    #[serde(flatten)]
    pub token: ListedToken,
}

impl std::fmt::Debug for MadeToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MadeToken").field("token", &self.token).finish_non_exhaustive()
    }
}
