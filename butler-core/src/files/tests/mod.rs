#[cfg(target_os = "linux")]
mod across;
mod copying;
mod creating;
mod deleting;
mod escape;
mod moving;
mod names;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod race;
mod stopping;

use std::fs;
use std::path::{Path, PathBuf};

use super::testing::{SECRET, Yard};
use super::*;

impl Yard {
    /// Everything below, sorted, directories with a slash at their end.
    fn names(&self, path: &str) -> Vec<String> {
        fn walk(top: &Path, folder: &Path, names: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let name = entry.path().strip_prefix(top).unwrap().display().to_string().replace('\\', "/");
                if entry.file_type().unwrap().is_dir() {
                    names.push(format!("{name}/"));
                    walk(top, &entry.path(), names);
                } else {
                    names.push(name);
                }
            }
        }
        let mut names = Vec::new();
        walk(&self.at(path), &self.at(path), &mut names);
        names.sort();
        names
    }

    fn copying(&self, from: &str, to: &str) -> CopyRequest {
        CopyRequest { from: self.text(from), to: self.text(to), ..CopyRequest::default() }
    }

    async fn copy(&self, from: &str, to: &str) -> Result<CopyReceipt, FileError> {
        self.files.copy(self.copying(from, to)).await
    }

    async fn move_to(&self, from: &str, to: &str, overwrite: bool) -> Result<MoveReceipt, FileError> {
        self.files.move_to(MoveRequest { from: self.text(from), to: self.text(to), overwrite }).await
    }

    async fn delete(&self, path: &str) -> Result<DeleteReceipt, FileError> {
        self.files.delete(DeleteRequest { path: self.text(path) }).await
    }
}

fn why<T: std::fmt::Debug>(result: Result<T, FileError>) -> Refusal {
    match result {
        Err(FileError::NotApproved { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}
