//! The way of an event, one file a stage.

mod health;
mod plan;

pub use health::{Health, HealthReport, SinkHealth, SiteHealth, SourceHealth};
pub use plan::{Budgets, KindPattern, Matcher, Plan, RetryPolicy, Route, SinkPlan, SitePlan};
