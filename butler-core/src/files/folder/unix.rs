//! A directory as a descriptor.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat, renameat};
use nix::libc;
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

/// What changes with a file or link when it is written to or becomes another one.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::files) struct State {
    is: (libc::dev_t, libc::ino_t),
    size: libc::off_t,
    modified: (libc::time_t, libc::c_long),
}

fn flags(flags: OFlag) -> OFlag {
    flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW
}

impl Folder {
    /// Opens one by its whole path, none of whose names is a link: one name after the other, so that no link is followed that comes to be there meanwhile.
    pub(in crate::files) fn open(path: &Path) -> io::Result<Self> {
        let mut folder = Self { descriptor: nix::fcntl::open("/", flags(PASS | OFlag::O_DIRECTORY), Mode::empty())? };
        let mut components = path.components();
        if components.next() != Some(Component::RootDir) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        for name in components {
            folder = folder.folder(name.as_os_str())?;
        }
        Ok(folder)
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

    /// How what has the name is just now.
    pub(in crate::files) fn state(&self, name: &OsStr) -> io::Result<State> {
        let stat = self.stat(name)?;
        Ok(State { is: (stat.st_dev, stat.st_ino), size: stat.st_size, modified: (stat.st_mtime, stat.st_mtime_nsec) })
    }

    /// Whether both names are one and the same thing.
    pub(in crate::files) fn same(&self, name: &OsStr, other: &Self, other_name: &OsStr) -> io::Result<bool> {
        let (one, other) = (self.stat(name)?, other.stat(other_name)?);
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
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        {
            use nix::fcntl::{RenameFlags, renameat2};
            match renameat2(&self.descriptor, one(name)?, &to.descriptor, one(to_name)?, RenameFlags::RENAME_NOREPLACE) {
                // The file system does not know it.
                Err(Errno::EINVAL | Errno::ENOSYS | Errno::ENOTSUP) => {}
                done => return Ok(done?),
            }
        }
        self.rename_by_link(name, to, to_name)
    }

    /// The same by way of a second name, which is never given to two things either. Folders and poor file systems have none: what comes to be there at this
    /// moment would go.
    pub(in crate::files) fn rename_by_link(&self, name: &OsStr, to: &Self, to_name: &OsStr) -> io::Result<()> {
        match linkat(&self.descriptor, one(name)?, &to.descriptor, one(to_name)?, AtFlags::empty()) {
            Ok(()) => {
                return self.remove(name).inspect_err(|_| {
                    // It keeps the name that it had, and only that.
                    if self.same(name, to, to_name).is_ok_and(|same| same) {
                        let _ = to.remove(to_name);
                    }
                });
            }
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

    /// Gives it the rights of another, and its times too if `with_times`, and makes it and the names in it durable.
    pub(in crate::files) fn make_like(&self, other: &Metadata, with_times: bool) -> io::Result<()> {
        let own = self.reopened()?;
        set_rights(&own, other)?;
        if with_times {
            own.set_times(times(other))?;
        }
        durable(&own)
    }

    /// Makes the names in it durable.
    pub(in crate::files) fn sync(&self) -> io::Result<()> {
        durable(&self.reopened()?)
    }

    fn reopened(&self) -> io::Result<File> {
        Ok(openat(&self.descriptor, ".", flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY), Mode::empty())?.into())
    }

    fn stat(&self, name: &OsStr) -> io::Result<FileStat> {
        Ok(fstatat(&self.descriptor, one(name)?, AtFlags::AT_SYMLINK_NOFOLLOW)?)
    }
}

/// Some file systems can't be asked for that, and say that it makes no sense.
fn durable(folder: &File) -> io::Result<()> {
    folder.sync_all().or_else(|why| if why.kind() == io::ErrorKind::InvalidInput { Ok(()) } else { Err(why) })
}

/// The name, if it is a single one.
fn one(name: &OsStr) -> io::Result<&OsStr> {
    match name.as_bytes() {
        b"" | b"." | b".." => Err(io::ErrorKind::InvalidInput.into()),
        bytes if bytes.contains(&b'/') => Err(io::ErrorKind::InvalidInput.into()),
        _ => Ok(name),
    }
}
