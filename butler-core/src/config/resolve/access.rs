//! Who may use the API.

use super::address;
use crate::config::access::{AccessSettings, Anonymous};
use crate::config::issues::Issues;
use crate::config::model::ApiConfig;

/// What `[api]` says about it; the issues are at its keys.
pub(super) fn resolve(api: &ApiConfig, listen: Option<&address::Listen>, issues: &mut Issues) -> AccessSettings {
    let anonymous = match api.allow_anonymous {
        None => Anonymous::Loopback,
        Some(true) => Anonymous::Everyone,
        Some(false) => Anonymous::Nobody,
    };
    let reachable = listen.is_some_and(|listen| !listen.loopback);
    match anonymous {
        _ if !api.enabled => {}
        Anonymous::Everyone if reachable => {
            issues.warn("allow_anonymous", format!("whoever reaches `{}` over the network may do everything", api.listen));
        }
        Anonymous::Loopback if reachable => issues.warn_with_help(
            "listen",
            format!("`{}` is reachable from other machines, and who asks from there has to show a token", api.listen),
            "make tokens with `butler-cli token create`; `allow_anonymous = false` asks for them on this machine too, and silences this",
        ),
        _ => {}
    }
    AccessSettings { anonymous }
}
