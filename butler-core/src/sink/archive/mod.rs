//! Keeps whole script logs on disk.
//!
//! A log becomes a file of its own, `FOLDER/2024-05-13/2024-05-13_06-02-11_appId=..._taskId=....log`: the date and time that the scheduler wrote, or, where these are none,
//! when the event was received. Lines end in LF. A file of that name is replaced. It is written beside its place, made durable, and moved there then, so that no file is ever
//! half a log. Nothing in its name is taken from the network unchecked.
//!
//! The log is asked for when the message leaves, and taken in pieces: none is ever whole in memory. An execution that left no log leaves no file; the delivery is tried
//! for a few minutes, because a log may come late, and is dead then, with that reason. Events that are no end of a reload task are not taken.

mod file;
mod name;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{
    BuildError, Delivery, DeliveryError, Message, Reason, Receipt, RenderError, Rendering, Sink, SinkConfig, SinkContext, TargetRequest,
    words,
};
use crate::config::Issues;
use crate::enrich::{LogDesk, LogError, LogReference};
use crate::event::{Body, Fact, Kind, Needs, Target, TaskType};
use file::NewFile;

/// So many attempts may find no log before it is believed that there is none.
const ATTEMPTS: u32 = 8;
/// A log with fewer lines is hardly one.
const FEW_LINES: u64 = 10;

/// Options of an archive of script logs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveConfig {
    /// Where the folders of the days are made.
    pub folder: PathBuf,
}

impl SinkConfig for ArchiveConfig {
    const TYPE: &'static str = "script_log_archive";

    // A long log takes its time.
    const TIMEOUT: Duration = Duration::from_mins(2);

    fn validate(&self, issues: &mut Issues) {
        if self.folder.as_os_str().is_empty() {
            issues.at("folder", "missing");
        }
    }

    fn build(&self, context: &SinkContext) -> Result<Arc<dyn Sink>, BuildError> {
        Ok(Arc::new(Archive { folder: context.path(&self.folder), logs: context.logs.clone() }))
    }
}

#[derive(Debug)]
struct Archive {
    folder: PathBuf,
    logs: LogDesk,
}

/// What a message says: the file, and what goes into it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    /// Below the folder, its parts by `/`.
    file: String,
    content: Content,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Content {
    /// This log.
    Log {
        #[serde(flatten)]
        log: LogReference,
        /// Whether it is certainly that of the event's execution.
        certain: bool,
    },
    /// Which log is not known.
    Unknown {
        why: String,
        #[serde(rename = "final")]
        is_final: bool,
    },
    /// No log, but these words.
    Words(String),
}

impl Archive {
    fn message(rendering: &Rendering<'_>, fault: Option<&str>) -> Message {
        let Body::Task(task) = &rendering.event.body else { return Message::default() };
        let content = match (fault, &rendering.facts.result) {
            (Some(fault), _) => Content::Words(words::plain_text(rendering, Some(fault))),
            (None, Fact::Known(result)) => Content::Log {
                log: LogReference { task: task.task_id, result: result.id, file: result.file_reference },
                certain: result.certain,
            },
            (None, Fact::Missing { why, is_final }) => Content::Unknown { why: why.clone(), is_final: *is_final },
            (None, Fact::Absent { why }) => Content::Unknown { why: why.clone(), is_final: true },
            (None, Fact::Unasked) => Content::Unknown { why: "nobody has asked for it yet".to_owned(), is_final: false },
        };
        let order = Order { file: name::of(task, rendering), content };
        // Text and numbers can always be written.
        let body = serde_json::to_string(&order).unwrap_or_default();
        Message { subject: None, content_type: "application/json".into(), body, text: None }
    }

    async fn keep(&self, delivery: &Delivery<'_>, order: Order) -> Result<Receipt, DeliveryError> {
        let (log, certain) = match order.content {
            Content::Log { log, certain } => (log, certain),
            Content::Unknown { why, is_final } => {
                let message = format!("it is not known which script log is meant: {why}");
                return Err(if is_final { rejected(message) } else { not_yet(message) });
            }
            Content::Words(words) => {
                let mut new = NewFile::create(&self.folder, &order.file, delivery.key).await?;
                new.write(words.as_bytes()).await?;
                return new.finish().await.map(|_| Receipt { detail: format!("{} has no log, but what is known", order.file) });
            }
        };
        let Some(source) = self.logs.of(&delivery.event.site) else {
            let site = &delivery.event.site;
            return Err(rejected(format!(
                "nobody can be asked for script logs: the configuration has no certificates for the site `{site}`"
            )));
        };
        let nothing = || {
            let message = "the repository has no script log of this execution".to_owned();
            if delivery.attempt < ATTEMPTS { not_yet(message) } else { rejected(format!("{message}; nothing is archived")) }
        };
        let Some(mut pieces) = source.open(log).await.map_err(unavailable)? else { return Err(nothing()) };
        let mut new = None;
        while let Some(piece) = pieces.next().await.map_err(unavailable)? {
            let file = match &mut new {
                Some(file) => file,
                None => new.insert(NewFile::create(&self.folder, &order.file, delivery.key).await?),
            };
            file.write(&piece).await?;
        }
        let Some(new) = new else { return Err(nothing()) };
        let written = new.finish().await?;
        if written.lines < FEW_LINES {
            tracing::warn!(file = %order.file, lines = written.lines, "An archived script log has hardly any lines.");
        }
        let doubt = if certain { "" } else { "; it is that of the task's latest run, which need not be the one that this is about" };
        Ok(Receipt { detail: format!("{}: {} lines, {} bytes{doubt}", order.file, written.lines, written.bytes) })
    }
}

fn rejected(message: String) -> DeliveryError {
    DeliveryError::permanent(Reason::Rejected, message)
}

fn not_yet(message: String) -> DeliveryError {
    DeliveryError::transient(Reason::Protocol, message)
}

fn unavailable(error: LogError) -> DeliveryError {
    let reason = match error {
        LogError::Unavailable(_) => Reason::Unreachable,
        LogError::Unusable(_) => Reason::Protocol,
    };
    DeliveryError::transient(reason, format!("the script log can't be had: {}", words::one_line(&error.to_string())))
}

#[async_trait]
impl Sink for Archive {
    fn targets(&self, request: &TargetRequest<'_>) -> Vec<Target> {
        let is_reload = matches!(request.event.kind, Kind::Task { task_type: Some(TaskType::Reload) | None, .. });
        if is_reload && matches!(request.event.body, Body::Task(_)) { vec![Target::only()] } else { Vec::new() }
    }

    fn needs(&self) -> Needs {
        Needs { task: true, result: true, ..Needs::NONE }
    }

    fn render(&self, rendering: &Rendering<'_>) -> Result<Message, RenderError> {
        Ok(Self::message(rendering, None))
    }

    fn plain(&self, rendering: &Rendering<'_>, fault: &str) -> Message {
        Self::message(rendering, Some(fault))
    }

    async fn deliver(&self, delivery: &Delivery<'_>) -> Result<Receipt, DeliveryError> {
        let order = serde_json::from_str(&delivery.message.body);
        let order = order.map_err(|why| rejected(format!("the message names no file: {why}")))?;
        self.keep(delivery, order).await
    }

    async fn check(&self) -> Result<Receipt, DeliveryError> {
        file::try_folder(&self.folder).await?;
        Ok(Receipt { detail: format!("`{}` can be written to", self.folder.display()) })
    }
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;
