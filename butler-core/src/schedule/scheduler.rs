//! Sees what is due, and has it done.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use super::book::Due;
use super::desk::{Inner, Schedules};
use super::events::SOURCE;
use super::job::jobs;
use super::runner::Subject;
use crate::event::SourceName;
use crate::source::{EventSource, Intake, Open, SourceError, Stop};

/// The longest time without a look: after so long a jump of the clock is seen.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// A clock that goes back by less is only being set right.
const PUT_BACK: SignedDuration = SignedDuration::from_secs(2);
/// How often it is kept up to when everything is done with.
const KEEP_EVERY: Duration = Duration::from_secs(30);
/// How long runs have at the end.
const ENDING: Duration = Duration::from_secs(5);
/// Every how many times of keeping old runs are removed.
const PRUNE_EVERY: u32 = 240;

/// Sees what is due, and has it done. Of the sources of events it is the one that makes those about schedules.
#[derive(Debug, Clone)]
pub struct Scheduler(Schedules);

impl Scheduler {
    /// Of these schedules.
    #[must_use]
    pub fn new(schedules: Schedules) -> Self {
        Self(schedules)
    }
}

#[async_trait]
impl EventSource for Scheduler {
    fn name(&self) -> SourceName {
        SOURCE.into()
    }

    async fn open(&self, _: Intake, stop: Stop) -> Result<Open, SourceError> {
        let inner = Arc::clone(&self.0.inner);
        let run = async move {
            if inner.settings.enabled {
                tokio::join!(fire(&inner, &stop), keep(&inner, &stop));
                // Once more, now that nothing is under way.
                save(&inner).await;
            }
            Ok(())
        };
        Ok(Open { addresses: Vec::new(), run: Box::pin(run) })
    }
}

/// Has done what is due, until the end.
async fn fire(inner: &Arc<Inner>, stop: &Stop) {
    let clock = &inner.runner.clock;
    let mut changed = inner.changed.subscribe();
    let mut at_work = JoinSet::new();
    let mut before = (clock.now(), clock.monotonic());
    loop {
        let (now, monotonic) = (clock.now(), clock.monotonic());
        let passed = SignedDuration::try_from(monotonic.saturating_sub(before.1)).unwrap_or(SignedDuration::ZERO);
        if now.duration_since(before.0) < passed - PUT_BACK {
            tracing::warn!(from = %before.0, to = %now, "The clock has been put back. Schedules go by the new time; what they did before is not done again.");
            inner.book().put_back(now);
        }
        before = (now, monotonic);
        let due = inner.book().take_due(now);
        for due in due {
            begin(inner, due, now, &mut at_work);
        }
        inner.looked(now);
        while at_work.try_join_next().is_some() {}
        let next = inner.book().next_due();
        let wait = next.map_or(LONGEST_WAIT, |next| Duration::try_from(next.duration_since(now)).unwrap_or_default().min(LONGEST_WAIT));
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = clock.sleep(wait) => {}
            // The sender is our own.
            _ = changed.changed() => {}
        }
    }
    let ended = async { while at_work.join_next().await.is_some() {} };
    tokio::select! {
        biased;
        () = ended => {}
        () = clock.sleep(ENDING) => tracing::warn!("Runs of schedules are broken off; the next start finds out what became of them."),
    }
}

/// Has a schedule's occurrences done.
fn begin(inner: &Arc<Inner>, due: Due, now: Timestamp, at_work: &mut JoinSet<()>) {
    let subject = Subject { schedule: Arc::clone(&due.schedule), zone: due.zone.clone() };
    if inner.lanes.push(&subject, jobs(due, now)) {
        let inner = Arc::clone(inner);
        at_work.spawn(async move {
            while let Some((subject, job)) = inner.lanes.next(&subject.schedule.id) {
                inner.runner.perform(&subject, &job).await;
            }
        });
    }
}

/// Keeps what the next process needs to know, sees how work goes that was begun, and removes what is old.
async fn keep(inner: &Inner, stop: &Stop) {
    let clock = &inner.runner.clock;
    let mut times = 0_u32;
    loop {
        save(inner).await;
        if inner.runner.is_work_open.swap(false, Ordering::Relaxed) {
            let schedule_of = |id: &str| inner.book().get(id).map(|entry| Arc::clone(&entry.schedule));
            match inner.runner.look(schedule_of).await {
                Ok(is_open) => inner.runner.is_work_open.fetch_or(is_open, Ordering::Relaxed),
                Err(error) => {
                    tracing::debug!(%error, "It can't be looked how the work of schedules goes.");
                    inner.runner.is_work_open.fetch_or(true, Ordering::Relaxed)
                }
            };
        }
        if times.is_multiple_of(PRUNE_EVERY) {
            let keep = SignedDuration::try_from(inner.settings.keep).unwrap_or(SignedDuration::MAX);
            let before = inner.now().saturating_sub(keep).unwrap_or(Timestamp::MIN);
            if let Err(error) = inner.runner.store.prune_runs(before).await {
                tracing::warn!(%error, "Old runs of schedules can't be removed.");
            }
        }
        times = times.wrapping_add(1);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = clock.sleep(KEEP_EVERY) => {}
        }
    }
}

async fn save(inner: &Inner) {
    let Some(at) = inner.done_until() else { return };
    if let Err(error) = inner.watermark.lock().await.save(&*inner.runner.store, at).await {
        tracing::warn!(%error, "It can't be kept up to when schedules have done their work; after a restart they look further back.");
    }
}
