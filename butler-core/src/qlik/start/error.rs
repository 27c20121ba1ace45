//! Why nothing was started at all.

use crate::event::SiteName;
use crate::store::StoreError;

/// Why nothing was started at all. What fails for one task only is in its [report](super::StartReport).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No site can be asked.
    #[error("no site has certificates to ask its repository with, so no task can be started; add `certificates` to a site")]
    NoSite,
    /// Nobody said on which site.
    #[error("there are several sites ({}), and nothing says on which of them; name one, or write `site` in `[tasks]`", list(.sites))]
    WhichSite {
        /// Those that could be meant.
        sites: Vec<SiteName>,
    },
    /// The site that was named can't be asked.
    #[error("there is no site `{site}` whose repository can be asked; there are: {}", list(.sites))]
    UnknownSite {
        /// The one that was named.
        site: SiteName,
        /// Those that can be asked.
        sites: Vec<SiteName>,
    },
    /// A pair can't be stored.
    #[error("pair {number} has no namespace or no key, so nothing was stored and no task was started")]
    NamelessPair {
        /// Which pair, counted from one.
        number: usize,
    },
    /// Which tasks are meant could not be found out, since the repository does not answer. Nothing was stored.
    #[error("nothing was started, for it can't be found out which tasks there are: {why}")]
    Unavailable {
        /// The site.
        site: SiteName,
        /// Why.
        why: String,
    },
    /// The namespace of a pair is full. The pairs before it are stored.
    #[error("nothing was started: the namespace `{namespace}` holds as many keys as it may ({limit})")]
    NamespaceFull {
        /// The namespace.
        namespace: String,
        /// How many it may hold.
        limit: u64,
    },
    /// A pair could not be stored. The pairs before it are stored.
    #[error("nothing was started, for the pairs that came along can't be stored: {0}")]
    Store(#[from] StoreError),
    /// Butler ends, or is at fault itself.
    #[error("the start was broken off, and perhaps not all tasks were started; see the log")]
    BrokenOff,
}

fn list(sites: &[SiteName]) -> String {
    sites.iter().map(SiteName::as_str).collect::<Vec<_>>().join(", ")
}
