//! A place to work with files in, for tests.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::{DirectoryPair, FileSettings, Files};

/// A place with approved directories: `from` and `to` between which is copied and moved, `gone` below which is deleted, `qvd`; and `outside`, with a secret.
pub(crate) struct Yard {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) files: Arc<Files>,
}

pub(crate) const SECRET: &str = "nobody reads this";

impl Yard {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut FileSettings)) -> Self {
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
        let files = Arc::new(Files::new(settings).unwrap());
        Self { folder, files }
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// The path as a request has it.
    pub(crate) fn text(&self, path: &str) -> String {
        format!("{}/{path}", self.folder.path().display()).replace('\\', "/")
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }
}
