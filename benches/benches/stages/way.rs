//! The whole way within one process: datagrams are handed in, decoded, journalled, routed, and reach a sink that takes everything at once.

use std::sync::{Arc, LazyLock};

use butler_benches::{datagram, received};
use butler_core::Butler;
use butler_core::async_trait;
use butler_core::config::{Config, Issues};
use butler_core::event::Target;
use butler_core::sink::{
    BuildError, Delivery, DeliveryError, Message, Receipt, RenderError, Rendering, Sink, SinkConfig, SinkContext, TargetRequest,
};
use criterion::{Criterion, Throughput};
use serde::Deserialize;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// How many events are under way at once.
const EVENTS: u64 = 2_000;

/// A sink that counts.
#[derive(Debug, Deserialize)]
struct Counting {}

/// How many messages the counting sinks of this process have got.
static COUNT: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));

impl SinkConfig for Counting {
    const TYPE: &'static str = "counting";

    fn validate(&self, _issues: &mut Issues) {}

    fn build(&self, _context: &SinkContext) -> Result<Arc<dyn Sink>, BuildError> {
        Ok(Arc::new(CountingSink))
    }
}

#[derive(Debug)]
struct CountingSink;

#[async_trait]
impl Sink for CountingSink {
    fn targets(&self, _request: &TargetRequest<'_>) -> Vec<Target> {
        vec![Target::only()]
    }

    fn render(&self, rendering: &Rendering<'_>) -> Result<Message, RenderError> {
        Ok(Message { body: rendering.event.id.to_string(), content_type: "text/plain".into(), ..Message::default() })
    }

    fn plain(&self, _rendering: &Rendering<'_>, fault: &str) -> Message {
        Message { body: fault.to_owned(), content_type: "text/plain".into(), ..Message::default() }
    }

    async fn deliver(&self, _delivery: &Delivery<'_>) -> Result<Receipt, DeliveryError> {
        COUNT.send_modify(|count| *count += 1);
        Ok(Receipt { detail: "counted".into() })
    }

    async fn check(&self) -> Result<Receipt, DeliveryError> {
        Ok(Receipt { detail: "ready".into() })
    }
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("butler.toml");
    let text = r#"
        [udp]
        enabled = false
        [api]
        enabled = false
        [sites.prod]
        host = "127.0.0.1"
        [sinks.count]
        type = "counting"
        max_in_flight = 64
        [[routes]]
        events = ["*"]
        sinks = ["count"]
    "#;
    std::fs::write(&file, text).expect("a file");
    let butler = runtime.block_on(async {
        let config = Config::from_file(&file).expect("a configuration");
        Butler::builder(config).sink_type::<Counting>().start().await.expect("a Butler")
    });

    let mut number = 0;
    let mut group = criterion.benchmark_group("the whole way, in process");
    group.sample_size(10).throughput(Throughput::Elements(EVENTS));
    group.bench_function(format!("{EVENTS} datagrams to a sink"), |bencher| {
        bencher.iter(|| {
            let mut count = COUNT.subscribe();
            let until = *count.borrow() + EVENTS;
            for _ in 0..EVENTS {
                number += 1;
                assert!(butler.intake().offer(received(datagram(number), number)), "the queue is full");
            }
            runtime.block_on(count.wait_for(|count| *count >= until)).expect("the counter lives as long as the process");
        });
    });
    group.finish();
    runtime.block_on(butler.shutdown(std::time::Duration::from_secs(10))).expect("everything ends in time");
}
