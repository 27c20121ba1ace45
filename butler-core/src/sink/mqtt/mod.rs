//! Publishes to an MQTT broker.
//!
//! Most events go to two topics: the plain one has the name of the task as its payload, for whoever only wants to know, and the full one a JSON object with all
//! that is known. Each is a target of its own, with its own verdict. Everything is published with QoS 1 and not retained, and counts as delivered when the broker
//! has acknowledged it.
//!
//! # Topics
//! All begin with `root_topic`, which is `qliksense`:
//!
//! | event | topic | full topic |
//! |---|---|---|
//! | `reload_task.failed` | `task_failure` | `task_failure_full` |
//! | `reload_task.aborted` | `task_aborted` | `task_aborted_full` |
//! | `reload_task.success` | `task_success` | `task_success_full` |
//! | `service.stopped` | `service_stopped/HOST/SERVICE` | |
//! | `service.started` | `service_running/HOST/SERVICE` | |
//! | `service.status` | `service_status/HOST/SERVICE` | |
//! | `server_license.status` | `qliksense_server_license` | |
//! | `server_license.expiring`, `server_license.expired` | `qliksense_server_license_expire` | |
//! | any other: `external_program_task.failed` | `external_program_task_failed` | `external_program_task_failed_full` |
//!
//! A task of which nobody could find out what it is, but that has an app, counts as a reload. `topics` and `full_topics` name others, by kind of event or by the
//! start of one with a trailing `*`; an empty name means that there is no such topic.
//!
//! # What notices have to say of themselves
//! Events about services and the licence are [notices](crate::event::Notice) whose fields make the payload: `host`, `service`, `display_name`, `friendly_name`,
//! `dependencies` (one a line), `start_type`, `exe_path`, `status` and `previous_status`; and `expired`, `expiry_date` and `days_until_expiry`.
//!
//! # What is tried again
//! Everything but a message that the broker says it will never want: a refused login, a topic that Butler may not publish to and a certificate that is not trusted
//! are faults of the configuration here or there, and no alert shall be lost to one that somebody mends within the day.

mod failure;
mod payload;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;

use super::{
    BuildError, Delivery, DeliveryError, Message, Reason, Receipt, RenderError, Rendering, Sink, SinkConfig, SinkContext, TargetRequest,
    kinds,
};
use crate::config::Issues;
use crate::event::{Needs, Target};
use crate::mqtt::{Broker, BrokerConfig, BrokerError, Connection, Publication, topic_fault};
use topics::Topics;

/// Options of MQTT.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttConfig {
    /// The broker.
    pub broker: BrokerConfig,
    /// What all topics begin with that are not named otherwise.
    #[serde(default = "root_topic")]
    pub root_topic: String,
    /// Topics by kind of event, in place of the usual ones; none for an empty name.
    #[serde(default)]
    pub topics: BTreeMap<String, String>,
    /// The same for the topics with all that is known.
    #[serde(default)]
    pub full_topics: BTreeMap<String, String>,
}

fn root_topic() -> String {
    "qliksense".to_owned()
}

impl MqttConfig {
    /// To this broker, with the usual topics.
    #[must_use]
    pub fn new(broker: BrokerConfig) -> Self {
        Self { broker, root_topic: root_topic(), topics: BTreeMap::new(), full_topics: BTreeMap::new() }
    }
}

impl SinkConfig for MqttConfig {
    const TYPE: &'static str = "mqtt";

    fn validate(&self, issues: &mut Issues) {
        issues.within("broker", |issues| self.broker.validate(issues));
        if let Some(fault) = topic_fault(&self.root_topic) {
            issues.at("root_topic", fault);
        }
        for (key, topics) in [("topics", &self.topics), ("full_topics", &self.full_topics)] {
            kinds::validate(key, topics, issues);
            issues.within(key, |issues| {
                for (kind, topic) in topics.iter().filter(|(_, topic)| !topic.is_empty()) {
                    if let Some(fault) = topic_fault(topic) {
                        issues.at(kind, format!("`{}`: {fault}", topic.escape_debug()));
                    }
                }
            });
        }
    }

    fn build(&self, context: &SinkContext) -> Result<Arc<dyn Sink>, BuildError> {
        let invalid = |fault: BrokerError| BuildError::Invalid { key: fault.key, why: fault.why };
        let broker = Broker::new(&self.broker, &context.base_dir).map_err(invalid)?;
        let topics = Topics::new(&self.root_topic, &self.topics, &self.full_topics);
        Ok(Arc::new(Mqtt { connection: Connection::new(broker, context.timeout), topics }))
    }
}

#[derive(Debug)]
struct Mqtt {
    connection: Connection,
    topics: Topics,
}

#[async_trait]
impl Sink for Mqtt {
    fn targets(&self, request: &TargetRequest<'_>) -> Vec<Target> {
        self.topics.of(request.event).map(Target::from).collect()
    }

    fn needs(&self) -> Needs {
        Needs { task: true, app: true, ..Needs::NONE }
    }

    fn render(&self, rendering: &Rendering<'_>) -> Result<Message, RenderError> {
        let is_full = self.topics.is_full(rendering.event, rendering.target);
        Ok(if is_full { payload::full(rendering) } else { payload::basic(rendering) })
    }

    fn plain(&self, rendering: &Rendering<'_>, fault: &str) -> Message {
        let is_full = self.topics.is_full(rendering.event, rendering.target);
        if is_full { payload::plain_full(rendering, fault) } else { payload::plain_basic(rendering, fault) }
    }

    async fn deliver(&self, delivery: &Delivery<'_>) -> Result<Receipt, DeliveryError> {
        let publication = Publication {
            topic: delivery.target.as_str().to_owned(),
            payload: delivery.message.body.clone().into(),
            key: Some(delivery.key.to_string()),
            content_type: Some(delivery.message.content_type.clone().into_owned()),
        };
        self.connection.publish(&publication).await.map_err(failure::of)?;
        Ok(Receipt { detail: format!("acknowledged by {}", self.connection.broker().shown()) })
    }

    /// What is refused may be one topic alone, where the others are allowed.
    fn takes_down(&self, reason: Reason) -> bool {
        reason.concerns_sink() && reason != Reason::Refused
    }

    async fn check(&self) -> Result<Receipt, DeliveryError> {
        self.connection.reach().await.map_err(failure::of)?;
        Ok(Receipt { detail: format!("{} lets us in", self.connection.broker().shown()) })
    }
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;
