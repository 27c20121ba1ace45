//! Names that nothing else has, for what is not to be met under its own.

use std::ffi::OsString;

/// How the names begin under which something is made, or is about to be deleted. What is left of them after a crash may be deleted.
pub(super) const PART: &str = ".butler-part-";
/// How the names begin under which something is kept that had to leave its own.
pub(super) const KEPT: &str = ".butler-kept-";

/// A name of this beginning.
pub(super) fn fresh(beginning: &str) -> OsString {
    format!("{beginning}{:016x}", fastrand::u64(..)).into()
}
