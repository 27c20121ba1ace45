//! Apps and streams.

use serde_json::{Value, json};
use uuid::Uuid;

use super::View;
use super::parts::{CREATED, NO_DATE, date, properties, stream, tags};
use super::user::user_reference;
use crate::simulator::site::state::{App, Stream};

const SAVED_IN: &str = "12.1612.4";
const MIGRATION: &str = "e0e4fc1a5dd2d1b0d1d1b1e3f1c1a5d2e3f4a5b6";

impl View<'_> {
    /// An app, whole.
    pub(in super::super) fn app(&self, app: &App) -> Value {
        json!({
            "id": app.id,
            "createdDate": CREATED,
            "modifiedDate": app.last_reload.map_or_else(|| CREATED.to_owned(), |at| date(Some(at))),
            "modifiedByUserName": "INTERNAL\\sa_scheduler",
            "customProperties": properties(*self, app.id, &app.custom_properties),
            "owner": user_reference(*self, app.owner),
            "name": app.name,
            "appId": "",
            "sourceAppId": Uuid::nil(),
            "targetAppId": Uuid::nil(),
            "publishTime": publish_time(app),
            "published": app.stream.is_some(),
            "tags": tags(&app.tags),
            "description": app.description,
            "stream": stream(*self, app.stream),
            "fileSize": app.file_size,
            "lastReloadTime": date(app.last_reload),
            "thumbnail": "",
            "savedInProductVersion": SAVED_IN,
            "migrationHash": MIGRATION,
            "dynamicColor": "",
            "availabilityStatus": 0,
            "privileges": null,
            "schemaPath": "App",
        })
    }

    /// An app, as lists and other objects show it.
    pub(in super::super) fn app_condensed(&self, app: &App) -> Value {
        json!({
            "id": app.id,
            "name": app.name,
            "appId": "",
            "publishTime": publish_time(app),
            "published": app.stream.is_some(),
            "stream": stream(*self, app.stream),
            "savedInProductVersion": SAVED_IN,
            "migrationHash": MIGRATION,
            "availabilityStatus": 0,
            "privileges": null,
        })
    }

    /// A stream.
    pub(in super::super) fn stream(&self, stream: &Stream) -> Value {
        json!({
            "id": stream.id,
            "createdDate": CREATED,
            "modifiedDate": CREATED,
            "modifiedByUserName": "INTERNAL\\sa_repository",
            "customProperties": [],
            "owner": null,
            "name": stream.name,
            "tags": [],
            "privileges": null,
            "schemaPath": "Stream",
        })
    }
}

fn publish_time(app: &App) -> &'static str {
    if app.stream.is_some() { CREATED } else { NO_DATE }
}
