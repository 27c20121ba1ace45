//! Deleting.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::error::FileError;
use super::folder::{Folder, Kind};
use super::own_name::{PART, fresh};
use super::place::Spot;
use super::turns::Stop;

/// So many folders are held open at once, one within the other.
const HELD: usize = 100;

/// Removes what is there: a folder with everything below it, however deep, and of a link only the link.
pub(super) fn any(spot: Spot<'_>, stop: &Stop) -> Result<(), FileError> {
    if spot.kind()? != Some(Kind::Folder) {
        return gone(spot.folder.remove(spot.name)).map_err(spot.failed("deleted"));
    }
    let (top, path) = (spot.open()?, spot.path());
    let mut deleting = Deleting { top: &top, brought_up: Vec::new(), stop };
    deleting.all_in(&top, &path, 1)?;
    while let Some(name) = deleting.brought_up.pop() {
        deleting.one(Spot { folder: &top, real: &path, name: &name }, 1)?;
    }
    drop(top);
    gone(spot.folder.remove_folder(spot.name)).map_err(spot.failed("deleted"))
}

struct Deleting<'a> {
    top: &'a Folder,
    /// Folders that lay too deep, by the names that they have in `top` now.
    brought_up: Vec<OsString>,
    stop: &'a Stop,
}

impl Deleting<'_> {
    fn all_in(&mut self, folder: &Folder, real: &Path, held: usize) -> Result<(), FileError> {
        for name in folder.names().map_err(FileError::io("read", real))? {
            self.one(Spot { folder, real, name: &name }, held)?;
        }
        Ok(())
    }

    fn one(&mut self, spot: Spot<'_>, held: usize) -> Result<(), FileError> {
        self.stop.check()?;
        match spot.kind()? {
            Some(Kind::Folder) if held >= HELD => {
                let name = fresh(PART);
                spot.folder.rename_new(spot.name, self.top, &name).map_err(spot.failed("deleted"))?;
                self.brought_up.push(name);
                Ok(())
            }
            Some(Kind::Folder) => {
                self.all_in(&spot.open()?, &spot.path(), held + 1)?;
                gone(spot.folder.remove_folder(spot.name)).map_err(spot.failed("deleted"))
            }
            Some(_) => gone(spot.folder.remove(spot.name)).map_err(spot.failed("deleted")),
            // Somebody else did it.
            None => Ok(()),
        }
    }
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|why| if why.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(why) })
}
