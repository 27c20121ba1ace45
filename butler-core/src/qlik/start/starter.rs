//! The one who starts tasks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use jiff::SignedDuration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::super::client::RepositoryClient;
use super::super::error::QlikError;
use super::super::standing::TaskStanding;
use super::error::StartError;
use super::filter::StartFilter;
use super::find::{AGAIN, Finder, Found, FoundTask, hold_back, is_outage, unavailable};
use super::list::ListedTask;
use super::report::{Selection, StartOutcome, StartReport, TaskReport};
use super::request::{Pair, Selector, StartRequest, task_id};
use crate::clock::{Clock, Deadline};
use crate::event::SiteName;
use crate::store::{If, KvStore, PutOutcome, StoreError};

/// How tasks are started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StartSettings {
    /// The site where nobody names one; needed only if there are several.
    pub site: Option<SiteName>,
    /// Which tasks may be started; `None` for all.
    pub filter: Option<StartFilter>,
    /// How long it is tried again while the repository can't be reached.
    pub retry_for: Duration,
    /// How many keys a namespace may hold; `None` for any number.
    pub key_limit: Option<u64>,
}

/// How tasks stand.
#[derive(Debug, Clone)]
pub struct Standings {
    /// Of this site.
    pub site: SiteName,
    /// Each of them.
    pub tasks: Vec<TaskStanding>,
}

/// Starts tasks on somebody's word.
#[derive(Debug)]
pub struct Starter {
    inner: Arc<Inner>,
    /// Starts under way. They end with the starter.
    under_way: Mutex<JoinSet<()>>,
}

#[derive(Debug)]
struct Inner {
    sites: BTreeMap<SiteName, Arc<RepositoryClient>>,
    settings: StartSettings,
    pairs: Arc<dyn KvStore>,
    clock: Arc<dyn Clock>,
}

impl Starter {
    /// Of these repositories; pairs go to this store.
    #[must_use]
    pub fn new(
        sites: BTreeMap<SiteName, Arc<RepositoryClient>>,
        settings: StartSettings,
        pairs: Arc<dyn KvStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { inner: Arc::new(Inner { sites, settings, pairs, clock }), under_way: Mutex::default() }
    }

    /// How tasks are started.
    #[must_use]
    pub fn settings(&self) -> &StartSettings {
        &self.inner.settings
    }

    /// Starts what a request asks for, and says what became of each task.
    ///
    /// It takes as long as it is [tried again](StartSettings::retry_for), and then as long as the site's `timeout` allows for one answer.
    ///
    /// # Errors
    /// [`StartError`]: no task was started.
    ///
    /// # Cancellation
    /// What has begun goes on when the future is dropped, up to the end of the starter: whoever does not wait for the report has given the order all the same.
    pub async fn start(&self, request: StartRequest) -> Result<StartReport, StartError> {
        let (tell, told) = oneshot::channel();
        let inner = Arc::clone(&self.inner);
        {
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            while under_way.try_join_next().is_some() {}
            under_way.spawn(async move {
                // Nobody may be waiting any more.
                let _ = tell.send(inner.start(&request).await);
            });
        }
        told.await.unwrap_or(Err(StartError::BrokenOff))
    }

    /// Those of these ids that the filter does not allow. Ids of no task are denied where there is a filter.
    ///
    /// # Errors
    /// [`StartError::UnknownSite`], [`StartError::Unavailable`].
    ///
    /// # Cancellation
    /// Dropping the future has no effect.
    pub async fn denied(&self, site: &SiteName, tasks: &[String]) -> Result<Vec<String>, StartError> {
        self.inner.denied(site, tasks).await
    }

    /// Starts tasks that follow from something else, such as the end of a reload: by their ids, each once, without a look at the filter or at the tasks. One that does not exist, or could
    /// not be started, is in the report and the log.
    ///
    /// # Errors
    /// [`StartError::UnknownSite`]: no task was started.
    ///
    /// # Cancellation
    /// Dropping the future gives up what has not been started yet.
    pub async fn follow_up(&self, site: &SiteName, tasks: &[String]) -> Result<StartReport, StartError> {
        self.inner.follow_up(site, tasks).await
    }

    /// How the tasks stand that a request asks for. Nothing is started, and nothing stored.
    ///
    /// # Errors
    /// [`StartError`].
    ///
    /// # Cancellation
    /// Dropping the future has no effect.
    pub async fn standings(&self, request: &StartRequest) -> Result<Standings, StartError> {
        let inner = &*self.inner;
        let client = inner.client(request.site.as_ref())?;
        let until = Deadline::after(&*inner.clock, inner.settings.retry_for);
        let finder = Finder { client, filter: inner.settings.filter.as_ref(), clock: &*inner.clock, until };
        let found = try_join_all(request.selectors().into_iter().map(|by| finder.find(by))).await?;
        let wanted: HashSet<_> = found.iter().flat_map(|found| &found.tasks).filter_map(|task| task.verdict.as_ref().ok()).collect();
        let mut tasks = finder.standings().await?;
        tasks.retain(|task| wanted.contains(&task.id));
        Ok(Standings { site: client.settings().site.clone(), tasks })
    }

    /// How all tasks of a site stand.
    ///
    /// # Errors
    /// [`StartError::UnknownSite`], [`StartError::Unavailable`].
    ///
    /// # Cancellation
    /// Dropping the future has no effect.
    pub async fn all_standings(&self, site: &SiteName) -> Result<Vec<TaskStanding>, StartError> {
        let client = self.inner.client(Some(site))?;
        client.standings().await.map_err(|error| unavailable(client, &error))
    }

    /// The tasks of a site, or of all sites, in the order of their names.
    ///
    /// # Errors
    /// [`StartError::NoSite`], [`StartError::UnknownSite`], [`StartError::Unavailable`].
    ///
    /// # Cancellation
    /// Dropping the future has no effect.
    pub async fn tasks(&self, site: Option<&SiteName>) -> Result<Vec<ListedTask>, StartError> {
        let inner = &*self.inner;
        let clients = match site {
            Some(_) => vec![inner.client(site)?],
            None if inner.sites.is_empty() => return Err(StartError::NoSite),
            None => inner.sites.values().collect(),
        };
        let filter = inner.settings.filter.as_ref();
        let mut all = Vec::new();
        for client in clients {
            all.extend(client.all_tasks(filter).await.map_err(|error| unavailable(client, &error))?);
        }
        Ok(all)
    }
}

impl Inner {
    async fn start(&self, request: &StartRequest) -> Result<StartReport, StartError> {
        request.check()?;
        let client = self.client(request.site.as_ref())?;
        let until = Deadline::after(&*self.clock, self.settings.retry_for);
        let finder = Finder { client, filter: self.settings.filter.as_ref(), clock: &*self.clock, until };
        let mut found = try_join_all(request.selectors().into_iter().map(|by| finder.find(by))).await?;
        if request.all_ids_must_exist {
            hold_back(&mut found);
        }
        if request.skip_running {
            finder.hold_running(&mut found).await?;
        }
        for pair in &request.pairs {
            self.store(pair).await?;
        }
        let mut wanted: Vec<Uuid> = Vec::new();
        for id in found.iter().flat_map(|found| &found.tasks).filter_map(|task| task.verdict.as_ref().ok()) {
            if !wanted.contains(id) {
                wanted.push(*id);
            }
        }
        // The client sends a few at a time, more or less in this order.
        let outcomes = join_all(wanted.iter().map(|id| self.start_one(client, *id, until))).await;
        let report = report(client, found, &wanted.into_iter().zip(outcomes).collect());
        tell(&report);
        Ok(report)
    }

    async fn denied(&self, site: &SiteName, tasks: &[String]) -> Result<Vec<String>, StartError> {
        let Some(filter) = &self.settings.filter else { return Ok(Vec::new()) };
        let until = Deadline::after(&*self.clock, self.settings.retry_for);
        let finder = Finder { client: self.client(Some(site))?, filter: Some(filter), clock: &*self.clock, until };
        // Of those that are listed nothing has to be known.
        let unlisted = tasks.iter().filter(|text| !task_id(text).is_some_and(|id| filter.lists(id)));
        let found = try_join_all(unlisted.map(|text| finder.find(Selector::Task(text.clone())))).await?;
        let denied = found.into_iter().flat_map(|found| found.tasks).filter(|task| task.verdict.is_err());
        Ok(denied.map(|task| task.id).collect())
    }

    async fn follow_up(&self, site: &SiteName, tasks: &[String]) -> Result<StartReport, StartError> {
        let client = self.client(Some(site))?;
        let until = Deadline::after(&*self.clock, self.settings.retry_for);
        let start = async |id: &String| {
            let outcome = match task_id(id) {
                Some(task) => self.start_one(client, task, until).await,
                None => StartOutcome::InvalidId,
            };
            let task = TaskReport { id: id.clone(), name: None, outcome };
            Selection { by: Selector::Task(id.clone()), denied: false, error: None, tasks: vec![task] }
        };
        let mut seen = HashSet::new();
        let tasks: Vec<_> = tasks.iter().filter(|text| task_id(text).is_none_or(|id| seen.insert(id))).collect();
        let report = StartReport { site: site.clone(), selections: join_all(tasks.into_iter().map(start)).await };
        tell(&report);
        Ok(report)
    }

    fn client(&self, named: Option<&SiteName>) -> Result<&Arc<RepositoryClient>, StartError> {
        let sites = || self.sites.keys().cloned().collect();
        if let Some(site) = named.or(self.settings.site.as_ref()) {
            return self.sites.get(site).ok_or_else(|| StartError::UnknownSite { site: site.clone(), sites: sites() });
        }
        let mut clients = self.sites.values();
        match (clients.next(), clients.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(StartError::NoSite),
            (Some(_), Some(_)) => Err(StartError::WhichSite { sites: sites() }),
        }
    }

    async fn store(&self, pair: &Pair) -> Result<(), StartError> {
        let limit = self.settings.key_limit;
        let expires = pair.ttl().map(|ttl| {
            let ttl = SignedDuration::try_from(ttl).unwrap_or(SignedDuration::MAX);
            self.clock.now().checked_add(ttl).unwrap_or(jiff::Timestamp::MAX)
        });
        match self.pairs.put(&pair.namespace, &pair.key, &pair.value, expires, If::Any, limit).await? {
            PutOutcome::NamespaceFull => {
                Err(StartError::NamespaceFull { namespace: pair.namespace.clone(), limit: limit.unwrap_or_default() })
            }
            PutOutcome::StoreFull => Err(StoreError::Full(crate::store::rules::NO_ROOM.to_owned()).into()),
            PutOutcome::Stored(_) | PutOutcome::Conflict(_) => Ok(()),
        }
    }

    /// Starts a task. It is told again only where the repository surely did not get it.
    async fn start_one(&self, client: &RepositoryClient, id: Uuid, until: Deadline) -> StartOutcome {
        loop {
            match client.start_task(id).await {
                Ok(execution) => return StartOutcome::Started { execution },
                Err(error) if error.was_not_received() && is_outage(&error) && until.left(&*self.clock) >= AGAIN => {
                    self.clock.sleep(AGAIN).await;
                }
                // It was there a moment ago.
                Err(QlikError::NotFound { .. }) => return StartOutcome::NotFound,
                Err(error) => {
                    tracing::warn!(task = %id, %error, "A task could not be started.");
                    return StartOutcome::Failed { why: why(&error), may_run: error.may_have_been_carried_out() };
                }
            }
        }
    }
}

fn report(client: &RepositoryClient, found: Vec<Found>, started: &HashMap<Uuid, StartOutcome>) -> StartReport {
    let task = |FoundTask { id, name, verdict }| {
        let outcome = verdict.map_or_else(|outcome| outcome, |id| started.get(&id).cloned().unwrap_or(StartOutcome::NotFound));
        TaskReport { id, name, outcome }
    };
    let selection = |Found { by, denied, error, tasks }| Selection { by, denied, error, tasks: tasks.into_iter().map(task).collect() };
    StartReport { site: client.settings().site.clone(), selections: found.into_iter().map(selection).collect() }
}

/// Leaves a line for each task in the log.
fn tell(report: &StartReport) {
    let site = &report.site;
    for Selection { by, denied, tasks, .. } in &report.selections {
        for TaskReport { id, name, outcome } in tasks {
            match outcome {
                StartOutcome::Started { .. } => tracing::info!(%site, task = id, name, ?by, "A task was started on somebody's word."),
                outcome => tracing::warn!(%site, task = id, name, ?by, ?outcome, "A task was not started."),
            }
        }
        if *denied && tasks.is_empty() {
            tracing::warn!(%site, ?by, "No task was started, for the filter does not allow it.");
        }
    }
}

/// Why a task could not be started, with what the repository said.
fn why(error: &QlikError) -> String {
    match error {
        QlikError::Forbidden { body, .. } | QlikError::Unexpected { body, .. } if !body.is_empty() => {
            format!("{}: {body}", error.brief())
        }
        other => other.brief(),
    }
}

#[cfg(all(test, feature = "testkit"))]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::qlik::fake::{Answer, Fake, HastyClock, closed_port, settings};
    use crate::store::memory::MemoryStore;

    const TASK: Uuid = Uuid::from_u128(7);

    /// Starts a task that was found, at a client and a starter of this clock.
    async fn start_one(clock: &HastyClock, address: std::net::SocketAddr, retry_for: Duration) -> StartOutcome {
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let client = RepositoryClient::unencrypted(settings(address), Arc::clone(&shared)).expect("a client");
        let pairs = Arc::new(MemoryStore::new(Arc::clone(&shared)));
        let inner = Inner { sites: BTreeMap::new(), settings: StartSettings::default(), pairs, clock: shared };
        let until = Deadline::after(clock, retry_for);
        inner.start_one(&client, TASK, until).await
    }

    #[tokio::test]
    async fn where_nobody_listens_it_is_tried_again_until_the_time_is_up() {
        let (_socket, address) = closed_port();
        let clock = HastyClock::default();
        let outcome = start_one(&clock, address, Duration::from_mins(1)).await;
        let StartOutcome::Failed { may_run: false, .. } = outcome else { panic!("{outcome:?}") };
        let waited: Duration = clock.slept().iter().sum();
        assert!(waited > Duration::from_secs(58) && waited < Duration::from_secs(70), "{waited:?}");
    }

    #[tokio::test]
    async fn as_soon_as_somebody_listens_it_is_started_once() {
        let (socket, address) = closed_port();
        let clock = HastyClock::default();
        let listening = async {
            while clock.slept().len() < 12 {
                tokio::task::yield_now().await;
            }
            socket.listen(16).unwrap();
            socket.set_nonblocking(true).unwrap();
            Fake::serve(TcpListener::from_std(socket.into()).unwrap(), |_| Answer::Status(204, ""))
        };
        let (outcome, fake) = tokio::join!(start_one(&clock, address, Duration::from_hours(1)), listening);
        assert_eq!(outcome, StartOutcome::Started { execution: None });
        assert_eq!(fake.asked(), [format!("task/{TASK}/start")]);
        let headers = &fake.seen()[0].headers;
        assert_eq!((&headers["content-length"], &headers["content-type"]), (&"2".parse().unwrap(), &"application/json".parse().unwrap()));
    }

    #[tokio::test]
    async fn the_id_of_the_execution_is_passed_on_if_it_is_told() {
        let execution = Uuid::from_u128(8);
        let clock = HastyClock::default();
        let fake = Fake::start(move |_| Answer::Json(serde_json::json!({ "value": execution }))).await;
        let outcome = start_one(&clock, fake.address(), Duration::ZERO).await;
        assert_eq!(outcome, StartOutcome::Started { execution: Some(execution) });
        let fake = Fake::start(|_| Answer::Status(403, "XSRF prevention check failed. Possible XSRF discovered.")).await;
        let outcome = start_one(&clock, fake.address(), Duration::ZERO).await;
        assert!(matches!(outcome, StartOutcome::Failed { may_run: false, .. }), "{outcome:?}");
        assert_eq!(fake.asked().len(), 2, "once more with a new key");
    }
}
