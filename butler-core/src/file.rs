//! Files that people write.
//!
//! Editors and shells of Windows like to put a byte order mark before UTF-8 text. It is no part of a password, a template or a certificate.

use std::io::{Error, ErrorKind, Result};
use std::path::Path;

/// The text of a file, without a byte order mark.
pub(crate) fn text(path: &Path) -> Result<String> {
    String::from_utf8(bytes(path)?).map_err(|error| Error::new(ErrorKind::InvalidData, error))
}

/// The bytes of a file, without a byte order mark.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>> {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    let mut bytes = std::fs::read(path)?;
    if bytes.starts_with(MARK) {
        bytes.drain(..MARK.len());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (written, read) in [("\u{feff}text\r\n", "text\r\n"), ("text", "text"), ("\u{feff}", ""), ("", "")] {
            std::fs::write(&path, written).unwrap();
            assert_eq!(text(&path).unwrap(), read);
        }
        std::fs::write(&path, b"\xff\xfet\0e\0").unwrap();
        assert_eq!(text(&path).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
