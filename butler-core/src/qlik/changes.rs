//! Being called when executions end: the repository's change notifications.
//!
//! A subscription lives in the repository's memory and is gone when that starts anew. The repository calls a plain HTTP address whenever an object of a type has changed; what it says
//! is no more than a hint, for calls get lost, and anybody can make one.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::ask::Ask;
use super::client::RepositoryClient;
use super::error::QlikError;
use super::executions::Ends;

/// A subscription, by the handle that the repository gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription(pub Uuid);

impl RepositoryClient {
    /// Has the repository call `url` (`http://host:port/path`) whenever an execution ends badly, or well if `successes` are wanted too.
    ///
    /// # Errors
    /// [`QlikError`]. A repository that is just starting may answer with something that is no handle: [`QlikError::Malformed`].
    pub async fn subscribe_to_ends(&self, url: &str, successes: bool) -> Result<Subscription, QlikError> {
        let order = Ask::with("notification", "name", "ExecutionResult".into())
            .and("changetype", "Update".into())
            .and("filter", Ends { successes }.filter().to_string())
            .order(Method::POST, Some(&json!(url)));
        let reply = self.send(&order).await?;
        let handle = reply["value"].as_str().or_else(|| reply.as_str()).and_then(|handle| handle.parse().ok());
        handle.map(Subscription).ok_or_else(|| self.malformed(&order, "it holds no handle of a subscription".into()))
    }

    /// Ends a subscription. One that the repository does not know any more is ended already.
    ///
    /// # Errors
    /// [`QlikError`].
    pub async fn unsubscribe(&self, subscription: Subscription) -> Result<(), QlikError> {
        let order = Ask::with("notification", "handle", subscription.0.to_string()).order(Method::DELETE, None);
        match self.send(&order).await {
            Ok(_) | Err(QlikError::NotFound { .. } | QlikError::Unexpected { status: 400, .. }) => Ok(()),
            Err(other) => Err(other),
        }
    }
}
