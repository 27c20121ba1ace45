//! The schedules of a file, made here.

use serde::{Deserialize, Serialize};

use super::{Found, Level, Remark};
use crate::schedule::{Origin, Schedule, ScheduleError, Schedules};

/// What became of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct ImportReport {
    /// Whether it was only tried out: nothing has changed.
    pub dry_run: bool,
    /// How many were made.
    pub added: usize,
    /// How many took the place of others.
    pub replaced: usize,
    /// How many are there already.
    pub there: usize,
    /// How many were not taken.
    pub refused: usize,
    /// Each of them, in the order of the file.
    pub schedules: Vec<ImportedSchedule>,
}

/// What became of a schedule of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct ImportedSchedule {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What became of it.
    pub fate: Fate,
    /// What is to be known about it.
    pub remarks: Vec<Remark>,
}

/// What became of a schedule of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It was made.
    Added,
    /// It took the place of the one with its id.
    Replaced,
    /// It was imported before.
    Unchanged,
    /// There is another one with its id, which goes on.
    Kept,
    /// It was not taken; the remarks say why.
    Refused,
}

/// Makes the schedules that a file was found to have. One whose id is there already is left as it is, unless it is to be `replace`d. A `dry_run` says what would become of them.
///
/// Those that were made stay if a later one fails: a second call goes on with the others.
///
/// # Errors
/// [`ScheduleError::Disabled`], [`ScheduleError::Store`], [`ScheduleError::BrokenOff`]; what is wrong with one schedule alone is among its remarks.
pub async fn import(schedules: &Schedules, found: Vec<Found>, replace: bool, dry_run: bool) -> Result<ImportReport, ScheduleError> {
    if !schedules.settings().enabled {
        return Err(ScheduleError::Disabled);
    }
    let mut report = ImportReport { dry_run, ..ImportReport::default() };
    for Found { line, id, name, schedule, mut remarks } in found {
        let fate = match schedule {
            None => Fate::Refused,
            Some(schedule) => match put(schedules, schedule, replace, dry_run).await {
                Ok(fate) => fate,
                Err(error @ (ScheduleError::Disabled | ScheduleError::Store(_) | ScheduleError::BrokenOff)) => return Err(error),
                Err(error) => {
                    remarks.push(Remark { line, level: Level::Error, text: error.to_string() });
                    Fate::Refused
                }
            },
        };
        let count = match fate {
            Fate::Added => &mut report.added,
            Fate::Replaced => &mut report.replaced,
            Fate::Unchanged | Fate::Kept => &mut report.there,
            Fate::Refused => &mut report.refused,
        };
        *count += 1;
        report.schedules.push(ImportedSchedule { line, id, name, fate, remarks });
    }
    Ok(report)
}

async fn put(schedules: &Schedules, schedule: Schedule, replace: bool, dry_run: bool) -> Result<Fate, ScheduleError> {
    let old = schedules.get(&schedule.id).map(|listed| listed.schedule);
    let fate = match &old {
        None => Fate::Added,
        Some(old) if is_same(old, &schedule) => Fate::Unchanged,
        Some(_) if !replace => Fate::Kept,
        Some(old) if old.origin == Origin::Configuration => return Err(ScheduleError::Declared(schedule.id)),
        Some(_) => Fate::Replaced,
    };
    match fate {
        Fate::Added | Fate::Replaced if dry_run => schedules.settings().check(&schedule)?,
        Fate::Added => drop(schedules.create(schedule).await?),
        Fate::Replaced => drop(schedules.replace(schedule).await?),
        Fate::Unchanged | Fate::Kept | Fate::Refused => {}
    }
    Ok(fate)
}

/// Whether it is the one of the file, whatever became of it since.
fn is_same(old: &Schedule, new: &Schedule) -> bool {
    *old == Schedule { state: old.state, created: old.created.clone(), ..new.clone() }
}
