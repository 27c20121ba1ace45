//! The embedded store keeps the contracts.

use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;

use super::{SqliteSettings, SqliteStore};
use crate::store::Store;
use crate::store_suite;
use crate::testkit::TestClock;
use crate::testkit::store_suite::StoreHarness;

pub(super) struct Harness {
    clock: TestClock,
    store: Arc<SqliteStore>,
    folder: TempDir,
}

/// A folder in memory where the system has such: what a disk does with `fsync` is not what is tested here.
pub(super) fn folder() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

impl Harness {
    pub(super) fn open(folder: TempDir, clock: TestClock) -> Self {
        let settings = SqliteSettings { path: folder.path().join("butler.db") };
        let store = SqliteStore::open(settings, Arc::new(clock.clone())).unwrap();
        Self { clock, store: Arc::new(store), folder }
    }
}

#[async_trait]
impl StoreHarness for Harness {
    async fn start() -> Self {
        Self::open(folder(), TestClock::default())
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as _
    }

    fn clock(&self) -> TestClock {
        self.clock.clone()
    }

    /// Opens a copy of what is on disk while the first process still has it open: nothing that it might do at its end counts.
    async fn reopen(self) -> Option<Self> {
        let folder = folder();
        for name in ["butler.db", "butler.db-wal"] {
            std::fs::copy(self.folder.path().join(name), folder.path().join(name)).unwrap();
        }
        Some(Self::open(folder, self.clock.clone()))
    }
}

store_suite!(sqlite_keeps_the_contract, Harness);
