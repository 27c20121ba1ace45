//! A directory as a handle that pins its path.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Kind, set_rights, times};
use crate::files::path::name_fault;

const FILE_SHARE_READ: u32 = 1;
const FILE_SHARE_WRITE: u32 = 2;
/// Opens folders too.
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
/// Opens a link itself.
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;

/// A directory held open. While it is, nobody can rename or delete it.
#[derive(Debug)]
pub(in crate::files) struct Folder {
    path: PathBuf,
    handle: File,
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
    /// Opens one by its path, whose last name is no link.
    pub(in crate::files) fn open(path: &Path) -> io::Result<Self> {
        let handle = pin(path)?;
        match kind(&handle.metadata()?) {
            Kind::Folder => Ok(Self { path: path.to_owned(), handle }),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// Opens the one of this name, which is no link.
    pub(in crate::files) fn folder(&self, name: &OsStr) -> io::Result<Self> {
        Self::open(&self.at(name)?)
    }

    /// What the name stands for.
    pub(in crate::files) fn kind(&self, name: &OsStr) -> io::Result<Kind> {
        Ok(kind(&fs::symlink_metadata(self.at(name)?)?))
    }

    /// Whether both names are one and the same thing.
    pub(in crate::files) fn same(&self, name: &OsStr, other: &Self, other_name: &OsStr) -> io::Result<bool> {
        let (path, other_path) = (self.at(name)?, other.at(other_name)?);
        if self.kind(name)? == Kind::Link || other.kind(other_name)? == Kind::Link {
            return Ok(path == other_path);
        }
        Ok(fs::canonicalize(path)? == fs::canonicalize(other_path)?)
    }

    /// Whether this is the directory at the path: always, for it pins it.
    pub(in crate::files) fn is_at(&self, path: &Path) -> io::Result<bool> {
        Ok(self.path == path)
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
        // A second name is never given to two things. Folders and poor file systems have none: what comes to be there at this moment would go.
        match fs::hard_link(&from, &path) {
            Ok(()) => return fs::remove_file(from),
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => return Err(why),
            Err(_) => {}
        }
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

    /// Gives it the rights of another, and its times too if `with_times`.
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
