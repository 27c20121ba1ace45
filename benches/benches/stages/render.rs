//! From an event and its facts to the message of each sink.

use std::hint::black_box;

use butler_core::event::TaskOutcome;
use butler_core::testkit::make_sink;
use butler_core::testkit::sink_samples::Sample;
use criterion::{Criterion, Throughput};

pub(crate) fn bench(criterion: &mut Criterion) {
    let sinks = [
        ("webhook", r#"url = "http://127.0.0.1:1/""#),
        ("slack", r#"webhook_url = "http://127.0.0.1:1/""#),
        ("email", "host = \"127.0.0.1\"\nfrom = \"butler@example.com\"\nrecipients = [\"ops@example.com\"]"),
    ];
    let sample = Sample::reload(TaskOutcome::Failed);
    let mut group = criterion.benchmark_group("render");
    group.throughput(Throughput::Elements(1));
    for (name, options) in sinks {
        let sink = make_sink(name, options);
        group.bench_function(name, |bencher| bencher.iter(|| sink.render(black_box(&sample.rendering())).expect("the built-in template")));
    }
    group.finish();
}
