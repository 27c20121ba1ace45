//! Every schedule, to see and to change.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::action::Action;
use super::book::{Book, Entry};
use super::definition::{Origin, Schedule, Startup, State};
use super::error::ScheduleError;
use super::job::Job;
use super::lanes::Lanes;
use super::runner::{Runner, Subject};
use super::settings::SchedulerSettings;
use super::watermark::Watermark;
use crate::clock::Clock;
use crate::source::Intake;
use crate::store::{RunOutcome, ScheduleRecord, ScheduleRun, Store, StoreError};

/// With what the schedules work.
#[derive(Debug)]
pub struct SchedulerParts {
    /// Keeps them, and their history.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Takes the events about them.
    pub intake: Intake,
    /// Starts tasks.
    pub tasks: Option<Arc<dyn Action>>,
    /// Further actions, by their names.
    pub actions: BTreeMap<String, Arc<dyn Action>>,
}

/// Every schedule, to see and to change. Clones are the same.
///
/// A change is in the store when its future resolves, and counts from then on. Dropping that future does not stop it.
#[derive(Debug, Clone)]
pub struct Schedules {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) settings: SchedulerSettings,
    pub(super) book: Mutex<Book>,
    pub(super) lanes: Lanes,
    pub(super) runner: Runner,
    pub(super) watermark: tokio::sync::Mutex<Watermark>,
    /// When it was last seen what is due.
    pub(super) looked: Mutex<Option<Timestamp>>,
    /// Counts up with every change.
    pub(super) changed: watch::Sender<u64>,
    /// Held by whoever changes something, so that store and book stay the same.
    changing: tokio::sync::Mutex<()>,
}

/// A schedule as it stands.
#[derive(Debug, Clone)]
pub struct ListedSchedule {
    /// What it is.
    pub schedule: Arc<Schedule>,
    /// The zone whose clocks count; none if nobody can tell when it is due.
    pub zone: Option<TimeZone>,
    /// When it is due next; none if it does not run.
    pub next: Option<Timestamp>,
}

impl Schedules {
    /// Loads them. Each begins in the state that its [`Startup`] says.
    ///
    /// # Errors
    /// The store fails.
    pub async fn open(settings: SchedulerSettings, parts: SchedulerParts) -> Result<Self, StoreError> {
        let SchedulerParts { store, clock, intake, tasks, actions } = parts;
        let watermark = Watermark::load(&*store).await?;
        let runner = Runner { store, clock, intake, tasks, actions, site: settings.site.clone(), is_work_open: AtomicBool::new(true) };
        let inner = Inner {
            settings,
            book: Mutex::default(),
            lanes: Lanes::default(),
            runner,
            watermark: tokio::sync::Mutex::new(watermark),
            looked: Mutex::new(None),
            changed: watch::Sender::new(0),
            changing: tokio::sync::Mutex::new(()),
        };
        if inner.settings.enabled {
            inner.load(watermark.at).await?;
        } else {
            tracing::info!("Schedules are not loaded: the scheduler is switched off.");
        }
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How they are treated.
    #[must_use]
    pub fn settings(&self) -> &SchedulerSettings {
        &self.inner.settings
    }

    /// All of them, in the order in which they were made.
    #[must_use]
    pub fn all(&self) -> Vec<ListedSchedule> {
        self.inner.book().all().map(ListedSchedule::of).collect()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<ListedSchedule> {
        self.inner.book().get(id).map(ListedSchedule::of)
    }

    /// The next times at which one is due, or would be if it ran.
    ///
    /// # Errors
    /// [`ScheduleError::Unknown`], [`ScheduleError::When`].
    pub fn next(&self, id: &str, count: usize) -> Result<Vec<Timestamp>, ScheduleError> {
        let schedule = self.inner.known(id)?;
        let timetable = self.inner.settings.timetable(&schedule)?;
        Ok(timetable.after(self.inner.now()).take(count).collect())
    }

    /// Adds one.
    ///
    /// # Errors
    /// [`ScheduleError`]; it is not there then.
    pub async fn create(&self, schedule: Schedule) -> Result<Arc<Schedule>, ScheduleError> {
        self.change(move |inner| async move {
            if inner.book().get(&schedule.id).is_some() {
                return Err(ScheduleError::Exists(schedule.id));
            }
            let now = inner.now();
            let created = schedule.created.clone().unwrap_or_else(|| wire_time(now));
            let state = schedule.startup.state();
            let schedule = Schedule { created: Some(created), state, origin: Origin::Api, ..schedule };
            inner.check(&schedule)?;
            inner.put(schedule).await
        })
        .await
    }

    /// Puts this one in the place of the one with its id. What it says of its state counts at once.
    ///
    /// # Errors
    /// [`ScheduleError`]; the old one goes on then.
    pub async fn replace(&self, schedule: Schedule) -> Result<Arc<Schedule>, ScheduleError> {
        self.edit(&schedule.id.clone(), move |_| schedule).await
    }

    /// Makes something else of one, with no other change in between. It keeps its id and when it was made; what it says of its state then counts at once.
    ///
    /// # Errors
    /// [`ScheduleError`]; the old one goes on then.
    pub async fn edit(&self, id: &str, edit: impl FnOnce(Schedule) -> Schedule + Send + 'static) -> Result<Arc<Schedule>, ScheduleError> {
        let id = id.to_owned();
        self.change(move |inner| async move {
            let old = inner.own(&id)?;
            let schedule = edit(Schedule::clone(&old));
            let schedule = Schedule { id, created: old.created.clone(), origin: Origin::Api, ..schedule };
            inner.check(&schedule)?;
            inner.put(schedule).await
        })
        .await
    }

    /// Removes one, with its history.
    ///
    /// # Errors
    /// [`ScheduleError`]; it is there still.
    pub async fn remove(&self, id: &str) -> Result<(), ScheduleError> {
        let id = id.to_owned();
        self.change(move |inner| async move {
            inner.own(&id)?;
            inner.runner.store.remove_schedule(&id).await?;
            inner.book().remove(&id);
            Ok(())
        })
        .await
    }

    /// Lets one run, or not, until Butler is started again.
    ///
    /// # Errors
    /// [`ScheduleError`]; among others, one whose times nobody can tell can't be started.
    pub async fn set_state(&self, id: &str, state: State) -> Result<Arc<Schedule>, ScheduleError> {
        let id = id.to_owned();
        self.change(move |inner| async move {
            let schedule = inner.known(&id)?;
            if state == State::Started {
                inner.settings.timetable(&schedule)?;
            }
            inner.put(Schedule { state, ..Schedule::clone(&schedule) }).await
        })
        .await
    }

    /// Lets all run, or none, until Butler is started again. One whose times nobody can tell stays as it is.
    ///
    /// # Errors
    /// [`ScheduleError`]; some may have changed.
    pub async fn set_all(&self, state: State) -> Result<Vec<Arc<Schedule>>, ScheduleError> {
        self.change(move |inner| async move {
            let all: Vec<_> = inner.book().all().map(|entry| Arc::clone(&entry.schedule)).collect();
            let change = async |inner: &Inner, schedule: Arc<Schedule>| {
                if schedule.state == state || (state == State::Started && inner.settings.timetable(&schedule).is_err()) {
                    return Ok(schedule);
                }
                inner.put(Schedule { state, ..Schedule::clone(&schedule) }).await
            };
            join_all(all.into_iter().map(|schedule| change(&inner, schedule))).await.into_iter().collect()
        })
        .await
    }

    /// Lets one run, or not, now and whenever Butler starts.
    ///
    /// # Errors
    /// [`ScheduleError`].
    pub async fn set_enabled(&self, id: &str, enabled: bool) -> Result<Arc<Schedule>, ScheduleError> {
        let id = id.to_owned();
        let startup = if enabled { Startup::Started } else { Startup::Stopped };
        self.change(move |inner| async move {
            let schedule = inner.own(&id)?;
            if enabled {
                inner.settings.timetable(&schedule)?;
            }
            inner.put(Schedule { startup, state: startup.state(), ..Schedule::clone(&schedule) }).await
        })
        .await
    }

    /// Runs one now, beside its occurrences, and waits for what becomes of it. It need not be running.
    ///
    /// # Errors
    /// [`ScheduleError::Unknown`], [`ScheduleError::Disabled`].
    pub async fn run_now(&self, id: &str) -> Result<RunOutcome, ScheduleError> {
        let inner = Arc::clone(&self.inner);
        inner.enabled()?;
        let schedule = inner.known(id)?;
        let run = async move {
            let known = inner.book().get(&schedule.id).and_then(Entry::zone);
            let zone = known.unwrap_or_else(|| inner.settings.zone.clone());
            inner.runner.perform(&Subject { schedule, zone }, &Job::Run(inner.now())).await
        };
        tokio::spawn(run).await.ok().flatten().ok_or(ScheduleError::BrokenOff)
    }

    /// What became of its latest occurrences, newest first.
    ///
    /// # Errors
    /// [`ScheduleError::Unknown`], [`ScheduleError::Store`].
    pub async fn history(&self, id: &str, max: usize) -> Result<Vec<ScheduleRun>, ScheduleError> {
        self.inner.known(id)?;
        Ok(self.inner.runner.store.runs(id, max).await?)
    }

    /// Makes a change whole, whether or not somebody waits for it.
    async fn change<T, W>(&self, work: impl FnOnce(Arc<Inner>) -> W) -> Result<T, ScheduleError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, ScheduleError>> + Send + 'static,
    {
        self.inner.enabled()?;
        let inner = Arc::clone(&self.inner);
        let work = work(Arc::clone(&inner));
        let changing = async move {
            let _alone = inner.changing.lock().await;
            let changed = work.await;
            inner.changed.send_modify(|count| *count = count.wrapping_add(1));
            changed
        };
        tokio::spawn(changing).await.unwrap_or(Err(ScheduleError::BrokenOff))
    }
}

impl Inner {
    pub(super) fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.runner.clock.now()
    }

    /// Everything that was due at this moment is being done.
    pub(super) fn looked(&self, at: Timestamp) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// Up to when everything that was due is done with; none before the first look.
    pub(super) fn done_until(&self) -> Option<Timestamp> {
        // Read first: what comes to the lanes afterwards was due later.
        let looked = (*self.looked.lock().unwrap_or_else(PoisonError::into_inner))?;
        let before_oldest = self.lanes.oldest().map(|at| at.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(at));
        Some(before_oldest.map_or(looked, |oldest| oldest.min(looked)))
    }

    fn enabled(&self) -> Result<(), ScheduleError> {
        if self.settings.enabled { Ok(()) } else { Err(ScheduleError::Disabled) }
    }

    fn known(&self, id: &str) -> Result<Arc<Schedule>, ScheduleError> {
        self.book().get(id).map(|entry| Arc::clone(&entry.schedule)).ok_or_else(|| ScheduleError::Unknown(id.to_owned()))
    }

    /// One that may be changed here.
    fn own(&self, id: &str) -> Result<Arc<Schedule>, ScheduleError> {
        let schedule = self.known(id)?;
        if schedule.origin == Origin::Configuration { Err(ScheduleError::Declared(id.to_owned())) } else { Ok(schedule) }
    }

    fn check(&self, schedule: &Schedule) -> Result<(), ScheduleError> {
        self.settings.check(schedule)?;
        match &schedule.action {
            Some(action) if !self.runner.actions.contains_key(action) => Err(ScheduleError::NoAction(action.clone())),
            _ => Ok(()),
        }
    }

    /// Stores it, and has it counted from now on; what is due at this very moment stays due, unless the change is about that.
    async fn put(&self, schedule: Schedule) -> Result<Arc<Schedule>, ScheduleError> {
        self.runner.store.upsert_schedule(record(&schedule)).await?;
        let timetable = self.settings.timetable(&schedule).ok();
        let schedule = Arc::new(schedule);
        let mut book = self.book();
        let seen = book.get(&schedule.id).filter(|entry| entry.schedule.has_times_of(&schedule)).map(Entry::seen);
        book.put(Arc::clone(&schedule), timetable, seen.unwrap_or_else(|| self.now()));
        drop(book);
        Ok(schedule)
    }
}

impl ListedSchedule {
    pub(super) fn of(entry: &Entry) -> Self {
        let zone = entry.timetable.as_ref().map(|timetable| timetable.zone().clone());
        Self { schedule: Arc::clone(&entry.schedule), zone, next: entry.next() }
    }
}

pub(super) fn record(schedule: &Schedule) -> ScheduleRecord {
    // A schedule is nothing but texts, numbers and maps with texts for keys.
    let definition = serde_json::to_string(schedule).unwrap_or_default();
    ScheduleRecord { id: schedule.id.clone(), definition }
}

/// A time as the original writes it: `2026-11-22T08:09:39.693Z`.
pub(super) fn wire_time(at: Timestamp) -> String {
    format!("{at:.3}")
}
