//! Parts that objects share.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::View;
use crate::simulator::site::state::Property;

/// The date that stands for none.
pub(super) const NO_DATE: &str = "1753-01-01T00:00:00.000Z";
/// When everything was made that has no date of its own.
pub(super) const CREATED: &str = "2023-02-02T09:11:26.744Z";

/// A date, or the one that stands for none.
pub(in super::super) fn date(at: Option<Timestamp>) -> String {
    at.map_or_else(|| NO_DATE.to_owned(), |at| at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
}

/// The id of something that has none in the state, and is what it is by its name.
pub(super) fn id_of(what: &str, name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{what}/{name}").as_bytes())
}

/// Tags.
pub(super) fn tags(names: &[String]) -> Value {
    names.iter().map(|name| json!({"id": id_of("tag", name), "name": name, "privileges": null})).collect()
}

/// A stream, as other objects name it; null for none.
pub(super) fn stream(view: View<'_>, id: Option<Uuid>) -> Value {
    let stream = id.and_then(|id| view.state.stream(id));
    stream.map_or(Value::Null, |stream| json!({"id": stream.id, "name": stream.name, "privileges": null}))
}

/// Custom properties of the object `owner`.
pub(super) fn properties(view: View<'_>, owner: Uuid, properties: &[Property]) -> Value {
    let value = |property: &Property| {
        json!({
            "id": id_of("property", &format!("{owner}/{}/{}", property.name, property.value)),
            "createdDate": CREATED,
            "modifiedDate": CREATED,
            "modifiedByUserName": "INTERNAL\\sa_repository",
            "value": property.value,
            "definition": {
                "id": id_of("definition", &property.name),
                "name": property.name,
                "valueType": "Text",
                "choiceValues": choices(view, &property.name),
                "privileges": null,
            },
            "schemaPath": "CustomPropertyValue",
        })
    };
    properties.iter().map(value).collect()
}

/// The values that a property may have: those that it has somewhere.
fn choices(view: View<'_>, name: &str) -> Vec<String> {
    let state = view.state;
    let all = state.tasks.iter().map(|task| &task.custom_properties);
    let all = all.chain(state.apps.iter().map(|app| &app.custom_properties)).chain(state.users.iter().map(|user| &user.custom_properties));
    let mut values: Vec<_> = all.flatten().filter(|property| property.name == name).map(|property| property.value.clone()).collect();
    values.sort();
    values.dedup();
    values
}
