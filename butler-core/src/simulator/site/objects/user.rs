//! Users.

use serde_json::{Value, json};
use uuid::Uuid;

use super::View;
use super::parts::{CREATED, id_of, properties, tags};
use crate::simulator::site::state::User;

impl View<'_> {
    /// A user, whole.
    pub(in super::super) fn user(&self, user: &User) -> Value {
        let emails = user.emails.iter().map(|value| ("email", value));
        let attributes = emails.chain(user.groups.iter().map(|value| ("group", value)));
        let attribute = |(kind, value): (&str, &String)| {
            json!({
                "id": id_of("attribute", &format!("{}/{kind}/{value}", user.id)),
                "createdDate": CREATED,
                "modifiedDate": CREATED,
                "modifiedByUserName": "INTERNAL\\sa_repository",
                "attributeType": kind,
                "attributeValue": value,
                "externalId": "",
                "schemaPath": "User.Attribute",
            })
        };
        json!({
            "id": user.id,
            "createdDate": CREATED,
            "modifiedDate": CREATED,
            "modifiedByUserName": "INTERNAL\\sa_repository",
            "customProperties": properties(*self, user.id, &user.custom_properties),
            "userId": user.user_id,
            "userDirectory": user.directory,
            "userDirectoryConnectorName": user.directory,
            "name": user.name,
            "roles": user.roles,
            "attributes": attributes.map(attribute).collect::<Vec<_>>(),
            "inactive": user.inactive,
            "removedExternally": user.removed_externally,
            "blacklisted": user.blacklisted,
            "deleteProhibited": false,
            "tags": tags(&user.tags),
            "favorites": [],
            "privileges": null,
            "schemaPath": "User",
        })
    }

    /// A user, as lists show it.
    pub(in super::super) fn user_condensed(&self, user: &User) -> Value {
        json!({
            "id": user.id,
            "userId": user.user_id,
            "userDirectory": user.directory,
            "userDirectoryConnectorName": user.directory,
            "name": user.name,
            "privileges": null,
        })
    }
}

/// A user, as other objects name it; null for one that is gone.
pub(super) fn user_reference(view: View<'_>, id: Uuid) -> Value {
    view.state.user(id).map_or(Value::Null, |user| view.user_condensed(user))
}
