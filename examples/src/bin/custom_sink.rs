//! A destination of your own.
//!
//! A pager gateway that takes one line over TCP and answers `OK` or `BUSY`. All that has to be written is how a message looks and how one is
//! handed over; retries, order, rate limits, outages and the durable journal come from the library. Run it:
//!
//! ```text
//! cargo run -p butler-examples --bin custom_sink
//! ```

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::sync::Arc;
use std::time::Duration;

use butler_core::config::{Config, Issues};
use butler_core::event::{Body, Kind, NewEvent, Target, TaskEvent, TaskOutcome};
use butler_core::sink::{
    BuildError, Delivery, DeliveryError, Message, Reason, Receipt, RenderError, Rendering, Sink, SinkConfig, SinkContext, TargetRequest,
};
use butler_core::{Butler, async_trait};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What stands under `[sinks.NAME] options` in the configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PagerConfig {
    gateway: String,
    numbers: Vec<String>,
}

impl SinkConfig for PagerConfig {
    const TYPE: &'static str = "pager";

    fn validate(&self, issues: &mut Issues) {
        if self.numbers.is_empty() {
            issues.at_with_help("numbers", "nobody is to be paged", "name at least one number");
        }
    }

    fn build(&self, _context: &SinkContext) -> Result<Arc<dyn Sink>, BuildError> {
        Ok(Arc::new(Pager { gateway: self.gateway.clone(), numbers: self.numbers.clone() }))
    }
}

#[derive(Debug)]
struct Pager {
    gateway: String,
    numbers: Vec<String>,
}

impl Pager {
    async fn call(&self, line: &str) -> std::io::Result<String> {
        let mut connection = BufReader::new(TcpStream::connect(&self.gateway).await?);
        connection.write_all(format!("{line}\n").as_bytes()).await?;
        let mut answer = String::new();
        connection.read_line(&mut answer).await?;
        Ok(answer.trim().to_owned())
    }
}

#[async_trait]
impl Sink for Pager {
    /// Each number is a delivery of its own, with its own verdict.
    fn targets(&self, _request: &TargetRequest<'_>) -> Vec<Target> {
        self.numbers.iter().map(|number| number.as_str().into()).collect()
    }

    fn render(&self, rendering: &Rendering<'_>) -> Result<Message, RenderError> {
        let task = match &rendering.event.body {
            Body::Task(task) => task.task_name.as_str(),
            _ => "",
        };
        let body = format!("{} {task}", rendering.event.kind);
        Ok(Message { body, content_type: "text/plain".into(), ..Message::default() })
    }

    fn plain(&self, rendering: &Rendering<'_>, _fault: &str) -> Message {
        Message { body: rendering.event.kind.to_string(), content_type: "text/plain".into(), ..Message::default() }
    }

    /// One attempt. The key goes along, so that the gateway can tell a repetition.
    async fn deliver(&self, delivery: &Delivery<'_>) -> Result<Receipt, DeliveryError> {
        let line = format!("PAGE {} {} {}", delivery.target, delivery.key, delivery.message.body);
        match self.call(&line).await {
            Ok(answer) if answer == "OK" => Ok(Receipt { detail: answer }),
            Ok(answer) if answer == "BUSY" => Err(DeliveryError::transient(Reason::Throttled, "the gateway is busy")),
            Ok(answer) => Err(DeliveryError::permanent(Reason::Rejected, format!("the gateway answered {answer:?}"))),
            Err(error) => Err(DeliveryError::transient(Reason::Unreachable, format!("no gateway: {error}")).caused_by(error)),
        }
    }

    async fn check(&self) -> Result<Receipt, DeliveryError> {
        match self.call("PING").await {
            Ok(answer) => Ok(Receipt { detail: answer }),
            Err(error) => Err(DeliveryError::transient(Reason::Unreachable, format!("no gateway: {error}"))),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A gateway that is busy at first, as such gateways are.
    let gateway = TcpListener::bind("127.0.0.1:0").await?;
    let text = format!(
        r#"
        [store]
        type = "memory"
        [udp]
        enabled = false
        [api]
        enabled = false
        [sinks.oncall]
        type = "pager"
        retry.first = "100ms"
        options = {{ gateway = "{}", numbers = ["0701", "0702"] }}
        [[routes]]
        events = ["*"]
        sinks = ["oncall"]
        "#,
        gateway.local_addr()?
    );
    let config = Config::from_toml(&text, ".")?;
    let butler = Butler::builder(config).sink_type::<PagerConfig>().start().await?;
    butler.intake().submit(a_failed_reload()).await?;

    let mut paged = 0;
    for call in 0.. {
        let mut connection = BufReader::new(gateway.accept().await?.0);
        let mut line = String::new();
        connection.read_line(&mut line).await?;
        let answer = if call == 0 { "BUSY" } else { "OK" };
        connection.write_all(format!("{answer}\n").as_bytes()).await?;
        println!("{} -> {answer}", line.trim());
        paged += usize::from(answer == "OK");
        if paged == 2 {
            break;
        }
    }
    butler.shutdown(Duration::from_secs(5)).await?;
    Ok(())
}

fn a_failed_reload() -> NewEvent {
    let task = TaskEvent { task_name: "Reload sales".into(), ..TaskEvent::default() };
    NewEvent {
        site: "prod".into(),
        kind: Kind::task(TaskOutcome::Failed),
        at: std::time::SystemTime::now().try_into().unwrap_or_default(),
        source: "example".into(),
        keys: Vec::new(),
        body: Body::Task(task),
    }
}

#[test]
fn it_runs_to_its_end() {
    main().expect("a good end");
}
