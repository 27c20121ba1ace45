//! The store in memory keeps the contracts.

use std::sync::Arc;

use async_trait::async_trait;

use super::MemoryStore;
use crate::store::Store;
use crate::store_suite;
use crate::testkit::TestClock;
use crate::testkit::store_suite::StoreHarness;

struct Harness {
    clock: TestClock,
    store: Arc<MemoryStore>,
}

#[async_trait]
impl StoreHarness for Harness {
    async fn start() -> Self {
        let clock = TestClock::default();
        Self { store: Arc::new(MemoryStore::new(Arc::new(clock.clone()))), clock }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as _
    }

    fn clock(&self) -> TestClock {
        self.clock.clone()
    }

    async fn reopen(self) -> Option<Self> {
        self.store.forget_holders();
        Some(self)
    }
}

store_suite!(memory_keeps_the_contract, Harness);

#[tokio::test]
async fn pairs_keep_to_their_room() {
    let clock = TestClock::default();
    let store = MemoryStore::new(Arc::new(clock.clone())).with_pair_room(Some(1000));
    crate::testkit::store_suite::pairs_keep_to_their_room(&store, &clock).await;
}
