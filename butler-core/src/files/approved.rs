//! A directory below which something may be done.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{fs, io};

use super::error::{FileError, Refusal};
use super::folder::Folder;
use super::path::{Whole, normal};

/// An approved directory. Links on the way to it are followed once, when it is first found; from then on it is the directory that was found there.
///
/// It is opened for each operation, so that it can be unmounted, renamed and made again while nothing is done. But a link that comes to be in its place, or on
/// the way to it, is not followed: whoever may put one there may not decide where files go.
#[derive(Debug)]
pub(super) struct Approved {
    pub(super) whole: Whole,
    path: PathBuf,
    found: OnceLock<Found>,
}

#[derive(Debug)]
struct Found {
    /// Where it is, without links.
    real: PathBuf,
    /// Each name by which it is configured, in the folder where that really is: it and what it lies in, or links that stand for these.
    names: Vec<PathBuf>,
}

impl Found {
    fn of(path: &Path, real: PathBuf) -> Self {
        let name = |path: &Path| Some(fs::canonicalize(path.parent()?).ok()?.join(path.file_name()?));
        Self { real, names: path.ancestors().filter_map(name).collect() }
    }
}

impl Approved {
    pub(super) fn new(configured: &Path, base: &Path) -> Self {
        let whole = Whole::of(&normal(&configured.to_string_lossy()), base);
        Self { path: whole.to_path(), whole, found: OnceLock::new() }
    }

    /// Where it is as configured.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where it really is, if it is there, or was found once.
    pub(super) fn real(&self) -> io::Result<&Path> {
        if let Some(found) = self.found.get() {
            return Ok(&found.real);
        }
        let real = fs::canonicalize(&self.path)?;
        Ok(&self.found.get_or_init(|| Found::of(&self.path, real)).real)
    }

    /// Whether it would go with what is really at `real`, which was asked for as `asked`: it lies there or below, or it is reached by the link there.
    ///
    /// Nothing is looked at on the disk: this is asked of all approved directories, and one that can't be reached just now must not hold up the others.
    pub(super) fn goes_with(&self, real: &Path, asked: &Whole) -> bool {
        let found = |found: &Found| found.real.starts_with(real) || found.names.iter().any(|name| name == real);
        self.whole.below(asked).is_some() || self.path.starts_with(real) || self.found.get().is_some_and(found)
    }

    /// Opens it; makes it if it is not there and `create`.
    ///
    /// # Errors
    /// [`FileError::Missing`] unless it is to be made, [`Refusal::Replaced`], or what the system says.
    pub(super) fn open(&self, operation: &'static str, create: bool) -> Result<(Folder, PathBuf), FileError> {
        let failed = |why: io::Error| match why.kind() {
            io::ErrorKind::NotFound if !create => FileError::Missing { path: self.path.display().to_string() },
            _ => FileError::Io { doing: "opened", path: self.path.clone(), source: why },
        };
        let replaced = || FileError::NotApproved { operation, what: format!("`{}`", self.path.display()), why: Refusal::Replaced };
        let real = match self.real() {
            Err(why) if create && why.kind() == io::ErrorKind::NotFound => self.planned(),
            real => real.map(Path::to_owned),
        };
        let real = real.map_err(failed)?;
        let folder = if create { open_or_make(&real) } else { Folder::open(&real) };
        let folder = folder.map_err(|why| if real.ancestors().any(Path::is_symlink) { replaced() } else { failed(why) })?;
        // Somebody else may just have found it elsewhere.
        if self.found.get_or_init(|| Found::of(&self.path, real.clone())).real != real {
            return Err(replaced());
        }
        Ok((folder, real))
    }

    /// Where it will be: below what there is on the way to it.
    fn planned(&self) -> io::Result<PathBuf> {
        for above in self.path.ancestors().skip(1) {
            match fs::canonicalize(above) {
                Err(why) if why.kind() == io::ErrorKind::NotFound => {}
                real => return Ok(real?.join(self.path.strip_prefix(above).unwrap_or(Path::new("")))),
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }
}

/// As [`Folder::open`]; what is missing is made in what is held open, so that no link is followed for that either.
fn open_or_make(path: &Path) -> io::Result<Folder> {
    match (Folder::open(path), path.parent(), path.file_name()) {
        (Err(why), Some(above), Some(name)) if why.kind() == io::ErrorKind::NotFound => {
            let above = open_or_make(above)?;
            above.ensure(name)?;
            above.folder(name)
        }
        (opened, ..) => opened,
    }
}
