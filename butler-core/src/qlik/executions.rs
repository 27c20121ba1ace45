//! Executions that have ended, as the repository lists them: what a reconciliation reads.
//!
//! A span of time is asked for, never everything: a repository may keep years. How many there are is asked first, so that no reply is larger than it should be.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::ask::Ask;
use super::client::RepositoryClient;
use super::error::QlikError;
use super::filter::Filter;
use super::map;
use crate::event::ExecutionResult;

/// The codes of states in which an execution has ended badly: aborted, failed, broken off by an error.
const WENT_WRONG: [i64; 3] = [6, 8, 11];
/// And of the one in which it did its work.
const SUCCEEDED: i64 = 7;

/// Which executions are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedSpan {
    /// Those that ended at this moment or later,
    pub from: Timestamp,
    /// and before this one; without an end if there is none.
    pub before: Option<Timestamp>,
    /// Whether those that succeeded are wanted too.
    pub successes: bool,
}

/// An execution that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedExecution {
    /// The task; none if the repository does not say.
    pub task_id: Option<Uuid>,
    /// The app, for tasks that have one.
    pub app_id: Option<Uuid>,
    /// When it ended.
    pub stopped: Timestamp,
    /// How it went.
    pub result: ExecutionResult,
}

/// Which ends of executions are wanted: the bad ones, and perhaps the good ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) successes: bool,
}

impl Ends {
    pub(super) fn filter(self) -> Filter {
        let wanted: Vec<i64> = WENT_WRONG.into_iter().chain(self.successes.then_some(SUCCEEDED)).collect();
        Filter::any_number("status", &wanted)
    }
}

impl EndedSpan {
    fn filter(self, by_status: bool) -> Filter {
        let since = Filter::since("stopTime", self.from);
        let within = match self.before {
            Some(before) => since.and(Filter::before("stopTime", before)),
            None => since,
        };
        if by_status { within.and(Ends { successes: self.successes }.filter()) } else { within }
    }

    fn wants(self, result: &ExecutionResult) -> bool {
        let code = result.status.0;
        WENT_WRONG.contains(&code) || (self.successes && code == SUCCEEDED)
    }
}

impl RepositoryClient {
    /// How many executions ended within a span; none if this repository does not count. Where it can't be asked for states, all are counted.
    ///
    /// # Errors
    /// [`QlikError`], when it could not be found out.
    pub async fn count_ended(&self, span: EndedSpan) -> Result<Option<u64>, QlikError> {
        let ask = |filter: &Filter| Ask::filter("executionresult/count", filter);
        let reply = match self.get_ended(span, ask).await {
            Ok((_, reply)) => reply,
            Err(QlikError::NotFound { .. } | QlikError::Unexpected { status: 400, .. }) => return Ok(None),
            Err(other) => return Err(other),
        };
        Ok(reply["value"].as_u64().or_else(|| reply.as_u64()))
    }

    /// The executions that ended within a span, ascending by the time of their end. It is never remembered.
    ///
    /// # Errors
    /// [`QlikError`], when it could not be found out; also when the reply is too large to be held.
    pub async fn ended(&self, span: EndedSpan) -> Result<Vec<EndedExecution>, QlikError> {
        let (ask, reply) = self.get_ended(span, |filter| Ask::filter("executionresult/full", filter)).await?;
        let Value::Array(all) = reply else { return Err(self.malformed(&ask, "it is no list of execution results".into())) };
        let mut ended: Vec<_> = all.iter().filter_map(map::ended_execution).filter(|ended| span.wants(&ended.result)).collect();
        ended.sort_by_key(|ended| ended.stopped);
        Ok(ended)
    }

    /// Asks about a span; a repository that can't be asked for states is asked for all of them.
    async fn get_ended(&self, span: EndedSpan, ask: impl Fn(&Filter) -> Ask) -> Result<(Ask, Value), QlikError> {
        if !self.no_status_filter.load(Ordering::Relaxed) {
            let by_status = ask(&span.filter(true));
            match self.get(&by_status).await {
                Err(QlikError::Unexpected { status: 400, .. }) => {}
                answer => return Ok((by_status, answer?)),
            }
        }
        let all = ask(&span.filter(false));
        let reply = self.get(&all).await?;
        // Only now is it certain that the states were to blame.
        self.no_status_filter.store(true, Ordering::Relaxed);
        Ok((all, reply))
    }
}

#[cfg(all(test, feature = "testkit"))]
mod tests;
