//! Arguments of `send`.

use clap::{Args, Subcommand};

use super::guid;

#[derive(Debug, Args)]
pub(crate) struct Send {
    #[command(subcommand)]
    pub(crate) what: SendWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SendWhat {
    /// A reload task failed, after its last retry.
    FailedReload(SendTask),
    /// Somebody stopped a reload task.
    AbortedReload(SendTask),
    /// Any line, as it is.
    Raw(SendRaw),
}

/// Where a datagram goes.
#[derive(Debug, Args)]
pub(crate) struct SendTo {
    /// Where Butler listens.
    #[arg(long, default_value = "127.0.0.1:9998", value_name = "HOST:PORT")]
    pub(crate) to: String,
    /// How often to send it, each time as another execution.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) count: u32,
}

#[derive(Debug, Args)]
pub(crate) struct SendTask {
    #[command(flatten)]
    pub(crate) to: SendTo,
    /// The node that wrote the log line.
    #[arg(long, default_value = "sense-node-1")]
    pub(crate) host: String,
    /// The task's name.
    #[arg(long, default_value = "Reload sales")]
    pub(crate) task_name: String,
    /// The task's id.
    #[arg(long, default_value = "e959f40a-67be-4a5b-ae83-a292f96ba078", value_name = "GUID", value_parser = guid)]
    pub(crate) task_id: uuid::Uuid,
    /// The app's name.
    #[arg(long, default_value = "Sales")]
    pub(crate) app_name: String,
    /// The app's id.
    #[arg(long, default_value = "66bc109d-286a-415b-8355-1422abb22133", value_name = "GUID", value_parser = guid)]
    pub(crate) app_id: uuid::Uuid,
    /// Who ran the task.
    #[arg(long, default_value = r"INTERNAL\sa_scheduler")]
    pub(crate) user: String,
    /// The execution's id; a new one if there is none.
    #[arg(long, value_name = "GUID", value_parser = guid)]
    pub(crate) execution_id: Option<uuid::Uuid>,
    /// The node's local time, as Qlik Sense writes it; now if there is none.
    #[arg(long, value_name = "YYYY-MM-DD HH:MM:SS,mmm")]
    pub(crate) log_time: Option<String>,
    /// The level of the log line.
    #[arg(long, default_value = "INFO")]
    pub(crate) log_level: String,
    /// The text of the log line.
    #[arg(long)]
    pub(crate) message: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SendRaw {
    #[command(flatten)]
    pub(crate) to: SendTo,
    /// The line.
    pub(crate) line: String,
}
