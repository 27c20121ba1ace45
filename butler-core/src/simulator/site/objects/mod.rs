//! The objects of the repository as it shows them, with every member that a real one has.

mod app;
mod execution;
mod parts;
mod task;
mod user;

use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) use self::parts::date;
use super::state::SiteState;

/// A state at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) state: &'a SiteState,
    pub(super) now: Timestamp,
}

impl View<'_> {
    /// What the repository says about itself.
    pub(super) fn about(&self) -> Value {
        json!({
            "buildVersion": self.state.version,
            "buildDate": "5/3/2024 9:15:31 AM",
            "databaseProvider": "Devart.Data.PostgreSql",
            "nodeType": 1,
            "sharedPersistence": true,
            "requiresBootstrap": false,
            "singleNodeOnly": false,
            "schemaPath": "About",
        })
    }
}
