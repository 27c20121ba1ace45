//! A directory below which something may be done.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{fs, io};

use super::error::{FileError, Refusal};
use super::folder::Folder;
use super::path::{Whole, normal};

/// An approved directory. Links on the way to it are followed once, when it is first found; from then on it is the directory that was found there.
///
/// It is opened for each operation, so that it can be unmounted, renamed and made again while nothing is done. But a link that comes to be in its place
/// is not followed: whoever may put one there may not decide where files go.
#[derive(Debug)]
pub(super) struct Approved {
    pub(super) whole: Whole,
    path: PathBuf,
    real: OnceLock<PathBuf>,
}

impl Approved {
    pub(super) fn new(configured: &Path, base: &Path) -> Self {
        let whole = Whole::of(&normal(&configured.to_string_lossy()), base);
        Self { path: whole.to_path(), whole, real: OnceLock::new() }
    }

    /// Where it is as configured.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where it really is, if it is there, or was found once.
    pub(super) fn real(&self) -> io::Result<&Path> {
        if let Some(real) = self.real.get() {
            return Ok(real);
        }
        let real = fs::canonicalize(&self.path)?;
        Ok(self.real.get_or_init(|| real))
    }

    /// Whether it would go with what is at `path`: it lies there or below, or it is the link there.
    pub(super) fn goes_with(&self, path: &Path) -> bool {
        let link = || Some(fs::canonicalize(self.path.parent()?).ok()?.join(self.path.file_name()?));
        self.real().is_ok_and(|real| real.starts_with(path)) || link().is_some_and(|link| link == path)
    }

    /// Opens it; makes it if it is not there and `create`.
    ///
    /// # Errors
    /// [`FileError::Missing`], [`Refusal::Replaced`], or what the system says.
    pub(super) fn open(&self, operation: &'static str, create: bool) -> Result<(Folder, PathBuf), FileError> {
        if create {
            let path = self.real.get().unwrap_or(&self.path);
            fs::create_dir_all(path).map_err(FileError::io("created", path))?;
        }
        let missing = |why: io::Error| match why.kind() {
            io::ErrorKind::NotFound => FileError::Missing { path: self.path.display().to_string() },
            _ => FileError::Io { doing: "opened", path: self.path.clone(), source: why },
        };
        let real = self.real().map_err(missing)?;
        let replaced = || FileError::NotApproved { operation, what: format!("`{}`", self.path.display()), why: Refusal::Replaced };
        let now = fs::canonicalize(real).map_err(missing)?;
        if now != real {
            return Err(replaced());
        }
        let folder = Folder::open(real).map_err(missing)?;
        // The other way round too: what was opened is what has the name, and the name leads there without a link.
        let at = |path: &Path| Ok::<_, io::Error>(folder.is_at(path)? && fs::canonicalize(path)? == path);
        if !at(real).map_err(missing)? {
            return Err(replaced());
        }
        Ok((folder, real.to_owned()))
    }
}
