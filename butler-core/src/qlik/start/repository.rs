//! What starting asks of a repository, and tells it.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::ask::Ask;
use super::super::client::RepositoryClient;
use super::super::error::QlikError;
use super::super::filter::Filter;
use super::super::map;
use crate::event::TaskFacts;

impl RepositoryClient {
    /// Starts a task of any type. Gives the scheduler's id of the execution, if the repository tells it.
    ///
    /// It is told again only where the repository surely did not get it: see [`QlikError::was_not_received`]. After any other error the task may run, unless the repository
    /// refused: see [`QlikError::may_have_been_carried_out`].
    ///
    /// # Errors
    /// [`QlikError`].
    ///
    /// # Cancellation
    /// Dropping the future gives up the answer; the task may be started all the same.
    pub async fn start_task(&self, id: Uuid) -> Result<Option<Uuid>, QlikError> {
        let order = Ask::path(format!("task/{id}/start")).order(Method::POST, Some(&json!({})));
        match self.send(&order).await? {
            Value::Null => Ok(None),
            reply => {
                let told = reply["value"].as_str().and_then(|id| id.parse().ok());
                told.map(Some).ok_or_else(|| self.malformed(&order, "it is no id of an execution".into()))
            }
        }
    }

    /// A task of any type; none if the repository knows no such task. It is never remembered.
    pub(super) async fn task_now(&self, id: Uuid) -> Result<Option<TaskFacts>, QlikError> {
        let ask = Ask::filter("task/full", &Filter::id(id));
        let reply = self.get(&ask).await?;
        let found = map::single(&reply, id, "task").map_err(|why| self.malformed(&ask, why))?;
        Ok(found.as_ref().map(map::task))
    }
}
