//! What the engine can do.

use serde_json::{Value, json};
use uuid::Uuid;

use super::objects::{self, list_of};
use super::session::{Object, Opened, Refusal, Session};
use crate::event::EngineReload;
use crate::simulator::site::outcome::Outcome;
use crate::simulator::site::pace::Pace;
use crate::simulator::site::run::{send, zone};
use crate::simulator::site::state::App;
use crate::source::decode::{Message, encode};

type Reply = Result<Value, Refusal>;

/// The version that the engine tells.
const VERSION: &str = "12.1612.4";

/// Methods that are not within an app.
pub(super) fn global(session: &mut Session, method: &str, params: &Value) -> Reply {
    match method {
        "GetDocList" => {
            let state = session.shared.state();
            Ok(json!({ "qDocList": state.apps.iter().map(objects::listed_app).collect::<Vec<_>>() }))
        }
        "EngineVersion" => Ok(json!({ "qVersion": { "qComponentVersion": VERSION } })),
        "OpenDoc" => open(session, params),
        "GetActiveDoc" => Ok(match session.doc.opened() {
            Some(Opened { app, .. }) => returned("Doc", session.app_handle(), &app.to_string()),
            None => json!({ "qReturn": { "qType": null, "qHandle": null } }),
        }),
        _ => Err(Refusal::UNKNOWN_METHOD),
    }
}

fn open(session: &mut Session, params: &Value) -> Reply {
    let id = params[0].as_str().ok_or(Refusal::PARAMETERS)?;
    let without_data = params[4] == true;
    let app = id.parse::<Uuid>().ok().filter(|app| session.shared.state().app(*app).is_some()).ok_or(Refusal::UNKNOWN_APP)?;
    match session.doc.opened() {
        Some(opened) if opened.app == app && opened.without_data != without_data => return Err(Refusal::OTHER_MODE),
        // This one, or another.
        Some(_) => return Err(Refusal::ALREADY_OPEN),
        None => session.doc.open(Opened { app, without_data }),
    }
    Ok(returned("Doc", session.app_handle(), id))
}

fn returned(kind: &str, handle: i64, id: &str) -> Value {
    json!({ "qReturn": { "qType": kind, "qHandle": handle, "qGenericId": id } })
}

/// Methods of the app that is open.
pub(super) fn app(session: &mut Session, method: &str, params: &Value) -> Reply {
    let app = opened(session)?;
    let id = || params[0].as_str().ok_or(Refusal::PARAMETERS);
    match method {
        "GetAppProperties" => Ok(json!({ "qProp": objects::app_properties(&app) })),
        "GetScript" => Ok(json!({ "qScript": app.content.script })),
        "GetLineage" => Ok(json!({ "qLineage": objects::lineage(&app) })),
        "GetConnections" => Ok(json!({ "qConnections": objects::connections(&app) })),
        "GetConnection" => {
            let id = id()?;
            let connection = app.content.connections.iter().find(|connection| connection.id == id).ok_or(Refusal::NOT_FOUND)?;
            Ok(json!({ "qConnection": objects::connection(connection) }))
        }
        "CreateSessionObject" => {
            let definition = params.get(0).filter(|definition| definition.is_object()).ok_or(Refusal::PARAMETERS)?;
            let info = &definition["qInfo"];
            let (kind, id) = (info["qType"].as_str().unwrap_or_default().to_owned(), info["qId"].as_str().unwrap_or_default().to_owned());
            let handle = session.give(Object::List(definition.clone()));
            Ok(returned(&kind, handle, &id))
        }
        "GetObject" | "GetVariableById" => {
            let id = id()?;
            let object = app.content.object(id).ok_or(Refusal::NOT_FOUND)?;
            let handle = session.give(Object::Part(object.id.clone()));
            Ok(returned(&object.r#type, handle, id))
        }
        "GetDimension" | "GetMeasure" | "GetBookmark" => {
            let id = id()?;
            // Of these the engine does not say that they are not there: it gives back nothing.
            let Some(object) = app.content.object(id) else { return Ok(json!({ "qReturn": { "qType": null, "qHandle": null } })) };
            let handle = session.give(Object::Part(object.id.clone()));
            Ok(returned(&object.r#type, handle, id))
        }
        "DoSave" => {
            save(session);
            Ok(json!({}))
        }
        _ => Err(Refusal::UNKNOWN_METHOD),
    }
}

/// Methods of what is in an app.
pub(super) fn part(session: &Session, object: &Object, method: &str) -> Reply {
    let app = opened(session)?;
    match (object, method) {
        (Object::List(definition), "GetLayout") => Ok(json!({ "qLayout": list_of(&app, definition) })),
        (Object::List(definition), "GetProperties") => Ok(json!({ "qProp": definition })),
        (Object::Part(id), _) => {
            let object = app.content.object(id).ok_or(Refusal::NOT_FOUND)?;
            match method {
                "GetProperties" => Ok(json!({ "qProp": objects::properties(object) })),
                "GetLayout" => Ok(json!({ "qLayout": objects::layout(object) })),
                "GetFullPropertyTree" => Ok(json!({ "qPropEntry": objects::tree(object) })),
                _ => Err(Refusal::UNKNOWN_METHOD),
            }
        }
        _ => Err(Refusal::UNKNOWN_METHOD),
    }
}

fn opened(session: &Session) -> Result<App, Refusal> {
    let opened = session.doc.opened().ok_or(Refusal::NOT_FOUND)?;
    session.shared.state().app(opened.app).cloned().ok_or(Refusal::UNKNOWN_APP)
}

/// Runs the script. It takes as long as a task does; a failure is told by the log appender.
pub(super) async fn reload(session: &mut Session, params: &Value) -> Reply {
    if params.get(0).is_some_and(|mode| !mode.is_i64()) || params.get(1).is_some_and(|partial| !partial.is_boolean()) {
        return Err(Refusal::PARAMETERS);
    }
    let app = opened(session)?;
    if let Pace::Live(steps) = session.shared.pace {
        session.shared.clock.sleep(steps.running).await;
    }
    let succeeds = app.content.when_reloaded == Outcome::Success;
    if succeeds {
        session.reloaded = true;
    } else {
        tell(session, &app).await;
    }
    Ok(json!({ "qReturn": succeeds }))
}

fn save(session: &mut Session) {
    let (shared, now) = (&session.shared, session.shared.clock.now());
    if std::mem::take(&mut session.reloaded)
        && let Some(opened) = session.doc.opened()
        && let Some(app) = shared.state().app_mut(opened.app)
    {
        app.last_reload = Some(now);
    }
}

/// What the log appender says when the engine writes that a reload failed.
async fn tell(session: &Session, app: &App) {
    let shared = &session.shared;
    let Some(to) = shared.datagrams_to().filter(|_| !shared.loses_datagram()) else { return };
    let (host, log_time) = {
        let state = shared.state();
        (state.node.clone(), shared.clock.now().to_zoned(zone(&state)).strftime("%Y-%m-%d %H:%M:%S,%3f").to_string())
    };
    let datagram = encode(&Message::Engine(EngineReload {
        host,
        app_id: Some(app.id),
        session_id: session.id.to_string(),
        user_directory: session.user.directory.clone(),
        user_id: session.user.id.clone(),
        log_time,
        log_level: "ERROR".to_owned(),
        message: "Reload failed".to_owned(),
    }));
    // It may be that nobody listens; the engine does not know.
    let _ = send(&datagram, to).await;
}
