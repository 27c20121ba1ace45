//! What configuration decides, checked and ready: one immutable value.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

#[cfg(feature = "qlik")]
use super::matching::{Answer, kind_fits};
use crate::enrich::Enricher;
use crate::event::{Class, CustomProperty, Kind, SinkName, SiteName};
use crate::sink::{Links, Sink, SiteInfo};

/// What configuration decides.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The sites that events may be about.
    pub sites: BTreeMap<SiteName, SitePlan>,
    /// Where messages may go.
    pub sinks: BTreeMap<SinkName, SinkPlan>,
    /// Which events go where, tried in this order.
    pub routes: Vec<Route>,
    /// Sinks for what went wrong and found no other destination.
    pub fallback: Vec<SinkName>,
    /// How long is waited for facts.
    pub budgets: Budgets,
}

impl Plan {
    /// Whether some route may want events of this kind. Who can't be told of a success need not hear of it.
    #[cfg(feature = "qlik")]
    pub(crate) fn may_want(&self, kind: &Kind) -> bool {
        self.routes.iter().any(|route| kind_fits(&route.events, kind) != Answer::No)
    }

    /// What messages say about a site; its name alone, if it was taken out of the configuration while its events waited.
    pub(super) fn site_info(&self, name: &SiteName) -> Arc<SiteInfo> {
        match self.sites.get(name) {
            Some(site) => Arc::clone(&site.info),
            None => Arc::new(SiteInfo { name: name.clone(), links: Links::default(), time_zone: TimeZone::UTC }),
        }
    }
}

/// What is known about a site.
#[derive(Debug, Clone)]
pub struct SitePlan {
    /// What messages say about it.
    pub info: Arc<SiteInfo>,
    /// Who finds facts about its events; `None` if nothing can be asked.
    pub enricher: Option<Arc<dyn Enricher>>,
}

/// A sink and how it is used.
#[derive(Debug, Clone)]
pub struct SinkPlan {
    /// The sink.
    pub sink: Arc<dyn Sink>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How many attempts may be under way at once.
    pub max_in_flight: usize,
    /// When to try again, and when to give up.
    pub retry: RetryPolicy,
    /// Earlier names of this sink, whose open deliveries it takes over.
    pub was: Vec<SinkName>,
}

/// When to try again, and when to give up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The first wait; each further one is about twice as long, with jitter.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// How old an alert may get before it is given up.
    pub alert_age: Duration,
    /// How old a metric may get.
    pub metric_age: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_mins(5),
            alert_age: Duration::from_hours(24),
            metric_age: Duration::from_hours(1),
        }
    }
}

impl RetryPolicy {
    /// How old a message of this class may get.
    #[must_use]
    pub fn age(&self, class: Class) -> Duration {
        match class {
            Class::Alert => self.alert_age,
            Class::Metric => self.metric_age,
        }
    }
}

/// How long is waited for facts, at the most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budgets {
    /// For those that decide where an event goes.
    pub deciding: Duration,
    /// For those that messages show.
    pub showing: Duration,
}

impl Default for Budgets {
    fn default() -> Self {
        Self { deciding: Duration::from_secs(15), showing: Duration::from_mins(1) }
    }
}

/// How the fallback is called where routes are named; no route may be called so.
pub(crate) const FALLBACK: &str = "fallback";

/// Which events go where.
#[derive(Debug, Clone, Default)]
pub struct Route {
    /// How it is called in lists: its `name`, or `routes[2]`.
    pub name: String,
    /// The kinds that it takes.
    pub events: Vec<KindPattern>,
    /// What else has to fit.
    pub when: Matcher,
    /// The sinks that it sends to.
    pub sinks: Vec<SinkName>,
    /// At most one delivered message for each task (or other object), kind and destination in this time.
    pub rate_limit: Option<Duration>,
    /// Recipients in place of the sinks' own.
    pub recipients: Option<Vec<String>>,
    /// Go on with the next routes after this one took an event.
    pub proceed: bool,
}

/// What has to fit beside the kind. Every list that is not empty has to have one entry that fits; texts are compared without regard to case, and a
/// `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Matcher {
    /// Names of sites.
    pub site: Vec<String>,
    /// Names or ids of tasks.
    pub task: Vec<String>,
    /// Names or ids of apps.
    pub app: Vec<String>,
    /// Names of the streams that the app is published to.
    pub stream: Vec<String>,
    /// `DIRECTORY\user`, of the app's owner.
    pub owner: Vec<String>,
    /// Tags of the task or the app.
    pub tag: Vec<String>,
    /// Custom properties of the task, with one of the values.
    pub custom_property: Vec<CustomProperty>,
    /// Hosts that events come from.
    pub host: Vec<String>,
}

/// A kind, or the start of one with a trailing `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema), schema(value_type = String, example = "reload_task.*"))]
#[serde(into = "String", try_from = "String")]
pub struct KindPattern(String);

impl From<KindPattern> for String {
    fn from(pattern: KindPattern) -> Self {
        pattern.0
    }
}

impl TryFrom<String> for KindPattern {
    type Error = ParsePatternError;

    fn try_from(text: String) -> Result<Self, ParsePatternError> {
        text.parse()
    }
}

/// A text that is no pattern of kinds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no event kind: expected a name such as `reload_task.failed`, or a start with a trailing `*` such as `reload_task.*`")]
pub struct ParsePatternError(String);

impl FromStr for KindPattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fine = match text.strip_suffix('*') {
            Some(start) => start.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'.'),
            None => text.parse::<Kind>().is_ok(),
        };
        if fine { Ok(Self(text.to_owned())) } else { Err(ParsePatternError(text.chars().take(80).collect())) }
    }
}

impl fmt::Display for KindPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl KindPattern {
    /// Whether a kind's name fits.
    #[must_use]
    pub fn matches(&self, kind: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(start) => kind.starts_with(start),
            None => self.0 == kind,
        }
    }
}
