//! Arguments of `token`.

use std::time::Duration;

use butler_core::config::Scope;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use super::{Server, ttl};

#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(subcommand)]
    pub(crate) what: TokenWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenWhat {
    /// Makes a token and prints it, this once.
    Create {
        /// By what its bearer is known: in the list, in the audit log.
        name: String,
        /// What its bearer may do; may be given several times. `read` sees everything and changes nothing, `admin` may do everything.
        #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = scopes())]
        scopes: Vec<Scope>,
        /// How long it is good for, such as 90d; for good if it is left out.
        #[arg(long, value_name = "DURATION", value_parser = ttl)]
        expires: Option<Duration>,
    },
    /// All tokens, and when they were last shown.
    List,
    /// Revokes a token: from now on it opens nothing.
    Revoke {
        /// Its name.
        name: String,
    },
}

fn scopes() -> impl TypedValueParser<Value = Scope> {
    PossibleValuesParser::new(Scope::ALL.map(Scope::as_str)).try_map(|name| name.parse::<Scope>())
}
