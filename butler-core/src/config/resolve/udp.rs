//! `[udp]` and `[sites.NAME.udp]`: which address belongs to which site.

use super::address;
use crate::config::issues::{Issues, segment};
use crate::config::load::Config;
use crate::config::model::UdpConfig;
use crate::source::udp::UdpSettings;

pub(super) fn resolve(config: &Config, issues: &mut Issues) -> Vec<UdpSettings> {
    let mut found: Vec<(String, UdpSettings)> = Vec::new();
    for (name, site) in &config.sites {
        if let Some(udp) = &site.udp {
            let key = format!("sites.{}.udp", segment(name));
            if udp.site.as_ref().is_some_and(|other| other != name) {
                issues.at_with_help(&format!("{key}.site"), "another site than the one that this table is in", "leave it out");
            }
            found.extend(one(config, &key, udp, name, issues).map(|settings| (key, settings)));
        }
    }
    if let Some((udp, site)) = shared(config, issues) {
        let settings = issues.within("udp", |issues| one_below(config, &udp, &site, issues));
        found.extend(settings.map(|settings| ("udp".to_owned(), settings)));
    }
    twice(&found, issues);
    for (name, site) in &config.sites {
        let heard = found.iter().any(|(_, settings)| settings.site.as_str() == name);
        let silenced = site.udp.as_ref().or(config.udp.as_ref()).is_some_and(|udp| !udp.enabled);
        if !heard && !silenced && issues.is_empty() {
            let key = format!("sites.{}", segment(name));
            issues.warn_with_help(
                &key,
                "no listening address belongs to this site, so its datagrams are not received",
                format!("add `[{key}.udp]`"),
            );
        }
    }
    found.into_iter().map(|(_, settings)| settings).collect()
}

/// The common address and the site that it belongs to.
fn shared(config: &Config, issues: &mut Issues) -> Option<(UdpConfig, String)> {
    let names: Vec<&str> = config.sites.keys().map(String::as_str).collect();
    let own = config.sites.values().any(|site| site.udp.is_some());
    let udp = match &config.udp {
        Some(udp) => udp.clone(),
        None if own || names.is_empty() => return None,
        None => UdpConfig::default(),
    };
    if !udp.enabled {
        return None;
    }
    if let Some(site) = &udp.site {
        if !config.sites.contains_key(site) {
            issues.at_with_choices("udp.site", format!("there is no site `{site}`"), site, &names);
            return None;
        }
        return Some((udp.clone(), site.clone()));
    }
    match names.as_slice() {
        [] => {
            issues.warn("udp", "there is no site that datagrams could belong to, so none are received");
            None
        }
        [only] => Some((udp, (*only).to_owned())),
        [first, second, ..] => {
            let message = format!(
                "there are {} sites ({}), and nothing says which of them the datagrams at `{}` come from",
                names.len(),
                names.join(", "),
                udp.listen
            );
            let help = format!(
                "write `site = \"{first}\"` in `[udp]`, or give each site an address of its own: `[sites.{}.udp]` with `listen = \"0.0.0.0:9997\"`",
                segment(second)
            );
            issues.at_with_help("udp", message, help);
            None
        }
    }
}

fn one(config: &Config, key: &str, udp: &UdpConfig, site: &str, issues: &mut Issues) -> Option<UdpSettings> {
    issues.within(key, |issues| udp.enabled.then(|| one_below(config, udp, site, issues)).flatten())
}

fn one_below(config: &Config, udp: &UdpConfig, site: &str, issues: &mut Issues) -> Option<UdpSettings> {
    const LONGEST: u64 = 65_507;
    let listen = address::listen(&udp.listen, "listen", issues);
    for (index, host) in udp.allow.iter().enumerate() {
        if let Some(fault) = address::host_fault(host).filter(|_| host != "*") {
            issues.at(&format!("allow[{index}]"), format!("`{host}` {fault}"));
        }
    }
    if !(1..=LONGEST).contains(&udp.max_message.0) {
        issues.at("max_message", format!("has to be from 1 to {LONGEST} bytes, which is the most that a datagram carries"));
    }
    let receive_buffer = u32::try_from(udp.receive_buffer.0).ok().filter(|bytes| (1..=1 << 30).contains(bytes));
    if receive_buffer.is_none() {
        issues.at("receive_buffer", "has to be from 1 byte to 1 GiB");
    }
    let anyone = udp.allow.iter().any(|host| host == "*");
    let own = config.sites.get(site).map(|site| site.host.clone());
    let allow = (!anyone).then(|| own.into_iter().chain(udp.allow.iter().cloned()).collect());
    listen?;
    Some(UdpSettings {
        listen: udp.listen.clone(),
        site: site.into(),
        allow,
        max_message: usize::try_from(udp.max_message.0).ok()?,
        max_per_minute: (udp.max_per_minute > 0).then_some(udp.max_per_minute),
        receive_buffer: usize::try_from(receive_buffer?).ok()?,
    })
}

/// Reports an address that is listed twice; the same port 0 is not the same address.
fn twice(found: &[(String, UdpSettings)], issues: &mut Issues) {
    for (index, (key, settings)) in found.iter().enumerate() {
        let port = address::listen(&settings.listen, "", &mut Issues::default()).map_or(0, |listen| listen.port);
        if let Some((other, _)) = found[..index].iter().find(|(_, other)| port != 0 && other.listen == settings.listen) {
            let message = format!("`{}` belongs to `{other}` already; an address belongs to one site", settings.listen);
            issues.at_with_help(&format!("{key}.listen"), message, "use another port, and send this site's log there");
        }
    }
}
