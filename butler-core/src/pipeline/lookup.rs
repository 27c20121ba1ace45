//! Asking for facts: bounded in time, shared between those who need the same, and never in the way of a message.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;

use super::plan::Plan;
use crate::clock::{Clock, Deadline, in_words};
use crate::enrich::Enricher;
use crate::event::{Event, EventId, FactSheet, Facts, Needs};
use crate::store::Journal;

/// Lets an enricher look for `needs`, for no longer than `budget`. What is still open then is noted as missing, with the reason.
pub(super) async fn look_up(
    clock: &dyn Clock,
    enricher: Option<&dyn Enricher>,
    event: &Event,
    needs: Needs,
    sheet: &FactSheet,
    budget: Duration,
) {
    let Some(enricher) = enricher else {
        let why = format!("nobody can be asked: the configuration has no certificates for the site `{}`", event.site);
        return sheet.update(|facts| facts.give_up(needs, &why));
    };
    let deadline = Deadline::after(clock, budget);
    let asking = AssertUnwindSafe(enricher.enrich(event, needs, sheet, deadline)).catch_unwind();
    let why = tokio::select! {
        biased;
        asked = asking => match asked {
            Ok(()) => "nobody found it".to_owned(),
            Err(_) => {
                tracing::error!(event = %event.id, "Looking for facts panicked; the message leaves with what is known.");
                "looking for it failed inside the program".to_owned()
            }
        },
        () = clock.sleep(budget) => no_answer(budget),
    };
    sheet.update(|facts| facts.give_up(needs, &why));
}

fn no_answer(budget: Duration) -> String {
    format!("no answer within {}", in_words(budget))
}

/// How many finished look-ups are kept at hand.
const LATEST: usize = 64;

/// Where messages get the facts that they show. Whoever needs the same fact of the same event waits for one look-up; whoever needs less does not wait for more.
#[derive(Debug)]
pub(super) struct FactDesk {
    plan: Arc<Plan>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    entries: Mutex<Entries>,
}

/// The look-ups under way, and the latest ones: sinks that leased an event at the same time ask for its facts one shortly after the other.
#[derive(Debug, Default)]
struct Entries {
    by_event: HashMap<EventId, Weak<Entry>>,
    latest: VecDeque<Arc<Entry>>,
}

#[derive(Debug)]
struct Entry {
    sheet: FactSheet,
    busy: Mutex<Needs>,
    finished: watch::Sender<()>,
    saving: tokio::sync::Mutex<()>,
}

impl FactDesk {
    pub(super) fn new(plan: Arc<Plan>, journal: Arc<dyn Journal>, clock: Arc<dyn Clock>) -> Self {
        Self { plan, journal, clock, entries: Mutex::default() }
    }

    /// The facts of `event`, beginning with those that are `known`, once `needs` are found, given up, or out of time.
    pub(super) async fn facts(&self, event: &Event, known: &Arc<Facts>, needs: Needs) -> Arc<Facts> {
        let needs = self.widen(needs);
        if needs.open_in(known).is_none() {
            return Arc::clone(known);
        }
        let entry = self.entry(event.id, known);
        let enricher = self.plan.sites.get(&event.site).and_then(|site| site.enricher.as_deref());
        let deadline = Deadline::after(&*self.clock, self.plan.budgets.showing);
        let mut tried = Needs::NONE;
        loop {
            let mut finished = entry.finished.subscribe();
            let open = needs.minus(tried).open_in(&entry.sheet.snapshot());
            if open.is_none() {
                break;
            }
            let left = deadline.left(&*self.clock);
            let mine = entry.begin(open);
            if mine.is_none() {
                tokio::select! {
                    _ = finished.changed() => {}
                    () = self.clock.sleep(left) => break,
                }
                tried = tried.union(open.minus(entry.busy()));
                continue;
            }
            tried = tried.union(mine);
            let working = Working { entry: &entry, needs: mine };
            look_up(&*self.clock, enricher, event, mine, &entry.sheet, left).await;
            drop(working);
            self.save(event.id, &entry).await;
        }
        let mut facts = entry.sheet.snapshot();
        // Whoever waited for another's look-up in vain has to say what is missing as well.
        facts.give_up(needs, &no_answer(self.plan.budgets.showing));
        Arc::new(facts)
    }

    /// A script log is read once for all sinks: as many lines as the one that wants most.
    fn widen(&self, needs: Needs) -> Needs {
        if needs.script_log.is_none() {
            return needs;
        }
        let most = self.plan.sinks.values().map(|sink| sink.sink.needs()).fold(Needs::NONE, Needs::union);
        needs.union(Needs { script_log: most.script_log, ..Needs::NONE })
    }

    fn entry(&self, event: EventId, known: &Facts) -> Arc<Entry> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Entries { by_event, latest } = &mut *entries;
        if let Some(entry) = by_event.get(&event).and_then(Weak::upgrade) {
            return entry;
        }
        let entry = Arc::new(Entry {
            sheet: FactSheet::new(known.clone()),
            busy: Mutex::default(),
            finished: watch::Sender::default(),
            saving: tokio::sync::Mutex::default(),
        });
        if latest.len() == LATEST {
            latest.pop_front();
        }
        latest.push_back(Arc::clone(&entry));
        if by_event.len() >= 4 * LATEST {
            by_event.retain(|_, entry| entry.strong_count() > 0);
        }
        by_event.insert(event, Arc::downgrade(&entry));
        entry
    }

    /// Keeps what was found for later attempts. It is a convenience: a failure costs another look-up, not the message.
    async fn save(&self, event: EventId, entry: &Entry) {
        // Whoever saves later saves more.
        let _order = entry.saving.lock().await;
        if let Err(error) = self.journal.add_facts(event, entry.sheet.snapshot()).await {
            tracing::warn!(%event, %error, "Facts could not be stored; a later attempt looks for them again.");
        }
    }
}

impl Entry {
    /// Takes what of `needs` nobody is looking for.
    fn begin(&self, needs: Needs) -> Needs {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = needs.minus(*busy);
        *busy = busy.union(mine);
        mine
    }

    fn busy(&self) -> Needs {
        *self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives back what was taken, also when the look-up is dropped half-way.
struct Working<'a> {
    entry: &'a Entry,
    needs: Needs,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let mut busy = self.entry.busy.lock().unwrap_or_else(PoisonError::into_inner);
        *busy = busy.minus(self.needs);
        drop(busy);
        self.entry.finished.send_replace(());
    }
}
