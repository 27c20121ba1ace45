//! Tasks that are late, hang, wait too long, keep failing, and recover.
//!
//! A [`TaskWatch`] reads once in a while how all tasks of a site stand, and compares it with what it remembers of each: when it should have started, how
//! long it usually runs, since when it fails. What it finds goes to the intake as events:
//!
//! * `task.late`: it should have started and did not;
//! * `task.stuck`: it runs far longer than it usually does, or has been waiting for its start too long (the field `reason` is `running` or `queued`);
//! * `task.failing`: it still fails, told again and again if that is wanted;
//! * `task.recovered`: it had failed, and has succeeded.
//!
//! Each is told once per occurrence. An event is handed in first and remembered afterwards: if the process dies in between it is found again, and its key makes the journal
//! take it for the duplicate that it is. What can't be asked is not decided: while the repository is down nothing is late, and when it is back there is time to catch up before
//! anything is.

mod find;
mod last;
mod memory;
mod rules;
mod steady;
mod stored;
mod usual;
mod watch;
mod words;

pub use rules::TaskWatchRules;
pub use watch::{TaskWatch, TaskWatchSite};

#[cfg(all(test, feature = "testkit"))]
mod tests;
