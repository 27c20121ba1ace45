//! `healthcheck`: whether a running Butler answers, for containers and whatever else looks after programs.

use std::time::Duration;

use serde_json::Value;

use crate::args::{Global, Status};
use crate::client::Client;
use crate::{Exit, output};

/// Whoever does not answer within this time is not well.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) async fn run(global: &Global, health: &Status) -> Result<(), Exit> {
    let asked: Result<Value, Exit> = Client::new(global, &health.server)?.within(PATIENCE).get("/health", &[]).await;
    asked.map_err(|exit| Exit::unhealthy(exit.message()))?;
    output::line("STATUS Docker health: 200");
    Ok(())
}
