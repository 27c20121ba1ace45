//! How the occurrences of a schedule are treated.

use serde::{Deserialize, Serialize};

use super::window::Window;
use crate::config::Period;

/// How the occurrences of a schedule are treated. Without any it is as of old: each starts its task, and one that was missed stays missed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// What becomes of occurrences that passed while Butler was down, or that the clock jumped over.
    #[serde(skip_serializing_if = "is_default")]
    pub missed: Missed,
    /// Whether nothing is started while the task of the occurrence before still runs.
    #[serde(skip_serializing_if = "is_default")]
    pub skip_running: bool,
    /// Occurrences are put off by a time of their own, up to this: `10m`.
    #[serde(skip_serializing_if = "is_default")]
    pub jitter: Period,
    /// The times at which there are occurrences at all.
    #[serde(skip_serializing_if = "is_default")]
    pub only: Window,
}

/// What becomes of missed occurrences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// They stay missed, which is told.
    #[default]
    Skip,
    /// One run stands for all of them.
    Once,
    /// Each is run, one after the other.
    All,
}

impl Rules {
    pub(super) fn is_default(&self) -> bool {
        is_default(self)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
