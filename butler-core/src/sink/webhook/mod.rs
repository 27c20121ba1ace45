//! Placeholder for webhook.
use std::sync::Arc;

use serde::Deserialize;

use super::{BuildError, Sink, SinkConfig, SinkContext};
use crate::config::Issues;

/// Options of this sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {}

impl SinkConfig for WebhookConfig {
    const TYPE: &'static str = "webhook";

    fn validate(&self, _issues: &mut Issues) {}

    fn build(&self, _context: &SinkContext) -> Result<Arc<dyn Sink>, BuildError> {
        Err(BuildError::Invalid { key: "type", why: "placeholder".into() })
    }
}
