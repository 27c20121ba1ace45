//! What there was of something, to see whether it is still that.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::copy::{How, NEITHER};
use super::error::FileError;
use super::folder::{Kind, State};
use super::place::Spot;
use super::tree::for_each;
use super::turns::Stop;

/// A file or link, or a folder with everything below it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Snapshot {
    Single(State),
    Folder(BTreeMap<OsString, Snapshot>),
}

impl Snapshot {
    /// # Errors
    /// [`FileError::Missing`]; [`FileError::WrongKind`] for pipes, devices and what lies too deep; and what the system says.
    pub(super) fn of(spot: Spot<'_>, how: How<'_>) -> Result<Self, FileError> {
        Self::at(spot, 0, how)
    }

    fn at(spot: Spot<'_>, depth: usize, how: How<'_>) -> Result<Self, FileError> {
        match spot.kind()? {
            Some(Kind::Folder) => {
                let mut names = BTreeMap::new();
                for_each(&spot.open()?, &spot.path(), depth, how, |spot, _| {
                    names.insert(spot.name.to_owned(), Self::at(spot, depth + 1, how)?);
                    Ok(())
                })?;
                Ok(Self::Folder(names))
            }
            Some(Kind::File | Kind::Link) => Ok(Self::Single(spot.state()?)),
            Some(Kind::Other) => Err(spot.wrong(NEITHER)),
            None => Err(FileError::Missing { path: spot.path().display().to_string() }),
        }
    }

    /// Whether it is still the same.
    pub(super) fn check(&self, spot: Spot<'_>, how: How<'_>) -> Result<(), FileError> {
        if Self::of(spot, how)? == *self { Ok(()) } else { Err(changed(spot)) }
    }

    /// Removes what is in it and still the same, and nothing else.
    ///
    /// # Errors
    /// What was met first that is another thing by now, or can't be removed. It stays, with what holds it.
    pub(super) fn remove(&self, spot: Spot<'_>, stop: &Stop) -> Result<(), FileError> {
        stop.check()?;
        match self {
            Self::Single(state) if spot.state()? != *state => Err(changed(spot)),
            Self::Single(_) => spot.folder.remove(spot.name).map_err(spot.failed("deleted")),
            Self::Folder(names) => {
                let (folder, path) = (spot.open()?, spot.path());
                for (name, inner) in names {
                    inner.remove(Spot { folder: &folder, real: &path, name }, stop)?;
                }
                drop(folder);
                spot.folder.remove_folder(spot.name).map_err(spot.failed("deleted"))
            }
        }
    }
}

fn changed(spot: Spot<'_>) -> FileError {
    FileError::Changed { path: spot.path().display().to_string() }
}
