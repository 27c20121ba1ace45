//! The way of an event, one file a stage.
//!
//! ```text
//! sources -> intake -> Journal.append -> router: look up, decide -> Journal.route -> worker of each sink: lease, attempt, settle
//! ```
//!
//! The stages share nothing but the journal. Each can be killed at any point: what it held is leased, and is taken up again. The
//! [`Plan`] is what configuration decides, one immutable value; [`Health`] is how everything stands.

mod alarm;
mod attempt;
mod backoff;
mod batch;
#[cfg(test)]
mod batch_tests;
mod breaker;
mod feed;
mod health;
mod housekeeping;
mod intake;
mod lookup;
mod matching;
mod plan;
mod report;
mod route;
mod router;
mod run;
mod settler;
mod silence;
#[cfg(test)]
mod stage;
mod supervise;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trouble_tests;
mod worker;

pub use feed::{Feed, Happening, Outcome};
pub use health::{Health, HealthReport, SinkHealth, SiteHealth, SourceHealth, Unrouted};
pub(crate) use plan::FALLBACK;
pub use plan::{Budgets, KindPattern, Matcher, ParsePatternError, Plan, RetryPolicy, Route, SinkPlan, SitePlan};
pub use run::{Parts, Pipeline};
pub use silence::{NewSilence, Silence, SilenceDesk, SilenceError, Silences};
