//! Moving.

use std::io;

use super::copy::{self, How};
use super::error::FileError;
use super::folder::Kind;
use super::part::Part;
use super::place::Spot;
use super::{delete, tree};

/// Brings something to where nothing is.
pub(super) fn to_new(from: Spot<'_>, to: Spot<'_>, how: How<'_>) -> Result<(), FileError> {
    match from.folder.rename_new(from.name, to.folder, to.name) {
        Err(why) if why.kind() == io::ErrorKind::CrossesDevices => across(from, to, how),
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => Err(FileError::Exists { path: to.path().display().to_string() }),
        done => done.map_err(from.failed("moved")),
    }
}

/// Brings something to where something else is, which goes. If a directory goes, or takes the place of a file, the place is empty for a moment.
pub(super) fn over(from: Spot<'_>, to: Spot<'_>, kinds: (Kind, Kind), how: How<'_>) -> Result<(), FileError> {
    if kinds.0 != Kind::Folder && kinds.1 != Kind::Folder {
        return match from.folder.rename_over(from.name, to.folder, to.name) {
            Err(why) if why.kind() == io::ErrorKind::CrossesDevices => across(from, to, how),
            done => done.map_err(from.failed("moved")),
        };
    }
    let aside = Part::named(to.folder);
    to.folder.rename_over(to.name, to.folder, aside.name()).map_err(to.failed("overwritten"))?;
    match to_new(from, to, how) {
        Ok(()) => Ok(()),
        Err(why) => {
            // What can't be put back is kept under the name that it has now.
            let back = aside.put_new(to.name);
            if let Err(error) = back {
                tracing::error!(path = %to.path().display(), %error, "What was there could not be put back after a move that failed.");
            }
            Err(why)
        }
    }
}

/// To another file system: a copy, which appears when it is whole and on the disk, and only then the original goes.
fn across(from: Spot<'_>, to: Spot<'_>, how: How<'_>) -> Result<(), FileError> {
    let exists = || FileError::Exists { path: to.path().display().to_string() };
    match from.kind()? {
        None => return Err(FileError::Missing { path: from.path().display().to_string() }),
        Some(Kind::File | Kind::Other) => {
            copy::file(from, to, how)?.ok_or_else(exists)?;
        }
        Some(kind) => {
            let part = Part::named(to.folder);
            let name = part.name().to_owned();
            match kind {
                Kind::Folder => drop(tree::copy(from, to.named(&name), how)?),
                _ => tree::link(from, to.named(&name), 0, how)?,
            }
            let put = if how.overwrite && kind == Kind::Link { part.put_over(to.name).map(|()| true) } else { part.put_new(to.name) };
            if !put.map_err(to.failed("written"))? {
                return Err(exists());
            }
        }
    }
    to.folder.sync().map_err(to.failed("written"))?;
    delete::any(from, how.stop)
}
