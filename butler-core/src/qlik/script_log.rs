//! Script logs: the repository is asked for a ticket, and the ticket is redeemed.
//!
//! There are two ways to ask. Releases up to spring 2025 know the old one, later ones the new one, some both; what this site answered to is
//! remembered, and the other is tried when it stops to. The log is taken in pieces, and of them only the ends are kept.

use std::sync::atomic::Ordering;
use std::time::Duration;

use uuid::Uuid;

use super::ask::Ask;
use super::client::{Download, RepositoryClient};
use super::error::QlikError;
use super::filter::encode;
use super::log_ends::LogEnds;
use crate::event::{ExecutionResult, LogLines, ScriptLog};

/// It is not known yet to which way the site answers.
pub(super) const UNKNOWN: u8 = 0;
const OLD: u8 = 1;
const NEW: u8 = 2;

/// How often it is looked whether a log that was promised is there.
const POLLS: usize = 4;
/// How long it is waited in between.
const POLL_EVERY: Duration = Duration::from_millis(500);

impl RepositoryClient {
    /// The ends of an execution's script log; none while the repository has no log of it.
    ///
    /// # Errors
    /// [`QlikError`], when it could not be had.
    pub async fn script_log(&self, task: Uuid, result: &ExecutionResult, lines: LogLines) -> Result<Option<ScriptLog>, QlikError> {
        let Some(mut download) = self.open_script_log(task, result).await? else { return Ok(None) };
        let mut ends = LogEnds::new(lines);
        while let Some(piece) = download.piece().await? {
            ends.feed(&piece);
        }
        let log = ends.finish();
        Ok((log.characters > 0).then_some(log))
    }

    /// An execution's script log, to be taken in pieces; none while the repository has no log of it.
    ///
    /// # Errors
    /// [`QlikError`], when it could not be had.
    pub async fn open_script_log(&self, task: Uuid, result: &ExecutionResult) -> Result<Option<Download<'_>>, QlikError> {
        // Zeros say that there is no log yet. A release that shows no reference at all may still know the log by its result.
        if result.file_reference.is_some_and(|reference| reference.is_nil()) {
            return Ok(None);
        }
        let ways = if self.log_api.load(Ordering::Relaxed) == NEW { [NEW, OLD] } else { [OLD, NEW] };
        let mut refused = None;
        for way in ways {
            let (path, parameter, id) = match way {
                OLD => ("scriptlog", "fileReferenceId", result.file_reference),
                _ => ("scriptlogfile", "executionResultId", result.id),
            };
            let Some(id) = id else { continue };
            let ask = Ask::with(format!("reloadtask/{task}/{path}"), parameter, id.to_string());
            match self.redeem(&ask).await {
                Ok(download) => {
                    self.log_api.store(way, Ordering::Relaxed);
                    return Ok(Some(download));
                }
                // The other way may do: this one is not known, or is known and lies.
                Err(error @ (QlikError::NotFound { .. } | QlikError::Unexpected { .. } | QlikError::Malformed { .. })) => {
                    refused = refused.or(Some(error));
                }
                Err(other) => return Err(other),
            }
        }
        refused.map_or(Ok(None), Err)
    }

    async fn redeem(&self, ask: &Ask) -> Result<Download<'_>, QlikError> {
        let reply = self.get(ask).await?;
        let ticket = reply["value"].as_str().filter(|ticket| !ticket.is_empty());
        let ticket = ticket.ok_or_else(|| self.malformed(ask, "it holds no `value`".into()))?;
        let ask = Ask::path(format!("download/reloadtask/{}/scriptlog.txt", encode(ticket)));
        let mut polls = 0;
        let download = loop {
            match self.download(&ask).await {
                Err(QlikError::NotFound { .. }) if polls < POLLS => polls += 1,
                other => break other?,
            }
            self.clock.sleep(POLL_EVERY).await;
        };
        if download.is_no_text() {
            return Err(self.malformed(&ask, "it is no plain text".into()));
        }
        Ok(*download)
    }
}

#[cfg(all(test, feature = "testkit"))]
mod tests;
