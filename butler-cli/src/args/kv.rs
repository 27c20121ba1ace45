//! The arguments of `kv`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};

use super::{Server, ttl};

#[derive(Debug, Args)]
pub(crate) struct Kv {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(subcommand)]
    pub(crate) what: KvWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KvWhat {
    /// The namespaces, in the order in which they began.
    Namespaces,
    /// The pairs of a namespace, in the order in which their keys were first set.
    List {
        /// The namespace.
        namespace: String,
        /// Only those whose keys start so.
        #[arg(long, default_value = "", hide_default_value = true)]
        prefix: String,
        /// Only those after this place: the next page.
        #[arg(long, value_name = "PLACE", default_value_t = 0, hide_default_value = true)]
        after: u64,
        /// At most so many.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
        max: u16,
    },
    /// The value of a key.
    Get(Pair),
    /// Sets the value of a key.
    Set(Set),
    /// Adds to the number that is the value of a key, or begins one, and prints the sum.
    Incr {
        #[command(flatten)]
        pair: Pair,
        /// How much; a negative number takes away.
        #[arg(default_value_t = 1, allow_negative_numbers = true)]
        by: i64,
    },
    /// Deletes a key.
    Delete {
        #[command(flatten)]
        pair: Pair,
        /// Only if it has this version.
        #[arg(long, value_name = "VERSION")]
        if_version: Option<u64>,
    },
    /// Removes a namespace with all that is in it.
    Drop {
        /// The namespace.
        namespace: String,
    },
    /// Prints all pairs as lines of JSON, such as `import` takes.
    Export {
        /// Only those of this namespace.
        namespace: Option<String>,
    },
    /// Stores the pairs of a file of lines of JSON, such as `export` prints.
    ///
    /// What is there already is overwritten. Exit code 64 if a line was not taken; the others are stored all the same.
    Import {
        /// The file.
        file: PathBuf,
        /// Leaves alone what is there already.
        #[arg(long)]
        keep: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Pair {
    /// The namespace.
    pub(crate) namespace: String,
    /// The key.
    pub(crate) key: String,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("condition").args(["if_absent", "if_version", "if_value"])))]
pub(crate) struct Set {
    #[command(flatten)]
    pub(crate) pair: Pair,
    /// The value.
    #[arg(allow_hyphen_values = true)]
    pub(crate) value: String,
    /// How long it is kept, such as 30s or 2h; for good if it is left out.
    #[arg(long, value_name = "DURATION", value_parser = ttl)]
    pub(crate) ttl: Option<Duration>,
    /// Only if there is no such key.
    #[arg(long)]
    pub(crate) if_absent: bool,
    /// Only if it has this version, which `get --output json` and `list` tell.
    #[arg(long, value_name = "VERSION")]
    pub(crate) if_version: Option<u64>,
    /// Only if it has this value.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) if_value: Option<String>,
}
