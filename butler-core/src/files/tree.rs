//! Copying a directory with everything below it.

use std::io;
use std::path::{Component, Path, PathBuf};

use super::copy::{self, How, NEITHER, taken};
use super::error::{FileError, Refusal};
use super::folder::{Folder, Kind};
use super::own_name::PART;
use super::part::Part;
use super::place::Spot;

/// Each level of a tree holds a folder open on either side.
pub(super) const DEEPEST: usize = 100;
const TOO_DEEP: &str = "lies too deep; more than 100 directories are not gone down";

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Copied {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// Sees that a tree can be copied, so that one that can't is left alone: that it has no links that lead out of it, no pipes and devices, and is not too deep.
pub(super) fn look_through(from: Spot<'_>, how: How<'_>) -> Result<(), FileError> {
    let folder = from.open()?;
    look_at(&folder, &from.path(), 0, how)
}

fn look_at(folder: &Folder, real: &Path, depth: usize, how: How<'_>) -> Result<(), FileError> {
    for_each(folder, real, depth, how, |spot, kind| match kind {
        Kind::File => Ok(()),
        Kind::Folder => look_at(&spot.open()?, &spot.path(), depth + 1, how),
        Kind::Link => link_target(spot, depth, how).map(drop),
        Kind::Other => Err(spot.wrong(NEITHER)),
    })
}

/// Copies a tree into a folder, which is made if it is not there. Files that are there stay, unless they may be overwritten.
pub(super) fn copy(from: Spot<'_>, to: Spot<'_>, how: How<'_>) -> Result<Copied, FileError> {
    let (source, (target, made)) = (from.open()?, make(to)?);
    let mut copying = Copying { how, top: &target, copied: Copied::default() };
    copying.folder(&source, &from.path(), &target, &to.path(), 0)?;
    if made {
        finish(&source, from, &target, to, how)?;
    }
    Ok(copying.copied)
}

struct Copying<'a> {
    how: How<'a>,
    /// Where the source can be reached by another path the destination could be met again.
    top: &'a Folder,
    copied: Copied,
}

impl Copying<'_> {
    fn folder(&mut self, from: &Folder, from_real: &Path, to: &Folder, to_real: &Path, depth: usize) -> Result<(), FileError> {
        let how = self.how;
        for_each(from, from_real, depth, how, |spot, kind| {
            let target = Spot { folder: to, real: to_real, name: spot.name };
            match kind {
                Kind::File => {
                    if let Some(bytes) = copy::file(spot, target, how)? {
                        self.copied.files += 1;
                        self.copied.bytes += bytes;
                    }
                    Ok(())
                }
                Kind::Folder => {
                    let source = spot.open()?;
                    if source.is(self.top).map_err(spot.failed("looked at"))? {
                        return Err(FileError::Within { from: from_real.display().to_string(), to: spot.path().display().to_string() });
                    }
                    let (folder, made) = make(target)?;
                    self.folder(&source, &spot.path(), &folder, &target.path(), depth + 1)?;
                    if made { finish(&source, spot, &folder, target, how) } else { Ok(()) }
                }
                Kind::Link => link(spot, target, depth, how),
                Kind::Other => Err(spot.wrong(NEITHER)),
            }
        })
    }
}

/// Does something with everything in a folder; of what somebody is just making there, only if that counts.
pub(super) fn for_each(
    folder: &Folder,
    real: &Path,
    depth: usize,
    how: How<'_>,
    mut each: impl FnMut(Spot<'_>, Kind) -> Result<(), FileError>,
) -> Result<(), FileError> {
    if depth >= DEEPEST {
        return Err(FileError::WrongKind { path: real.display().to_string(), why: TOO_DEEP });
    }
    for name in folder.names().map_err(FileError::io("read", real))? {
        how.stop.check()?;
        let spot = Spot { folder, real, name: &name };
        if !how.unfinished && name.to_string_lossy().starts_with(PART) {
            continue;
        }
        // What went in the meantime is not copied.
        if let Some(kind) = spot.kind()? {
            each(spot, kind)?;
        }
    }
    Ok(())
}

/// Opens a folder, and says whether it had to be made.
fn make(to: Spot<'_>) -> Result<(Folder, bool), FileError> {
    let made = match to.folder.create_folder(to.name) {
        Ok(()) => true,
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {
            taken(to, Kind::Folder)?;
            false
        }
        Err(why) => return Err(to.failed("created")(why)),
    };
    Ok((to.open()?, made))
}

/// Rights and times come last, and that it is on the disk: the rights may forbid what was done, and what was done changed the times.
fn finish(source: &Folder, from: Spot<'_>, folder: &Folder, to: Spot<'_>, how: How<'_>) -> Result<(), FileError> {
    let like = source.metadata().map_err(from.failed("read"))?;
    folder.make_like(&like, how.with_times).map_err(to.failed("written"))
}

pub(super) fn link(from: Spot<'_>, to: Spot<'_>, depth: usize, how: How<'_>) -> Result<(), FileError> {
    let target = link_target(from, depth, how)?;
    if taken(to, Kind::Link)?.is_some() && !how.overwrite {
        return Ok(());
    }
    let part = Part::named(to.folder);
    to.folder.create_link(&target, part.name(), from.folder.leads_to_folder(from.name)).map_err(to.failed("written"))?;
    let put = if how.overwrite { part.put_over(to.name) } else { part.put_new(to.name).map(drop) };
    put.map_err(to.failed("written"))
}

fn link_target(link: Spot<'_>, depth: usize, how: How<'_>) -> Result<PathBuf, FileError> {
    let target = link.folder.link(link.name).map_err(link.failed("read"))?;
    if how.any_link || stays_within(&target, depth) {
        return Ok(target);
    }
    Err(FileError::NotApproved { operation: how.operation, what: format!("`{}`", link.path().display()), why: Refusal::LeadsOut })
}

/// Whether a link `depth` folders below the top of a tree leads to something in the tree, whatever other such links it passes.
fn stays_within(target: &Path, depth: usize) -> bool {
    let mut climbed = 0;
    let mut below = false;
    target.components().all(|component| match component {
        Component::ParentDir => {
            climbed += 1;
            // After a name it could climb from wherever another link leads.
            !below && climbed <= depth
        }
        Component::Normal(_) => {
            below = true;
            true
        }
        Component::CurDir => true,
        Component::RootDir | Component::Prefix(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_could_leave_its_tree_is_known_by_its_text() {
        for (target, depth) in [("a", 0), ("a/b", 0), ("../a", 1), ("../../a", 2), ("./a", 0), (".", 0), ("..", 1)] {
            assert!(stays_within(Path::new(target), depth), "{target}");
        }
        for (target, depth) in [("..", 0), ("../a", 0), ("../../a", 1), ("/a", 5), ("a/..", 5), ("a/../../b", 1), ("../a/../b", 3)] {
            assert!(!stays_within(Path::new(target), depth), "{target}");
        }
    }
}
