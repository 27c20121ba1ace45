//! Who may use the API.

#[cfg(feature = "api")]
use std::net::IpAddr;

#[cfg(feature = "api")]
use ipnet::IpNet;

use super::{address, check_name};
use crate::config::access::{AccessSettings, Anonymous, ApiTlsSettings, ConfiguredToken};
use crate::config::issues::{Issues, segment};
use crate::config::load::Config;
use crate::config::model::ApiConfig;
use crate::config::secret::Secret;

/// A shorter token could be guessed.
const SHORTEST_TOKEN: usize = 20;

/// What `[api]` says about it; the issues are at its keys.
pub(super) fn resolve(config: &Config, listen: Option<&address::Listen>, issues: &mut Issues) -> AccessSettings {
    let api = &config.api;
    let anonymous = match api.allow_anonymous {
        None => Anonymous::Loopback,
        Some(true) => Anonymous::Everyone,
        Some(false) => Anonymous::Nobody,
    };
    let tokens = issues.within("tokens", |issues| tokens(config, issues));
    let reachable = listen.is_some_and(|listen| !listen.loopback);
    match anonymous {
        _ if !api.enabled => {}
        Anonymous::Everyone if reachable => {
            issues.warn("allow_anonymous", format!("whoever reaches `{}` over the network may do everything", api.listen));
        }
        Anonymous::Loopback if reachable && api.tokens.is_empty() => issues.warn_with_help(
            "listen",
            format!("`{}` is reachable from other machines, and who asks from there has to show a token", api.listen),
            "make tokens with `butler-cli token create`; a token in `[api.tokens]`, or `allow_anonymous = false`, shows that this is meant",
        ),
        Anonymous::Nobody if api.tokens.is_empty() => issues.warn_with_help(
            "allow_anonymous",
            "nobody may do anything without a token, and there is none in the configuration: if none was made before, none can be made",
            "put one with the scope `admin` in `[api.tokens]`, or leave this out until `butler-cli token create` has made one",
        ),
        _ => {}
    }
    let of_certificates = api.tls.iter().flat_map(|tls| tls.client_scopes.iter().copied()).collect();
    AccessSettings { anonymous, tokens, of_certificates }
}

fn tokens(config: &Config, issues: &mut Issues) -> Vec<ConfiguredToken> {
    let mut found: Vec<ConfiguredToken> = Vec::new();
    for (name, token) in &config.api.tokens {
        let secret = issues.within(&segment(name), |issues| {
            check_name(name, issues);
            if token.scopes.is_empty() {
                issues.at("scopes", "a token without scopes opens nothing");
            }
            let secret = match token.token.reveal(&config.base_dir) {
                Ok(secret) => secret,
                Err(error) => {
                    issues.at("token", error.to_string());
                    return None;
                }
            };
            if secret.chars().count() < SHORTEST_TOKEN || secret.chars().any(|c| !c.is_ascii_graphic()) {
                let help = "let a password manager make one, or `openssl rand -hex 32`";
                issues.at_with_help(
                    "token",
                    format!("has to be {SHORTEST_TOKEN} letters, digits and signs at the least, without blanks"),
                    help,
                );
                return None;
            }
            if let Some(other) = found.iter().find(|other| other.token == Secret::literal(secret.as_str())) {
                issues.at("token", format!("is that of `{}` too, so nobody could tell who shows it", other.name));
            }
            Some(Secret::literal(secret))
        });
        let scopes = token.scopes.iter().copied().collect();
        found.extend(secret.map(|token| ConfiguredToken { name: name.clone(), token, scopes }));
    }
    found
}

/// The networks of `[api] allow`.
#[cfg(feature = "api")]
pub(super) fn networks(api: &ApiConfig, issues: &mut Issues) -> Option<Vec<IpNet>> {
    let read = |(index, text): (usize, &String)| {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical())));
        if network.is_err() {
            let help =
                "write one such as \"192.0.2.7\", \"10.0.0.0/8\" or \"2001:db8::/32\"; names are not taken, for what they mean may change";
            issues.at_with_help(&format!("[{index}]"), format!("`{text}` is no address and no network"), help);
        }
        network.ok()
    };
    api.allow.as_ref().map(|allow| allow.iter().enumerate().filter_map(read).collect())
}

pub(super) fn max_connections(api: &ApiConfig, issues: &mut Issues) -> usize {
    const RANGE: std::ops::RangeInclusive<u32> = 8..=100_000;
    if !RANGE.contains(&api.max_connections) {
        issues.at("max_connections", format!("has to be from {} to {}", RANGE.start(), RANGE.end()));
    }
    usize::try_from(api.max_connections).unwrap_or(usize::MAX)
}

/// `[api.tls]`: the files are opened, and have to fit together.
pub(super) fn tls(config: &Config, issues: &mut Issues) -> Option<ApiTlsSettings> {
    let tls = config.api.tls.as_ref()?;
    let settings = ApiTlsSettings {
        certificate: config.base_dir.join(&tls.certificate),
        key: config.base_dir.join(&tls.key),
        client_ca: tls.client_ca.as_ref().map(|path| config.base_dir.join(path)),
        require_client_certificate: tls.require_client_certificate,
    };
    match (&tls.client_ca, tls.require_client_certificate, tls.client_scopes.is_empty()) {
        (None, true, _) => issues.at_with_help(
            "require_client_certificate",
            "nothing says which certificates are to be shown",
            "name those that issue them with `client_ca`",
        ),
        (None, false, false) => {
            issues.at_with_help("client_scopes", "clients are not asked for a certificate", "name those that issue them with `client_ca`")
        }
        (Some(_), _, true) => issues.warn_with_help(
            "client_ca",
            "who shows such a certificate may not do anything by it",
            "say what they may do with `client_scopes`",
        ),
        _ => {}
    }
    #[cfg(feature = "api")]
    if let Err(error) = crate::api::tls::server_config(&settings) {
        use crate::tls::TlsError;
        let key = match &error {
            TlsError::File { path, .. } if *path == settings.key => "key",
            TlsError::File { path, .. } if Some(path) == settings.client_ca.as_ref() => "client_ca",
            _ => "certificate",
        };
        let why = match error {
            TlsError::Setup(why) => format!("certificate and key do not fit together, or are damaged ({why})"),
            error => error.to_string(),
        };
        issues.at(key, why);
    }
    Some(settings)
}
