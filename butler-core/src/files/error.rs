//! Why something was not done.

use std::io;
use std::path::PathBuf;

/// Why a file operation was refused, or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// A path that is needed is empty.
    #[error("`{parameter}` is empty; name a file or a directory")]
    Empty {
        /// Which one.
        parameter: &'static str,
    },
    /// A path on another machine (`\\server\share`), which only Windows has.
    #[error("`{path}` is a UNC path, which only Windows knows; mount the share, and name the directory that it is mounted at")]
    Unc {
        /// The path, as it was given.
        path: String,
    },
    /// The configuration does not allow it.
    #[error("{operation} of {what} is not allowed: {why}")]
    NotApproved {
        /// `copy`, `move`, `delete`, `create`.
        operation: &'static str,
        /// The path or the two paths, in quotes.
        what: String,
        /// Why it is not.
        why: Refusal,
    },
    /// A name in the path is none, or names something else than a file.
    #[error("`{path}` is no path to work with: {why}")]
    InvalidPath {
        /// The path.
        path: String,
        /// Why.
        why: &'static str,
    },
    /// What is to be copied, moved or deleted is not there.
    #[error("`{path}` does not exist")]
    Missing {
        /// The path.
        path: String,
    },
    /// Something is there, and nobody said that it may be overwritten.
    #[error("`{path}` exists; say `overwrite` if it may go")]
    Exists {
        /// The path.
        path: String,
    },
    /// It changed while it was moved to another file system. It is still there, and so is the copy of it if that was finished.
    #[error("`{path}` changed while it was moved; move it when nobody writes to it")]
    Changed {
        /// The path of what changed, or of what holds it.
        path: String,
    },
    /// Both paths are the same file.
    #[error("`{from}` and `{to}` are the same")]
    Same {
        /// The one.
        from: String,
        /// The other.
        to: String,
    },
    /// One of the paths lies within the other.
    #[error("`{from}` can't go to `{to}`: one lies within the other")]
    Within {
        /// The source.
        from: String,
        /// The destination.
        to: String,
    },
    /// It is neither a file nor a directory, or one where the other has to be.
    #[error("`{path}` {why}")]
    WrongKind {
        /// The path.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is no directory for QVD files in the configuration.
    #[error("there is no QVD folder; set `[files] qvd_folder`")]
    NoQvdFolder,
    /// The system refused.
    #[error("`{}` can't be {doing}: {source}", path.display())]
    Io {
        /// `read`, `written`, ...
        doing: &'static str,
        /// What it was about.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Butler ends. There is no half of any file; whole ones that were copied or deleted until then stay so.
    #[error("Butler is being stopped")]
    Stopped,
}

/// Why something is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not below an approved directory.
    #[error("no approved directory holds it; see `[files]`")]
    NotListed,
    /// A symbolic link leads out of the approved directory.
    #[error("a symbolic link leads out of the approved directory; `[files] follow_links = true` would allow that")]
    LeadsOut,
    /// Where the approved directory was when it was first used there is now a link to elsewhere.
    #[error("the approved directory was replaced by another one, by way of a link; if that is meant, start Butler again")]
    Replaced,
    /// An approved directory would go.
    #[error("it is, or holds, an approved directory")]
    Approved,
}

impl FileError {
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }

    /// Whether the configuration forbids it, whatever there is on the disk.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Unc { .. } | Self::NotApproved { .. })
    }
}
