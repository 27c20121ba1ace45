//! A file or folder that appears under its name only when it is whole.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::Path;

use super::delete;
use super::folder::Folder;
use super::own_name::{PART, fresh};
use super::place::Spot;
use super::turns::Stop;

/// A name of its own in a folder. What has it is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Part<'a> {
    folder: &'a Folder,
    name: OsString,
    gone: bool,
}

impl<'a> Part<'a> {
    /// A name that nothing has; nothing is made yet.
    pub(super) fn named(folder: &'a Folder) -> Self {
        Self { folder, name: fresh(PART), gone: false }
    }

    /// An empty file.
    pub(super) fn file(folder: &'a Folder) -> io::Result<(Self, File)> {
        let mut part = Self::named(folder);
        // Until it is made, whatever has the name is somebody else's.
        part.keep();
        let file = folder.create(&part.name)?;
        part.gone = false;
        Ok((part, file))
    }

    pub(super) fn name(&self) -> &OsStr {
        &self.name
    }

    /// It has its name, and is not removed any more.
    pub(super) fn keep(&mut self) {
        self.gone = true;
    }

    /// Gives it its name, over whatever has that.
    pub(super) fn put_over(mut self, name: &OsStr) -> io::Result<()> {
        self.folder.rename_over(&self.name, self.folder, name)?;
        self.keep();
        Ok(())
    }

    /// Gives it its name, unless something has that: then it goes, and the result is `false`.
    pub(super) fn put_new(mut self, name: &OsStr) -> io::Result<bool> {
        match self.folder.rename_new(&self.name, self.folder, name) {
            Ok(()) => {
                self.keep();
                Ok(true)
            }
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(why) => Err(why),
        }
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if !self.gone {
            // What can't be removed is still recognised by its name.
            let _ = delete::any(Spot { folder: self.folder, real: Path::new(""), name: &self.name }, &Stop::default());
        }
    }
}
