//! Where what is remembered is kept: one small entry a task, and one a site for the time of its latest look.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use uuid::Uuid;

use super::memory::TaskMemory;
use crate::event::SiteName;
use crate::store::{StateStore, StoreError};

/// How many entries are written at once: a store writes what comes at the same time in one commit.
const AT_ONCE: usize = 64;

/// What is remembered of a site's tasks, as the store has it.
#[derive(Debug)]
pub(super) struct Stored {
    store: Arc<dyn StateStore>,
    site: String,
    looked: Option<Timestamp>,
    looked_version: u64,
    tasks: BTreeMap<Uuid, Kept>,
}

#[derive(Debug, Default, Clone)]
struct Kept {
    memory: TaskMemory,
    text: String,
    version: u64,
}

/// Why it could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoredError {
    #[error("what is remembered of the site's tasks can't be read or written: {0}")]
    Store(#[from] StoreError),
    #[error("somebody else has written `{0}` meanwhile; it is read again")]
    Overtaken(String),
}

impl Stored {
    /// Reads what is there. An entry that can't be understood counts as none: what is usual is learned anew.
    pub(super) async fn load(store: Arc<dyn StateStore>, site: &SiteName) -> Result<Self, StoredError> {
        let site = format!("task_watch|{site}");
        let mut stored = Self { store, site, looked: None, looked_version: 0, tasks: BTreeMap::new() };
        if let Some(entry) = stored.store.state(&stored.site).await? {
            stored.looked = entry.value.parse().ok();
            stored.looked_version = entry.version;
        }
        let prefix = format!("{}|", stored.site);
        for entry in stored.store.states(&prefix).await? {
            let Some(task) = entry.name.strip_prefix(&prefix).and_then(|id| id.parse().ok()) else { continue };
            let memory = serde_json::from_str(&entry.value).unwrap_or_else(|error| {
                tracing::warn!(name = entry.name, %error, "What was remembered of a task can't be understood, and is learned anew.");
                TaskMemory::default()
            });
            stored.tasks.insert(task, Kept { memory, text: entry.value, version: entry.version });
        }
        Ok(stored)
    }

    /// When it was looked last, by any process.
    pub(super) fn looked(&self) -> Option<Timestamp> {
        self.looked
    }

    pub(super) fn of(&self, task: Uuid) -> TaskMemory {
        self.tasks.get(&task).map(|kept| kept.memory.clone()).unwrap_or_default()
    }

    /// Remembers what was found out by a look at all tasks. Tasks that were not among them are gone, and are forgotten.
    pub(super) async fn remember(&mut self, found: BTreeMap<Uuid, TaskMemory>, now: Timestamp) -> Result<(), StoredError> {
        let gone: BTreeSet<Uuid> = self.tasks.keys().filter(|task| !found.contains_key(task)).copied().collect();
        let changed = found.into_iter().filter_map(|(task, memory)| {
            let text = serde_json::to_string(&memory).ok()?;
            let kept = self.tasks.entry(task).or_default();
            kept.memory = memory;
            (kept.text != text).then_some((task, text, kept.version))
        });
        let changed: Vec<_> = changed.collect();
        let (store, site) = (&self.store, &self.site);
        let writes = stream::iter(changed).map(|(task, text, version)| async move {
            let name = format!("{site}|{task}");
            match store.set_state(&name, &text, version).await? {
                Some(version) => Ok((task, text, version)),
                None => Err(StoredError::Overtaken(name)),
            }
        });
        let written: Vec<_> = writes.buffer_unordered(AT_ONCE).try_collect().await?;
        for (task, text, version) in written {
            if let Some(kept) = self.tasks.get_mut(&task) {
                (kept.text, kept.version) = (text, version);
            }
        }
        for task in gone {
            self.store.remove_state(&format!("{}|{task}", self.site)).await?;
            self.tasks.remove(&task);
        }
        // Last: a look counts once everything of it is remembered.
        match self.store.set_state(&self.site, &now.to_string(), self.looked_version).await? {
            Some(version) => (self.looked, self.looked_version) = (Some(now), version),
            None => return Err(StoredError::Overtaken(self.site.clone())),
        }
        Ok(())
    }
}
