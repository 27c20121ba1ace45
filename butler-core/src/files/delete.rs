//! Deleting.

use std::io;

use super::error::FileError;
use super::folder::Kind;
use super::place::Spot;
use super::tree::{DEEPEST, TOO_DEEP};
use super::turns::Stop;

/// Removes what is there: a folder with everything below it, and of a link only the link.
pub(super) fn any(spot: Spot<'_>, stop: &Stop) -> Result<(), FileError> {
    remove(spot, 0, stop)
}

fn remove(spot: Spot<'_>, depth: usize, stop: &Stop) -> Result<(), FileError> {
    stop.check()?;
    match spot.kind()? {
        Some(Kind::Folder) => {}
        Some(_) => return gone(spot.folder.remove(spot.name)).map_err(spot.failed("deleted")),
        // Somebody else did it.
        None => return Ok(()),
    }
    if depth >= DEEPEST {
        return Err(spot.wrong(TOO_DEEP));
    }
    let folder = spot.open()?;
    let path = spot.path();
    for name in folder.names().map_err(spot.failed("read"))? {
        remove(Spot { folder: &folder, real: &path, name: &name }, depth + 1, stop)?;
    }
    drop(folder);
    gone(spot.folder.remove_folder(spot.name)).map_err(spot.failed("deleted"))
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|why| if why.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(why) })
}
