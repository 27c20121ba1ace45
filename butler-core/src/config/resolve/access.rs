//! Who may use the API.

use super::{address, check_name};
use crate::config::access::{AccessSettings, Anonymous, ConfiguredToken};
use crate::config::issues::{Issues, segment};
use crate::config::load::Config;
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
    AccessSettings { anonymous, tokens }
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
