//! Which tasks a schedule starts.

use serde::{Deserialize, Serialize};

/// Which tasks a schedule starts: those with these ids, and all that bear one of these tags or values of custom properties.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Targets {
    /// Ids of tasks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<String>,
    /// Tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Values of custom properties.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub custom_properties: Vec<PropertyTarget>,
    /// The site; the one of `[tasks]` if there is none here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
}

/// A value of a custom property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PropertyTarget {
    /// Name of the property.
    pub name: String,
    /// The value.
    pub value: String,
}

/// Whether this is a whole id of a task.
pub(crate) fn is_task_id(text: &str) -> bool {
    text.len() == 36 && text.parse::<uuid::Uuid>().is_ok()
}

impl Targets {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it names no task in any way.
    #[must_use]
    pub fn names_none(&self) -> bool {
        self.tasks.is_empty() && self.tags.is_empty() && self.custom_properties.is_empty()
    }
}
