//! A file that appears at its place only when it is whole and durable.

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::event::DeliveryId;
use crate::sink::{DeliveryError, Reason};

/// A file that is being written, beside its place. Dropped before it is finished it is removed.
#[derive(Debug)]
pub(super) struct NewFile {
    file: Option<File>,
    folder: PathBuf,
    part: PathBuf,
    place: PathBuf,
    lines: Lines,
    bytes: u64,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

impl NewFile {
    /// Opens it, and makes its folder. `name` is a folder and a file; `key` keeps attempts of different deliveries apart.
    pub(super) async fn create(root: &Path, name: &str, key: DeliveryId) -> Result<Self, DeliveryError> {
        let place: PathBuf = root.join(name.split('/').collect::<PathBuf>());
        let folder = place.parent().unwrap_or(root).to_path_buf();
        let part = folder.join(format!(".{key}.part"));
        let file = async {
            tokio::fs::create_dir_all(&folder).await?;
            File::create(&part).await
        };
        let file = file.await.map_err(|why| refused(&folder, &why))?;
        Ok(Self { file: Some(file), folder, part, place, lines: Lines::default(), bytes: 0 })
    }

    /// Adds a piece.
    pub(super) async fn write(&mut self, piece: &[u8]) -> Result<(), DeliveryError> {
        let text = self.lines.take(piece);
        self.add(&text).await
    }

    /// Makes it durable, and puts it in its place.
    pub(super) async fn finish(mut self) -> Result<Written, DeliveryError> {
        let last = self.lines.rest();
        self.add(&last).await?;
        let Some(mut file) = self.file.take() else { return Err(refused(&self.folder, &io::Error::other("the file is closed"))) };
        let durable = async {
            file.flush().await?;
            file.sync_all().await?;
            drop(file);
            tokio::fs::rename(&self.part, &self.place).await?;
            sync_folder(&self.folder).await
        };
        durable.await.map_err(|why| refused(&self.folder, &why))?;
        // It is not there any more.
        self.part = PathBuf::new();
        Ok(Written { lines: self.lines.count(), bytes: self.bytes })
    }

    async fn add(&mut self, text: &[u8]) -> Result<(), DeliveryError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(text).await.map_err(|why| refused(&self.folder, &why))?;
        self.bytes += text.len() as u64;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.part.as_os_str().is_empty() {
            self.file = None;
            // What can't be removed is written over by the next attempt.
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

/// Sees whether files can be made in a folder.
pub(super) async fn try_folder(folder: &Path) -> Result<(), DeliveryError> {
    let attempt = async {
        tokio::fs::create_dir_all(folder).await?;
        let part = folder.join(format!(".{}.part", uuid::Uuid::new_v4()));
        File::create(&part).await?;
        tokio::fs::remove_file(&part).await
    };
    attempt.await.map_err(|why| refused(folder, &why))
}

/// A full disk, a missing right: they pass when somebody sees to it.
fn refused(folder: &Path, why: &io::Error) -> DeliveryError {
    let help = match why.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room there, or name another `folder`",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "give Butler's user the right to write there, or name another `folder`"
        }
        _ => "see that the folder can be made and written to, or name another `folder`",
    };
    DeliveryError::transient(Reason::ServerError, format!("can't write to `{}`: {why}; {help}", folder.display()))
}

/// Makes a new name durable. Windows does that by itself, and opens no folders as files.
async fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder).await?.sync_all().await?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Ends lines in LF instead of CRLF, leaves a byte order mark away, and counts.
#[derive(Debug, Default)]
struct Lines {
    /// Bytes that may be half of something.
    held: Vec<u8>,
    begun: bool,
    ends: u64,
    open: bool,
}

impl Lines {
    /// What can be written once this piece has come.
    fn take(&mut self, piece: &[u8]) -> Vec<u8> {
        const MARK: &[u8] = "\u{feff}".as_bytes();
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(piece);
        if !self.begun {
            if bytes.len() < MARK.len() && MARK.starts_with(&bytes) {
                self.held = bytes;
                return Vec::new();
            }
            self.begun = true;
            if bytes.starts_with(MARK) {
                bytes.drain(..MARK.len());
            }
        }
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
            self.held.push(b'\r');
        }
        let mut text = Vec::with_capacity(bytes.len());
        for (index, byte) in bytes.iter().enumerate() {
            if *byte == b'\r' && bytes.get(index + 1) == Some(&b'\n') {
                continue;
            }
            self.ends += u64::from(*byte == b'\n');
            text.push(*byte);
        }
        if let Some(last) = text.last().or(self.held.last()) {
            self.open = *last != b'\n';
        }
        text
    }

    /// What is left at the end.
    fn rest(&mut self) -> Vec<u8> {
        self.open |= !self.held.is_empty();
        std::mem::take(&mut self.held)
    }

    fn count(&self) -> u64 {
        self.ends + u64::from(self.open)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(pieces: &[&[u8]]) -> (Vec<u8>, u64) {
        let mut lines = Lines::default();
        let mut text: Vec<u8> = pieces.iter().flat_map(|piece| lines.take(piece)).collect();
        text.extend(lines.rest());
        (text, lines.count())
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "(\u{feff})?[ab\r\n]{0,20}", cuts in prop::collection::vec(0_usize..30, 0..6)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            let (written, count) = all(&pieces);
            let expected = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n");
            prop_assert_eq!(count, u64::try_from(expected.split_terminator('\n').count()).unwrap());
            prop_assert_eq!(String::from_utf8(written).unwrap(), expected);
        }
    }
}
