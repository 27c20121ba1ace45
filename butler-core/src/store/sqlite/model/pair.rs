//! Two stores that are asked the same.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::clock::Clock;
use crate::event::{DeliveryId, EventId};
use crate::store::memory::MemoryStore;
use crate::store::{ClaimToken, DeliveryQuery, EventQuery, JournalStats, LeaseToken, OccurrenceClaim, Store, StoreError};
use crate::testkit::TestClock;
use crate::testkit::store_suite::StoreHarness;

/// Of the model, and of the store under test.
#[derive(Clone, Copy)]
pub(super) struct Both<T>(pub(super) T, pub(super) T);

/// Both stores, and what they have handed out so far. Ids are made at random; those of the store under test are read as the model's.
pub(super) struct Pair<H> {
    model: Arc<MemoryStore>,
    subject: Option<H>,
    clock: TestClock,
    ids: HashMap<Uuid, Uuid>,
    pub(super) events: Vec<Both<EventId>>,
    pub(super) claims: Vec<Both<ClaimToken>>,
    pub(super) leases: Vec<Both<LeaseToken>>,
    pub(super) deliveries: Vec<Both<DeliveryId>>,
    pub(super) occurrences: Vec<OccurrenceClaim>,
}

/// One of those there are, by a number of any size.
pub(super) fn one_of<T: Copy>(all: &[T], number: usize) -> Option<T> {
    all.get(number.checked_rem(all.len())?).copied()
}

impl<H: StoreHarness> Pair<H> {
    pub(super) async fn start() -> Self {
        let subject = H::start().await;
        let clock = subject.clock();
        Self {
            model: Arc::new(MemoryStore::new(Arc::new(clock.clone()))),
            subject: Some(subject),
            clock,
            ids: HashMap::new(),
            events: Vec::new(),
            claims: Vec::new(),
            leases: Vec::new(),
            deliveries: Vec::new(),
            occurrences: Vec::new(),
        }
    }

    pub(super) fn clock(&self) -> &TestClock {
        &self.clock
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn after(&self, seconds: i64) -> Timestamp {
        self.now() + SignedDuration::from_secs(seconds)
    }

    pub(super) async fn crash(&mut self) {
        self.model.forget_holders();
        let subject = self.subject.take().expect("a subject");
        self.subject = subject.reopen().await;
    }

    /// Remembers that two ids mean the same; whether that is news.
    pub(super) fn pair_up(&mut self, both: Both<Uuid>) -> bool {
        self.ids.insert(both.1, both.0).is_none()
    }

    /// Asks both, each with its own argument, and compares what they say.
    pub(super) async fn ask<A: Clone, T: Debug>(
        &self,
        arguments: Both<A>,
        call: impl AsyncFn(Arc<dyn Store>, A) -> Result<T, StoreError>,
    ) -> Result<Both<T>, String> {
        let both = self.ask_apart(arguments, call).await?;
        self.compare(&both)?;
        Ok(both)
    }

    /// The same, without the comparison.
    pub(super) async fn ask_apart<A: Clone, T>(
        &self,
        arguments: Both<A>,
        call: impl AsyncFn(Arc<dyn Store>, A) -> Result<T, StoreError>,
    ) -> Result<Both<T>, String> {
        let subject = self.subject.as_ref().expect("a subject").store();
        let model = call(Arc::clone(&self.model) as _, arguments.0).await.map_err(|error| error.to_string())?;
        let subject = call(subject, arguments.1).await.map_err(|error| error.to_string())?;
        Ok(Both(model, subject))
    }

    pub(super) fn compare<T: Debug>(&self, both: &Both<T>) -> Result<(), String> {
        let (model, subject) = (format!("{:?}", both.0), self.in_the_words_of_the_model(&format!("{:?}", both.1)));
        if model == subject { Ok(()) } else { Err(format!("\nit should be {model}\nand it is    {subject}")) }
    }

    fn in_the_words_of_the_model(&self, text: &str) -> String {
        const LENGTH: usize = 36;
        let mut words = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let id = rest.get(..LENGTH).filter(|start| start.as_bytes()[8] == b'-').and_then(|start| start.parse::<Uuid>().ok());
            match id.and_then(|id| self.ids.get(&id)) {
                Some(id) => {
                    words.push_str(&id.to_string());
                    rest = &rest[LENGTH..];
                }
                None => {
                    words.push(next);
                    rest = &rest[next.len_utf8()..];
                }
            }
        }
        words
    }

    /// Compares all that they hold.
    pub(super) async fn compare_all(&self) -> Result<(), String> {
        const MAX: usize = 1000;
        let none = Both((), ());
        self.ask(none, async |store, ()| store.events(EventQuery { max: MAX, ..EventQuery::default() }).await).await?;
        self.ask(none, async |store, ()| store.deliveries(DeliveryQuery { max: MAX, ..DeliveryQuery::default() }).await).await?;
        for event in &self.events {
            self.ask(*event, async |store, event| store.story(event).await).await?;
        }
        for delivery in &self.deliveries {
            self.ask(*delivery, async |store, delivery| store.attempts(delivery).await).await?;
        }
        let stats = async |store: Arc<dyn Store>, ()| Ok(JournalStats { bytes: 0, ..store.stats().await? });
        self.ask(none, stats).await?;
        for namespace in self.ask(none, async |store, ()| store.namespaces().await).await?.0 {
            self.ask(none, async |store, ()| store.list(&namespace, "", 0, MAX, usize::MAX).await).await?;
        }
        for schedule in self.ask(none, async |store, ()| store.schedules().await).await?.0 {
            self.ask(none, async |store, ()| store.runs(&schedule.id, MAX).await).await?;
        }
        self.ask(none, async |store, ()| store.states("").await).await?;
        Ok(())
    }
}
