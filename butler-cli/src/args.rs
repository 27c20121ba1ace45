//! The arguments; their comments are the help.

mod kv;
mod schedules;
mod send;
mod silences;
mod token;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

pub(crate) use kv::{Kv, KvWhat, Pair, Set};
pub(crate) use schedules::{AddSchedule, Import, Next, Schedules, SchedulesWhat};
pub(crate) use send::{Send, SendTask, SendTo, SendWhat};
pub(crate) use silences::{AddSilence, Silences, SilencesWhat};
pub(crate) use token::{Token, TokenWhat};

/// Butler for Qlik Sense: no failed reload goes unnoticed.
///
/// Hears of failed and aborted reloads, asks Qlik Sense what happened, and tells the right people where they look: email, Slack, Teams, SIGNL4, MQTT, webhooks, InfluxDB, New Relic.
///
/// Exit codes: 0 all is well, 64 wrong arguments, 69 something needed is not there (a port, a file, a running Butler), 70 the program's own fault,
/// 78 wrong configuration. A second signal ends `serve` at once, with 130.
#[derive(Debug, Parser)]
#[command(name = "butler-cli", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The configuration file.
    #[arg(short, long, global = true, env = "BUTLER_CONFIG", default_value = "butler.toml", value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// How to write what is asked for.
    #[arg(long, global = true, value_enum, default_value = "text")]
    pub(crate) output: Format,
}

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The main job: hears, finds out, tells.
    Serve(Serve),
    /// Shows it all at work on a simulated Qlik Sense site; needs nothing else.
    Demo(Demo),
    /// Writes a commented configuration to begin with.
    Init(Init),
    /// Says what is wrong with the configuration, without connecting to anything.
    Check(Check),
    /// Sends the log datagram that Qlik Sense would send.
    Send(Send),
    /// Lists and explains the events of a running Butler.
    Events(Events),
    /// Lists, repeats and discards the deliveries of a running Butler.
    Deliveries(Deliveries),
    /// Lists the tasks of Qlik Sense and starts them, through a running Butler.
    Tasks(Tasks),
    /// Shows, makes, changes and runs schedules: what is done at which times.
    Schedules(Schedules),
    /// Lists, makes and ends silences: for a while, nobody is told of what is known already.
    Silences(Silences),
    /// Reads and changes the pairs that load scripts keep in a running Butler.
    Kv(Kv),
    /// How a running Butler stands.
    Status(Status),
    /// Ends with 0 if a running Butler answers within two seconds, else with 1: what a container's health check wants.
    Healthcheck(Status),
    /// Makes, lists and revokes the tokens by which others may use a running Butler's API.
    Token(Token),
    /// Shows what a sink would send, without sending it.
    Render(Render),
    /// Sends a message that says that it is a test, and says in plain words what went wrong.
    TestSink(TestSink),
    /// Runs a simulated Qlik Sense site to point a Butler at.
    Simulate(Simulate),
    /// Prints what a shell needs to complete commands.
    Completions(Completions),
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// How long attempts under way may take to end after SIGTERM or Ctrl-C. A second one ends the program at once.
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) grace: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Ends after one failed reload has reached everybody.
    #[arg(long)]
    pub(crate) once: bool,
    /// How often a reload fails.
    #[arg(long, default_value = "5", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) every: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Overwrites a file that is there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Prints the whole configuration, defaults included and secrets masked.
    #[arg(long)]
    pub(crate) print: bool,
}

/// Where the running Butler is.
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// Address of the running Butler's API; else the one of the configuration file.
    #[arg(long, global = true, env = "BUTLER_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// File that holds the token to show to it; without it, the variable BUTLER_TOKEN may hold the token itself.
    #[arg(long, global = true, env = "BUTLER_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Certificates, in PEM form, by which that of an https server is issued, in place of those that the system trusts.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Certificate to show to a server that asks for one, in PEM form.
    #[arg(long, global = true, value_name = "FILE", requires = "client_key")]
    pub(crate) client_certificate: Option<PathBuf>,
    /// The key of that certificate.
    #[arg(long, global = true, value_name = "FILE", requires = "client_certificate")]
    pub(crate) client_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Events {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(subcommand)]
    pub(crate) what: EventsWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventsWhat {
    /// The latest events, newest first.
    List {
        /// Only of this kind; a trailing `*` stands for the rest.
        #[arg(long, value_parser = kind)]
        kind: Option<String>,
        /// Only of this task.
        #[arg(long, value_name = "GUID", value_parser = guid)]
        task: Option<uuid::Uuid>,
        /// Only of this site.
        #[arg(long)]
        site: Option<String>,
        /// Only those older than this event: the next page.
        #[arg(long, value_name = "EVENT", value_parser = guid)]
        before: Option<uuid::Uuid>,
        /// At most so many.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        max: u16,
    },
    /// Everything that is known about an event.
    Show {
        /// Its id, the start of it, or `latest`.
        id: String,
    },
    /// Why an event was sent to whom, or was not.
    Explain {
        /// Its id, the start of it, or `latest`.
        id: String,
    },
    /// What happens from now on, as it happens; ends when the Butler does, or with Ctrl-C.
    Follow,
    /// What was received but not taken, and why.
    Rejected,
}

#[derive(Debug, Args)]
pub(crate) struct Deliveries {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(subcommand)]
    pub(crate) what: DeliveriesWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeliveriesWhat {
    /// The latest deliveries, newest first.
    List {
        /// Only in this state: still to be made, accepted by the remote, given up, held back by a rate limit, given up on somebody's word, or waiting for a sink that is
        /// no longer configured.
        #[arg(long, value_parser = ["pending", "delivered", "dead", "suppressed", "discarded", "orphaned"])]
        state: Option<String>,
        /// Only by this sink.
        #[arg(long)]
        sink: Option<String>,
        /// Only of this event.
        #[arg(long, value_parser = guid)]
        event: Option<uuid::Uuid>,
        /// At most so many.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        max: u16,
    },
    /// Everything that is known about a delivery.
    Show {
        /// Its id.
        #[arg(value_parser = guid)]
        id: uuid::Uuid,
    },
    /// Tries a dead, suppressed or discarded delivery again.
    Retry {
        /// Its id.
        #[arg(value_parser = guid)]
        id: uuid::Uuid,
    },
    /// Gives up a delivery that is still to be made.
    Discard {
        /// Its id.
        #[arg(value_parser = guid)]
        id: uuid::Uuid,
        /// Why.
        #[arg(long, default_value = "on the command line")]
        why: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Render {
    #[command(flatten)]
    pub(crate) server: Server,
    /// The sink, by its name in the configuration.
    pub(crate) sink: String,
    /// Of an event that a running Butler has: its id, the start of it, or `latest`.
    #[arg(long, value_name = "EVENT", conflicts_with = "kind")]
    pub(crate) event: Option<String>,
    /// Of an example of this kind.
    #[arg(long, default_value = "reload_task.failed", value_parser = crate::commands::render::kind)]
    pub(crate) kind: butler_core::event::Kind,
}

#[derive(Debug, Args)]
pub(crate) struct TestSink {
    /// The sink, by its name in the configuration.
    pub(crate) sink: String,
    /// Sends an example of this kind, marked as a test, in place of a few words.
    #[arg(long, value_parser = crate::commands::render::kind)]
    pub(crate) kind: Option<butler_core::event::Kind>,
}

#[derive(Debug, Args)]
pub(crate) struct Tasks {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(subcommand)]
    pub(crate) what: TasksWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TasksWhat {
    /// All tasks, and whether they can be started.
    List {
        /// Only of this site.
        #[arg(long)]
        site: Option<String>,
    },
    /// Starts tasks, each once.
    ///
    /// What Qlik Sense surely did not get is tried again for a while; what it may have got never is. Exit codes: 0 all were started, 64 some may not be started or do not
    /// exist, 69 some could not be started, or may run though nobody said so.
    Start(StartTasks),
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("choice").required(true).multiple(true).args(["ids", "tags", "properties"])))]
pub(crate) struct StartTasks {
    /// Ids of tasks.
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// Every task that bears this tag; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Every task that has this value of a custom property; may be given several times.
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = property)]
    pub(crate) properties: Vec<(String, String)>,
    /// A pair to put into the key-value store before; may be given several times.
    #[arg(long = "set", value_name = "NAMESPACE/KEY=VALUE", value_parser = pair)]
    pub(crate) pairs: Vec<(String, String, String)>,
    /// How long these pairs are kept, such as 30s or 2h; for good if it is left out.
    #[arg(long, value_name = "DURATION", value_parser = ttl, requires = "pairs")]
    pub(crate) ttl: Option<Duration>,
    /// The site; the one that the running Butler's configuration names, if it is left out.
    #[arg(long)]
    pub(crate) site: Option<String>,
    /// Starts no task by its id unless all ids are tasks.
    #[arg(long)]
    pub(crate) all_ids_must_exist: bool,
    /// Leaves tasks alone that run already, or wait for their start.
    #[arg(long)]
    pub(crate) skip_running: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Where the repository listens; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:4242", value_name = "ADDRESS:PORT")]
    pub(crate) listen: std::net::SocketAddr,
    /// Where the engine listens; port 4747 of the repository's address if it is left out, or a free port if the repository takes one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) engine: Option<std::net::SocketAddr>,
    /// One more name of this machine that the certificate is to be for; may be given several times.
    #[arg(long = "name", value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Folder for the certificates; made if it is not there. Those that are there are used again.
    #[arg(long, default_value = "simulated-certs", value_name = "FOLDER")]
    pub(crate) certificates: PathBuf,
    /// What is in the site, as TOML or JSON; a small site of its own if there is none.
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// Prints the state of that small site, to begin a file of your own with, and ends.
    #[arg(long)]
    pub(crate) print_state: bool,
    /// Where log datagrams go.
    #[arg(long, default_value = "127.0.0.1:9998", value_name = "ADDRESS:PORT")]
    pub(crate) udp: std::net::SocketAddr,
    /// How often a task ends; 0: only those that are started through the repository.
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) every: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}

/// The scopes, which the help then lists.
fn kind(text: &str) -> Result<String, String> {
    text.parse::<butler_core::pipeline::KindPattern>().map(|kind| kind.to_string()).map_err(|error| error.to_string())
}

fn guid(text: &str) -> Result<uuid::Uuid, String> {
    text.parse().map_err(|_| "expected a whole id such as e959f40a-67be-4a5b-ae83-a292f96ba078".to_owned())
}

fn property(text: &str) -> Result<(String, String), String> {
    let halves = text.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
    halves.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| "expected a name and a value: NAME=VALUE".to_owned())
}

fn pair(text: &str) -> Result<(String, String, String), String> {
    let parts = text.split_once('/').and_then(|(namespace, rest)| rest.split_once('=').map(|(key, value)| (namespace, key, value)));
    let (namespace, key, value) = parts
        .filter(|(namespace, key, _)| !namespace.is_empty() && !key.is_empty())
        .ok_or_else(|| "expected a namespace, a key and a value: NAMESPACE/KEY=VALUE".to_owned())?;
    Ok((namespace.to_owned(), key.to_owned(), value.to_owned()))
}

fn ttl(text: &str) -> Result<Duration, String> {
    let period: butler_core::config::Period = text.parse().map_err(|error: butler_core::config::PeriodError| error.to_string())?;
    Some(period.0).filter(|ttl| ttl.as_millis() > 0).ok_or_else(|| "expected a millisecond or more".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    if !(0.0..=86_400.0).contains(&seconds) {
        return Err("expected a number of seconds between 0 and 86400".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn undocumented(command: &clap::Command, path: &str, found: &mut Vec<String>) {
        if command.get_about().is_none() {
            found.push(path.to_owned());
        }
        let arguments = command.get_arguments().filter(|argument| argument.get_help().is_none());
        found.extend(arguments.map(|argument| format!("{path} {}", argument.get_id())));
        for below in command.get_subcommands() {
            undocumented(below, &format!("{path} {}", below.get_name()), found);
        }
    }

    #[test]
    fn every_command_and_argument_says_what_it_is_for() {
        let mut command = Arguments::command();
        command.build();
        command.clone().debug_assert();
        let mut found = Vec::new();
        undocumented(&command, "butler-cli", &mut found);
        assert_eq!(found, [] as [String; 0]);
    }

    #[test]
    fn arguments_that_make_no_sense_are_refused() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' ')).map(drop).map_err(|error| error.kind());
        for good in [
            "butler-cli serve --grace 0.5",
            "butler-cli events list --max 1000",
            "butler-cli deliveries list --state orphaned",
            "butler-cli tasks list --site prod",
            "butler-cli tasks start e959f40a-67be-4a5b-ae83-a292f96ba078 x --tag nightly --property a=b=c --set ns/k/y=v=w --ttl 1h",
            "butler-cli tasks start --tag nightly",
            "butler-cli silences add --for 2h --why upgrade --event reload_task.* --property a=b --from 2026-03-01T22:00:00Z",
            "butler-cli token create scripts --scope kv:read --scope kv:write --expires 90d",
            "butler-cli kv set ns key -5 --ttl 10m --if-version 3",
            "butler-cli kv incr ns key -5",
        ] {
            assert_eq!(parse(good), Ok(()), "{good}");
        }
        for bad in [
            "butler-cli",
            "butler-cli serve --grace soon",
            "butler-cli events list --max 0",
            "butler-cli events list --max 1001",
            "butler-cli deliveries list --state alive",
            "butler-cli deliveries show 7",
            "butler-cli send failed-reload --count 0",
            "butler-cli tasks start",
            "butler-cli tasks start --set a/b=c",
            "butler-cli tasks start x --property novalue",
            "butler-cli tasks start x --set a=b",
            "butler-cli tasks start x --set /b=c",
            "butler-cli tasks start x --ttl 1h",
            "butler-cli tasks start x --set a/b=c --ttl 10",
            "butler-cli silences add --why upgrade",
            "butler-cli silences add --for 2h",
            "butler-cli silences add --for 2h --why upgrade --event reload",
            "butler-cli kv set ns key",
            "butler-cli kv set ns key v --if-absent --if-version 3",
            "butler-cli kv set ns key v --ttl 10",
            "butler-cli kv incr ns key 1.5",
            "butler-cli kv list ns --max 1001",
            "butler-cli status --output xml",
            "butler-cli token create scripts",
            "butler-cli token create scripts --scope kv",
            "butler-cli token create scripts --scope read --expires 90",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
