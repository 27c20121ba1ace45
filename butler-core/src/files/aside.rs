//! What has to leave its name, and must not be lost.

use std::ffi::OsString;

use super::error::FileError;
use super::one_line;
use super::own_name::{KEPT, fresh};
use super::place::Spot;

/// Something that has another name in its folder for a while. Nothing but [`remove`](Self::remove) removes it.
#[derive(Debug)]
pub(super) struct Aside<'a> {
    was: Spot<'a>,
    name: OsString,
}

impl<'a> Aside<'a> {
    pub(super) fn of(spot: Spot<'a>) -> Result<Self, FileError> {
        let name = fresh(KEPT);
        spot.folder.rename_new(spot.name, spot.folder, &name).map_err(spot.failed("moved aside"))?;
        Ok(Self { was: spot, name })
    }

    /// Where it is now.
    pub(super) fn spot(&self) -> Spot<'_> {
        self.was.named(&self.name)
    }

    /// Gives it its name again. If something else has that by now, both stay.
    pub(super) fn put_back(self) {
        if let Err(error) = self.was.folder.rename_new(&self.name, self.was.folder, self.was.name) {
            let (path, kept) = self.paths();
            tracing::error!(path, kept, %error, "Files: what was moved aside could not be put back; it is kept under its other name.");
        }
    }

    /// Removes it. What can't be removed is kept: this comes after what was asked for, which is done.
    pub(super) fn remove(self, remove: impl FnOnce(Spot<'_>) -> Result<(), FileError>) {
        if let Err(error) = remove(self.spot()) {
            let ((path, kept), error) = (self.paths(), one_line(&error.to_string()));
            tracing::warn!(
                path,
                kept,
                error,
                "Files: what was moved or overwritten could not be deleted as a whole; the rest is kept under another name."
            );
        }
    }

    fn paths(&self) -> (String, String) {
        let shown = |spot: Spot<'_>| one_line(&spot.path().display().to_string());
        (shown(self.was), shown(self.spot()))
    }
}
