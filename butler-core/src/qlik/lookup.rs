//! What is asked of a repository, by name.
//!
//! Tasks, apps and users are remembered for a while, and whoever asks for the same one meanwhile shares the request. That there is no such object is
//! remembered only briefly, for it may just be on its way to this node; that it could not be asked is never remembered.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use moka::future::Cache;
use serde_json::Value;
use uuid::Uuid;

use super::ask::Ask;
use super::client::RepositoryClient;
use super::error::QlikError;
use super::filter::Filter;
use super::map;
use crate::clock::Clock;
use crate::event::{AppFacts, ExecutionResult, Owner, TaskFacts, TaskType};

/// How many objects of a sort are remembered.
const CAPACITY: u64 = 10_000;
/// How long it is remembered that there is no such object.
const ABSENT_FOR: Duration = Duration::from_secs(5);
/// The longest time that anything is remembered.
const LONGEST: Duration = Duration::from_hours(24);

/// What a repository says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// `buildVersion`.
    pub build_version: String,
    /// `buildDate`.
    pub build_date: String,
}

#[derive(Debug)]
pub(super) struct Caches {
    tasks: Memory<TaskFacts>,
    apps: Memory<AppFacts>,
    users: Memory<Owner>,
}

impl Caches {
    pub(super) fn new(keep: Duration) -> Self {
        let keep = keep.min(LONGEST);
        Self { tasks: Memory::new(keep), apps: Memory::new(keep), users: Memory::new(keep) }
    }
}

/// Objects of one sort by their id.
#[derive(Debug)]
struct Memory<T: Send + Sync + 'static> {
    keep: Duration,
    cache: Cache<Uuid, Remembered<T>>,
}

#[derive(Debug)]
struct Remembered<T> {
    /// Of our own clock: the cache's own removes what is long forgotten, and can't be moved by a test.
    at: Duration,
    object: Option<Arc<T>>,
}

impl<T> Clone for Remembered<T> {
    fn clone(&self) -> Self {
        Self { at: self.at, object: self.object.clone() }
    }
}

impl<T: Send + Sync + 'static> Memory<T> {
    fn new(keep: Duration) -> Self {
        Self { keep, cache: Cache::builder().max_capacity(CAPACITY).time_to_live(keep).build() }
    }

    async fn get(
        &self,
        id: Uuid,
        clock: &dyn Clock,
        ask: impl Future<Output = Result<Option<T>, QlikError>>,
    ) -> Result<Option<Arc<T>>, QlikError> {
        if let Some(known) = self.cache.get(&id).await {
            let keep = if known.object.is_some() { self.keep } else { self.keep.min(ABSENT_FOR) };
            if clock.monotonic().saturating_sub(known.at) < keep {
                return Ok(known.object);
            }
            self.cache.invalidate(&id).await;
        }
        let ask = async { Ok(Remembered { object: ask.await?.map(Arc::new), at: clock.monotonic() }) };
        match self.cache.try_get_with(id, ask).await {
            Ok(found) => Ok(found.object),
            Err(shared) => Err(Arc::unwrap_or_clone(shared)),
        }
    }
}

impl RepositoryClient {
    /// The repository's word about itself; it shows that address, certificates and user are right.
    ///
    /// # Errors
    /// [`QlikError`].
    pub async fn about(&self) -> Result<About, QlikError> {
        let ask = Ask::path("about");
        let about = self.get(&ask).await?;
        let text = |member: &str| about[member].as_str().unwrap_or_default().to_owned();
        match about.is_object() {
            true => Ok(About { build_version: text("buildVersion"), build_date: text("buildDate") }),
            false => Err(self.malformed(&ask, "it is no object".into())),
        }
    }

    /// A task of any type; none if the repository knows no such task.
    ///
    /// # Errors
    /// [`QlikError`], when it could not be found out.
    pub async fn task(&self, id: Uuid) -> Result<Option<Arc<TaskFacts>>, QlikError> {
        let ask = async { Ok(self.task_object(id).await?.map(|task| map::task(&task))) };
        self.caches.tasks.get(id, &*self.clock, ask).await
    }

    /// An app; none if the repository knows no such app.
    ///
    /// # Errors
    /// [`QlikError`], when it could not be found out.
    pub async fn app(&self, id: Uuid) -> Result<Option<Arc<AppFacts>>, QlikError> {
        let ask = async { Ok(self.single("app/full", id, "app").await?.map(|app| map::app(&app))) };
        self.caches.apps.get(id, &*self.clock, ask).await
    }

    /// A user, with its email addresses; none if the repository knows no such user.
    ///
    /// # Errors
    /// [`QlikError`], when it could not be found out.
    pub async fn user(&self, id: Uuid) -> Result<Option<Arc<Owner>>, QlikError> {
        let ask = async { Ok(self.object("user", id).await?.map(|user| map::owner(&user))) };
        self.caches.users.get(id, &*self.clock, ask).await
    }

    /// The latest execution of a task; none if it never ran, or is gone. It is never remembered.
    ///
    /// # Errors
    /// [`QlikError`], when it could not be found out.
    pub async fn last_result(&self, task: Uuid, task_type: Option<TaskType>) -> Result<Option<ExecutionResult>, QlikError> {
        let collection = match task_type {
            // The repository keeps the newer types among the reload tasks.
            Some(TaskType::Reload | TaskType::Distribute | TaskType::Preload) => Some("reloadtask"),
            Some(TaskType::ExternalProgram) => Some("externalprogramtask"),
            Some(TaskType::UserSync) => Some("usersynctask"),
            None => None,
        };
        if let Some(collection) = collection
            && let Some(found) = self.object(collection, task).await?
        {
            return Ok(map::last_result(&found));
        }
        Ok(self.task_object(task).await?.as_ref().and_then(map::last_result))
    }

    /// One given execution, by the scheduler's id of it or by the id of its result; none if the repository does not know it, or can't be asked that way.
    ///
    /// # Errors
    /// [`QlikError`], when it could not be found out.
    pub async fn execution(&self, id: Uuid) -> Result<Option<ExecutionResult>, QlikError> {
        if !self.no_execution_filter.load(Ordering::Relaxed) {
            let ask = Ask::filter("executionresult/full", &Filter::guid("executionID", id));
            match self.get(&ask).await {
                Ok(reply) => {
                    let found: Vec<_> = reply.as_array().into_iter().flatten().map(map::execution_result).collect();
                    // One answer without the member is taken at its word: it was asked for this execution. Several may be an ignored filter.
                    let is_alone = found.len() == 1;
                    let own = found.into_iter().find(|result| result.execution_id.map_or(is_alone, |named| named == id));
                    if let Some(own) = own {
                        return Ok(Some(ExecutionResult { execution_id: Some(id), ..own }));
                    }
                }
                Err(QlikError::NotFound { .. } | QlikError::Unexpected { status: 400, .. }) => {
                    self.no_execution_filter.store(true, Ordering::Relaxed);
                }
                Err(other) => return Err(other),
            }
        }
        match self.object("executionresult", id).await {
            Ok(found) => Ok(found.as_ref().map(map::execution_result)),
            Err(QlikError::Unexpected { status: 400, .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// The tasks that bear a tag, with their ids.
    ///
    /// # Errors
    /// [`QlikError`], when it could not be found out.
    pub async fn tasks_with_tag(&self, tag: &str) -> Result<Vec<(Uuid, TaskFacts)>, QlikError> {
        let found = self.tasks(&Filter::text("tags.name", tag)).await?;
        Ok(found.into_iter().filter(|(_, task)| task.tags.iter().any(|name| same(name, tag))).collect())
    }

    /// The tasks one of whose custom properties has this name and this value, with their ids.
    ///
    /// # Errors
    /// [`QlikError`], when it could not be found out.
    pub async fn tasks_with_property(&self, name: &str, value: &str) -> Result<Vec<(Uuid, TaskFacts)>, QlikError> {
        let filter = Filter::text("customProperties.definition.name", name).and(Filter::text("customProperties.value", value));
        let found = self.tasks(&filter).await?;
        // The repository is content if one property has the name and another the value.
        let fits = |task: &TaskFacts| task.custom_properties.iter().any(|entry| same(&entry.name, name) && same(&entry.value, value));
        Ok(found.into_iter().filter(|(_, task)| fits(task)).collect())
    }

    async fn tasks(&self, filter: &Filter) -> Result<Vec<(Uuid, TaskFacts)>, QlikError> {
        let ask = Ask::filter("task/full", filter);
        match self.get(&ask).await? {
            Value::Array(tasks) => {
                Ok(tasks.iter().filter_map(|task| Some((task["id"].as_str()?.parse().ok()?, map::task(task)))).collect())
            }
            _ => Err(self.malformed(&ask, "it is no list of tasks".into())),
        }
    }

    async fn task_object(&self, id: Uuid) -> Result<Option<Value>, QlikError> {
        self.single("task/full", id, "task").await
    }

    /// The object of an id, from a collection that is listed.
    async fn single(&self, path: &str, id: Uuid, what: &str) -> Result<Option<Value>, QlikError> {
        let ask = Ask::filter(path, &Filter::id(id));
        let reply = self.get(&ask).await?;
        map::single(&reply, id, what).map_err(|why| self.malformed(&ask, why))
    }

    /// The object of an id, from a collection that is addressed.
    async fn object(&self, collection: &str, id: Uuid) -> Result<Option<Value>, QlikError> {
        let ask = Ask::path(format!("{collection}/{id}"));
        match self.get(&ask).await {
            Ok(reply) => map::object(reply, id, collection).map(Some).map_err(|why| self.malformed(&ask, why)),
            Err(QlikError::NotFound { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }
}

/// The repository compares texts without regard to case, as far as its database does.
fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

#[cfg(all(test, feature = "testkit"))]
mod tests;
