//! How schedules are treated, and whether one can be.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::cron::Months;
use super::definition::Schedule;
use super::error::ScheduleError;
use super::timetable::{Timetable, time_zone};
use super::when::When;
use crate::event::SiteName;

/// The longest id, and the longest name.
const LONGEST_NAME: usize = 255;

/// How schedules are treated.
#[derive(Debug, Clone)]
pub struct SchedulerSettings {
    /// Whether there are any: without, none is loaded and none can be made.
    pub enabled: bool,
    /// How cron expressions number the months.
    pub months: Months,
    /// The zone of schedules that name none, or one that is not known.
    pub zone: TimeZone,
    /// What was missed longer ago than this is left alone.
    pub catch_up: Duration,
    /// How long the history goes back.
    pub keep: Duration,
    /// Those of the configuration.
    pub declared: Vec<Schedule>,
    /// The site of the events about those that name none.
    pub site: SiteName,
}

/// Patterns that were read already.
pub(super) type Patterns = HashMap<String, Arc<When>>;

impl SchedulerSettings {
    /// Whether a schedule can be kept: it has an id and a name, times, and something to do.
    ///
    /// # Errors
    /// [`ScheduleError`].
    pub fn check(&self, schedule: &Schedule) -> Result<(), ScheduleError> {
        let is_fit = |text: &str| !text.trim().is_empty() && text.chars().count() <= LONGEST_NAME && !text.chars().any(char::is_control);
        if !is_fit(&schedule.id) {
            return Err(ScheduleError::Malformed(format!(
                "the id of a schedule has 1 to {LONGEST_NAME} characters, and no control characters"
            )));
        }
        if schedule.name.chars().count() > LONGEST_NAME {
            return Err(ScheduleError::Malformed(format!("the name of a schedule has at most {LONGEST_NAME} characters")));
        }
        if schedule.action.is_none() && schedule.targets().names_none() {
            return Err(ScheduleError::NothingToDo(schedule.id.clone()));
        }
        self.timetable(schedule).map(drop)
    }

    /// When a schedule is due.
    ///
    /// # Errors
    /// [`ScheduleError::When`].
    pub fn timetable(&self, schedule: &Schedule) -> Result<Timetable, ScheduleError> {
        self.timetable_with(schedule, &mut Patterns::new())
    }

    /// The same, with patterns that were read already at hand.
    pub(super) fn timetable_with(&self, schedule: &Schedule, patterns: &mut Patterns) -> Result<Timetable, ScheduleError> {
        let when = match patterns.get(&schedule.when) {
            Some(when) => Arc::clone(when),
            None => {
                let when = When::parse(&schedule.when, self.months);
                let when = Arc::new(when.map_err(|why| ScheduleError::When { text: excerpt(&schedule.when), why })?);
                patterns.insert(schedule.when.clone(), Arc::clone(&when));
                when
            }
        };
        Ok(Timetable::new(when, self.zone_of(schedule), schedule.rules.only.clone()))
    }

    /// The zone whose clocks count.
    pub(super) fn zone_of(&self, schedule: &Schedule) -> TimeZone {
        time_zone(&schedule.timezone).unwrap_or_else(|| {
            if !schedule.timezone.trim().is_empty() {
                let zone = self.zone.iana_name().unwrap_or("that of this machine");
                tracing::warn!(
                    id = schedule.id,
                    timezone = excerpt(&schedule.timezone),
                    zone,
                    "The time zone of a schedule is not known; another is used."
                );
            }
            self.zone.clone()
        })
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(100).collect()
}
