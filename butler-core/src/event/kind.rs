//! What kind of thing happened, and how its name is written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The kinds of task that Qlik Sense runs (`taskType` in the repository).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TaskType {
    /// 0: reloads an app.
    Reload,
    /// 1: runs a program.
    ExternalProgram,
    /// 2: synchronises a user directory.
    UserSync,
    /// 3: sends an app to Qlik Cloud.
    Distribute,
    /// 4: loads an app into an engine's memory.
    Preload,
}

impl TaskType {
    /// Every task type, in the order of the repository's codes.
    pub const ALL: [Self; 5] = [Self::Reload, Self::ExternalProgram, Self::UserSync, Self::Distribute, Self::Preload];

    /// The task type of a repository code; `None` for a code that is not known.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        usize::try_from(code).ok().and_then(|code| Self::ALL.get(code)).copied()
    }

    /// The first half of an event's name: `reload_task`, `external_program_task`, ...
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Reload => "reload_task",
            Self::ExternalProgram => "external_program_task",
            Self::UserSync => "user_sync_task",
            Self::Distribute => "distribute_task",
            Self::Preload => "preload_task",
        }
    }
}

/// How a task ended, as far as the one who told us knew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskOutcome {
    /// It failed, after its last retry.
    Failed,
    /// Somebody stopped it.
    Aborted,
    /// It did its work.
    Success,
    /// It ended or goes on elsewhere: the repository has to be asked (distribute tasks).
    Unsettled,
}

impl TaskOutcome {
    /// The second half of an event's name.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Success => "success",
            Self::Unsettled => "unsettled",
        }
    }
}

/// The kind of an event. It is written as a dotted name: `reload_task.failed`, `engine_reload.failed`, `butler.store_failing`.
///
/// A log datagram says that a task failed, but never of which type the task is: only the repository knows. Until it has
/// answered, the kind is written `task.failed`, and [`Kind::with_task_type`] refines it afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A task ended.
    Task {
        /// Of which type the task is, once it is known.
        task_type: Option<TaskType>,
        /// How it ended.
        outcome: TaskOutcome,
    },
    /// An app reload that no task started failed in the engine.
    EngineReloadFailed,
    /// Everything else, by its dotted name: Butler's own events and those of an embedder's sources.
    Other(Box<str>),
}

/// Whether an event is meant for people or for a time series; alerts are kept longer and dropped last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Somebody should know.
    Alert,
    /// A measurement or a success, of interest in a series.
    Metric,
}

impl Kind {
    /// A task event of a type that is not known yet.
    #[must_use]
    pub fn task(outcome: TaskOutcome) -> Self {
        Self::Task { task_type: None, outcome }
    }

    /// The same kind, now that the type of the task is known. Other kinds stay as they are.
    #[must_use]
    pub fn with_task_type(self, known: TaskType) -> Self {
        match self {
            Self::Task { outcome, .. } => Self::Task { task_type: Some(known), outcome },
            other => other,
        }
    }

    /// How the task ended, for task events.
    #[must_use]
    pub fn outcome(&self) -> Option<TaskOutcome> {
        match self {
            Self::Task { outcome, .. } => Some(*outcome),
            _ => None,
        }
    }

    /// Whether something went wrong. What cannot be decided about such an event is decided in favour of telling people.
    #[must_use]
    pub fn went_wrong(&self) -> bool {
        const FINE: [&str; 7] = [".success", ".started", ".recovered", ".usage", ".uptime", ".opened", ".closed"];
        match self {
            Self::Task { outcome, .. } => *outcome != TaskOutcome::Success,
            Self::EngineReloadFailed => true,
            Self::Other(name) => !FINE.iter().any(|end| name.ends_with(end)),
        }
    }

    /// Alert for what went wrong, and for the word that it goes well again; metric for the rest. Whoever was told of a failure waits for that word, so it must not be given up
    /// earlier.
    #[must_use]
    pub fn class(&self) -> Class {
        let is_all_clear = matches!(self, Self::Other(name) if name.ends_with(".recovered"));
        if self.went_wrong() || is_all_clear { Class::Alert } else { Class::Metric }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task { task_type, outcome } => {
                let prefix = task_type.map_or("task", TaskType::prefix);
                write!(f, "{prefix}.{}", outcome.suffix())
            }
            Self::EngineReloadFailed => f.write_str("engine_reload.failed"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// A text that is no name of a kind: lower-case words of letters, digits and `_`, joined by dots.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no event kind: expected lower-case words joined by dots, such as `reload_task.failed`")]
pub struct ParseKindError(String);

impl FromStr for Kind {
    type Err = ParseKindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let well_formed = text.contains('.')
            && text
                .split('.')
                .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
        if !well_formed {
            return Err(ParseKindError(text.chars().take(80).collect()));
        }
        if text == "engine_reload.failed" {
            return Ok(Self::EngineReloadFailed);
        }
        let task = text.split_once('.').and_then(|(prefix, suffix)| {
            use TaskOutcome::{Aborted, Failed, Success, Unsettled};
            let outcome = [Failed, Aborted, Success, Unsettled].into_iter().find(|o| o.suffix() == suffix)?;
            let task_type = TaskType::ALL.into_iter().find(|t| t.prefix() == prefix);
            (task_type.is_some() || prefix == "task").then_some(Self::Task { task_type, outcome })
        });
        Ok(task.unwrap_or_else(|| Self::Other(text.into())))
    }
}

impl Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// It is written as its name.
#[cfg(feature = "api")]
impl utoipa::PartialSchema for Kind {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .description(Some("What kind of thing happened: lower-case words joined by dots."))
            .examples(["reload_task.failed"])
            .into()
    }
}

#[cfg(feature = "api")]
impl utoipa::ToSchema for Kind {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_they_are_written() {
        for name in [
            "reload_task.failed",
            "preload_task.success",
            "task.aborted",
            "task.unsettled",
            "engine_reload.failed",
            "task.late",
            "service.stopped",
        ] {
            assert_eq!(name.parse::<Kind>().map(|k| k.to_string()), Ok(name.to_owned()));
        }
        assert!(matches!("task.late".parse(), Ok(Kind::Other(_))));
        for bad in ["", "reload", "Reload.failed", "a..b", "a b.c"] {
            assert!(bad.parse::<Kind>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn only_good_news_is_a_metric() {
        let class = |name: &str| name.parse::<Kind>().map(|k| k.class());
        assert_eq!(class("reload_task.success"), Ok(Class::Metric));
        assert_eq!(class("task.unsettled"), Ok(Class::Alert));
        assert_eq!(class("butler.store_failing"), Ok(Class::Alert));
    }

    #[test]
    fn the_word_that_all_is_well_again_is_kept_as_long_as_the_alarm() {
        for (name, went_wrong) in [("task.late", true), ("task.stuck", true), ("task.failing", true), ("task.recovered", false)] {
            let kind: Kind = name.parse().unwrap();
            assert_eq!((kind.class(), kind.went_wrong()), (Class::Alert, went_wrong), "{name}");
        }
    }
}
