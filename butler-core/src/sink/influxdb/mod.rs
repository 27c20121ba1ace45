//! Writes points to InfluxDB 1, 2 or 3.
//!
//! Each event is one point, whose measurement is the event's kind:
//!
//! | kind | measurement | tags | fields |
//! | --- | --- | --- | --- |
//! | reload task, failed or succeeded | `reload_task_failed`, `reload_task_success` | `host`, `user`, `task_id`, `task_name`, `app_id`, `app_name`, `log_level`, the execution's | the log line's, the execution's, the script log's |
//! | external program and user sync tasks | `external_program_task_failed`, ... | `host`, `user`, `task_id`, `task_name`, `log_level`; for a success the execution's | the log line's; for a success the execution's |
//! | distribute and preload tasks | `distribute_task_failed`, ... | the same, then `app_id`, `app_name` | the same |
//! | a task that was aborted | `reload_task_aborted`, ... | as for one that failed | as for one that failed |
//! | a reload in the engine | `engine_reload_failed` | `host`, `user`, `app_id`, `app_name`, `log_level` | `log_timestamp`, `log_message`, `session_id` |
//! | anything else | `task_late`, `butler_store_failing`, ... | `site`; of the task that it is about `task_id`, `task_name`, `app_id`, `app_name` | `title`, `text`, and the event's own, all of them texts |
//!
//! The log line's fields are `log_timestamp`, `execution_id` and `log_message`. The execution's tags are `task_executingNodeName`, `task_executionStatusNum` and
//! `task_exeuctionStatusText` (spelt so since long ago, and read so by dashboards); its fields `task_executionStartTime_json`, `task_executionStopTime_json`,
//! `task_executionDuration_json` and `task_executionDuration_sec`, `_min`, `_h`. The script log's fields are `task_scriptLogSize`, `task_scriptLogTailCount`,
//! for a success `task_scriptLogHeadCount`, and `scriptLog`, which is also in `reload_log`. Numbers are always floating-point. A task whose type is not known
//! counts as a reload if it has an app; else its measurement is `task_failed` or the like.
//!
//! A later tag takes the place of an earlier one of the same name: `tags`, those above, `appTag_NAME` and `taskTag_NAME`, `event_tags`. A point that was too long
//! for the server, or whose message takes the program down, is written once more without the script log, with short texts and with the reason in the field `fault`.
//!
//! A point's time is the event's, to the millisecond; the nanoseconds below are made from the event's id. So a repeated write is the same point, and takes the
//! place of the first (as long as no tag has become known in between); and two events of one series in the same millisecond are two points.
//!
//! InfluxDB refuses a whole point for one bad value. What it would refuse is left out or changed beforehand, and the delivery's preview says what: numbers that are
//! none, tags beyond 4 KiB, names that InfluxDB keeps for itself; texts beyond 64 kB are cut. Tags hold no line ends: these become spaces.
//!
//! A database that is missing is made at the first write that finds it so (version 1). Many points go out in one request. If that is refused each is
//! tried by itself.

mod config;
mod line;
mod points;
mod remote;

use async_trait::async_trait;

pub use config::{InfluxdbConfig, InfluxdbLogin, RetentionPolicy};

use super::{Delivery, DeliveryError, Message, Receipt, RenderError, Rendering, Sink, TargetRequest};
use crate::event::{Needs, Target};
use points::Style;
use remote::Remote;

/// How many points go out in one request, at the most.
const MOST_POINTS: usize = 100;
/// How many bytes go out in one request, unless a single point has more.
const MOST_BYTES: usize = 4 << 20;

#[derive(Debug)]
struct Influxdb {
    remote: Remote,
    style: Style,
    /// Whether the tags of a line stand in the order of their names.
    sorted: bool,
}

impl Influxdb {
    fn message(&self, rendering: &Rendering<'_>, fault: Option<&str>) -> Message {
        let (line, flaws) = self.style.point(rendering, fault).write(self.sorted);
        let text = (!flaws.is_empty()).then(|| format!("{}\n{line}", flaws.join("; ")));
        Message { subject: None, content_type: "text/plain; charset=utf-8".into(), body: line, text }
    }

    /// Writes so many of the deliveries as fit into one request, at least one.
    async fn write_some<'d>(&self, deliveries: &'d [Delivery<'d>]) -> (Result<Receipt, DeliveryError>, usize) {
        let mut lines = String::new();
        let mut count = 0;
        for delivery in deliveries {
            let line = &delivery.message.body;
            if count > 0 && lines.len() + line.len() > MOST_BYTES {
                break;
            }
            if count > 0 {
                lines.push('\n');
            }
            lines.push_str(line);
            count += 1;
        }
        (self.remote.write(&lines).await, count)
    }
}

/// The same failure once more, without what lies beneath.
fn again(error: &DeliveryError) -> DeliveryError {
    DeliveryError { reason: error.reason, retry: error.retry, message: error.message.clone(), source: None }
}

#[async_trait]
impl Sink for Influxdb {
    fn targets(&self, _: &TargetRequest<'_>) -> Vec<Target> {
        vec![Target::only()]
    }

    fn needs(&self) -> Needs {
        Needs { task: true, app: self.style.app_tags, owner: false, result: true, script_log: Some(self.style.script_log) }
    }

    fn render(&self, rendering: &Rendering<'_>) -> Result<Message, RenderError> {
        Ok(self.message(rendering, None))
    }

    fn plain(&self, rendering: &Rendering<'_>, fault: &str) -> Message {
        self.message(rendering, Some(fault))
    }

    async fn deliver(&self, delivery: &Delivery<'_>) -> Result<Receipt, DeliveryError> {
        self.remote.write(&delivery.message.body).await
    }

    async fn deliver_many(&self, deliveries: &[Delivery<'_>]) -> Vec<Result<Receipt, DeliveryError>> {
        let mut results = Vec::with_capacity(deliveries.len());
        while results.len() < deliveries.len() {
            let (result, count) = self.write_some(&deliveries[results.len()..]).await;
            let is_over = result.as_ref().is_err_and(|error| error.reason.concerns_sink());
            // A server that fails as a whole is not asked for the rest.
            let count = if is_over { deliveries.len() - results.len() } else { count };
            results.extend((0..count).map(|_| match &result {
                Ok(receipt) if count > 1 => Ok(Receipt { detail: format!("{}, {count} points in one request", receipt.detail) }),
                Ok(receipt) => Ok(receipt.clone()),
                Err(error) => Err(again(error)),
            }));
        }
        results
    }

    fn max_batch(&self) -> usize {
        MOST_POINTS
    }

    async fn check(&self) -> Result<Receipt, DeliveryError> {
        self.remote.check().await
    }
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;
