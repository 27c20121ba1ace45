//! Into the journal: the commit that makes an event accepted, with the `fsync` that it needs.

use std::sync::Arc;

use butler_benches::new_event;
use butler_core::clock::SystemClock;
use butler_core::store::sqlite::{SqliteSettings, SqliteStore};
use butler_core::store::{Appended, Journal};
use criterion::{BatchSize, Criterion, Throughput};
use tokio::runtime::Runtime;

pub(crate) fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let settings = SqliteSettings { path: folder.path().join("butler.db") };
    let store = Arc::new(SqliteStore::open(settings, Arc::new(SystemClock::default())).expect("a store"));
    // Other numbers are other executions: none is a duplicate.
    let mut number = 0;
    let mut group = criterion.benchmark_group("append, with fsync");
    group.sample_size(20);
    for size in [1, 64, 1024] {
        group.throughput(Throughput::Elements(size));
        group.bench_function(format!("{size} at once"), |bencher| {
            let next = || {
                number += u128::from(size);
                (number - u128::from(size)..number).map(new_event).collect::<Vec<_>>()
            };
            bencher.to_async(&runtime).iter_batched(
                next,
                |events| {
                    let store = Arc::clone(&store);
                    async move {
                        let appended = store.append(events).await.expect("room on the disk");
                        assert!(appended.iter().all(|one| matches!(one, Appended::New(_))));
                    }
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}
