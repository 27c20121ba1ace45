//! Which tasks there are.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::super::client::RepositoryClient;
use super::super::error::QlikError;
use super::super::map;
use super::filter::StartFilter;
use crate::event::{CustomProperty, SiteName, TaskType};

/// A task that could be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct ListedTask {
    /// Its site.
    pub site: SiteName,
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its type; `None` for one that this version does not know.
    pub task_type: Option<TaskType>,
    /// Name of the app that it is about.
    pub app: Option<String>,
    /// Whether Qlik Sense lets it run at all.
    pub enabled: bool,
    /// Whether the filter allows to start it.
    pub allowed: bool,
    /// Names of its tags.
    pub tags: Vec<String>,
    /// Its custom properties.
    pub custom_properties: Vec<CustomProperty>,
    /// When it runs next; `None` if no trigger says so.
    pub next: Option<Timestamp>,
    /// How its latest execution stands, in the repository's word; `None` if it never ran.
    pub status: Option<String>,
    /// When that began.
    pub started: Option<Timestamp>,
    /// When it stopped.
    pub stopped: Option<Timestamp>,
}

impl RepositoryClient {
    /// All tasks of the site in the order of their names, as the filter sees them. Nothing of it is remembered.
    pub(super) async fn all_tasks(&self, filter: Option<&StartFilter>) -> Result<Vec<ListedTask>, QlikError> {
        let site = &self.settings().site;
        let found = self.each_task(task).await?;
        let listed = found.into_iter().map(|(task, facts)| ListedTask {
            site: site.clone(),
            allowed: filter.is_none_or(|filter| filter.allows(task.id, &facts)),
            ..task
        });
        let mut listed: Vec<_> = listed.collect();
        listed.sort_by_cached_key(|task| (task.name.to_lowercase(), task.id));
        Ok(listed)
    }
}

/// A task, without what the repository can't know of it; none if it does not even say its id.
fn task(task: &Value) -> Option<(ListedTask, crate::event::TaskFacts)> {
    let id = task["id"].as_str()?.trim().parse().ok()?;
    let facts = map::task(task);
    let last = map::last_result(task);
    let listed = ListedTask {
        site: "".into(),
        id,
        name: facts.name.clone(),
        task_type: facts.task_type,
        app: facts.app_name.clone(),
        enabled: map::is_enabled(task),
        allowed: false,
        tags: facts.tags.clone(),
        custom_properties: facts.custom_properties.clone(),
        next: facts.next_execution.as_deref().and_then(map::moment),
        status: last.as_ref().map(|last| last.status.text()),
        started: last.as_ref().and_then(|last| map::moment(&last.start_time)),
        stopped: last.as_ref().and_then(|last| map::moment(&last.stop_time)),
    };
    Some((listed, facts))
}
