//! From the bytes of a datagram to an event.

use std::hint::black_box;

use butler_benches::{datagram, failed_task};
use butler_core::source::decode::{decode, to_event};
use criterion::{Criterion, Throughput};

pub(crate) fn bench(criterion: &mut Criterion) {
    let plain = datagram(1);
    let mut blurred = failed_task(2);
    // A `;` within the names costs a second look at the fields.
    blurred.task_name = "Reload; sales; and more".into();
    let blurred = butler_benches::encoded(blurred);
    let junk = vec![b'x'; plain.len()];

    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(1));
    for (name, bytes) in [("failed reload", &plain), ("semicolons in names", &blurred), ("no message of ours", &junk)] {
        group.bench_function(name, |bencher| bencher.iter(|| decode(black_box(bytes)).is_ok()));
    }
    let received = butler_benches::received(plain, 0);
    group.bench_function("failed reload, to an event with its keys", |bencher| bencher.iter(|| to_event(black_box(&received)).is_ok()));
    group.finish();
}
