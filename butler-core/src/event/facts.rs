//! What is found out about an event after it was accepted.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{TaskOutcome, TaskType};

/// A fact: not asked for yet, looked for in vain, known, or none that such an event has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Fact<T> {
    /// Nobody has asked.
    #[default]
    Unasked,
    /// It could not be found out; a line of words that a reader of the message understands.
    Missing {
        /// Why, in words: `the repository did not answer within 10 s`.
        why: String,
        /// Asking again would not help: there is no such thing.
        #[serde(rename = "final", default)]
        is_final: bool,
    },
    /// An event of this sort has no such thing: a reload in the engine has no task. Nobody misses it.
    Absent {
        /// Why, in words.
        why: String,
    },
    /// Found.
    Known(T),
}

impl<T> Fact<T> {
    /// The value, if it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            _ => None,
        }
    }

    /// Why it is missing, if it was looked for in vain.
    pub fn missing(&self) -> Option<&str> {
        match self {
            Self::Missing { why, .. } => Some(why),
            _ => None,
        }
    }

    /// Whether asking (again) may give a value: not asked yet, or missing for a passing reason.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Unasked | Self::Missing { is_final: false, .. })
    }
}

/// Everything that may be known about an event.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Facts {
    /// The task's metadata.
    pub task: Fact<TaskFacts>,
    /// The app's metadata.
    pub app: Fact<AppFacts>,
    /// The owner of the app.
    pub owner: Fact<Owner>,
    /// How this execution went.
    pub result: Fact<ExecutionResult>,
    /// The ends of the script log.
    pub script_log: Fact<ScriptLog>,
}

impl Facts {
    /// Notes for each fact that `needs` names and that is still open why it was not found.
    pub fn give_up(&mut self, needs: Needs, why: &str) {
        fn note<T>(needed: bool, fact: &mut Fact<T>, why: &str) {
            if needed && matches!(fact, Fact::Unasked) {
                *fact = Fact::Missing { why: why.to_owned(), is_final: false };
            }
        }
        note(needs.task, &mut self.task, why);
        note(needs.app, &mut self.app, why);
        note(needs.owner, &mut self.owner, why);
        note(needs.result, &mut self.result, why);
        note(needs.script_log.is_some(), &mut self.script_log, why);
    }

    /// One line per fact that was looked for in vain, for the message and for `explain`.
    pub fn missing(&self) -> Vec<String> {
        let facts = [
            ("task", self.task.missing()),
            ("app", self.app.missing()),
            ("app owner", self.owner.missing()),
            ("execution result", self.result.missing()),
            ("script log", self.script_log.missing()),
        ];
        facts.into_iter().filter_map(|(name, why)| why.map(|why| format!("{name}: {why}"))).collect()
    }
}

/// A custom property of a task or an app, one entry per value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct CustomProperty {
    /// Name of its definition.
    pub name: String,
    /// One value.
    pub value: String,
}

/// A task, as the repository describes it. Dates are the repository's own texts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct TaskFacts {
    /// Name today.
    pub name: String,
    /// Type; `None` for a code that this version does not know.
    pub task_type: Option<TaskType>,
    /// The app that it is about.
    pub app_id: Option<Uuid>,
    /// Name of that app.
    pub app_name: Option<String>,
    /// Names of its tags.
    pub tags: Vec<String>,
    /// Its custom properties.
    pub custom_properties: Vec<CustomProperty>,
    /// Started by hand, without a trigger.
    pub is_manually_triggered: Option<bool>,
    /// Reloads only in part.
    pub is_partial_reload: Option<bool>,
    /// How many retries it is allowed.
    pub max_retries: Option<i64>,
    /// `DIR\user` who changed it last.
    pub modified_by: Option<String>,
    /// When it was changed last.
    pub modified_date: Option<String>,
    /// Minutes after which it is stopped.
    pub session_timeout: Option<i64>,
    /// When it will run next; `1753-01-01T00:00:00.000Z` means never.
    pub next_execution: Option<String>,
}

/// An app, as the repository describes it. Dates are the repository's own texts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct AppFacts {
    /// Name today.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// Bytes.
    pub file_size: Option<i64>,
    /// The last reload that succeeded.
    pub last_reload_time: Option<String>,
    /// When it was changed last.
    pub modified_date: Option<String>,
    /// Who changed it last.
    pub modified_by: Option<String>,
    /// When it was published.
    pub publish_time: Option<String>,
    /// Whether it is published.
    pub published: Option<bool>,
    /// Name of the stream that it is published to.
    pub stream: Option<String>,
    /// Names of its tags.
    pub tags: Vec<String>,
    /// Its custom properties.
    pub custom_properties: Vec<CustomProperty>,
    /// Repository id of its owner.
    pub owner_id: Option<Uuid>,
}

/// The owner of an app.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Owner {
    /// Full name.
    pub name: String,
    /// User id within the directory.
    pub user_id: String,
    /// User directory.
    pub directory: String,
    /// Every email address that the repository knows, in its order.
    pub emails: Vec<String>,
}

/// The code of an execution's status, as the repository numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct ExecutionStatus(pub i64);

impl ExecutionStatus {
    const NAMES: [&'static str; 15] = [
        "NeverStarted",
        "Triggered",
        "Started",
        "Queued",
        "AbortInitiated",
        "Aborting",
        "Aborted",
        "FinishedSuccess",
        "FinishedFail",
        "Skipped",
        "Retry",
        "Error",
        "Reset",
        "DistributionQueue",
        "DistributionRunning",
    ];

    /// The repository's name for it; `Unknown (<n>)` for a code that is not known.
    #[must_use]
    pub fn text(self) -> String {
        match usize::try_from(self.0).ok().and_then(|code| Self::NAMES.get(code)) {
            Some(name) => (*name).to_owned(),
            None => format!("Unknown ({})", self.0),
        }
    }

    /// The status of a name, in any case; some repository versions write names where others write numbers.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let code = Self::NAMES.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        i64::try_from(code).ok().map(Self)
    }

    /// Whether the execution waits, runs, is about to be stopped, or will be tried again.
    #[must_use]
    pub fn is_under_way(self) -> bool {
        matches!(self.0, 1..=5 | 10 | 13 | 14)
    }

    /// What it says of the outcome; `None` while the execution goes on.
    #[must_use]
    pub fn outcome(self) -> Option<TaskOutcome> {
        match self.0 {
            6 => Some(TaskOutcome::Aborted),
            7 => Some(TaskOutcome::Success),
            8 | 11 => Some(TaskOutcome::Failed),
            _ => None,
        }
    }
}

/// How one execution of a task went. Dates are the repository's own texts, `1753-...` where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct ExecutionResult {
    /// Repository id of the result.
    pub id: Option<Uuid>,
    /// The scheduler's id of the execution, where the repository shows it.
    pub execution_id: Option<Uuid>,
    /// The node that ran it.
    pub executing_node: String,
    /// How it stands.
    pub status: ExecutionStatus,
    /// When it started.
    pub start_time: String,
    /// When it stopped.
    pub stop_time: String,
    /// Milliseconds.
    pub duration_ms: i64,
    /// Reference of the script log; zeros while there is none.
    pub file_reference: Option<Uuid>,
    /// Characters in the script log, as the repository counts them.
    pub script_log_size: i64,
    /// What happened on the way, ascending by time.
    pub details: Vec<Detail>,
    /// Whether this is certainly the execution that the event is about; otherwise it is the task's latest, and the message says so.
    pub certain: bool,
}

/// A step of an execution.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Detail {
    /// When, as the repository writes it.
    pub at: String,
    /// What.
    pub message: String,
    /// The repository's code for the sort of step.
    pub details_type: i64,
}

/// The ends of a script log; the whole of it is never held.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct ScriptLog {
    /// The first lines, as many as were asked for and fit.
    pub head: Vec<String>,
    /// The last lines, as many as were asked for and fit.
    pub tail: Vec<String>,
    /// Lines in the whole log.
    pub rows: u64,
    /// Characters in the whole log, in UTF-16 units, line ends included.
    pub characters: u64,
    /// Why the reload failed, as far as the log says so. A script may go on after an error, so a reload that succeeded can have one too.
    #[serde(default)]
    pub error: Option<ScriptError>,
}

/// What a script log says of the error that ended the script; if none did, of the first one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct ScriptError {
    /// The error in one line, without the time; a long one ends in `…`.
    pub text: String,
    /// Which line of the log it is; the first is 1.
    pub row: u64,
    /// The statement that failed, in the numbered lines of the log, without the time; of a long one the beginning, `…`, and the end.
    pub statement: Vec<String>,
}

/// How many lines of a script log's ends are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogLines {
    /// From the start.
    pub head: u32,
    /// From the end.
    pub tail: u32,
}

/// Which facts somebody needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// The task's metadata.
    pub task: bool,
    /// The app's metadata.
    pub app: bool,
    /// The app's owner.
    pub owner: bool,
    /// How the execution went.
    pub result: bool,
    /// The ends of the script log.
    pub script_log: Option<LogLines>,
}

impl Needs {
    /// Nothing at all.
    pub const NONE: Self = Self { task: false, app: false, owner: false, result: false, script_log: None };

    /// What either needs.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let lines = match (self.script_log, other.script_log) {
            (Some(a), Some(b)) => Some(LogLines { head: a.head.max(b.head), tail: a.tail.max(b.tail) }),
            (a, b) => a.or(b),
        };
        Self {
            task: self.task || other.task,
            app: self.app || other.app,
            owner: self.owner || other.owner,
            result: self.result || other.result,
            script_log: lines,
        }
    }

    /// What of this is still open in `facts`: not asked yet, or missing for a passing reason.
    #[must_use]
    pub fn open_in(self, facts: &Facts) -> Self {
        Self {
            task: self.task && facts.task.is_open(),
            app: self.app && facts.app.is_open(),
            owner: self.owner && facts.owner.is_open(),
            result: self.result && facts.result.is_open(),
            script_log: self.script_log.filter(|_| facts.script_log.is_open()),
        }
    }

    /// What of this is not in `other`.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            task: self.task && !other.task,
            app: self.app && !other.app,
            owner: self.owner && !other.owner,
            result: self.result && !other.result,
            script_log: self.script_log.filter(|_| other.script_log.is_none()),
        }
    }

    /// Whether nothing is needed.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }
}

/// Where an enricher writes each fact as it is found, so that dropping it half-way keeps what it had.
#[derive(Debug, Default)]
pub struct FactSheet(Mutex<Facts>);

impl FactSheet {
    /// A sheet that starts with what is known already.
    #[must_use]
    pub fn new(facts: Facts) -> Self {
        Self(Mutex::new(facts))
    }

    /// Changes the facts; `write` must not block.
    pub fn update(&self, write: impl FnOnce(&mut Facts)) {
        // A writer that panicked leaves whole facts: each is one assignment.
        write(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What is known now.
    #[must_use]
    pub fn snapshot(&self) -> Facts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_stay_open_until_known_or_finally_missing() {
        let needs = Needs { app: true, owner: true, result: true, ..Needs::NONE };
        let mut facts = Facts { owner: Fact::Known(Owner::default()), ..Facts::default() };
        facts.app = Fact::Missing { why: "down".into(), is_final: false };
        facts.result = Fact::Missing { why: "gone".into(), is_final: true };
        assert_eq!(needs.open_in(&facts), Needs { app: true, ..Needs::NONE });
        assert_eq!(facts.missing(), ["app: down", "execution result: gone"]);
    }

    #[test]
    fn what_there_never_was_is_neither_open_nor_missing() {
        let facts = Facts { script_log: Fact::Absent { why: "no reload".into() }, ..Facts::default() };
        assert!(Needs { script_log: Some(LogLines::default()), ..Needs::NONE }.open_in(&facts).is_none());
        assert!(facts.missing().is_empty());
        let stored = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<Facts>(&stored).unwrap(), facts);
    }

    #[test]
    fn every_status_has_a_text() {
        assert_eq!(ExecutionStatus(8).text(), "FinishedFail");
        assert_eq!(ExecutionStatus(14).text(), "DistributionRunning");
        assert_eq!(ExecutionStatus(99).text(), "Unknown (99)");
        assert_eq!(ExecutionStatus::from_name("finishedsuccess"), Some(ExecutionStatus(7)));
    }
}
