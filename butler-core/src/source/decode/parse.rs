//! From bytes to a message.

use super::fields::{Id, clean, quote, text};
use super::message::{DecodeError, ENGINE_RELOAD_FAILED, Message, SchedulerMessage, SchedulerPrefix, is_same_word};
use crate::event::{EngineReload, TaskEvent};
use crate::source::RejectReason;

/// Fields of a line of the scheduler.
const SCHEDULER_FIELDS: usize = 11;
/// Fields of a line of the engine.
const ENGINE_FIELDS: usize = 9;
/// Where the task id stands, if no name before it contains a `;`.
const TASK_ID: usize = 5;
/// Fields from the task id on: app id, time, level, execution id and message follow it.
const FROM_TASK_ID: usize = SCHEDULER_FIELDS - TASK_ID;

/// Reads a datagram.
///
/// A byte order mark before it and line ends behind it are tolerated. The first field is compared in any case and without the slashes that end it. Of fields
/// that are too many because of a `;` in a name or in the message, the first that is an id, at the place of the task id or behind it, is taken for the task id, and
/// the others are counted from there: everything behind the execution id is the message. Names in front of a task id that stands too far back can't
/// be told apart; they stay together in `task_name`, and `names_unsure` is set.
///
/// # Errors
/// [`DecodeError`]: it is no UTF-8, names no known message, has too few fields, has no task id, or an id that is none. An execution id
/// that is none counts as absent instead: it costs a little certainty about duplicates, not the message.
pub fn decode(bytes: &[u8]) -> Result<Message, DecodeError> {
    let line = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, &error))?;
    let line = line.strip_prefix('\u{feff}').unwrap_or(line);
    let first = clean(line.split(';').next().unwrap_or_default());
    let word = first.trim();
    if let Some(prefix) = SchedulerPrefix::parse(word) {
        return Ok(Message::Scheduler(SchedulerMessage { outcome: prefix.outcome(), task: scheduler(line)? }));
    }
    if is_same_word(ENGINE_RELOAD_FAILED, word) {
        return engine(line).map(Message::Engine);
    }
    let detail = if line.is_empty() { "the datagram is empty".to_owned() } else { format!("no known message: {}", quote(word)) };
    Err(DecodeError { reason: RejectReason::UnknownType, detail })
}

fn scheduler(line: &str) -> Result<TaskEvent, DecodeError> {
    let (fields, more) = split::<SCHEDULER_FIELDS>(line)?;
    // With more fields than there should be, this is a `;` within the message, the most frequent case by far.
    if !more || is_task_id(&fields, TASK_ID) {
        return task(line, &fields, TASK_ID);
    }
    let fields: Vec<&str> = line.split(';').collect();
    let mut candidates = TASK_ID + 1..=fields.len() - FROM_TASK_ID;
    match candidates.find(|at| is_task_id(&fields, *at)) {
        Some(at) => task(line, &fields, at),
        None if Id::read(fields[TASK_ID]) == Id::Empty => Err(no_task_id(line)),
        None => {
            let detail = format!("{} fields, and none from the sixth on is a task id: {}", fields.len(), quote(line));
            Err(DecodeError { reason: RejectReason::BadId, detail })
        }
    }
}

/// Whether the fields at `at` and behind it look like those from the task id on.
fn is_task_id(fields: &[&str], at: usize) -> bool {
    matches!(Id::read(fields[at]), Id::Known(_)) && Id::read(fields[at + 1]) != Id::Malformed
}

/// Reads the line whose task id stands at `at`.
fn task(line: &str, fields: &[&str], at: usize) -> Result<TaskEvent, DecodeError> {
    let task_id = match Id::read(fields[at]) {
        Id::Known(id) => id,
        Id::Empty => return Err(no_task_id(line)),
        Id::Malformed => return Err(bad_id("task", fields[at], line)),
    };
    let app_id = Id::read(fields[at + 1]);
    if app_id == Id::Malformed {
        return Err(bad_id("app", fields[at + 1], line));
    }
    let names_unsure = at != TASK_ID;
    let (task_name, app_name) = if names_unsure {
        (text(&line[start(fields, 2)..start(fields, at - 1) - 1]), String::new())
    } else {
        (text(fields[2]), text(fields[3]))
    };
    Ok(TaskEvent {
        host: text(fields[1]),
        task_name,
        app_name,
        user: text(fields[at - 1]),
        task_id,
        app_id: app_id.known(),
        log_time: text(fields[at + 2]),
        log_level: text(fields[at + 3]),
        execution_id: Id::read(fields[at + 4]).known(),
        message: text(&line[start(fields, at + 5)..]),
        names_unsure,
    })
}

fn engine(line: &str) -> Result<EngineReload, DecodeError> {
    let (fields, _) = split::<ENGINE_FIELDS>(line)?;
    let app_id = Id::read(fields[2]);
    if app_id == Id::Malformed {
        return Err(bad_id("app", fields[2], line));
    }
    Ok(EngineReload {
        host: text(fields[1]),
        app_id: app_id.known(),
        session_id: text(fields[3]),
        user_directory: text(fields[4]),
        user_id: text(fields[5]),
        log_time: text(fields[6]),
        log_level: text(fields[7]),
        message: text(&line[start(&fields, ENGINE_FIELDS - 1)..]),
    })
}

/// The first `N` fields, and whether there are more.
fn split<const N: usize>(line: &str) -> Result<([&str; N], bool), DecodeError> {
    let mut fields = [""; N];
    let mut parts = line.split(';');
    for (found, field) in fields.iter_mut().enumerate() {
        let Some(part) = parts.next() else {
            let detail = format!("{found} fields where there should be {N}: {}", quote(line));
            return Err(DecodeError { reason: RejectReason::Truncated, detail });
        };
        *field = part;
    }
    Ok((fields, parts.next().is_some()))
}

/// Where in the line a field starts; each field before it is followed by one `;`.
fn start(fields: &[&str], index: usize) -> usize {
    fields[..index].iter().map(|field| field.len() + 1).sum()
}

fn not_utf8(bytes: &[u8], error: &std::str::Utf8Error) -> DecodeError {
    let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
    let start = quote(&String::from_utf8_lossy(good));
    let detail = format!("not UTF-8 at byte {}; set `<encoding value=\"utf-8\" />` in the log appender. It starts {start}", good.len());
    DecodeError { reason: RejectReason::NotUtf8, detail }
}

fn no_task_id(line: &str) -> DecodeError {
    DecodeError { reason: RejectReason::NoTaskId, detail: format!("the task id is empty: {}", quote(line)) }
}

fn bad_id(what: &str, field: &str, line: &str) -> DecodeError {
    // Two quotes have to fit in the detail.
    let field: String = clean(field).chars().take(40).collect();
    DecodeError { reason: RejectReason::BadId, detail: format!("the {what} id {} is not an id: {}", quote(&field), quote(line)) }
}
