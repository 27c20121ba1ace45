//! Arguments of `silences`.

use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{Server, property, ttl};

#[derive(Debug, Args)]
pub(crate) struct Silences {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(subcommand)]
    pub(crate) what: SilencesWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SilencesWhat {
    /// Those that hold, or will.
    List {
        /// Also those that are over, for a week.
        #[arg(long)]
        ended: bool,
    },
    /// For a while, nobody is told of what fits. It stands in the list of deliveries all the same.
    Add(Box<AddSilence>),
    /// Ends one now.
    End {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AddSilence {
    /// How long it lasts, such as 30m or 2h; at most 30 days.
    #[arg(long = "for", value_name = "DURATION", value_parser = ttl)]
    pub(crate) lasts: Duration,
    /// Why: whoever wonders about it finds it there.
    #[arg(long)]
    pub(crate) why: String,
    /// From when on, such as 2026-03-01T22:00:00Z; from now on if it is left out.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<Timestamp>,
    /// Only these kinds of events, such as `reload_task.failed` or `reload_task.*`; may be given several times.
    #[arg(long = "event", value_name = "KIND")]
    pub(crate) events: Vec<butler_core::pipeline::KindPattern>,
    /// Only these sites; may be given several times, as all below.
    #[arg(long)]
    pub(crate) site: Vec<String>,
    /// Only tasks of these names or ids; a `*` stands for any characters.
    #[arg(long)]
    pub(crate) task: Vec<String>,
    /// Only apps of these names or ids.
    #[arg(long)]
    pub(crate) app: Vec<String>,
    /// Only apps of these streams.
    #[arg(long)]
    pub(crate) stream: Vec<String>,
    /// Only tasks or apps with these tags.
    #[arg(long)]
    pub(crate) tag: Vec<String>,
    /// Only tasks with these values of custom properties.
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = property)]
    pub(crate) properties: Vec<(String, String)>,
    /// Only what happens on these hosts.
    #[arg(long)]
    pub(crate) host: Vec<String>,
    /// Only these sinks are silent.
    #[arg(long)]
    pub(crate) sink: Vec<String>,
}
