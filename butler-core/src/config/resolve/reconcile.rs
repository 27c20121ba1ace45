//! `[sites.NAME.reconcile]`.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::{address, positive};
use crate::config::issues::Issues;
use crate::config::load::Config;
use crate::config::model::{ReconcileConfig, SiteConfig};
use crate::source::qrs_poll::{Notifications, QrsPollSettings};

/// More often than this a repository should not be asked.
const SHORTEST: Duration = Duration::from_millis(500);

/// How the site's results are read, if they are. Which successes are wanted and where datagrams come in is known later.
pub(super) fn resolve(config: &Config, name: &str, (site, zone): (&SiteConfig, &TimeZone), issues: &mut Issues) -> Option<QrsPollSettings> {
    let ReconcileConfig { enabled, every, look_back, .. } = site.reconcile;
    let retention = config.store.retention;
    let notifications = issues.within("reconcile", |issues| notifications(&site.reconcile, issues));
    issues.within("reconcile", |issues| {
        positive(look_back, "look_back", issues);
        if every.0 < SHORTEST {
            let fault = format!("`{every}` is too short a time: the repository is asked anew after each");
            issues.at_with_help("every", fault, "\"30s\" is usual, \"5s\" is often");
        }
        let is_written = look_back != ReconcileConfig::default().look_back;
        if enabled && is_written && look_back > retention && !retention.0.is_zero() {
            let fault = format!("`{look_back}` is longer than events are kept, so that what was told before would be told again");
            issues.at_with_help("look_back", fault, format!("make it no longer than `[store] retention`, which is `{retention}`"));
        }
    });
    if enabled && site.certificates.is_none() && site.reconcile != ReconcileConfig::default() {
        let help = "add `certificates`, the folder with `client.pem`, `client_key.pem` and `root.pem` as exported from the QMC";
        issues.at_with_help("reconcile", "without certificates the repository can't be asked", help);
    }
    enabled.then(|| QrsPollSettings {
        site: name.into(),
        every: every.0,
        look_back: look_back.0.min(retention.0),
        successes: false,
        time_zone: zone.clone(),
        datagrams_at: None,
        notifications,
    })
}

/// Where the repository calls, if it is meant to.
fn notifications(reconcile: &ReconcileConfig, issues: &mut Issues) -> Option<Notifications> {
    const FORM: &str = "write it as the repository reaches this machine, such as \"http://butler.example.com:9997\"";
    let listen = reconcile.notify_listen.as_deref();
    if let Some(listen) = listen {
        address::listen(listen, "notify_listen", issues);
    }
    let Some(url) = reconcile.notify_url.as_deref() else {
        if listen.is_some() {
            issues.at_with_help(
                "notify_listen",
                "nobody calls there as long as `notify_url` is not set",
                format!("set `notify_url`; {FORM}"),
            );
        }
        return None;
    };
    let Some(host) = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/')) else {
        let fault = if url.starts_with("https://") { "calls are taken by plain HTTP only" } else { "is no web address" };
        issues.at_with_help("notify_url", format!("`{url}`: {fault}"), FORM);
        return None;
    };
    let port =
        host.rsplit_once(':').filter(|(host, _)| !host.contains(['/', '?', '#', '@'])).and_then(|(_, port)| port.parse::<u16>().ok());
    let Some(port) = port else {
        issues.at_with_help("notify_url", format!("`{url}` is not just a host and a port"), FORM);
        return None;
    };
    let listen = listen.map_or_else(|| format!("0.0.0.0:{port}"), str::to_owned);
    Some(Notifications { url: url.to_owned(), listen })
}
