//! One occurrence: claimed, run, told of, recorded.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::action::{Action, ActionContext, ActionError, ActionReport};
use super::definition::Schedule;
use super::events::{self, About};
use super::job::Job;
use super::passed::Passed;
use crate::clock::Clock;
use crate::event::{NewEvent, SiteName};
use crate::source::Intake;
use crate::store::{OccurrenceClaim, RunOutcome, Store, StoreError, WorkEnd};

/// How long a claim holds. A process that is still at it then is taken for dead by others.
const HOLD: Duration = Duration::from_hours(2);
/// How long is waited before a store that fails is asked again.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// Nobody looks longer for how something ended that was begun.
const LOST_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Does what schedules are for.
#[derive(Debug)]
pub(super) struct Runner {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) intake: Intake,
    /// What starts tasks; none in a build that can't.
    pub(super) tasks: Option<Arc<dyn Action>>,
    /// Those of the program that embeds Butler.
    pub(super) actions: BTreeMap<String, Arc<dyn Action>>,
    /// The site of events about schedules that name none.
    pub(super) site: SiteName,
    /// Whether there may be work that has not ended.
    pub(super) is_work_open: AtomicBool,
}

/// A schedule, and the zone of the times that people see.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) schedule: Arc<Schedule>,
    pub(super) zone: TimeZone,
}

impl Runner {
    /// Does a job. There is no outcome if somebody else has done it or does it.
    pub(super) async fn perform(&self, subject: &Subject, job: &Job) -> Option<RunOutcome> {
        if let Job::Tell { passed, why } = job {
            self.tell_missed(subject, passed, why).await;
            return None;
        }
        let id = &subject.schedule.id;
        let claim = self.insist("claimed", || self.store.claim_occurrence(id, job.occurrence(), HOLD)).await?;
        let (outcome, is_told) = self.outcome(subject, job, &claim).await;
        self.tell(subject, job, &outcome, is_told).await;
        let recorded = self.insist("recorded", || self.store.record_run(&claim, outcome.clone())).await;
        if recorded && outcome.is_open() {
            self.is_work_open.store(true, Ordering::Relaxed);
        }
        Some(outcome)
    }

    /// What becomes of it, and whether people have been told already.
    async fn outcome(&self, subject: &Subject, job: &Job, claim: &OccurrenceClaim) -> (RunOutcome, bool) {
        let schedule = &subject.schedule;
        let Some(action) = self.action(schedule) else {
            return (
                RunOutcome::Failed {
                    why: format!("this program has no action `{}`", schedule.action.as_deref().unwrap_or("tasks")),
                    work: Vec::new(),
                },
                false,
            );
        };
        let context = ActionContext { schedule: Arc::clone(schedule), occurrence: claim.occurrence };
        if claim.attempt > 1 {
            match guarded(action.recover(&context)).await {
                Ok(Some(report)) => return (done(report), true),
                Ok(None) => {}
                Err(error) => return (outcome_of(error), matches!(job, Job::Miss { is_told: true, .. })),
            }
        }
        if let Job::Miss { why, is_told, .. } = job {
            return (RunOutcome::Missed { why: why.clone() }, *is_told);
        }
        tracing::info!(schedule = %schedule.id, name = %schedule.name, occurrence = %claim.occurrence, "A schedule is due.");
        match guarded(action.run(&context)).await {
            Ok(report) => (done(report), true),
            Err(error) => (outcome_of(error), false),
        }
    }

    async fn tell(&self, subject: &Subject, job: &Job, outcome: &RunOutcome, is_told: bool) {
        let Subject { schedule, zone } = subject;
        let site = self.site_of(schedule);
        let about = About { site: &site, schedule, occurrence: job.occurrence(), zone, now: self.clock.now() };
        match outcome {
            RunOutcome::Done { detail, .. } => tracing::info!(schedule = %schedule.id, detail, "A schedule was run."),
            RunOutcome::Failed { why, .. } => {
                tracing::warn!(schedule = %schedule.id, name = %schedule.name, why, "A schedule failed.");
                self.submit(events::failed(about, why)).await;
            }
            RunOutcome::Missed { why } if !is_told => {
                tracing::warn!(schedule = %schedule.id, name = %schedule.name, why, "An occurrence of a schedule was missed.");
                self.submit(events::missed(about, why)).await;
            }
            RunOutcome::Missed { .. } => {}
        }
    }

    /// Tells of several occurrences at once that were missed.
    async fn tell_missed(&self, subject: &Subject, passed: &Passed, why: &str) {
        let Subject { schedule, zone } = subject;
        tracing::warn!(schedule = %schedule.id, name = %schedule.name, count = passed.count(), first = %passed.first, why, "Occurrences of a schedule were missed.");
        let site = self.site_of(schedule);
        let about = About { site: &site, schedule, occurrence: passed.last(), zone, now: self.clock.now() };
        let event = if passed.count() == 1 { events::missed(about, why) } else { events::missed_several(about, passed, why) };
        self.submit(event).await;
    }

    /// The site that a schedule is about.
    fn site_of(&self, schedule: &Schedule) -> SiteName {
        schedule.starts.site.as_deref().map_or_else(|| self.site.clone(), SiteName::from)
    }

    async fn submit(&self, event: NewEvent) {
        // Before the run is recorded: if the program ends in between, it is told once more, and known for a repetition by its key.
        if let Err(error) = self.intake.submit(event).await {
            tracing::error!(%error, "An event about a schedule could not be journalled.");
        }
    }

    fn action(&self, schedule: &Schedule) -> Option<&Arc<dyn Action>> {
        match &schedule.action {
            Some(name) => self.actions.get(name),
            None => self.tasks.as_ref(),
        }
    }

    /// Looks how work goes that was begun; whether any goes on.
    pub(super) async fn look(&self, subjects: impl Fn(&str) -> Option<Arc<Schedule>>) -> Result<bool, StoreError> {
        const AT_ONCE: usize = 1_000;
        let open = self.store.open_runs(AT_ONCE).await?;
        let mut is_open = false;
        let mut by_action = BTreeMap::<_, Vec<_>>::new();
        for run in open {
            let action = subjects(&run.schedule).and_then(|schedule| schedule.action.clone());
            by_action.entry(action).or_default().push(run);
        }
        for (name, mut runs) in by_action {
            let action = name.as_ref().map_or(self.tasks.as_ref(), |name| self.actions.get(name));
            let open: Vec<_> = runs.iter().flat_map(|run| run.run.outcome.work()).filter(|work| work.end.is_none()).cloned().collect();
            let mut ends = match action {
                Some(action) => AssertUnwindSafe(action.look(&open)).catch_unwind().await.unwrap_or_default(),
                None => Vec::new(),
            }
            .into_iter();
            let now = self.clock.now();
            for run in &mut runs {
                let mut changed = false;
                for work in run.run.outcome.work_mut().iter_mut().filter(|work| work.end.is_none()) {
                    let lost = || (now.duration_since(work.since) > LOST_AFTER).then(|| WorkEnd { at: now, how: "not known".into() });
                    work.end = ends.next().flatten().or_else(lost);
                    changed |= work.end.is_some();
                }
                is_open |= run.run.outcome.is_open();
                if changed {
                    self.store.update_run(&run.schedule, run.run.occurrence, run.run.outcome.clone()).await?;
                }
            }
        }
        Ok(is_open)
    }

    /// Asks the store until it answers.
    async fn insist<T, F>(&self, what: &str, ask: impl Fn() -> F) -> T
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut is_first = true;
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(error) => {
                    if std::mem::take(&mut is_first) {
                        tracing::error!(%error, "An occurrence of a schedule can't be {what}; it is tried until it can.");
                    }
                    self.clock.sleep(STORE_PAUSE).await;
                }
            }
        }
    }
}

fn done(ActionReport { detail, work }: ActionReport) -> RunOutcome {
    RunOutcome::Done { detail, work }
}

fn outcome_of(error: ActionError) -> RunOutcome {
    match error {
        ActionError::Failed { why, work } => RunOutcome::Failed { why, work },
        ActionError::Skipped { why } => RunOutcome::Missed { why },
    }
}

/// A panic of an action is its failure, and nobody else's.
async fn guarded<T>(work: impl Future<Output = Result<T, ActionError>>) -> Result<T, ActionError> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| Err(ActionError::failed("the action panicked; see the log")))
}
