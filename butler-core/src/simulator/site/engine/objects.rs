//! What is in an app, as the engine shows it.

use serde_json::{Map, Value, json};

use crate::simulator::site::content::{AppObject, DataConnection, Lineage};
use crate::simulator::site::objects::date;
use crate::simulator::site::state::App;

/// An app in the list of all.
pub(super) fn listed_app(app: &App) -> Value {
    json!({
        "qDocName": app.name,
        "qConnectedUsers": 0,
        "qFileTime": 0,
        "qFileSize": app.file_size,
        "qDocId": app.id,
        "qMeta": { "hassectionaccess": false, "encrypted": false },
        "qLastReloadTime": date(app.last_reload),
        "qTitle": app.name,
        "qThumbnail": {},
    })
}

pub(super) fn app_properties(app: &App) -> Value {
    json!({
        "qTitle": app.name,
        "qLastReloadTime": date(app.last_reload),
        "qSavedInProductVersion": "12.1612.4",
        "qThumbnail": {},
        "qHasSectionAccess": false,
    })
}

pub(super) fn lineage(app: &App) -> Vec<Value> {
    let entry = |lineage: &Lineage| match lineage.statement.as_str() {
        "" => json!({ "qDiscriminator": lineage.discriminator }),
        statement => json!({ "qDiscriminator": lineage.discriminator, "qStatement": statement }),
    };
    app.content.lineage.iter().map(entry).collect()
}

pub(super) fn connections(app: &App) -> Vec<Value> {
    app.content.connections.iter().map(connection).collect()
}

pub(super) fn connection(connection: &DataConnection) -> Value {
    json!({
        "qId": connection.id,
        "qName": connection.name,
        "qConnectionString": connection.path,
        "qType": connection.r#type,
        "qLogOn": 0,
    })
}

fn info(object: &AppObject) -> Value {
    json!({ "qId": object.id, "qType": object.r#type })
}

/// All its properties.
pub(super) fn properties(object: &AppObject) -> Value {
    let AppObject { title, definition, .. } = object;
    let mut properties = Map::new();
    properties.insert("qInfo".into(), info(object));
    let own = match object.r#type.as_str() {
        "dimension" => json!({ "qDim": { "qFieldDefs": [definition], "qFieldLabels": [title] }, "qMetaDef": { "title": title } }),
        "measure" => json!({ "qMeasure": { "qLabel": title, "qDef": definition }, "qMetaDef": { "title": title } }),
        "variable" => json!({ "qMetaDef": {}, "qName": title, "qDefinition": definition }),
        "sheet" | "story" => json!({ "qMetaDef": { "title": title }, "rank": 0 }),
        _ => json!({ "qMetaDef": { "title": title } }),
    };
    if let Value::Object(own) = own {
        properties.extend(own);
    }
    properties.into()
}

/// What it shows.
pub(super) fn layout(object: &AppObject) -> Value {
    let mut layout = json!({ "qInfo": info(object), "qMeta": { "title": object.title }, "qSelectionInfo": {} });
    if object.r#type == "bookmark" {
        layout["qBookmark"] = json!({ "qStateData": [{ "qStateName": "$", "qFieldItems": [{ "qDef": { "qName": object.definition } }] }] });
    }
    layout
}

/// All its properties, and those of what is within it.
pub(super) fn tree(object: &AppObject) -> Value {
    let children: Vec<_> = object.children.iter().map(tree).collect();
    json!({ "qProperty": properties(object), "qChildren": children, "qEmbeddedSnapshotRef": null })
}

/// The layout of a list.
pub(super) fn list_of(app: &App, definition: &Value) -> Value {
    let mut layout = json!({ "qInfo": definition["qInfo"], "qSelectionInfo": {} });
    let kind = |member: &str| definition[member]["qType"].as_str().unwrap_or_default().to_owned();
    for (asked, shown) in [
        ("qAppObjectListDef", "qAppObjectList"),
        ("qDimensionListDef", "qDimensionList"),
        ("qMeasureListDef", "qMeasureList"),
        ("qBookmarkListDef", "qBookmarkList"),
        ("qVariableListDef", "qVariableList"),
    ] {
        if definition.get(asked).is_some() {
            let kind = kind(asked);
            let items: Vec<_> = app.content.objects.iter().filter(|object| object.r#type == kind).map(item).collect();
            layout[shown] = json!({ "qItems": items });
        }
    }
    if definition.get("qMediaListDef").is_some() {
        let item = |url: &String| json!({ "qUrlDef": url, "qUrl": url });
        layout["qMediaList"] = json!({ "qItems": app.content.media.iter().map(item).collect::<Vec<_>>() });
    }
    if definition.get("qFieldListDef").is_some() {
        let item = |name: &String| json!({ "qName": name, "qCardinal": 10, "qTags": ["$text"], "qSrcTables": ["data"] });
        layout["qFieldList"] = json!({ "qItems": app.content.fields.iter().map(item).collect::<Vec<_>>() });
    }
    layout
}

/// An object in a list.
fn item(object: &AppObject) -> Value {
    let mut item = json!({ "qInfo": info(object), "qMeta": { "title": object.title }, "qData": { "id": object.id } });
    if object.r#type == "variable" {
        item["qName"] = object.title.as_str().into();
        item["qDefinition"] = object.definition.as_str().into();
        for (flag, is_so) in [("qIsScriptCreated", object.script_created), ("qIsReserved", object.reserved)] {
            if is_so {
                item[flag] = true.into();
            }
        }
    }
    item
}
