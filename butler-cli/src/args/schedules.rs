//! Arguments of `schedules`.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args, Subcommand};

use butler_core::config::Period;
use butler_core::schedule::{Dates, Days, Hours};

use super::{Server, property};

#[derive(Debug, Args)]
pub(crate) struct Schedules {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(subcommand)]
    pub(crate) what: SchedulesWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SchedulesWhat {
    /// All schedules, and when each is due next: by the clock of its own time zone, and by the clock here.
    List,
    /// The next times at which a schedule is due, or at which an expression would be.
    ///
    /// With `--cron` no Butler need be running: try out what an expression means before you use it.
    Next(Next),
    /// Everything that is known about a schedule.
    Show {
        /// Its id.
        id: String,
    },
    /// Makes a schedule: tasks of Qlik Sense are started at the times that you name.
    Add(Box<AddSchedule>),
    /// Removes a schedule, with its history.
    Remove {
        /// Its id.
        id: String,
    },
    /// Lets a schedule run, from now on and whenever Butler starts.
    Enable {
        /// Its id.
        id: String,
    },
    /// Lets a schedule no longer run, until it is enabled.
    Disable {
        /// Its id.
        id: String,
    },
    /// Runs a schedule now, beside its usual times, and waits until its tasks are started.
    ///
    /// Exit codes: 0 everything was started, 69 something was not.
    Run {
        /// Its id.
        id: String,
    },
    /// Makes the schedules of a schedule file of the original Butler, in YAML. Those that are there already are left alone.
    ///
    /// Whatever means something else here is told with its line. Exit code 64 if a schedule was not taken; the others are made all the same.
    Import(Import),
    /// Prints all schedules as a schedule file that the original Butler can read, or writes it.
    Export {
        /// The file to write; it is printed if it is left out.
        file: Option<PathBuf>,
    },
    /// What became of the times at which a schedule was due, newest first, and how the tasks ended.
    History {
        /// Its id.
        id: String,
        /// At most so many.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        max: u16,
    },
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["id", "cron"])))]
pub(crate) struct Next {
    /// Id of a schedule.
    pub(crate) id: Option<String>,
    /// An expression to try out, such as "0 2 * * *" for two o'clock each night, or "every 5 minutes".
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) cron: Option<String>,
    /// The time zone of that expression, such as Europe/Stockholm; that of this machine if it is left out.
    #[arg(long, value_name = "ZONE", requires = "cron")]
    pub(crate) time_zone: Option<String>,
    /// How many times.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) count: u16,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file.
    pub(crate) file: PathBuf,
    /// Only says what would become of the schedules.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Whose clocks count: those of the zones that the file names, or, as the original did in spite of them, those of the machine that it ran on.
    #[arg(long, value_name = "WHOSE", default_value = "file", value_parser = PossibleValuesParser::new(["file", "local"]))]
    pub(crate) time_zone: String,
    /// Time zone of the machine that the original ran on, such as Europe/Stockholm; that of the running Butler's machine if it is left out.
    #[arg(long, value_name = "ZONE")]
    pub(crate) original_zone: Option<String>,
    /// Puts schedules in the place of those that have their ids.
    #[arg(long)]
    pub(crate) replace: bool,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("choice").required(true).multiple(true).args(["tasks", "task_tags", "properties", "action"])))]
pub(crate) struct AddSchedule {
    /// When: a cron expression such as "0 2 * * *" (minute, hour, day, month, weekday), or words such as "every 5 minutes".
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) when: String,
    /// What people call it; the expression if it is left out.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Its id; a new one is made up if it is left out.
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// The time zone whose clocks count, such as Europe/Stockholm; that of Butler if it is left out.
    #[arg(long, value_name = "ZONE")]
    pub(crate) time_zone: Option<String>,
    /// Starts the task with this id; may be given several times, as all that follows.
    #[arg(long = "task", value_name = "ID")]
    pub(crate) tasks: Vec<String>,
    /// Starts every task that bears this tag.
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) task_tags: Vec<String>,
    /// Starts every task that has this value of a custom property.
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = property)]
    pub(crate) properties: Vec<(String, String)>,
    /// Runs this action of the program that embeds Butler, instead of starting tasks.
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// The site of the tasks; the one that the running Butler's configuration names, if it is left out.
    #[arg(long)]
    pub(crate) site: Option<String>,
    /// Does not let it run until it is enabled.
    #[arg(long)]
    pub(crate) disabled: bool,
    /// What to do about times that passed while Butler was down: nothing but tell, one run for all of them, or a run for each.
    #[arg(long, default_value = "skip", value_parser = PossibleValuesParser::new(["skip", "once", "all"]))]
    pub(crate) missed: String,
    /// Starts nothing while a task still runs.
    #[arg(long)]
    pub(crate) skip_running: bool,
    /// Puts each run off by a time of its own, up to this, such as 10m: so that not everything begins at once.
    #[arg(long, value_name = "DURATION")]
    pub(crate) jitter: Option<Period>,
    /// Only at these hours, such as 08:00-18:00.
    #[arg(long, value_name = "FROM-TO")]
    pub(crate) hours: Vec<Hours>,
    /// Only on these days of the week, such as mon-fri.
    #[arg(long, value_name = "DAYS")]
    pub(crate) days: Vec<Days>,
    /// Only on these dates, such as 2026-12-24, or 12-24 in every year.
    #[arg(long = "date", value_name = "DATE")]
    pub(crate) dates: Vec<Dates>,
    /// Never on these dates.
    #[arg(long = "not-date", value_name = "DATE")]
    pub(crate) not_dates: Vec<Dates>,
    /// A word for people by which to tell schedules apart.
    #[arg(long = "label", value_name = "WORD")]
    pub(crate) tags: Vec<String>,
}
