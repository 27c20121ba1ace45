//! Which tasks may be started on somebody's word.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::request::PropertyValue;
use crate::event::{CustomProperty, TaskFacts};

/// The list of what may be started. Where there is none, everything may.
///
/// What counts is the task and not by what it was chosen: it may be started if its id is listed, or one of its tags, or one of the values of its custom properties, and not otherwise.
/// Texts have to be the same to the letter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StartFilter {
    ids: BTreeSet<Uuid>,
    tags: BTreeSet<String>,
    properties: BTreeSet<PropertyValue>,
}

impl StartFilter {
    /// Allows what is on one of these lists.
    #[must_use]
    pub fn new(
        ids: impl IntoIterator<Item = Uuid>,
        tags: impl IntoIterator<Item = String>,
        properties: impl IntoIterator<Item = PropertyValue>,
    ) -> Self {
        Self { ids: ids.into_iter().collect(), tags: tags.into_iter().collect(), properties: properties.into_iter().collect() }
    }

    /// Whether a task may be started.
    #[must_use]
    pub fn allows(&self, id: Uuid, task: &TaskFacts) -> bool {
        self.lists(id)
            || task.tags.iter().any(|tag| self.lists_tag(tag))
            || task
                .custom_properties
                .iter()
                .any(|CustomProperty { name, value }| self.properties.iter().any(|listed| listed.name == *name && listed.value == *value))
    }

    /// Whether nothing at all may be started.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && !self.depends_on_task()
    }

    /// Whether the id itself is listed.
    pub(super) fn lists(&self, id: Uuid) -> bool {
        self.ids.contains(&id)
    }

    pub(super) fn lists_tag(&self, tag: &str) -> bool {
        self.tags.contains(tag)
    }

    pub(super) fn lists_property(&self, property: &PropertyValue) -> bool {
        self.properties.contains(property)
    }

    /// Whether more has to be known of a task than its id.
    pub(super) fn depends_on_task(&self) -> bool {
        !self.tags.is_empty() || !self.properties.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn property(name: &str, value: &str) -> PropertyValue {
        PropertyValue { name: name.into(), value: value.into() }
    }

    fn entry(name: &str, value: &str) -> CustomProperty {
        CustomProperty { name: name.into(), value: value.into() }
    }

    #[test]
    fn names_and_values_go_together_and_case_matters() {
        let filter = StartFilter::new([], ["nightly".to_owned()], [property("group", "a"), property("kind", "b")]);
        let id = Uuid::from_u128(1);
        let with = |tags: &[&str], custom_properties: &[CustomProperty]| TaskFacts {
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            custom_properties: custom_properties.to_vec(),
            ..TaskFacts::default()
        };
        assert!(filter.allows(id, &with(&["x", "nightly"], &[])));
        assert!(filter.allows(id, &with(&[], &[entry("group", "b"), entry("kind", "b")])));
        assert!(!filter.allows(id, &with(&["Nightly", "nightly "], &[entry("group", "b"), entry("kind", "a")])));
        assert!(!StartFilter::default().allows(id, &with(&[""], &[entry("", "")])));
    }

    /// A few values of everything, so that lists and tasks often meet.
    fn few() -> impl Strategy<Value = u8> {
        0..6_u8
    }

    proptest! {
        /// A task is allowed by any list that names it, and by nothing else: as each list by itself says.
        #[test]
        fn lists_add_up(
            ids in prop::collection::vec(few(), 0..3),
            tags in prop::collection::vec(few(), 0..3),
            properties in prop::collection::vec((few(), few()), 0..3),
            id in few(),
            task_tags in prop::collection::vec(few(), 0..3),
            task_properties in prop::collection::vec((few(), few()), 0..3),
        ) {
            let uuid = |number: u8| Uuid::from_u128(number.into());
            let pairs = properties.iter().map(|(name, value)| property(&name.to_string(), &value.to_string()));
            let filter = StartFilter::new(ids.iter().copied().map(uuid), tags.iter().map(ToString::to_string), pairs);
            let task = TaskFacts {
                tags: task_tags.iter().map(ToString::to_string).collect(),
                custom_properties: task_properties.iter().map(|(name, value)| entry(&name.to_string(), &value.to_string())).collect(),
                ..TaskFacts::default()
            };
            let by_id = ids.contains(&id);
            let by_tag = task_tags.iter().any(|tag| tags.contains(tag));
            let by_property = task_properties.iter().any(|pair| properties.contains(pair));
            prop_assert_eq!(filter.allows(uuid(id), &task), by_id || by_tag || by_property);
        }
    }
}
