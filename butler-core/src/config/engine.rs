//! `[sites.NAME.engine]`.

use serde::{Deserialize, Serialize};

use super::values::Period;

/// `[sites.NAME.engine]`: where the site's engine is, which lists, dumps and reloads apps. It needs certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfig {
    /// Host name or address of its node, as its certificate names it; the site's if there is none.
    pub host: Option<String>,
    /// Its port.
    pub port: u16,
    /// How long it may take for one answer. A reload may take as long as it likes.
    pub timeout: Period,
}

impl Default for EngineConfig {
    fn default() -> Self {
        // Opening a large app is the longest of it.
        Self { host: None, port: 4747, timeout: Period(std::time::Duration::from_mins(2)) }
    }
}
