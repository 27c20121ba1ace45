//! `[sites.NAME.engine]`.

use super::address::host_fault;
use super::positive;
use crate::config::certificates::Files;
use crate::config::engine::EngineConfig;
use crate::config::issues::Issues;
use crate::config::model::SiteConfig;
use crate::qlik::engine::EngineSettings;

pub(super) fn check(engine: &EngineConfig, issues: &mut Issues) {
    issues.within("engine", |issues| {
        if let Some((host, fault)) = engine.host.as_ref().and_then(|host| Some((host, host_fault(host)?))) {
            issues.at("host", format!("`{host}` {fault}"));
        }
        if engine.port == 0 {
            issues.at("port", "a port is a number from 1 to 65535; the engine's is 4747");
        }
        positive(engine.timeout, "timeout", issues);
    });
}

/// How the engine of a site is reached that has these certificates.
pub(super) fn settings(name: &str, site: &SiteConfig, files: &Files) -> EngineSettings {
    EngineSettings {
        site: name.into(),
        host: site.engine.host.clone().unwrap_or_else(|| site.host.clone()),
        port: site.engine.port,
        client_certificate: files.client_certificate.clone(),
        client_key: files.client_key.clone(),
        root_certificate: files.root_certificate.clone(),
        verify: site.verify,
        user: site.user.clone(),
        timeout: site.engine.timeout.0,
    }
}
