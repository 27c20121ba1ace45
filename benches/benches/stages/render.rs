//! From an event and its facts to the message of each sink.

use std::hint::black_box;

use butler_core::event::TaskOutcome;
use butler_core::testkit::make_sink;
use butler_core::testkit::sink_samples::Sample;
use criterion::{Criterion, Throughput};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("render");
    group.throughput(Throughput::Elements(1));
    for (name, type_name, options) in super::sinks("http://127.0.0.1:1/", 1, 1) {
        let sink = make_sink(type_name, &options);
        let mut sample = Sample::reload(TaskOutcome::Failed);
        sample.target = sink.targets(&sample.request()).remove(0);
        group.bench_function(name, |bencher| bencher.iter(|| sink.render(black_box(&sample.rendering())).expect("the built-in template")));
    }
    group.finish();
}
