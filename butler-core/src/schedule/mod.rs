//! Schedules: what is to be done at which times, and what became of it.
//!
//! A [`Schedule`] says when, in a dialect of cron or in words ([`When`]), in a time zone of its own, and what: tasks of Qlik Sense that are started, or an [`Action`] of the program that
//! embeds Butler. [`Schedules`] keeps them all, for whoever wants to see or change them; the [`Scheduler`] sees what is due, and has it done.
//!
//! * **Each occurrence once.** It is claimed in the store before anything is done, and what became of it is stored afterwards; so a restart in between finds it again, looks what the run
//!   before it did, and does nothing twice.
//! * **None silently missed.** The store knows up to when everything is done with. What passed while Butler was down, or what the clock jumped over, is found by that, treated as the
//!   schedule's [`Rules`] say, and listed in its history one by one.
//! * **One at a time.** A schedule whose last run has not come to an end begins no other; of several that wait only the latest is run.
//! * **In any zone.** A clock that is put forward loses no run, one that is put back repeats none.
//!
//! `schedule.failed` and `schedule.missed` are events like any others, and reach people by the same routes.

mod action;
mod book;
pub mod cron;
mod definition;
mod desk;
mod error;
mod events;
mod job;
mod lanes;
mod loading;
mod passed;
mod rules;
mod runner;
mod scheduler;
mod settings;
mod targets;
#[cfg(feature = "qlik")]
mod tasks;
#[cfg(test)]
#[cfg(all(feature = "qlik", feature = "simulator", feature = "testkit"))]
mod tasks_tests;
#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;
pub mod text;
mod times;
mod timetable;
mod watermark;
mod when;
mod window;
#[cfg(feature = "api")]
pub mod yaml;
mod zoned;

pub use action::{Action, ActionContext, ActionError, ActionReport};
pub use definition::{Origin, Schedule, Startup, State};
pub use desk::{ListedSchedule, SchedulerParts, Schedules};
pub use error::ScheduleError;
pub use events::{FAILED, MISSED};
pub use rules::{Missed, Rules};
pub use scheduler::Scheduler;
pub use settings::SchedulerSettings;
pub(crate) use targets::is_task_id;
pub use targets::{PropertyTarget, Targets};
#[cfg(feature = "qlik")]
pub use tasks::StartTasks;
pub use timetable::{Timetable, time_zone};
pub use when::{When, WhenError};
pub use window::{Dates, Days, Hours, Window, WindowError};
