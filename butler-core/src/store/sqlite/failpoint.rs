//! Points at which a test ends the process, to see what is left.

use std::fmt;
use std::sync::Arc;

use super::Call;

/// A point in the work of the writing thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failpoint {
    /// The jobs of a group are done, and not yet committed.
    BeforeCommit,
    /// They are committed, and nobody knows of it yet.
    AfterCommit,
}

type Hook = dyn Fn(Failpoint, &[Call]) + Send + Sync;

/// What happens at each [`Failpoint`]: nothing, unless a test says otherwise.
#[derive(Clone, Default)]
pub struct Failpoints(Option<Arc<Hook>>);

impl fmt::Debug for Failpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Failpoints(set)" } else { "Failpoints" })
    }
}

impl Failpoints {
    /// Calls `hook` at each point, with the calls of the group.
    #[must_use]
    pub fn new(hook: impl Fn(Failpoint, &[Call]) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    pub(super) fn reach(&self, point: Failpoint, calls: &[Call]) {
        if let Some(hook) = &self.0 {
            hook(point, calls);
        }
    }
}
