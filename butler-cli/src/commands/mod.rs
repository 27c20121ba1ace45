//! One file a command.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod deliveries;
pub(crate) mod demo;
pub(crate) mod events;
mod follow;
pub(crate) mod healthcheck;
pub(crate) mod init;
pub(crate) mod kv;
pub(crate) mod render;
pub(crate) mod schedules;
pub(crate) mod send;
pub(crate) mod serve;
pub(crate) mod silences;
pub(crate) mod simulate;
pub(crate) mod status;
pub(crate) mod tasks;
pub(crate) mod test_sink;
pub(crate) mod token;

use std::sync::Arc;

use butler_core::clock::SystemClock;
use butler_core::config::Config;
use butler_core::event::{SinkName, SiteName};
use butler_core::pipeline::{Plan, SinkPlan};
use butler_core::sink::{Links, Registry, SiteInfo};

use crate::Exit;
use crate::args::Global;

/// What the configuration decides.
fn plan(global: &Global) -> Result<Plan, Exit> {
    let config = Config::from_file(&global.config)?;
    Ok(config.resolve(&Registry::with_compiled_in(), Arc::new(SystemClock::default()))?.plan)
}

/// The sink of this name.
fn sink_of<'a>(plan: &'a Plan, name: &str) -> Result<(&'a SinkName, &'a SinkPlan), Exit> {
    plan.sinks.get_key_value(name).ok_or_else(|| {
        let known: Vec<_> = plan.sinks.keys().map(SinkName::as_str).collect();
        Exit::usage(match &known[..] {
            [] => "the configuration has no sinks".to_owned(),
            known => format!("there is no sink `{name}`; known: {}", known.join(", ")),
        })
    })
}

/// What messages say about a site.
fn site_of(plan: &Plan, name: &SiteName) -> SiteInfo {
    let unknown = || SiteInfo { name: name.clone(), links: Links::default(), time_zone: jiff::tz::TimeZone::system() };
    plan.sites.get(name).map_or_else(unknown, |site| SiteInfo::clone(&site.info))
}
