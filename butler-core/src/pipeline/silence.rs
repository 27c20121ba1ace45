//! Silences: for a while, nobody is told of what somebody knows already, such as what fails while a site is being upgraded.
//!
//! Nothing is lost by it: what is held back stands in the list of deliveries, with the silence that did it, and can be sent after all. Measurements are never held back, so that a
//! series has no gaps by it.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::matching::{Answer, kind_fits};
use super::plan::{KindPattern, Matcher};
use crate::clock::Clock;
use crate::event::{Class, Event, Facts, Kind, Needs, SinkName};
use crate::store::{Routing, StateStore, StoreError, Suppression};

/// Where they are kept: `silence/ID`.
const PREFIX: &str = "silence/";
/// The longest that one may last: whoever wants more should change a route.
const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);
/// So long one that has ended is still listed.
const LISTED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// For a while, nobody is told of some events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Silence {
    /// Its id: a few letters and digits.
    pub id: String,
    /// The kinds of events that it holds back; all if there are none.
    pub events: Vec<KindPattern>,
    /// What else has to fit. What can't be known does not.
    pub when: Matcher,
    /// The sinks that are silent; all if there are none.
    pub sinks: Vec<SinkName>,
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Why, in somebody's words.
    pub why: String,
    /// Who said so.
    pub by: String,
    /// When.
    pub created: Timestamp,
}

/// A silence that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct NewSilence {
    /// The kinds of events that it holds back; all if there are none.
    pub events: Vec<KindPattern>,
    /// What else has to fit.
    pub when: Matcher,
    /// The sinks that are silent; all if there are none.
    pub sinks: Vec<SinkName>,
    /// From when on; from now on if it is left out.
    pub from: Option<Timestamp>,
    /// Until when.
    pub until: Option<Timestamp>,
    /// Why.
    pub why: String,
}

/// Why a silence was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SilenceError {
    /// It says not until when, or lasts too long, or is over.
    #[error("a silence needs an end: `until` has to be in the future, after `from`, and at most 30 days after it")]
    Period,
    /// It does not say why.
    #[error("a silence needs a reason: whoever wonders about it should find one in `why`")]
    NoReason,
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Silence {
    /// What has to be known to tell whether it holds an event of this kind back.
    fn needs(&self, kind: &Kind) -> Needs {
        match self.takes(kind) {
            Answer::No => Needs::NONE,
            _ => self.when.needs(kind),
        }
    }

    fn takes(&self, kind: &Kind) -> Answer {
        if self.events.is_empty() { Answer::Yes } else { kind_fits(&self.events, kind) }
    }

    /// Whether it holds an event back from some sink. What is not known for sure is rather told.
    fn fits(&self, event: &Event, facts: &Facts, now: Timestamp) -> bool {
        let in_time = self.from <= now && now < self.until;
        in_time && self.takes(&event.kind) == Answer::Yes && self.when.test(event, facts).answer == Answer::Yes
    }
}

/// The silences that there are. Whoever routes looks here, whoever makes one writes here.
#[derive(Debug, Default)]
pub struct Silences(Mutex<Arc<[Silence]>>);

impl Silences {
    /// All, the oldest first.
    #[must_use]
    pub fn all(&self) -> Arc<[Silence]> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, all: Vec<Silence>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = all.into();
    }

    /// What has to be known about an event of this kind.
    pub(super) fn needs(&self, kind: &Kind, now: Timestamp) -> Needs {
        let all = self.all();
        all.iter().filter(|silence| now < silence.until).fold(Needs::NONE, |needs, silence| needs.union(silence.needs(kind)))
    }

    /// Holds back what they hold back.
    pub(super) fn apply(&self, event: &Event, facts: &Facts, now: Timestamp, routing: &mut Routing) {
        let all = self.all();
        for silence in all.iter().filter(|silence| silence.fits(event, facts, now)) {
            let silent = |sink: &SinkName| silence.sinks.is_empty() || silence.sinks.contains(sink);
            let told = routing.deliveries.iter_mut().filter(|delivery| delivery.silenced.is_none() && delivery.class == Class::Alert);
            for delivery in told.filter(|delivery| silent(&delivery.sink)) {
                let by = Suppression::Silence { id: silence.id.clone(), until: silence.until, why: silence.why.clone() };
                delivery.silenced = Some(by);
                // It opens no window, and nothing waits for it.
                delivery.limit = None;
            }
        }
    }
}

/// Makes and ends silences, and keeps them across restarts.
#[derive(Debug)]
pub struct SilenceDesk(Arc<Desk>);

#[derive(Debug)]
struct Desk {
    silences: Arc<Silences>,
    store: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
    /// One change after the other.
    changing: tokio::sync::Mutex<()>,
}

impl SilenceDesk {
    /// With those that were made before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(store: Arc<dyn StateStore>, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let mut all = Vec::new();
        for entry in store.states(PREFIX).await? {
            match serde_json::from_str::<Silence>(&entry.value) {
                Ok(silence) => all.push(silence),
                Err(error) => tracing::warn!(name = entry.name, %error, "A silence that was kept can't be read, and does not hold."),
            }
        }
        all.sort_by_key(|silence| silence.created);
        let silences = Arc::new(Silences::default());
        silences.replace(all);
        Ok(Self(Arc::new(Desk { silences, store, clock, changing: tokio::sync::Mutex::default() })))
    }

    /// Those that there are.
    #[must_use]
    pub fn silences(&self) -> &Arc<Silences> {
        &self.0.silences
    }

    /// Makes one, in the name of `by`. It is kept when this returns.
    ///
    /// # Errors
    /// [`SilenceError`].
    ///
    /// # Cancellation
    /// Once it is asked for it is made, whoever waits for it.
    pub async fn add(&self, new: NewSilence, by: &str) -> Result<Silence, SilenceError> {
        let NewSilence { events, when, sinks, from, until, why } = new;
        let now = self.0.clock.now();
        let from = from.unwrap_or(now);
        let until =
            until.filter(|until| *until > now && *until > from && until.duration_since(from) <= LONGEST).ok_or(SilenceError::Period)?;
        let why: String = why.chars().filter(|c| !c.is_control()).take(LONGEST_REASON).collect();
        if why.trim().is_empty() {
            return Err(SilenceError::NoReason);
        }
        let id = std::iter::repeat_with(fastrand::alphanumeric).filter(|c| !c.is_ascii_uppercase()).take(8).collect();
        let silence = Silence { id, events, when, sinks, from, until, why, by: by.to_owned(), created: now };
        let desk = Arc::clone(&self.0);
        Ok(whole(async move { desk.add(silence, now).await }).await?)
    }

    /// Ends one now; `None` if there is no such silence. One that has ended stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    ///
    /// # Cancellation
    /// Once it is asked for it is ended, whoever waits for it.
    pub async fn end(&self, id: &str) -> Result<Option<Silence>, StoreError> {
        let (desk, id) = (Arc::clone(&self.0), id.to_owned());
        whole(async move { desk.end(&id).await }).await
    }
}

/// Does a change to its end, even if nobody waits for it any more: what is kept and what holds are never two things.
async fn whole<T: Send + 'static>(change: impl Future<Output = Result<T, StoreError>> + Send + 'static) -> Result<T, StoreError> {
    tokio::spawn(change).await.unwrap_or_else(|error| Err(StoreError::Failed(error.to_string())))
}

impl Desk {
    async fn add(&self, silence: Silence, now: Timestamp) -> Result<Silence, StoreError> {
        let _one = self.changing.lock().await;
        self.write(&silence).await?;
        let mut all: Vec<_> = self.silences.all().to_vec();
        let old: Vec<_> = all.extract_if(.., |silence| now.duration_since(silence.until) > LISTED).collect();
        all.push(silence.clone());
        self.silences.replace(all);
        let Silence { id, until, why, by, .. } = &silence;
        tracing::warn!(id, %until, why, by, "A silence was made: some events are told to nobody for a while.");
        for Silence { id, .. } in old {
            // It is over: all that is left of it is a line in a list, after the next start.
            if let Err(error) = self.store.remove_state(&format!("{PREFIX}{id}")).await {
                tracing::warn!(id, %error, "A silence that is long over could not be removed.");
            }
        }
        Ok(silence)
    }

    async fn end(&self, id: &str) -> Result<Option<Silence>, StoreError> {
        let _one = self.changing.lock().await;
        let now = self.clock.now();
        let mut all: Vec<_> = self.silences.all().to_vec();
        let Some(silence) = all.iter_mut().find(|silence| silence.id == id) else { return Ok(None) };
        if silence.until > now {
            silence.until = now;
            silence.from = silence.from.min(now);
            self.write(silence).await?;
            tracing::info!(id, "A silence was ended.");
        }
        let ended = silence.clone();
        self.silences.replace(all);
        Ok(Some(ended))
    }

    async fn write(&self, silence: &Silence) -> Result<(), StoreError> {
        let name = format!("{PREFIX}{}", silence.id);
        let value = serde_json::to_string(silence).map_err(|error| StoreError::Failed(error.to_string()))?;
        let version = self.store.state(&name).await?.map_or(0, |entry| entry.version);
        // Nobody else writes here.
        self.store.set_state(&name, &value, version).await.map(drop)
    }
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests {
    use super::*;
    use crate::event::TaskOutcome;
    use crate::pipeline::testing::a_task_event;
    use crate::pipeline::{Plan, Route};
    use crate::store::memory::MemoryStore;
    use crate::testkit::{FakeSink, TestClock};

    struct World {
        clock: TestClock,
        store: Arc<MemoryStore>,
        desk: SilenceDesk,
    }

    impl World {
        async fn new() -> Self {
            let clock = TestClock::default();
            let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
            let desk = SilenceDesk::open(Arc::clone(&store) as _, Arc::new(clock.clone())).await.unwrap();
            Self { clock, store, desk }
        }

        fn hour(&self) -> NewSilence {
            NewSilence {
                until: self.clock.now().checked_add(SignedDuration::from_hours(1)).ok(),
                why: "an upgrade".into(),
                ..NewSilence::default()
            }
        }

        /// The sinks that are told of an event.
        fn told(&self, event: &Event) -> Vec<String> {
            let sinks = ["a", "b"].map(|name| (SinkName::from(name), FakeSink::default().into_plan()));
            let route =
                Route { name: "all".into(), events: vec!["*".parse().unwrap()], sinks: vec!["a".into(), "b".into()], ..Route::default() };
            let plan = Plan { sinks: sinks.into_iter().collect(), routes: vec![route], ..Plan::default() };
            let now = self.clock.now();
            let mut routing = plan.decide(event, &Facts::default(), now);
            self.desk.silences().apply(event, &Facts::default(), now, &mut routing);
            let told = routing.deliveries.iter().filter(|delivery| delivery.silenced.is_none());
            told.map(|delivery| delivery.sink.to_string()).collect()
        }
    }

    #[tokio::test]
    async fn for_its_time_it_holds_back_what_fits_and_nothing_else() {
        let world = World::new().await;
        let failed = a_task_event();
        assert_eq!(world.told(&failed), ["a", "b"]);
        let from = world.clock.now().checked_add(SignedDuration::from_mins(10)).ok();
        let silence = NewSilence { from, events: vec!["task.failed".parse().unwrap()], sinks: vec!["a".into()], ..world.hour() };
        world.desk.add(silence, "somebody").await.unwrap();
        assert_eq!(world.told(&failed), ["a", "b"], "not yet");
        world.clock.advance(std::time::Duration::from_mins(10));
        assert_eq!(world.told(&failed), ["b"]);
        let mut aborted = a_task_event();
        aborted.kind = Kind::task(TaskOutcome::Aborted);
        assert_eq!(world.told(&aborted), ["a", "b"]);
        // What nobody knows is rather told.
        let when = Matcher { stream: vec!["Finance".into()], ..Matcher::default() };
        world.desk.add(NewSilence { when, ..world.hour() }, "somebody").await.unwrap();
        assert_eq!(world.told(&aborted), ["a", "b"]);
        assert!(world.desk.silences().needs(&aborted.kind, world.clock.now()).app);
        world.desk.add(world.hour(), "somebody").await.unwrap();
        assert_eq!(world.told(&aborted), [] as [&str; 0]);
        world.clock.advance(std::time::Duration::from_hours(1));
        assert_eq!(world.told(&failed), ["a", "b"]);
    }

    #[tokio::test]
    async fn measurements_go_on() {
        let world = World::new().await;
        world.desk.add(world.hour(), "somebody").await.unwrap();
        let mut uptime = a_task_event();
        uptime.kind = "butler.uptime".parse().unwrap();
        assert_eq!(uptime.kind.class(), Class::Metric);
        assert_eq!(world.told(&uptime), ["a", "b"]);
    }

    #[tokio::test]
    async fn it_outlives_a_restart_and_can_be_ended() {
        let world = World::new().await;
        let made = world.desk.add(world.hour(), "somebody").await.unwrap();
        let again = World { desk: SilenceDesk::open(Arc::clone(&world.store) as _, Arc::new(world.clock.clone())).await.unwrap(), ..world };
        assert_eq!(*again.desk.silences().all(), *std::slice::from_ref(&made));
        assert_eq!(again.told(&a_task_event()), [] as [&str; 0]);
        let ended = again.desk.end(&made.id).await.unwrap().unwrap();
        assert_eq!((ended.until, again.told(&a_task_event())), (again.clock.now(), vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(again.desk.end("nobody").await.unwrap(), None);
        // It is listed for a week, and then forgotten when the next is made.
        again.clock.advance(std::time::Duration::from_hours(24 * 8));
        let next = again.desk.add(again.hour(), "somebody").await.unwrap();
        assert_eq!(again.desk.silences().all()[..], [next]);
        assert_eq!(again.store.states(PREFIX).await.unwrap().len(), 1);
    }

    /// Lets others go on until something holds.
    async fn until(holds: impl Fn() -> bool) {
        for _ in 0..1000 {
            if holds() {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("it never holds");
    }

    /// Whoever asks may go away at any time: what is kept is what holds.
    #[tokio::test]
    async fn what_is_kept_is_what_holds_even_if_nobody_waits() {
        let world = World::new().await;
        let one = world.desk.0.changing.lock().await;
        // It is asked for and has to wait; then whoever asked goes away.
        tokio::select! {
            biased;
            _ = world.desk.add(world.hour(), "somebody") => unreachable!("somebody else is changing them"),
            () = std::future::ready(()) => {}
        }
        drop(one);
        until(|| !world.desk.silences().all().is_empty()).await;
        let id = world.desk.silences().all()[0].id.clone();
        assert_eq!(world.store.states(PREFIX).await.unwrap().len(), 1);
        let one = world.desk.0.changing.lock().await;
        tokio::select! {
            biased;
            _ = world.desk.end(&id) => unreachable!("somebody else is changing them"),
            () = std::future::ready(()) => {}
        }
        drop(one);
        until(|| world.desk.silences().all()[0].until <= world.clock.now()).await;
    }

    #[tokio::test]
    async fn it_needs_an_end_and_a_reason() {
        let world = World::new().await;
        let at = |hours: i64| world.clock.now().checked_add(SignedDuration::from_hours(hours)).ok();
        for (from, until) in [(None, None), (None, at(0)), (None, at(-1)), (at(2), at(1)), (None, at(30 * 24 + 1))] {
            let wrong = NewSilence { from, until, ..world.hour() };
            assert!(matches!(world.desk.add(wrong, "x").await, Err(SilenceError::Period)), "{from:?} {until:?}");
        }
        assert!(matches!(world.desk.add(NewSilence { why: " \n".into(), ..world.hour() }, "x").await, Err(SilenceError::NoReason)));
        assert!(world.desk.silences().all().is_empty());
    }
}
