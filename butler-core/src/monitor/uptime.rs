//! How long this process runs, and how much memory it holds: `butler.uptime`, a measurement for time series.
//!
//! It is told at intervals once somebody asks for it, and is no alert: a store that is full drops it first, and people need not see it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::event::{Body, Kind, NewEvent, Notice, SiteName, SourceName};
use crate::source::{EventSource, Intake, IntakeError, Open, SourceError, Stop};

/// The kind of its events.
pub const KIND: &str = "butler.uptime";

/// Tells at intervals how long the process runs and how much memory it holds.
///
/// The fields of its notices: `uptime_ms`; `interval_ms`, the time from one to the next; `process_memory`, what is resident, and `virtual_memory`, in bytes, where the system says so; `version`.
#[derive(Debug, Clone)]
pub struct UptimeMonitor {
    name: SourceName,
    site: SiteName,
    every: Duration,
    clock: Arc<dyn Clock>,
}

impl UptimeMonitor {
    /// A good interval.
    pub const EVERY: Duration = Duration::from_mins(15);

    /// Its events carry the name of `site`, as all events do.
    #[must_use]
    pub fn new(site: SiteName, every: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { name: "uptime".into(), site, every, clock }
    }

    fn event(&self, up: Duration) -> NewEvent {
        let now = self.clock.now();
        let mut fields = vec![
            ("uptime_ms", up.as_millis().to_string()),
            ("interval_ms", self.every.as_millis().to_string()),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        if let Some(memory) = memory_stats::memory_stats() {
            fields.extend([("process_memory", memory.physical_mem.to_string()), ("virtual_memory", memory.virtual_mem.to_string())]);
        }
        let whole = humantime::format_duration(Duration::from_secs(up.as_secs())).to_string();
        let memory = fields.iter().find(|(name, _)| *name == "process_memory").and_then(|(_, bytes)| bytes.parse::<u64>().ok());
        let memory = memory.map_or_else(String::new, |bytes| format!(", and holds {} MiB of memory", bytes / (1024 * 1024)));
        NewEvent {
            site: self.site.clone(),
            kind: Kind::Other(KIND.into()),
            at: now,
            source: self.name.clone(),
            // Each is another.
            keys: Vec::new(),
            body: Body::Notice(Notice {
                title: format!("Butler has been up for {whole}"),
                text: format!("Butler {} has been up for {whole}{memory}.", env!("CARGO_PKG_VERSION")),
                fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
                task: None,
            }),
        }
    }
}

#[async_trait]
impl EventSource for UptimeMonitor {
    fn name(&self) -> SourceName {
        self.name.clone()
    }

    async fn open(&self, intake: Intake, stop: Stop) -> Result<Open, SourceError> {
        let monitor = self.clone();
        let started = self.clock.monotonic();
        let run = async move {
            loop {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return Ok(()),
                    () = monitor.clock.sleep(monitor.every) => {}
                }
                let event = monitor.event(monitor.clock.monotonic().saturating_sub(started));
                match intake.submit(event).await {
                    Ok(_) | Err(IntakeError::Closed) => {}
                    // The next one says as much.
                    Err(error) => tracing::debug!(%error, "A measurement could not be journalled."),
                }
            }
        };
        Ok(Open { addresses: Vec::new(), run: Box::pin(run) })
    }
}

#[cfg(all(test, feature = "testkit"))]
mod tests {
    use super::*;
    use crate::event::{Class, EventId};
    use crate::source::IntakeRequest;
    use crate::store::Appended;
    use crate::testkit::TestClock;

    #[tokio::test]
    async fn it_is_told_at_intervals_and_is_no_alert() {
        let clock = TestClock::default();
        let monitor = UptimeMonitor::new("prod".into(), Duration::from_mins(15), Arc::new(clock.clone()));
        let (intake, mut queue) = Intake::channel();
        let stop = Stop::new();
        let open = monitor.open(intake, stop.clone()).await.unwrap();
        let run = tokio::spawn(open.run);
        for number in 1..=3_u128 {
            clock.sleepers(1).await;
            clock.advance(Duration::from_mins(15));
            let Some(IntakeRequest::Event(event, reply)) = queue.take(1).await.pop() else { panic!("no event") };
            let _ = reply.send(Ok(Appended::New(EventId(uuid::Uuid::nil()))));
            assert_eq!((event.kind.class(), event.kind.went_wrong(), event.keys.len()), (Class::Metric, false, 0));
            let Body::Notice(notice) = &event.body else { panic!("{event:?}") };
            assert_eq!(notice.fields["uptime_ms"], (number * 900_000).to_string());
            assert_eq!(notice.fields["interval_ms"], "900000");
            assert!(notice.fields["process_memory"].parse::<u64>().is_ok_and(|bytes| bytes > 1 << 20), "{notice:?}");
            assert_eq!(
                notice.title,
                format!("Butler has been up for {}", humantime::format_duration(Duration::from_mins(15 * number as u64)))
            );
        }
        stop.cancel();
        run.await.unwrap().unwrap();
    }
}
