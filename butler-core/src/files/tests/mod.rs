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

use super::*;

/// A place with approved directories: `from` and `to` between which is copied and moved, `gone` below which is deleted, `qvd`; and `outside`, with a secret.
struct Yard {
    folder: tempfile::TempDir,
    files: Files,
}

const SECRET: &str = "nobody reads this";

impl Yard {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut FileSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["from", "to", "gone", "qvd", "outside"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("outside/secret.txt"), SECRET).unwrap();
        let at = |name: &str| folder.path().join(name);
        let pair = DirectoryPair { from: at("from"), to: at("to") };
        let mut settings = FileSettings {
            copy: vec![pair.clone()],
            r#move: vec![pair],
            delete: vec![at("gone")],
            qvd_folder: Some(at("qvd")),
            ..FileSettings::default()
        };
        change(&mut settings);
        let files = Files::new(settings).unwrap();
        Self { folder, files }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// The path as a request has it.
    fn text(&self, path: &str) -> String {
        format!("{}/{path}", self.folder.path().display()).replace('\\', "/")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

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
