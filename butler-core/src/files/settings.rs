//! What may be done where.

use std::path::PathBuf;

/// Two directories: from below the one to below the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DirectoryPair {
    /// Where files come from.
    pub from: PathBuf,
    /// Where they go.
    pub to: PathBuf,
}

/// What a [`Files`](super::Files) may do. Nothing, unless it is said: but for [`create`](Self::create), which is unlimited unless it is set.
///
/// A directory stands for everything below it, and not for itself. Relative paths start at the working directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSettings {
    /// Between which directories files may be copied.
    pub copy: Vec<DirectoryPair>,
    /// Between which they may be moved.
    pub r#move: Vec<DirectoryPair>,
    /// Below which they may be deleted.
    pub delete: Vec<PathBuf>,
    /// Below which directories may be created; `None` for anywhere.
    pub create: Option<Vec<PathBuf>>,
    /// The folder of QVD files, where directories may be created too.
    pub qvd_folder: Option<PathBuf>,
    /// Whether symbolic links may lead out of these directories.
    pub follow_links: bool,
    /// How many operations are under way at once; others wait for their turn.
    pub at_once: usize,
}

impl Default for FileSettings {
    fn default() -> Self {
        Self { copy: Vec::new(), r#move: Vec::new(), delete: Vec::new(), create: None, qvd_folder: None, follow_links: false, at_once: 4 }
    }
}
