//! The scheduler, and who starts its tasks.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::StartError;
#[cfg(feature = "qlik")]
use super::parts::Clients;
use crate::clock::Clock;
use crate::schedule::{Action, SchedulerParts, SchedulerSettings, Schedules};
use crate::source::Intake;
use crate::store::Store;

/// What a schedule works with, beside the store.
pub(super) struct Means<'a> {
    pub(super) store: &'a Arc<dyn Store>,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) intake: &'a Intake,
    pub(super) actions: BTreeMap<String, Arc<dyn Action>>,
    /// What starts tasks.
    pub(super) tasks: Option<Arc<dyn Action>>,
}

pub(super) async fn open(settings: SchedulerSettings, means: Means<'_>) -> Result<Schedules, StartError> {
    let Means { store, clock, intake, actions, tasks } = means;
    for schedule in &settings.declared {
        if let Some(action) = schedule.action.as_ref().filter(|action| !actions.contains_key(*action)) {
            return Err(StartError::NoSuchAction { schedule: schedule.id.clone(), action: action.clone() });
        }
    }
    let parts = SchedulerParts { store: Arc::clone(store), clock: Arc::clone(clock), intake: intake.clone(), tasks, actions };
    Ok(Schedules::open(settings, parts).await?)
}

/// What starts the tasks of schedules: whoever may make one may start tasks, so there is no filter.
#[cfg(feature = "qlik")]
pub(super) fn tasks(
    clients: &Clients,
    starts: &crate::qlik::start::StartSettings,
    retry_for: std::time::Duration,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
) -> Arc<dyn Action> {
    use crate::qlik::start::{StartSettings, Starter};
    let settings = StartSettings { filter: None, retry_for, ..starts.clone() };
    let starter = Starter::new(clients.clone(), settings, Arc::clone(store) as _, Arc::clone(clock));
    Arc::new(crate::schedule::StartTasks::new(Arc::new(starter), Arc::clone(clock)))
}
