//! Why a site can't be started, and why a task can't be run.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use uuid::Uuid;

/// Why a site can't be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteError {
    /// The address can't be listened on.
    #[error("can't listen on {address}: {why}. {}", remedy(why))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        why: io::Error,
    },
    /// The folder for the certificates can't be used.
    #[error("the folder `{}` can't be used for certificates: {why}", folder.display())]
    Certificates {
        /// The folder.
        folder: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// No certificates can be made.
    #[error("no certificates can be made: {0}")]
    Generate(rcgen::Error),
    /// The certificates can't be used.
    #[error("the certificates can't be used: {0}")]
    Tls(#[from] rustls::Error),
    /// The state is not consistent.
    #[error("{0}")]
    State(#[from] StateError),
}

fn remedy(why: &io::Error) -> &'static str {
    match why.kind() {
        io::ErrorKind::AddrInUse => "Something listens there already: end it, or listen on another port; port 0 takes a free one.",
        io::ErrorKind::PermissionDenied => "Ports below 1024 need special rights; take a higher one.",
        io::ErrorKind::AddrNotAvailable => "This machine has no such address; 127.0.0.1 always is one.",
        _ => "Try another address.",
    }
}

/// Why a state can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The file can't be read.
    #[error("can't read the state `{}`: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// Something in the file is not what it should be.
    #[error("the state `{name}` can't be used: {}{key}{why}", line.map(|line| format!("line {line}: ")).unwrap_or_default(), key = colon(key))]
    Invalid {
        /// Name of the file.
        name: String,
        /// The line, counted from 1, where it is known.
        line: Option<usize>,
        /// The key: `tasks[0].name`; empty where there is none.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// Parts do not fit together.
    #[error("the state is not consistent: {0}")]
    Inconsistent(String),
}

fn colon(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{key}: ") }
}

/// Why a task can't be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// There is no such task.
    #[error("the site has no task {0}")]
    UnknownTask(Uuid),
    /// It ran, but the datagram about it could not be sent.
    #[error("the datagram can't be sent to {to}: {why}")]
    Send {
        /// Where to.
        to: SocketAddr,
        /// What the system said.
        why: io::Error,
    },
}
