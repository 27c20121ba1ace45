//! What is to be started.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::StartError;
use crate::event::SiteName;

/// Which tasks are to be started, and what is stored before.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct StartRequest {
    /// The site; the configured one if there is none here.
    pub site: Option<SiteName>,
    /// Ids of tasks, as they were given.
    pub tasks: Vec<String>,
    /// Tags; every task that bears one is meant.
    pub tags: Vec<String>,
    /// Values of custom properties; every task that has one is meant.
    pub custom_properties: Vec<PropertyValue>,
    /// Whether no task is started by its id unless all of these ids are tasks.
    pub all_ids_must_exist: bool,
    /// Whether tasks that run are left alone.
    pub skip_running: bool,
    /// Pairs for the key-value store. They are stored before any task is started.
    pub pairs: Vec<Pair>,
}

/// A value of a custom property.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PropertyValue {
    /// Name of the property.
    pub name: String,
    /// The value.
    pub value: String,
}

/// A pair for the key-value store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The namespace.
    pub namespace: String,
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// How long it is kept, in milliseconds; for good if there is none, or if it is zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
}

/// By what tasks are chosen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Selector {
    /// By this id, as it was given.
    Task(String),
    /// By this tag.
    Tag(String),
    /// By this value of a custom property.
    CustomProperty(PropertyValue),
}

impl StartRequest {
    /// One task by its id, and nothing else.
    #[must_use]
    pub fn task(id: impl Into<String>) -> Self {
        Self { tasks: vec![id.into()], ..Self::default() }
    }

    /// By what tasks are chosen, in the order in which they are started.
    pub(super) fn selectors(&self) -> Vec<Selector> {
        let tasks = self.tasks.iter().cloned().map(Selector::Task);
        let tags = self.tags.iter().cloned().map(Selector::Tag);
        let properties = self.custom_properties.iter().cloned().map(Selector::CustomProperty);
        tasks.chain(tags).chain(properties).collect()
    }

    /// Whether every pair can be stored.
    pub(super) fn check(&self) -> Result<(), StartError> {
        let fault = |pair: &Pair| pair.namespace.is_empty() || pair.key.is_empty();
        self.pairs.iter().position(fault).map_or(Ok(()), |index| Err(StartError::NamelessPair { number: index + 1 }))
    }
}

impl Pair {
    /// How long it is kept; for good if there is none.
    pub(super) fn ttl(&self) -> Option<Duration> {
        self.ttl_ms.filter(|millis| *millis > 0).map(Duration::from_millis)
    }
}

/// The id of a task in any case, as eight, four, four, four and twelve hexadecimal digits.
pub(crate) fn task_id(text: &str) -> Option<Uuid> {
    let text = text.trim();
    // Other lengths are other ways to write a UUID, which the repository does not know.
    text.parse().ok().filter(|_| text.len() == 36)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_in_any_case_and_in_one_form() {
        let id = Uuid::from_u128(0xe959_f40a_67be_4a5b_ae83_a292_f96b_a078);
        for good in
            ["e959f40a-67be-4a5b-ae83-a292f96ba078", "E959F40A-67BE-4A5B-AE83-A292F96BA078", " e959f40a-67be-4a5b-ae83-a292f96ba078\n"]
        {
            assert_eq!(task_id(good), Some(id), "{good:?}");
        }
        // Not every id of a task follows the rules for versions.
        assert!(task_id("ffffffff-ffff-ffff-ffff-ffffffffffff").is_some());
        for bad in [
            "",
            "-",
            "e959f40a67be4a5bae83a292f96ba078",
            "{e959f40a-67be-4a5b-ae83-a292f96ba078}",
            "urn:uuid:e959f40a-67be-4a5b-ae83-a292f96ba078",
            "e959f40a-67be-4a5b-ae83-a292f96ba07",
            "e959f40a67be-4a5b-ae83-a292-f96ba0781",
            "g959f40a-67be-4a5b-ae83-a292f96ba078",
            "e959f40a-67be-4a5b-ae83-a292f96ba078 or id ne 0",
        ] {
            assert_eq!(task_id(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_request_says_what_it_means_and_nothing_else() {
        let request: StartRequest =
            serde_json::from_str(r#"{"tags": ["nightly"], "pairs": [{"namespace": "a", "key": "b", "value": ""}]}"#).unwrap();
        assert_eq!(request.selectors(), [Selector::Tag("nightly".into())]);
        assert_eq!(request.pairs[0].ttl(), None);
        assert!(request.check().is_ok());
        assert!(serde_json::from_str::<StartRequest>(r#"{"tag": ["nightly"]}"#).is_err());
        let nameless = StartRequest { pairs: vec![Pair { key: String::new(), ..request.pairs[0].clone() }], ..StartRequest::default() };
        assert_eq!(
            nameless.check().unwrap_err().to_string(),
            "pair 1 has no namespace or no key, so nothing was stored and no task was started"
        );
    }
}
