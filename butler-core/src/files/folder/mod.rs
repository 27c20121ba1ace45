//! A directory held open, and what can be done with the names in it.
//!
//! Everything on a disk is done through this, one name at a time: a [`Folder`] below another is opened by a single name, which is never a link. So no link leads anywhere,
//! and whoever exchanges a directory for a link in the meantime exchanges a name that nobody looks at any more.
//!
//! On Unix a folder is a descriptor, and everything goes by names below descriptors (`openat` and its kin). Windows knows these too, but Rust has no safe way
//! to them: there everything goes by paths, and a folder is a path with a handle that only serves to pin it. While it is open nobody may rename or delete the folder, nor, on
//! the file systems of Windows itself, what that lies in. These paths are the verbatim ones (`\\?\`), in which no name means anything but itself.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::ffi::OsStr;
use std::fs::FileTimes;
use std::io;

#[cfg(unix)]
pub(super) use unix::{Folder, State};
#[cfg(windows)]
pub(super) use windows::{Folder, State};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    /// A symbolic link, or what Windows has of the sort.
    Link,
    /// A pipe, a device, a socket.
    Other,
}

impl Folder {
    /// Makes a folder of this name, and its name durable, unless somebody else has made something of this name.
    pub(super) fn ensure(&self, name: &OsStr) -> io::Result<()> {
        match self.create_folder(name) {
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            made => made?,
        }
        match self.sync() {
            // Where only names may be put nobody can be asked for that.
            Err(why) if why.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            done => done,
        }
    }
}

/// The times of a file or folder that there are.
pub(super) fn times(metadata: &std::fs::Metadata) -> FileTimes {
    let times = metadata.accessed().map_or(FileTimes::new(), |time| FileTimes::new().set_accessed(time));
    metadata.modified().map_or(times, |time| times.set_modified(time))
}

/// Whether a copy may have these rights: never more than reading, writing and running, for a copy belongs to Butler.
#[cfg(unix)]
fn rights(metadata: &std::fs::Metadata) -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(metadata.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn rights(metadata: &std::fs::Metadata) -> std::fs::Permissions {
    metadata.permissions()
}

/// Gives a file the rights of another.
pub(super) fn set_rights(file: &std::fs::File, like: &std::fs::Metadata) -> io::Result<()> {
    file.set_permissions(rights(like))
}
