//! The original's schedule file: YAML, with the list `butlerSchedule`.
//!
//! [`read`] takes such a file apart and says of every schedule, with its line, what is to be known about it; [`import`] makes the schedules, once, however often it is called with the
//! same file. [`export`] writes a file that the original can read.
//!
//! Two things mean something else there. The original counts months from 0, which is translated. And it ran every schedule by the clock of its machine, whatever `timezone` said: here
//! that zone counts, so every schedule that runs at other times because of it is named, and [`TimeZones::Local`] keeps the old times.
//!
//! A schedule that can't be run as it stands there, for its expression is not understood or there is nothing that it could do, is refused with its line and not kept: nobody
//! would miss it before it is missed. Once the file is put right, it is imported with the next call.

mod entry;
mod export;
mod import;
mod moved;
mod read;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use export::{Exported, export};
pub use import::{Fate, ImportReport, ImportedSchedule, import};
pub use read::{Found, ReadOptions, read};

/// Whose clocks count from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum TimeZones {
    /// Those of the zone that the file names.
    #[default]
    File,
    /// Those of the machine that the original ran on, where that makes a difference: all runs at the times at which it always did.
    Local,
}

/// Something to know about a schedule of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Remark {
    /// The line of the file, from 1.
    pub line: u64,
    /// How bad it is.
    pub level: Level,
    /// What it is, in words.
    pub text: String,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something was done that is as good.
    Note,
    /// Something may be otherwise than whoever wrote the file expects.
    Warning,
    /// The schedule is not taken.
    Error,
}

/// A file that is none: it is no YAML, or there are no schedules in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct YamlError {
    line: Option<u64>,
    what: String,
}
