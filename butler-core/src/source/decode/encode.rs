//! From a message to the bytes of its datagram, as the log appender of Qlik Sense writes them.

use uuid::Uuid;

use super::fields::NULL;
use super::message::{ENGINE_RELOAD_FAILED, Message, SchedulerPrefix};
use crate::event::{EngineReload, TaskEvent};

/// How a value that is not there is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Absent {
    /// As nothing at all.
    #[default]
    Empty,
    /// As `(null)`, the log framework's word for it.
    Null,
}

/// The datagram of a message, with the prefix that the current log appender writes.
///
/// The format has no escaping: what the fields contain is written as it is. [`decode`](super::decode) gives the same message again if no field
/// but `message` contains a `;`, none contains control characters, and none is longer than 500 UTF-16 units.
#[must_use]
pub fn encode(message: &Message) -> Vec<u8> {
    match message {
        Message::Scheduler(scheduler) => encode_scheduler(SchedulerPrefix::current(scheduler.outcome), &scheduler.task, Absent::default()),
        Message::Engine(reload) => encode_engine(reload, Absent::default()),
    }
}

/// The datagram of the scheduler with this prefix, which decides what it says of the task.
#[must_use]
pub fn encode_scheduler(prefix: SchedulerPrefix, task: &TaskEvent, absent: Absent) -> Vec<u8> {
    let mut line = Line::new(prefix.as_str(), absent);
    line.text(&task.host);
    line.text(&task.task_name);
    // Names that could not be told apart stand in one field, with what separated them.
    if !task.names_unsure {
        line.text(&task.app_name);
    }
    line.text(&task.user);
    line.id(Some(task.task_id));
    line.id(task.app_id);
    line.text(&task.log_time);
    line.text(&task.log_level);
    line.id(task.execution_id);
    line.text(&task.message);
    line.bytes
}

/// The datagram of the engine.
#[must_use]
pub fn encode_engine(reload: &EngineReload, absent: Absent) -> Vec<u8> {
    let mut line = Line::new(ENGINE_RELOAD_FAILED, absent);
    line.text(&reload.host);
    line.id(reload.app_id);
    line.text(&reload.session_id);
    line.text(&reload.user_directory);
    line.text(&reload.user_id);
    line.text(&reload.log_time);
    line.text(&reload.log_level);
    line.text(&reload.message);
    line.bytes
}

struct Line {
    bytes: Vec<u8>,
    absent: Absent,
}

impl Line {
    fn new(prefix: &str, absent: Absent) -> Self {
        let mut bytes = Vec::with_capacity(400);
        bytes.extend_from_slice(prefix.as_bytes());
        Self { bytes, absent }
    }

    fn text(&mut self, text: &str) {
        let text = match self.absent {
            Absent::Null if text.is_empty() => NULL,
            _ => text,
        };
        self.bytes.push(b';');
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn id(&mut self, id: Option<Uuid>) {
        let mut buffer = Uuid::encode_buffer();
        self.text(id.map_or("", |id| id.hyphenated().encode_lower(&mut buffer)));
    }
}
