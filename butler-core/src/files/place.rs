//! From a path to a folder held open and a name in it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::approved::Approved;
use super::error::{FileError, Refusal};
use super::folder::{Folder, Kind, State};
use super::path::{fault, name_fault};

/// More links in one path are a circle.
const MOST_LINKS: usize = 40;

/// A name in a folder held open.
#[derive(Debug)]
pub(super) struct Place {
    folder: Folder,
    real: PathBuf,
    name: OsString,
}

impl Place {
    pub(super) fn spot(&self) -> Spot<'_> {
        Spot { folder: &self.folder, real: &self.real, name: &self.name }
    }
}

/// The same, borrowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) folder: &'a Folder,
    /// Where the folder really is, for messages and comparisons; nothing is opened by it.
    pub(super) real: &'a Path,
    pub(super) name: &'a OsStr,
}

impl<'a> Spot<'a> {
    pub(super) fn path(self) -> PathBuf {
        self.real.join(self.name)
    }

    /// What it is; `None` if there is nothing.
    pub(super) fn kind(self) -> Result<Option<Kind>, FileError> {
        match self.folder.kind(self.name) {
            Ok(kind) => Ok(Some(kind)),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(self.failed("looked at")(why)),
        }
    }

    /// How it is just now.
    pub(super) fn state(self) -> Result<State, FileError> {
        self.folder.state(self.name).map_err(self.failed("looked at"))
    }

    /// Whether both are one and the same thing.
    pub(super) fn is(self, other: Spot<'_>) -> Result<bool, FileError> {
        self.folder.same(self.name, other.folder, other.name).map_err(self.failed("looked at"))
    }

    /// Opens the folder that it is.
    pub(super) fn open(self) -> Result<Folder, FileError> {
        self.folder.folder(self.name).map_err(self.failed("opened"))
    }

    /// The same folder, another name.
    pub(super) fn named(self, name: &'a OsStr) -> Self {
        Self { name, ..self }
    }

    pub(super) fn failed(self, doing: &'static str) -> impl FnOnce(io::Error) -> FileError {
        FileError::io(doing, self.path())
    }

    pub(super) fn wrong(self, why: &'static str) -> FileError {
        FileError::WrongKind { path: self.path().display().to_string(), why }
    }
}

/// How a path is followed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'a> {
    /// For messages.
    pub(super) operation: &'static str,
    /// The path, for messages.
    pub(super) path: &'a str,
    /// Make the folders that are missing.
    pub(super) create: bool,
    /// Links may lead anywhere.
    pub(super) follow_links: bool,
}

impl Way<'_> {
    /// Opens the folder that the names lead to, from an approved directory on.
    ///
    /// # Errors
    /// [`FileError::Missing`], [`FileError::NotApproved`] if a link leads out, and what the system says.
    pub(super) fn folder(self, approved: &Approved, names: &[String]) -> Result<(Folder, PathBuf), FileError> {
        check(self.path, names)?;
        let (mut folder, root) = approved.open(self.operation, self.create)?;
        let mut real = root.clone();
        // The next name is last.
        let mut ahead: Vec<OsString> = names.iter().rev().map(OsString::from).collect();
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            let kind = match folder.kind(&name) {
                Err(why) if why.kind() == io::ErrorKind::NotFound && self.create => {
                    folder.ensure(&name).map_err(FileError::io("created", real.join(&name)))?;
                    Kind::Folder
                }
                kind => kind.map_err(|why| self.lost(why, &real.join(&name)))?,
            };
            match kind {
                Kind::Folder => {
                    folder = folder.folder(&name).map_err(|why| self.lost(why, &real.join(&name)))?;
                    real.push(&name);
                }
                Kind::Link => {
                    links += 1;
                    let target = self.link_target(&root, &real.join(&name))?;
                    if links > MOST_LINKS {
                        return Err(self.refused(Refusal::LeadsOut));
                    }
                    if let Ok(rest) = target.strip_prefix(&root) {
                        // From the approved directory on again, so that nothing is opened by a path.
                        ahead.extend(rest.iter().rev().map(OsStr::to_owned));
                        (folder, real) = approved.open(self.operation, false)?;
                    } else {
                        folder = Folder::open(&target).map_err(|why| self.lost(why, &target))?;
                        real = target;
                    }
                }
                Kind::File | Kind::Other if !self.create => return Err(FileError::Missing { path: self.path.to_owned() }),
                Kind::File | Kind::Other => {
                    return Err(FileError::WrongKind { path: real.join(&name).display().to_string(), why: "is no directory" });
                }
            }
        }
        Ok((folder, real))
    }

    /// Opens the folder of the last name, and gives it with the name.
    ///
    /// # Errors
    /// As [`folder`](Self::folder).
    pub(super) fn place(self, approved: &Approved, names: &[String]) -> Result<Place, FileError> {
        let Some((name, folders)) = names.split_last() else { return Err(self.refused(Refusal::NotListed)) };
        check(self.path, std::slice::from_ref(name))?;
        let (folder, real) = self.folder(approved, folders)?;
        Ok(Place { folder, real, name: name.into() })
    }

    /// What a link at the end of a path stands for: the file or folder that it leads to, however many links there are in between; `None` of what is no link.
    ///
    /// # Errors
    /// [`FileError::NotApproved`] if it leads out, or to nothing.
    pub(super) fn followed(self, approved: &Approved, place: &Place) -> Result<Option<Place>, FileError> {
        if place.spot().kind()? != Some(Kind::Link) {
            return Ok(None);
        }
        let (mut folder, root) = approved.open(self.operation, false)?;
        let target = self.link_target(&root, &place.spot().path())?;
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else { return Err(self.refused(Refusal::LeadsOut)) };
        match parent.strip_prefix(&root) {
            Ok(names) => {
                for name in names {
                    folder = folder.folder(name).map_err(|why| self.lost(why, &target))?;
                }
            }
            // The approved directory itself lies in none.
            Err(_) if !self.follow_links => return Err(self.refused(Refusal::LeadsOut)),
            Err(_) => folder = Folder::open(parent).map_err(|why| self.lost(why, parent))?,
        }
        Ok(Some(Place { folder, real: parent.to_owned(), name: name.to_owned() }))
    }

    /// Where a link really leads, if it may.
    fn link_target(self, root: &Path, link: &Path) -> Result<PathBuf, FileError> {
        match fs::canonicalize(link) {
            Ok(target) if self.follow_links || target.starts_with(root) => Ok(target),
            Ok(_) => Err(self.refused(Refusal::LeadsOut)),
            // Where it leads there is nothing, or nothing that may be seen. Which of both is nobody's business if it leads out, and that can't be told.
            Err(_) if !self.follow_links => Err(self.refused(Refusal::LeadsOut)),
            Err(why) => Err(self.lost(why, link)),
        }
    }

    fn lost(self, why: io::Error, at: &Path) -> FileError {
        match why.kind() {
            io::ErrorKind::NotFound if !self.create => FileError::Missing { path: self.path.to_owned() },
            _ => FileError::Io { doing: "opened", path: at.to_owned(), source: why },
        }
    }

    pub(super) fn refused(self, why: Refusal) -> FileError {
        FileError::NotApproved { operation: self.operation, what: format!("`{}`", self.path), why }
    }
}

fn check(path: &str, names: &[String]) -> Result<(), FileError> {
    let why = fault(path).or_else(|| names.iter().find_map(|name| name_fault(name)));
    why.map_or(Ok(()), |why| Err(FileError::InvalidPath { path: path.to_owned(), why }))
}
