//! A directory as a path, which a handle pins.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Kind, set_rights, times};
use crate::files::path::name_fault;

const FILE_SHARE_READ: u32 = 1;
const FILE_SHARE_WRITE: u32 = 2;
const FILE_SHARE_DELETE: u32 = 4;
/// The right to delete or rename.
const DELETE: u32 = 0x0001_0000;
/// Opens folders too.
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
/// Opens a link itself.
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;

/// A directory by its path. While its handle is open, nobody can rename or delete it.
#[derive(Debug)]
pub(in crate::files) struct Folder {
    path: PathBuf,
    handle: File,
}

/// What changes with a file or link when it is written to or becomes another one.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::files) struct State {
    size: u64,
    created: Option<SystemTime>,
    modified: Option<SystemTime>,
}

/// Opens whatever has this path so that it keeps it.
fn pin(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE);
    options.custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT).open(path)
}

fn kind(metadata: &Metadata) -> Kind {
    let kind = metadata.file_type();
    if kind.is_symlink() {
        Kind::Link
    } else if kind.is_dir() {
        Kind::Folder
    } else if kind.is_file() {
        Kind::File
    } else {
        Kind::Other
    }
}

impl Folder {
    /// Opens one by its whole path, as the system itself would write it, none of whose names is a link.
    pub(in crate::files) fn open(path: &Path) -> io::Result<Self> {
        let folder = Self::pinned(path)?;
        // What is pinned keeps its path. Were it reached through a link that gives way to the directory itself before this look, the path would be the right one all the same,
        // and everything goes by that.
        if fs::canonicalize(path)? == path { Ok(folder) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    fn pinned(path: &Path) -> io::Result<Self> {
        let handle = pin(path)?;
        match kind(&handle.metadata()?) {
            Kind::Folder => Ok(Self { path: path.to_owned(), handle }),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// Opens the one of this name, which is no link.
    pub(in crate::files) fn folder(&self, name: &OsStr) -> io::Result<Self> {
        Self::pinned(&self.at(name)?)
    }

    /// What the name stands for.
    pub(in crate::files) fn kind(&self, name: &OsStr) -> io::Result<Kind> {
        Ok(kind(&fs::symlink_metadata(self.at(name)?)?))
    }

    /// How what has the name is just now.
    pub(in crate::files) fn state(&self, name: &OsStr) -> io::Result<State> {
        let metadata = fs::symlink_metadata(self.at(name)?)?;
        Ok(State { size: metadata.len(), created: metadata.created().ok(), modified: metadata.modified().ok() })
    }

    /// Whether both names are one and the same thing.
    pub(in crate::files) fn same(&self, name: &OsStr, other: &Self, other_name: &OsStr) -> io::Result<bool> {
        let (path, other_path) = (self.at(name)?, other.at(other_name)?);
        if self.kind(name)? == Kind::Link || other.kind(other_name)? == Kind::Link {
            return Ok(path == other_path);
        }
        Ok(fs::canonicalize(path)? == fs::canonicalize(other_path)?)
    }

    /// Whether this is one of the other's.
    pub(in crate::files) fn is(&self, other: &Self) -> io::Result<bool> {
        Ok(fs::canonicalize(&self.path)? == fs::canonicalize(&other.path)?)
    }

    /// All names.
    pub(in crate::files) fn names(&self) -> io::Result<Vec<OsString>> {
        fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    /// Opens a file to read it; what is no file is an error of kind `InvalidInput`.
    pub(in crate::files) fn read(&self, name: &OsStr) -> io::Result<File> {
        let path = self.at(name)?;
        // What is pinned can't become another one between the look and the opening. It is not read by the pin itself: that would give files that a file system keeps
        // elsewhere, deduplicated ones above all, as what stands in for them.
        let pinned = pin(&path)?;
        if kind(&pinned.metadata()?) != Kind::File {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
        }
        File::open(&path)
    }

    /// Makes a new file.
    pub(in crate::files) fn create(&self, name: &OsStr) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(self.at(name)?)
    }

    /// Makes a new folder.
    pub(in crate::files) fn create_folder(&self, name: &OsStr) -> io::Result<()> {
        fs::create_dir(self.at(name)?)
    }

    /// Where a link leads to, as it says itself.
    pub(in crate::files) fn link(&self, name: &OsStr) -> io::Result<PathBuf> {
        fs::read_link(self.at(name)?)
    }

    /// Whether a link is one to a folder.
    pub(in crate::files) fn leads_to_folder(&self, name: &OsStr) -> bool {
        self.at(name).and_then(fs::symlink_metadata).is_ok_and(|metadata| metadata.file_type().is_symlink_dir())
    }

    /// Makes a link, which leads to a folder or to a file.
    pub(in crate::files) fn create_link(&self, target: &Path, name: &OsStr, folder: bool) -> io::Result<()> {
        let path = self.at(name)?;
        if folder { std::os::windows::fs::symlink_dir(target, path) } else { std::os::windows::fs::symlink_file(target, path) }
    }

    /// Removes whatever it is but a folder.
    pub(in crate::files) fn remove(&self, name: &OsStr) -> io::Result<()> {
        let path = self.at(name)?;
        if fs::symlink_metadata(&path)?.file_type().is_symlink_dir() { fs::remove_dir(path) } else { fs::remove_file(path) }
    }

    /// Removes a folder that is empty.
    pub(in crate::files) fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_dir(self.at(name)?)
    }

    /// Gives something another name. What has that name goes.
    pub(in crate::files) fn rename_over(&self, name: &OsStr, to: &Self, to_name: &OsStr) -> io::Result<()> {
        fs::rename(self.at(name)?, to.at(to_name)?)
    }

    /// Gives something another name that nothing has: else an error of kind `AlreadyExists`.
    pub(in crate::files) fn rename_new(&self, name: &OsStr, to: &Self, to_name: &OsStr) -> io::Result<()> {
        let (from, path) = (self.at(name)?, to.at(to_name)?);
        // What nobody may delete must not get a second name. While this is open, nobody can begin to forbid it.
        let mut options = OpenOptions::new();
        options.access_mode(DELETE).share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE);
        let deletable = options.custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT).open(&from)?;
        // A second name is never given to two things. Folders and poor file systems have none: what comes to be there at this moment would go.
        match fs::hard_link(&from, &path) {
            Ok(()) => {
                return fs::remove_file(from).inspect_err(|_| {
                    // It keeps the name that it had, and only that.
                    let _ = fs::remove_file(&path);
                });
            }
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => return Err(why),
            Err(_) => {}
        }
        drop(deletable);
        match fs::symlink_metadata(&path) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(why) if why.kind() == io::ErrorKind::NotFound => fs::rename(from, path),
            Err(why) => Err(why),
        }
    }

    /// The folder's own times and rights.
    pub(in crate::files) fn metadata(&self) -> io::Result<Metadata> {
        self.handle.metadata()
    }

    /// Gives it the rights of another, and its times too if `with_times`. Windows makes it durable by itself.
    pub(in crate::files) fn make_like(&self, other: &Metadata, with_times: bool) -> io::Result<()> {
        const FILE_WRITE_ATTRIBUTES: u32 = 0x100;
        let own = OpenOptions::new().access_mode(FILE_WRITE_ATTRIBUTES).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(&self.path)?;
        set_rights(&own, other)?;
        if with_times { own.set_times(times(other)) } else { Ok(()) }
    }

    /// Makes the names in it durable, which Windows does by itself.
    #[expect(clippy::unnecessary_wraps, reason = "as elsewhere")]
    pub(in crate::files) fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn at(&self, name: &OsStr) -> io::Result<PathBuf> {
        let text = name.to_string_lossy();
        if text.is_empty() || text == "." || text == ".." {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        match name_fault(&text) {
            Some(why) => Err(io::Error::new(io::ErrorKind::InvalidInput, why)),
            None => Ok(self.path.join(name)),
        }
    }
}
