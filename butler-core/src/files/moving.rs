//! Moving.

use std::io;

use super::aside::Aside;
use super::copy::{self, How};
use super::error::FileError;
use super::folder::Kind;
use super::part::Part;
use super::place::Spot;
use super::snapshot::Snapshot;
use super::{delete, tree};

/// Brings something of the first kind to where something of the second kind is, which goes, or to where nothing is.
pub(super) fn to(from: Spot<'_>, to: Spot<'_>, kinds: (Kind, Option<Kind>), how: How<'_>) -> Result<(), FileError> {
    match rename(from, to, kinds, how) {
        Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::CrossesDevices => across(from, to, kinds, how),
        done => done,
    }
}

/// Within a file system. If a directory goes, or takes the place of a file, the place is empty for a moment.
fn rename(from: Spot<'_>, to: Spot<'_>, kinds: (Kind, Option<Kind>), how: How<'_>) -> Result<(), FileError> {
    let to_new = || {
        from.folder.rename_new(from.name, to.folder, to.name).map_err(|why| match why.kind() {
            io::ErrorKind::AlreadyExists => FileError::Exists { path: to.path().display().to_string() },
            _ => from.failed("moved")(why),
        })
    };
    match kinds {
        (_, None) => to_new(),
        (Kind::Folder, Some(_)) | (_, Some(Kind::Folder)) => {
            let old = Aside::of(to)?;
            if let Err(why) = to_new() {
                old.put_back();
                return Err(why);
            }
            // It goes when what took its place can't get lost any more.
            old.remove(|old| {
                to.folder.sync().map_err(to.failed("written"))?;
                delete::any(old, how.stop)
            });
            Ok(())
        }
        _ => from.folder.rename_over(from.name, to.folder, to.name).map_err(from.failed("moved")),
    }
}

/// To another file system: a copy, which appears when it is whole, on the disk, and that of a source which nobody changed in the meantime. Then the source
/// leaves its name, so that nobody takes what is left of it for the whole. With that the move is done; that the source is deleted comes after it.
fn across(from: Spot<'_>, to: Spot<'_>, kinds: (Kind, Option<Kind>), how: How<'_>) -> Result<(), FileError> {
    let before = Snapshot::of(from, how)?;
    let mut part = Part::named(to.folder);
    let name = part.name().to_owned();
    let copied = to.named(&name);
    match kinds.0 {
        Kind::Folder => drop(tree::copy(from, copied, how)?),
        Kind::Link => tree::link(from, copied, 0, how)?,
        Kind::File | Kind::Other => drop(copy::file(from, copied, how)?),
    }
    before.check(from, how)?;
    rename(copied, to, kinds, how)?;
    part.keep();
    to.folder.sync().map_err(to.failed("written"))?;
    let source = Aside::of(from)?;
    // Whoever wrote to it until now did so by its name, under which it is no more.
    if let Err(why) = before.check(source.spot(), how) {
        source.put_back();
        return Err(why);
    }
    source.remove(|source| before.remove(source, how.stop));
    Ok(())
}
