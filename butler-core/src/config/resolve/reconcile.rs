//! `[sites.NAME.reconcile]`.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::positive;
use crate::config::issues::Issues;
use crate::config::load::Config;
use crate::config::model::{ReconcileConfig, SiteConfig};
use crate::source::qrs_poll::QrsPollSettings;

/// More often than this a repository should not be asked.
const SHORTEST: Duration = Duration::from_millis(500);

/// How the site's results are read, if they are. Which successes are wanted and where datagrams come in is known later.
pub(super) fn resolve(config: &Config, name: &str, (site, zone): (&SiteConfig, &TimeZone), issues: &mut Issues) -> Option<QrsPollSettings> {
    let ReconcileConfig { enabled, every, look_back } = site.reconcile;
    let retention = config.store.retention;
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
    })
}
