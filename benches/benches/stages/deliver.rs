//! From a rendered message to the remote's word that it has it, for each sink, one after the other over the loopback.

use butler_core::event::{DeliveryId, TaskOutcome};
use butler_core::simulator::inbox::{Answer, HttpInbox, MqttInbox, MqttOptions, SmtpInbox, SmtpOptions};
use butler_core::sink::{Delivery, Message, Sink};
use butler_core::testkit::make_sink;
use butler_core::testkit::sink_samples::Sample;
use criterion::{Criterion, Throughput};
use tokio::runtime::Runtime;

pub(crate) fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let (http, mail, broker) = runtime.block_on(async {
        let http = HttpInbox::start().await.expect("a port");
        http.answer_always(Some(Answer::status(202)));
        let mail = SmtpInbox::start(SmtpOptions::default()).await.expect("a port");
        (http, mail, MqttInbox::start(MqttOptions::default()).await.expect("a port"))
    });
    let url = http.url("/");
    let sinks = super::sinks(&url, mail.address().port(), broker.address().port());
    let mut group = criterion.benchmark_group("deliver");
    group.throughput(Throughput::Elements(1));
    for (name, type_name, options) in sinks {
        let sink = make_sink(type_name, &options);
        let mut sample = Sample::reload(TaskOutcome::Failed);
        sample.target = sink.targets(&sample.request()).remove(0);
        let message = sink.render(&sample.rendering()).expect("a message");
        group.bench_function(name, |bencher| bencher.to_async(&runtime).iter(|| deliver(&*sink, &sample, &message)));
    }
    // What a sink that takes many at once makes of it, a hundred at a time.
    let series = make_sink("influxdb", &format!("version = 2\nurl = '{url}'\norg = 'o'\nbucket = 'b'\ntoken = 't'"));
    let sample = Sample::reload(TaskOutcome::Failed);
    let message = series.render(&sample.rendering()).expect("a message");
    let one = Delivery { key: key(&sample), event: &sample.event, target: &sample.target, message: &message, attempt: 1 };
    let many = [one; 100];
    group.throughput(Throughput::Elements(100));
    group.bench_function("influxdb, 100 at once", |bencher| {
        bencher.to_async(&runtime).iter(async || assert!(series.deliver_many(&many).await.iter().all(Result::is_ok)));
    });
    group.finish();
}

async fn deliver(sink: &dyn Sink, sample: &Sample, message: &Message) {
    let delivery = Delivery { key: key(sample), event: &sample.event, target: &sample.target, message, attempt: 1 };
    sink.deliver(&delivery).await.expect("a remote that takes it");
}

fn key(sample: &Sample) -> DeliveryId {
    DeliveryId::of(sample.event.id, &"bench".into(), &sample.target)
}
