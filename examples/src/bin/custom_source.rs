//! Events from somewhere else.
//!
//! A source that hears of failed loads of a data warehouse as lines over TCP, and acknowledges a line only when the journal has it. From there on
//! the events are routed and delivered like all others. Run it:
//!
//! ```text
//! cargo run -p butler-examples --bin custom_source
//! ```

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::time::Duration;

use butler_core::config::Config;
use butler_core::event::{Body, DedupKey, NewEvent, Notice, SourceName};
use butler_core::source::{EventSource, Intake, Open, SourceError, Stop};
use butler_core::store::EventQuery;
use butler_core::{Butler, async_trait};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Lines of the form `LOAD-ID what went wrong`.
#[derive(Debug)]
struct Warehouse {
    listen: String,
}

#[async_trait]
impl EventSource for Warehouse {
    fn name(&self) -> SourceName {
        "warehouse".into()
    }

    /// Binds before it returns, so that a port in use is found before the program says that it is ready.
    async fn open(&self, intake: Intake, stop: Stop) -> Result<Open, SourceError> {
        let listener = TcpListener::bind(&self.listen).await?;
        let addresses = vec![listener.local_addr()?];
        let run = async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    accepted = listener.accept() => {
                        let (connection, _) = accepted?;
                        tokio::spawn(hear(connection, intake.clone()));
                    }
                }
            }
        };
        Ok(Open { addresses, run: Box::pin(run) })
    }
}

async fn hear(connection: TcpStream, intake: Intake) {
    let mut connection = BufReader::new(connection);
    let mut line = String::new();
    while matches!(connection.read_line(&mut line).await, Ok(n) if n > 0) {
        // `submit` returns once the event is durable. Only then the sender may forget it.
        let answer = match intake.submit(event(line.trim())).await {
            Ok(_) => "taken\n".to_owned(),
            Err(error) => format!("not taken, send it again: {error}\n"),
        };
        if connection.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        line.clear();
    }
}

fn event(line: &str) -> NewEvent {
    let (load, text) = line.split_once(' ').unwrap_or((line, ""));
    NewEvent {
        site: "warehouse".into(),
        kind: "warehouse_load.failed".parse().expect("a kind"),
        at: std::time::SystemTime::now().try_into().unwrap_or_default(),
        source: "warehouse".into(),
        // A line that is sent again, because its answer was lost, is recognised.
        keys: vec![DedupKey::Exact(format!("warehouse|{load}"))],
        body: Body::Notice(Notice { title: format!("Load {load} failed"), text: text.to_owned(), ..Notice::default() }),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = r#"
        [store]
        type = "memory"
        [udp]
        enabled = false
        [api]
        enabled = false
    "#;
    let config = Config::from_toml(text, ".")?;
    let butler = Butler::builder(config).source(Warehouse { listen: "127.0.0.1:0".into() }).start().await?;
    let address = butler.bound().iter().find(|(what, _)| what == "warehouse").map(|(_, address)| address.clone());

    let mut sender = BufReader::new(TcpStream::connect(address.unwrap_or_default()).await?);
    for line in ["L-17 disk full", "L-18 no such table", "L-17 disk full"] {
        sender.write_all(format!("{line}\n").as_bytes()).await?;
        let mut answer = String::new();
        sender.read_line(&mut answer).await?;
        println!("{line} -> {}", answer.trim());
    }
    for record in butler.store().events(EventQuery::default()).await?.into_iter().rev() {
        println!("{} told {} time(s)", record.event.kind, record.sightings);
    }
    butler.shutdown(Duration::from_secs(5)).await?;
    Ok(())
}

#[test]
fn it_runs_to_its_end() {
    main().expect("a good end");
}
