//! One process holds the file.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// Held as long as the store is open: no other process opens the file meanwhile.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let unavailable = |why: std::io::Error| StoreError::Unavailable {
            path: path.to_owned(),
            doing: "opened",
            why: why.to_string(),
            remedy: "Make sure that its folder exists and that this user may write there, or set `[store] path`",
        };
        // The holder's number stands in a file of its own: where locks are mandatory, as on Windows, nobody else can read the one that is locked.
        let (lock, holder) = (beside(path, "lock"), beside(path, "pid"));
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&lock).map_err(unavailable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // Whoever it is: without its number the message is still true.
                let number = std::fs::read_to_string(&holder).unwrap_or_default();
                let holder = if number.trim().is_empty() { "unknown".into() } else { number.trim().to_owned() };
                return Err(StoreError::Held { path: path.to_owned(), holder });
            }
            Err(TryLockError::Error(why)) => return Err(unavailable(why)),
        }
        std::fs::write(&holder, std::process::id().to_string()).map_err(unavailable)?;
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The system gives the lock back with the file in any case.
        let _ = self.file.unlock();
    }
}

/// A file beside the database: `butler.db.lock`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}
