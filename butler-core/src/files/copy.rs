//! Copying a file.

use std::io::{self, BufWriter, Read};

use super::error::FileError;
use super::folder::{Kind, set_rights, times};
use super::part::Part;
use super::place::Spot;
use super::turns::Stop;

/// So much is copied before it is looked whether to go on.
const PIECE: u64 = 8 << 20;
const BUFFER: usize = 256 << 10;

/// How something is copied.
#[derive(Debug, Clone, Copy)]
pub(super) struct How<'a> {
    /// For messages.
    pub(super) operation: &'static str,
    pub(super) overwrite: bool,
    pub(super) with_times: bool,
    /// Links in a tree are made as they are, wherever they lead.
    pub(super) any_link: bool,
    /// What somebody is just making counts too, or was left by a crash.
    pub(super) unfinished: bool,
    pub(super) stop: &'a Stop,
}

/// Copies a file. The copy appears when it is whole and on the disk. If its name is taken and is to stay so, `None`; else how many bytes there were.
pub(super) fn file(from: Spot<'_>, to: Spot<'_>, how: How<'_>) -> Result<Option<u64>, FileError> {
    if taken(to, Kind::File)?.is_some() && !how.overwrite {
        return Ok(None);
    }
    let mut source = from.folder.read(from.name).map_err(|why| match why.kind() {
        io::ErrorKind::InvalidInput => from.wrong(NEITHER),
        _ => from.failed("read")(why),
    })?;
    let metadata = source.metadata().map_err(from.failed("read"))?;
    let (part, file) = Part::file(to.folder).map_err(to.failed("written"))?;
    let mut writer = BufWriter::with_capacity(BUFFER, file);
    let mut bytes = 0;
    loop {
        how.stop.check()?;
        match io::copy(&mut source.by_ref().take(PIECE), &mut writer).map_err(|why| failed(from, to, why))? {
            0 => break,
            piece => bytes += piece,
        }
    }
    let file = writer.into_inner().map_err(|why| to.failed("written")(why.into_error()))?;
    let finish = || {
        if how.with_times {
            file.set_times(times(&metadata))?;
        }
        set_rights(&file, &metadata)?;
        file.sync_all()
    };
    finish().map_err(to.failed("written"))?;
    drop(file);
    let put = if how.overwrite { part.put_over(to.name).map(|()| true) } else { part.put_new(to.name) };
    Ok(put.map_err(to.failed("written"))?.then_some(bytes))
}

/// The system does not say whether reading or writing failed, unless only one of them can fail like that.
fn failed(from: Spot<'_>, to: Spot<'_>, why: io::Error) -> FileError {
    match why.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => to.failed("written")(why),
        _ => from.failed("copied")(why),
    }
}

pub(super) const NEITHER: &str = "is neither a file nor a directory";

/// What is at the place of a copy. A file can't take the place of a folder, nor the other way round.
pub(super) fn taken(to: Spot<'_>, kind: Kind) -> Result<Option<Kind>, FileError> {
    match (kind, to.kind()?) {
        (Kind::Folder, Some(Kind::File | Kind::Link | Kind::Other)) => Err(to.wrong("is no directory")),
        (Kind::File | Kind::Link | Kind::Other, Some(Kind::Folder)) => Err(to.wrong("is a directory")),
        (_, there) => Ok(there),
    }
}
