//! Everything that an app is made of, but its data.
//!
//! The engine lists objects of each type in the layout of an object that lives as long as the session. What is listed is then got one by one, and asked for all its properties.

use serde_json::{Map, Value, json};

use super::client::handle;
use super::error::{EngineError, code};
use super::session::{Call, Session};

/// The dump of the app with this handle. Its members are always in this order.
pub(super) async fn dump(session: &mut Session, app: i64, id: &str) -> Result<Map<String, Value>, EngineError> {
    let mut dump = Map::new();
    let calls = ["GetAppProperties", "GetScript", "GetLineage", "GetConnections"].map(|method| Call::plain(app, method));
    let [properties, script, lineage, connections] = take(session.call_all(&calls).await?);
    dump.insert("properties".into(), properties?["qProp"].take());
    dump.insert("loadScript".into(), script?["qScript"].take());
    match lineage {
        Ok(mut lineage) => drop(dump.insert("lineage".into(), json!({ "qLineage": listed(&mut lineage["qLineage"]) }))),
        Err(error) => tracing::warn!(%error, "The dump of an app has no lineage."),
    }
    let connections = listed(&mut connections?["qConnections"]);

    let mut lists = layouts(session, app).await?;
    for (member, list) in ["sheets", "stories", "masterobjects", "appprops"].into_iter().zip(&mut lists) {
        let trees = each(session, app, "GetObject", ids(list)).await?;
        let trees = of_each(session, trees, "GetFullPropertyTree", "qPropEntry").await?;
        dump.insert(member.into(), trees.into_iter().map(|(_, tree)| tree).collect());
    }
    let [_, _, _, _, dimensions, measures, bookmarks, media, snapshots, fields, variables] = lists;
    for (member, method, list) in [("dimensions", "GetDimension", dimensions), ("measures", "GetMeasure", measures)] {
        dump.insert(member.into(), properties_of(session, app, method, ids(&list)).await?);
    }
    dump.insert("bookmarks".into(), bookmarks_of(session, app, ids(&bookmarks)).await?);
    dump.insert("snapshots".into(), properties_of(session, app, "GetBookmark", ids(&snapshots)).await?);
    let is_embedded = |item: &Value| item["qUrlDef"].as_str().is_some_and(|url| url.starts_with("/media/"));
    dump.insert("embeddedmedia".into(), media.into_iter().filter(is_embedded).collect());
    dump.insert("fields".into(), fields.into());
    let connections: Vec<_> = connections.iter().filter_map(|connection| text(&connection["qId"])).collect();
    let calls: Vec<_> = connections.iter().map(|id| Call::new(app, "GetConnection", json!([id]))).collect();
    let mut whole = Vec::new();
    for connection in session.call_all(&calls).await? {
        whole.extend(unless_gone(connection)?.map(|mut reply| reply["qConnection"].take()));
    }
    dump.insert("dataconnections".into(), whole.into());
    dump.insert("variables".into(), variables_of(session, app, variables).await?);
    dump.insert("appId".into(), id.into());
    Ok(dump)
}

/// Which lists are asked for: what defines each, and where its items are in its layout.
fn lists() -> [(Value, &'static str); 11] {
    let objects = |kind: &str, id: &str| {
        json!({
            "qAppObjectListDef": { "qType": kind, "qData": { "id": "/qInfo/qId" } },
            "qInfo": { "qId": id, "qType": id }, "qMetaDef": {}, "qExtendsId": "",
        })
    };
    let list = |def: &str, kind: &str, id: &str| {
        json!({
            def: { "qType": kind, "qData": { "info": "/qDimInfos" }, "qMeta": {} },
            "qInfo": { "qId": id, "qType": id },
        })
    };
    let fields = json!({
        "qFieldListDef": { "qShowSystem": true, "qShowHidden": true, "qShowSrcTables": true, "qShowSemantic": true },
        "qInfo": { "qId": "FieldList", "qType": "FieldList" },
    });
    let variables = json!({
        "qVariableListDef": { "qType": "variable", "qShowReserved": true, "qShowConfig": true, "qData": { "info": "/qDimInfos" }, "qMeta": {} },
        "qInfo": { "qId": "VariableList", "qType": "VariableList" },
    });
    const OBJECTS: &str = "qAppObjectList";
    [
        (objects("sheet", "sheetList"), OBJECTS),
        (objects("story", "storyList"), OBJECTS),
        (objects("masterobject", "masterobjectList"), OBJECTS),
        (objects("appprops", "apppropsList"), OBJECTS),
        (list("qDimensionListDef", "dimension", "DimensionList"), "qDimensionList"),
        (list("qMeasureListDef", "measure", "MeasureList"), "qMeasureList"),
        (list("qBookmarkListDef", "bookmark", "BookmarkList"), "qBookmarkList"),
        (json!({ "qInfo": { "qId": "mediaList", "qType": "MediaList" }, "qMediaListDef": {} }), "qMediaList"),
        (list("qBookmarkListDef", "snapshot", "BookmarkList"), "qBookmarkList"),
        (fields, "qFieldList"),
        (variables, "qVariableList"),
    ]
}

/// The items of each list.
async fn layouts(session: &mut Session, app: i64) -> Result<[Vec<Value>; 11], EngineError> {
    let lists = lists();
    let calls = lists.each_ref().map(|(definition, _)| Call::new(app, "CreateSessionObject", json!([definition])));
    let created: [_; 11] = take(session.call_all(&calls).await?);
    let mut calls = Vec::new();
    for reply in created {
        let handle = handle(&reply?).ok_or_else(|| session.malformed("CreateSessionObject", "there is no handle in it"))?;
        calls.push(Call::plain(handle, "GetLayout"));
    }
    let layouts: [_; 11] = take(session.call_all(&calls).await?);
    let mut items = [const { Vec::new() }; 11];
    for ((layout, (_, place)), items) in layouts.into_iter().zip(&lists).zip(&mut items) {
        let mut layout = layout?["qLayout"].take();
        // What an app has none of may not be listed at all.
        if let Some(list) = layout.get_mut(*place).and_then(|list| list.get_mut("qItems")) {
            *items = listed(list);
        }
    }
    Ok(items)
}

/// The results of as many calls.
fn take<const N: usize>(results: Vec<Result<Value, EngineError>>) -> [Result<Value, EngineError>; N] {
    let mut results = results.into_iter();
    std::array::from_fn(|_| results.next().unwrap_or(Ok(Value::Null)))
}

/// The items of a list; none if it is no list.
fn listed(list: &mut Value) -> Vec<Value> {
    match list.take() {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().filter_map(|item| text(&item["qInfo"]["qId"])).collect()
}

/// The handle of each object, with its place in the list. Those that are gone meanwhile are left out.
async fn each(session: &mut Session, app: i64, method: &'static str, ids: Vec<String>) -> Result<Vec<(usize, i64)>, EngineError> {
    let calls: Vec<_> = ids.iter().map(|id| Call::new(app, method, json!([id]))).collect();
    let mut handles = Vec::new();
    for (index, reply) in session.call_all(&calls).await?.into_iter().enumerate() {
        let handle = unless_gone(reply)?.as_ref().and_then(handle);
        if handle.is_none() {
            tracing::debug!(site = %session.request().site, method, id = ids[index], "An object is gone, and is left out of a dump.");
        }
        handles.extend(handle.map(|handle| (index, handle)));
    }
    Ok(handles)
}

/// What a method gives for each handle, in this member of its result.
async fn of_each(
    session: &mut Session,
    handles: Vec<(usize, i64)>,
    method: &'static str,
    member: &str,
) -> Result<Vec<(usize, Value)>, EngineError> {
    let calls: Vec<_> = handles.iter().map(|(_, handle)| Call::plain(*handle, method)).collect();
    let mut values = Vec::new();
    for ((index, _), reply) in handles.into_iter().zip(session.call_all(&calls).await?) {
        values.extend(unless_gone(reply)?.map(|mut reply| (index, reply[member].take())));
    }
    Ok(values)
}

async fn properties_of(session: &mut Session, app: i64, method: &'static str, ids: Vec<String>) -> Result<Value, EngineError> {
    let handles = each(session, app, method, ids).await?;
    let properties = of_each(session, handles, "GetProperties", "qProp").await?;
    Ok(properties.into_iter().map(|(_, properties)| properties).collect())
}

/// Bookmarks: their properties, with what is selected.
async fn bookmarks_of(session: &mut Session, app: i64, ids: Vec<String>) -> Result<Value, EngineError> {
    let handles = each(session, app, "GetBookmark", ids).await?;
    let mut bookmarks = of_each(session, handles.clone(), "GetProperties", "qProp").await?;
    let layouts = of_each(session, handles, "GetLayout", "qLayout").await?;
    for (index, mut layout) in layouts {
        let Some((_, bookmark)) = bookmarks.iter_mut().find(|(of, _)| *of == index) else { continue };
        let selected = layout["qBookmark"].take();
        if !selected.is_null()
            && let Value::Object(bookmark) = bookmark
        {
            let data = bookmark.entry("qData").or_insert_with(|| json!({}));
            if let Value::Object(data) = data {
                data.insert("qBookMark".into(), selected);
            }
        }
    }
    Ok(bookmarks.into_iter().map(|(_, bookmark)| bookmark).collect())
}

/// Variables: their properties, with what only the list tells.
async fn variables_of(session: &mut Session, app: i64, items: Vec<Value>) -> Result<Value, EngineError> {
    let items: Vec<_> = items.into_iter().filter(|item| item["qInfo"]["qId"].is_string()).collect();
    let handles = each(session, app, "GetVariableById", ids(&items)).await?;
    let mut variables = of_each(session, handles, "GetProperties", "qProp").await?;
    for (index, variable) in &mut variables {
        for flag in ["qIsScriptCreated", "qIsReserved", "qIsConfig"] {
            if items[*index][flag] == true
                && let Value::Object(variable) = variable
            {
                variable.insert(flag.into(), true.into());
            }
        }
    }
    Ok(variables.into_iter().map(|(_, variable)| variable).collect())
}

/// The result, or nothing if what was asked about is gone.
fn unless_gone(reply: Result<Value, EngineError>) -> Result<Option<Value>, EngineError> {
    match reply {
        Err(EngineError::Refused { code: code::NOT_FOUND, .. }) => Ok(None),
        other => other.map(Some),
    }
}
