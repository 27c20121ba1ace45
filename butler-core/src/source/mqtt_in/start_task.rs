//! Starting a task by a message: its id, published to a topic.

use std::sync::Arc;

use async_trait::async_trait;

use super::MessageHandler;
use crate::mqtt::{Incoming, Publication};
use crate::qlik::start::{StartOutcome, StartRequest, Starter, TaskReport};

/// How much of a message that is no id is shown.
const SHOWN: usize = 60;

/// Starts the task whose id is published to a topic, if the filter of starts allows it.
///
/// The payload is the id as plain text, in any case, with or without blanks around it. What became of it is logged, and published as JSON where an answer is
/// wanted: `{"id": "...", "name": "...", "outcome": {"result": "started", ...}}`, or with `"error"` where nothing could be found out.
#[derive(Debug)]
pub struct StartTask {
    topic: String,
    answer_topic: Option<String>,
    starter: Arc<Starter>,
}

impl StartTask {
    /// For ids that are published to `topic`.
    #[must_use]
    pub fn new(topic: String, answer_topic: Option<String>, starter: Arc<Starter>) -> Self {
        Self { topic, answer_topic, starter }
    }

    fn answer(&self, answer: &serde_json::Value) -> Option<Publication> {
        let topic = self.answer_topic.clone()?;
        Some(Publication { topic, payload: answer.to_string().into(), key: None, content_type: Some("application/json".to_owned()) })
    }
}

#[async_trait]
impl MessageHandler for StartTask {
    fn wants(&self, topic: &str) -> bool {
        topic == self.topic
    }

    async fn handle(&self, message: Incoming) -> Option<Publication> {
        let text = String::from_utf8_lossy(&message.payload);
        let id: String = text.trim().chars().take(SHOWN).collect();
        match self.starter.start(StartRequest::task(id.clone())).await {
            Ok(report) => {
                let task = report.tasks().next()?;
                tell(task);
                self.answer(&serde_json::json!(task))
            }
            Err(error) => {
                tracing::error!(task = %id.escape_debug(), %error, "A task that a message from the MQTT broker asks for was not started.");
                self.answer(&serde_json::json!({ "id": id, "error": error.to_string() }))
            }
        }
    }
}

fn tell(task: &TaskReport) {
    let (id, name) = (task.id.escape_debug(), task.name.as_deref().unwrap_or_default());
    match &task.outcome {
        StartOutcome::Started { .. } => tracing::info!(task = %id, name, "A task was started by a message from the MQTT broker."),
        StartOutcome::Denied => {
            tracing::warn!(task = %id, "A message from the MQTT broker asks for a task that `[tasks] start_filter` does not allow to be started.")
        }
        StartOutcome::InvalidId => tracing::error!(task = %id, "A message from the MQTT broker asks for a task by what is no id of one."),
        StartOutcome::Running => tracing::info!(task = %id, name, "A task that a message from the MQTT broker asks for runs already."),
        StartOutcome::NotFound | StartOutcome::HeldBack => {
            tracing::error!(task = %id, "A message from the MQTT broker asks for a task that there is not.")
        }
        StartOutcome::Failed { why, may_run } => {
            tracing::error!(task = %id, name, why, may_run, "A task that a message from the MQTT broker asks for could not be started.");
        }
    }
}
