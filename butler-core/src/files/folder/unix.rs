//! A directory as a descriptor.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, linkat, symlinkat, unlinkat};

use super::{Kind, set_rights, times};

/// Going through a directory needs no right to read it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const PASS: OFlag = OFlag::O_PATH;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const PASS: OFlag = OFlag::O_RDONLY;

/// A directory held open.
#[derive(Debug)]
pub(in crate::files) struct Folder {
    descriptor: OwnedFd,
}

fn flags(flags: OFlag) -> OFlag {
    flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW
}

impl Folder {
    /// Opens one by its path, whose last name is no link.
    pub(in crate::files) fn open(path: &Path) -> io::Result<Self> {
        let descriptor = nix::fcntl::open(path, flags(PASS | OFlag::O_DIRECTORY), Mode::empty())?;
        Ok(Self { descriptor })
    }

    /// Opens the one of this name, which is no link.
    pub(in crate::files) fn folder(&self, name: &OsStr) -> io::Result<Self> {
        Ok(Self { descriptor: openat(&self.descriptor, one(name)?, flags(PASS | OFlag::O_DIRECTORY), Mode::empty())? })
    }

    /// What the name stands for.
    pub(in crate::files) fn kind(&self, name: &OsStr) -> io::Result<Kind> {
        let stat = self.stat(name)?;
        Ok(match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
            SFlag::S_IFREG => Kind::File,
            SFlag::S_IFDIR => Kind::Folder,
            SFlag::S_IFLNK => Kind::Link,
            _ => Kind::Other,
        })
    }

    /// Whether both names are one and the same thing.
    pub(in crate::files) fn same(&self, name: &OsStr, other: &Self, other_name: &OsStr) -> io::Result<bool> {
        let (one, other) = (self.stat(name)?, other.stat(other_name)?);
        Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
    }

    /// Whether this is the directory at the path, or another one that was there.
    pub(in crate::files) fn is_at(&self, path: &Path) -> io::Result<bool> {
        let (one, other) = (fstat(&self.descriptor)?, nix::sys::stat::lstat(path)?);
        Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
    }

    /// Whether this is one of the other's.
    pub(in crate::files) fn is(&self, other: &Self) -> io::Result<bool> {
        let (one, other) = (fstat(&self.descriptor)?, fstat(&other.descriptor)?);
        Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
    }

    /// All names.
    pub(in crate::files) fn names(&self) -> io::Result<Vec<OsString>> {
        let descriptor = openat(&self.descriptor, ".", flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY), Mode::empty())?;
        let mut names = Vec::new();
        for entry in Dir::from_fd(descriptor)?.iter() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    /// Opens a file to read it. A pipe is not waited for; what is no file is an error of kind `InvalidInput`.
    pub(in crate::files) fn read(&self, name: &OsStr) -> io::Result<File> {
        let descriptor = openat(&self.descriptor, one(name)?, flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK), Mode::empty())?;
        let file = File::from(descriptor);
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
        }
        Ok(file)
    }

    /// Makes a new file, which nobody else may read yet.
    pub(in crate::files) fn create(&self, name: &OsStr) -> io::Result<File> {
        let new = flags(OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL);
        Ok(openat(&self.descriptor, one(name)?, new, Mode::S_IRUSR | Mode::S_IWUSR)?.into())
    }

    /// Makes a new folder.
    pub(in crate::files) fn create_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(mkdirat(&self.descriptor, one(name)?, Mode::S_IRWXU | Mode::S_IRWXG | Mode::S_IRWXO)?)
    }

    /// Where a link leads to, as it says itself.
    pub(in crate::files) fn link(&self, name: &OsStr) -> io::Result<PathBuf> {
        Ok(readlinkat(&self.descriptor, one(name)?)?.into())
    }

    /// Whether a link is one to a folder, where there is a difference.
    pub(in crate::files) fn leads_to_folder(&self, _name: &OsStr) -> bool {
        false
    }

    /// Makes a link. Whether it leads to a folder matters on Windows only.
    pub(in crate::files) fn create_link(&self, target: &Path, name: &OsStr, _folder: bool) -> io::Result<()> {
        Ok(symlinkat(target, &self.descriptor, one(name)?)?)
    }

    /// Removes whatever it is but a folder.
    pub(in crate::files) fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.descriptor, one(name)?, UnlinkatFlags::NoRemoveDir)?)
    }

    /// Removes a folder that is empty.
    pub(in crate::files) fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.descriptor, one(name)?, UnlinkatFlags::RemoveDir)?)
    }

    /// Gives something another name. What has that name goes.
    pub(in crate::files) fn rename_over(&self, name: &OsStr, to: &Self, to_name: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.descriptor, one(name)?, &to.descriptor, one(to_name)?)?)
    }

    /// Gives something another name that nothing has: else an error of kind `AlreadyExists`.
    pub(in crate::files) fn rename_new(&self, name: &OsStr, to: &Self, to_name: &OsStr) -> io::Result<()> {
        use nix::errno::Errno;
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        {
            use nix::fcntl::{RenameFlags, renameat2};
            match renameat2(&self.descriptor, one(name)?, &to.descriptor, one(to_name)?, RenameFlags::RENAME_NOREPLACE) {
                // The file system does not know it.
                Err(Errno::EINVAL | Errno::ENOSYS | Errno::ENOTSUP) => {}
                done => return Ok(done?),
            }
        }
        // A second name is never given to two things either. Folders and poor file systems have none: what comes to be there at this moment would go.
        match linkat(&self.descriptor, one(name)?, &to.descriptor, one(to_name)?, AtFlags::empty()) {
            Ok(()) => return self.remove(name),
            Err(Errno::EEXIST) => return Err(Errno::EEXIST.into()),
            Err(_) => {}
        }
        match to.stat(to_name) {
            Ok(_) => Err(Errno::EEXIST.into()),
            Err(why) if why.kind() == io::ErrorKind::NotFound => self.rename_over(name, to, to_name),
            Err(why) => Err(why),
        }
    }

    /// The folder's own times and rights.
    pub(in crate::files) fn metadata(&self) -> io::Result<Metadata> {
        self.reopened()?.metadata()
    }

    /// Gives it the rights of another, and its times too if `with_times`.
    pub(in crate::files) fn make_like(&self, other: &Metadata, with_times: bool) -> io::Result<()> {
        let own = self.reopened()?;
        set_rights(&own, other)?;
        if with_times { own.set_times(times(other)) } else { Ok(()) }
    }

    /// Makes the names in it durable.
    pub(in crate::files) fn sync(&self) -> io::Result<()> {
        self.reopened()?.sync_all()
    }

    fn reopened(&self) -> io::Result<File> {
        Ok(openat(&self.descriptor, ".", flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY), Mode::empty())?.into())
    }

    fn stat(&self, name: &OsStr) -> io::Result<FileStat> {
        Ok(fstatat(&self.descriptor, one(name)?, AtFlags::AT_SYMLINK_NOFOLLOW)?)
    }
}

/// The name, if it is a single one.
fn one(name: &OsStr) -> io::Result<&OsStr> {
    match name.as_bytes() {
        b"" | b"." | b".." => Err(io::ErrorKind::InvalidInput.into()),
        bytes if bytes.contains(&b'/') => Err(io::ErrorKind::InvalidInput.into()),
        _ => Ok(name),
    }
}
