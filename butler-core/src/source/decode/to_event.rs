//! From a datagram to an event.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Message, decode};
use crate::event::{Body, DedupKey, EngineReload, Kind, NewEvent, SiteName};
use crate::source::{Datagram, Rejection};

/// How far apart two copies of one line of the engine may arrive.
const ENGINE_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Makes the event that a datagram tells of.
///
/// It happened when the datagram was received: the time in the line is local time of a node whose zone nobody tells. A repetition is recognised by the
/// execution id; lacking that, by task and time; and for the engine, which names no execution, by what the line says.
///
/// # Errors
/// A [`Rejection`] for the list, if the datagram says nothing.
pub fn to_event(datagram: &Datagram) -> Result<NewEvent, Rejection> {
    let Datagram { bytes, from, site, source, received } = datagram;
    let message = decode(bytes).map_err(|error| Rejection { at: *received, reason: error.reason, from: *from, detail: error.detail })?;
    let (kind, keys, body) = match message {
        Message::Scheduler(message) => {
            let kind = Kind::task(message.outcome);
            // By the time it is recognised only by whoever names no execution either.
            let time = DedupKey::task_time(site, &kind, message.task.task_id, *received);
            let keys = message.task.execution_id.map(|execution| DedupKey::execution(site, &kind, execution)).into_iter().chain([time]);
            (kind, keys.collect(), Body::Task(message.task))
        }
        Message::Engine(reload) => {
            let key = engine_key(site, &reload, *received);
            (Kind::EngineReloadFailed, key.into_iter().collect(), Body::EngineReload(reload))
        }
    };
    Ok(NewEvent { site: site.clone(), kind, at: *received, source: source.clone(), keys, body })
}

/// The key of a line of the engine: all that tells it from another, the node's time to the millisecond above all. A line without a time has none, because
/// two of them may well be two failures.
fn engine_key(site: &SiteName, reload: &EngineReload, received: Timestamp) -> Option<DedupKey> {
    if reload.log_time.is_empty() {
        return None;
    }
    let app = reload.app_id.unwrap_or_default().simple().to_string();
    let line = [&reload.host, &app, &reload.session_id, &reload.user_directory, &reload.user_id, &reload.log_time, &reload.message]
        .map(String::as_str)
        .join("\0");
    let line = Uuid::new_v5(&Uuid::NAMESPACE_OID, line.as_bytes());
    let scope = format!("{site}|{}|l|{}", Kind::EngineReloadFailed, line.simple());
    Some(DedupKey::Near { scope, at: received, tolerance: ENGINE_TOLERANCE })
}
