//! What can happen, as pure data: events, their kinds, and the facts that are found out about them.
//!
//! A source makes a [`NewEvent`]; the journal gives it an identity and it becomes an [`Event`], which never changes again.
//! What is found out later stands beside it, in [`Facts`]: which task it was, who owns the app, what the script log says. A fact that
//! could not be found is data too ([`Fact::Missing`], with the reason), because the message has to leave all the same and say
//! what is missing.

mod dedup;
mod facts;
mod kind;
mod names;

pub use dedup::DedupKey;
pub use facts::{
    AppFacts, CustomProperty, Detail, ExecutionResult, ExecutionStatus, Fact, FactSheet, Facts, LogLines, Needs, Owner, ScriptError,
    ScriptLog, TaskFacts,
};
pub use kind::{Class, Kind, ParseKindError, TaskOutcome, TaskType};
pub use names::{DeliveryId, EventId, SinkName, SiteName, SourceName, Target};

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An event on its way into the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// The site that it is about; a listening address belongs to one site, none is guessed.
    pub site: SiteName,
    /// What happened.
    pub kind: Kind,
    /// When it happened, as the source tells it; else when it was received.
    pub at: Timestamp,
    /// Who told us.
    pub source: SourceName,
    /// Any of these equal to a key of an earlier event makes this a duplicate. Empty: never a duplicate.
    pub keys: Vec<DedupKey>,
    /// The particulars.
    pub body: Body,
}

/// An event as the journal holds it. It does not change any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Event {
    /// Its identity, made at append.
    pub id: EventId,
    /// The site that it is about.
    pub site: SiteName,
    /// What happened, as the source knew it; see [`Event::kind_with`] for what it is once the facts are in.
    pub kind: Kind,
    /// When it happened.
    pub at: Timestamp,
    /// When the journal took it.
    pub received: Timestamp,
    /// Who told us first.
    pub source: SourceName,
    /// The particulars.
    pub body: Body,
}

/// The particulars of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Body {
    /// A task ended.
    Task(TaskEvent),
    /// A reload failed in the engine, outside the scheduler.
    EngineReload(EngineReload),
    /// Something that is told in words: Butler's own events, and those of embedders.
    Notice(Notice),
}

/// What the scheduler's log said about a task that ended. Texts are as received, cleaned of control characters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct TaskEvent {
    /// The node that wrote the log line.
    pub host: String,
    /// Name of the task; with `names_unsure`, name of task and app as they stood in the datagram, and `app_name` is empty.
    pub task_name: String,
    /// Name of the app; empty for tasks without one.
    pub app_name: String,
    /// `DIRECTORY\user` as received.
    pub user: String,
    /// The task.
    pub task_id: Uuid,
    /// The app, for tasks that have one.
    pub app_id: Option<Uuid>,
    /// Local time of the node, as it was written: `2024-05-13 06:02:11,123`.
    pub log_time: String,
    /// `INFO`, `WARN`, ...
    pub log_level: String,
    /// The execution, when the datagram names it.
    pub execution_id: Option<Uuid>,
    /// The log line's text.
    pub message: String,
    /// A `;` within a name made task and app name indistinguishable: the names are better taken from the repository.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub names_unsure: bool,
}

/// What the engine's log said about a reload that failed outside the scheduler.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct EngineReload {
    /// The node that wrote the log line.
    pub host: String,
    /// The app, when it is named.
    pub app_id: Option<Uuid>,
    /// The engine session.
    pub session_id: String,
    /// Directory of the session's user.
    pub user_directory: String,
    /// The session's user.
    pub user_id: String,
    /// Local time of the node, as it was written.
    pub log_time: String,
    /// `INFO`, `WARN`, ...
    pub log_level: String,
    /// The log line's text.
    pub message: String,
}

/// Something told in words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Notice {
    /// One line.
    pub title: String,
    /// The whole of it.
    pub text: String,
    /// Further values, by name.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// The task that this is about, if it is about one: routes match it by its name, tags and app, as they match a task that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<NoticeTask>,
}

/// The task that a notice is about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct NoticeTask {
    /// The task.
    pub task_id: Uuid,
    /// Its name; empty if whoever told us did not know it.
    pub task_name: String,
    /// The app, for tasks that have one.
    pub app_id: Option<Uuid>,
    /// Its name; empty if there is none, or if it is not known.
    pub app_name: String,
}

impl Event {
    /// The kind of this event in the light of the facts: the type of its task, and the outcome that the repository knows of.
    ///
    /// Where the repository had to be asked for the outcome, an execution that was aborted counts as failed: whoever waits for the app on the other side waits in vain
    /// either way. The status that messages show says which it was.
    #[must_use]
    pub fn kind_with(&self, facts: &Facts) -> Kind {
        let Kind::Task { task_type, outcome } = self.kind else { return self.kind.clone() };
        let outcome = match (outcome, facts.result.known().and_then(|result| result.status.outcome())) {
            (TaskOutcome::Unsettled, Some(TaskOutcome::Aborted)) => TaskOutcome::Failed,
            (TaskOutcome::Unsettled, Some(known)) => known,
            _ => outcome,
        };
        match facts.task.known() {
            Some(task) => Kind::Task { task_type: task.task_type, outcome },
            None => Kind::Task { task_type, outcome },
        }
    }

    /// The task that this is about, if it is about one.
    #[must_use]
    pub fn task_id(&self) -> Option<Uuid> {
        match &self.body {
            Body::Task(task) => Some(task.task_id),
            Body::Notice(notice) => notice.task.as_ref().map(|task| task.task_id),
            Body::EngineReload(_) => None,
        }
    }

    /// The app that this is about, if the event names one.
    #[must_use]
    pub fn app_id(&self) -> Option<Uuid> {
        match &self.body {
            Body::Task(task) => task.app_id,
            Body::EngineReload(reload) => reload.app_id,
            Body::Notice(notice) => notice.task.as_ref().and_then(|task| task.app_id),
        }
    }

    /// The host that the event names; empty if none.
    #[must_use]
    pub fn host(&self) -> &str {
        match &self.body {
            Body::Task(task) => &task.host,
            Body::EngineReload(reload) => &reload.host,
            Body::Notice(_) => "",
        }
    }
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests {
    use super::*;
    use crate::testkit::sink_samples::Sample;

    #[test]
    fn an_outcome_that_had_to_be_asked_for_is_success_or_failure() {
        let mut sample = Sample::reload(TaskOutcome::Failed);
        let mut outcome = |told: TaskOutcome, status: i64| {
            sample.event.kind = Kind::task(told);
            if let Fact::Known(result) = &mut sample.facts.result {
                result.status = ExecutionStatus(status);
            }
            sample.event.kind_with(&sample.facts).outcome()
        };
        use TaskOutcome::{Aborted, Failed, Success, Unsettled};
        for (status, known) in [(6, Failed), (7, Success), (8, Failed), (11, Failed), (13, Unsettled), (14, Unsettled), (12, Unsettled)] {
            assert_eq!(outcome(Unsettled, status), Some(known), "{status}");
        }
        // What the event itself says stands, whatever the repository shows by now.
        assert_eq!((outcome(Aborted, 8), outcome(Failed, 7)), (Some(Aborted), Some(Failed)));
    }
}
