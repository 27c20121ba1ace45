//! `[sites.NAME]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::address::host_fault;
use super::{check_name, positive};
use crate::config::issues::{Issues, segment};
use crate::config::load::Config;
use crate::config::model::SiteConfig;
use crate::event::SiteName;
use crate::pipeline::SitePlan;
use crate::sink::SiteInfo;

/// What the sites come to.
#[derive(Default)]
pub(super) struct Sites {
    pub(super) plans: BTreeMap<SiteName, SitePlan>,
    #[cfg(feature = "qlik")]
    pub(super) repositories: Vec<crate::qlik::RepositorySettings>,
    #[cfg(feature = "qlik")]
    pub(super) engines: Vec<crate::qlik::engine::EngineSettings>,
    #[cfg(feature = "qlik")]
    pub(super) polls: Vec<crate::source::qrs_poll::QrsPollSettings>,
}

pub(super) fn resolve(config: &Config, issues: &mut Issues) -> Sites {
    let mut sites = Sites::default();
    if config.sites.is_empty() {
        issues.warn_with_help(
            "sites",
            "there are none, so nothing is listened to",
            "add a table `[sites.NAME]` with `host` and `certificates`",
        );
    }
    issues.within("sites", |issues| {
        for (name, site) in &config.sites {
            issues.within(&segment(name), |issues| one(config, name, site, &mut sites, issues));
        }
    });
    sites
}

fn one(config: &Config, name: &str, site: &SiteConfig, sites: &mut Sites, issues: &mut Issues) {
    check_name(name, issues);
    match host_fault(&site.host) {
        Some(_) if site.host.is_empty() => {
            issues.at_with_help("host", "missing", "name the site's central node: `host = \"sense.example.com\"`");
        }
        Some(fault) => issues.at("host", format!("`{}` {fault}", site.host)),
        None => {}
    }
    if site.port == 0 {
        issues.at("port", "a port is a number from 1 to 65535; the repository's is 4242");
    }
    positive(site.timeout, "timeout", issues);
    let named = |part: &str| site.user.split(';').any(|half| half.trim().strip_prefix(part).is_some_and(|value| !value.trim().is_empty()));
    if !named("UserDirectory=") || !named("UserId=") || site.user.chars().any(char::is_control) {
        issues.at_with_help("user", "names no user of Qlik Sense", "write `user = \"UserDirectory=INTERNAL; UserId=sa_repository\"`");
    }
    let time_zone = time_zone(site, issues);
    repository(config, name, (site, &time_zone), sites, issues);
    let links = site.links.clone().unwrap_or_else(|| config.links.clone());
    let info = Arc::new(SiteInfo { name: name.into(), links, time_zone });
    sites.plans.insert(name.into(), SitePlan { info, enricher: None });
}

fn time_zone(site: &SiteConfig, issues: &mut Issues) -> TimeZone {
    let help = "use a name of the IANA time zone database, such as \"Europe/Stockholm\" or \"America/New_York\"";
    match &site.time_zone {
        Some(name) => TimeZone::get(name).unwrap_or_else(|_| {
            issues.at_with_help("time_zone", format!("`{name}` is no time zone"), help);
            TimeZone::UTC
        }),
        None => TimeZone::try_system().unwrap_or_else(|_| {
            issues.warn_with_help("time_zone", "the machine's time zone can't be found, so times are shown in UTC", help);
            TimeZone::UTC
        }),
    }
}

#[cfg(feature = "qlik")]
fn repository(config: &Config, name: &str, (site, zone): (&SiteConfig, &TimeZone), sites: &mut Sites, issues: &mut Issues) {
    super::engine::check(&site.engine, issues);
    let poll = super::reconcile::resolve(config, name, (site, zone), issues);
    let Some(files) = super::super::certificates::find(config, site, issues) else { return };
    sites.engines.push(super::engine::settings(name, site, &files));
    sites.repositories.push(crate::qlik::RepositorySettings {
        site: name.into(),
        host: site.host.clone(),
        port: site.port,
        client_certificate: files.client_certificate,
        client_key: files.client_key,
        root_certificate: files.root_certificate,
        verify: site.verify,
        user: site.user.clone(),
        timeout: site.timeout.0,
        cache: site.cache.0,
    });
    sites.polls.extend(poll);
}

#[cfg(not(feature = "qlik"))]
fn repository(_config: &Config, _name: &str, (site, _): (&SiteConfig, &TimeZone), _sites: &mut Sites, issues: &mut Issues) {
    if site.certificates.is_some() {
        issues.warn("certificates", "the repository is not asked: its client is not part of this build; build with feature `qlik`");
    }
}
