//! Change notifications: the repository calls whoever asked for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::collection::Collection;
use super::filter::{Filter, fits, makes_sense};
use super::objects::View;
use super::reply::Reply;
use super::requests::SiteRequest;
use super::shared::Shared;

/// How long whoever is called may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Who is called when an execution has changed, by handle.
#[derive(Debug, Default)]
pub(super) struct Subscriptions(Mutex<BTreeMap<Uuid, Subscriber>>);

#[derive(Debug, Clone)]
struct Subscriber {
    /// `host:port`, and the path.
    address: String,
    path: String,
    filter: Option<Filter>,
}

impl Subscriptions {
    pub(super) fn forget(&self) {
        self.all().clear();
    }

    pub(super) fn count(&self) -> usize {
        self.all().len()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Uuid, Subscriber>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Only changes of execution results are told of.
pub(super) fn add(shared: &Shared, asked: &SiteRequest) -> Reply {
    let is_known = asked.parameter("name").is_some_and(|name| name.eq_ignore_ascii_case("ExecutionResult"));
    let is_update = asked.parameter("changetype").is_none_or(|change| change.eq_ignore_ascii_case("Update"));
    let url = serde_json::from_str::<String>(&asked.body).unwrap_or_default();
    let Some((address, path)) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).filter(|_| is_known && is_update) else {
        return Reply::text(400, "Bad request");
    };
    let filter = match asked.parameter("filter").map(str::parse::<Filter>) {
        None => None,
        Some(Ok(filter)) if makes_sense(&filter, shared.shapes.of(Collection::ExecutionResult)) => Some(filter),
        Some(_) => return Reply::text(400, "Cannot parse the expression"),
    };
    let handle = Uuid::new_v4();
    shared.subscriptions.all().insert(handle, Subscriber { address: address.to_owned(), path: format!("/{path}"), filter });
    Reply { status: 201, ..Reply::json(&json!({ "value": handle })) }
}

pub(super) fn remove(shared: &Shared, asked: &SiteRequest) -> Reply {
    let handle = asked.parameter("handle").and_then(|handle| handle.parse::<Uuid>().ok());
    match handle.and_then(|handle| shared.subscriptions.all().remove(&handle)) {
        Some(_) => Reply::no_content(),
        None => Reply::not_found(),
    }
}

/// Calls everybody who wants to know of the result of this id.
pub(super) fn tell(shared: &Arc<Shared>, result: Uuid) {
    let object = {
        let state = shared.state();
        let view = View { state: &state, now: shared.clock.now() };
        state.executions.iter().find(|execution| execution.id == result).map(|execution| view.execution_result(execution))
    };
    let Some(object) = object else { return };
    let wants = |subscriber: &&Subscriber| subscriber.filter.as_ref().is_none_or(|filter| fits(filter, &object));
    let subscribers: Vec<_> = shared.subscriptions.all().values().filter(wants).cloned().collect();
    let change = json!([{ "objectType": "ExecutionResult", "objectID": result, "changeType": 2, "changedProperties": ["status"], "engineID": Uuid::nil() }]);
    for Subscriber { address, path, .. } in subscribers {
        let body = change.to_string();
        shared.in_background(async move {
            let call = async {
                let mut stream = TcpStream::connect(&address).await?;
                let head = format!(
                    "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(body.as_bytes()).await?;
                // Not closed before the answer, which nobody reads.
                stream.read_to_end(&mut Vec::new()).await
            };
            // Whoever can't be reached is not called again.
            let _ = tokio::time::timeout(CALL_TIMEOUT, call).await;
        });
    }
}
