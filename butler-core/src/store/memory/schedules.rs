//! Schedules and their occurrences.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;

use crate::store::rules::later;
use crate::store::{OccurrenceClaim, OpenRun, RunOutcome, ScheduleRecord, ScheduleRun};

/// Schedules by their ids.
#[derive(Debug, Default)]
pub(super) struct Schedules {
    by_id: HashMap<String, Schedule>,
    /// How many were ever stored.
    count: u64,
}

#[derive(Debug)]
struct Schedule {
    /// The how many-th it was that was stored.
    place: u64,
    definition: String,
    occurrences: BTreeMap<Timestamp, Occurrence>,
}

#[derive(Debug, Default)]
struct Occurrence {
    attempt: u32,
    claim_until: Option<Timestamp>,
    run: Option<ScheduleRun>,
}

impl Schedules {
    pub(super) fn all(&self) -> Vec<ScheduleRecord> {
        let mut all: Vec<_> = self.by_id.iter().collect();
        all.sort_unstable_by_key(|(_, schedule)| schedule.place);
        all.into_iter().map(|(id, schedule)| ScheduleRecord { id: id.clone(), definition: schedule.definition.clone() }).collect()
    }

    pub(super) fn upsert(&mut self, ScheduleRecord { id, definition }: ScheduleRecord) {
        match self.by_id.get_mut(&id) {
            Some(schedule) => schedule.definition = definition,
            None => {
                self.count += 1;
                self.by_id.insert(id, Schedule { place: self.count, definition, occurrences: BTreeMap::new() });
            }
        }
    }

    pub(super) fn remove(&mut self, id: &str) -> bool {
        self.by_id.remove(id).is_some()
    }

    pub(super) fn claim(&mut self, id: &str, at: Timestamp, hold: Duration, now: Timestamp) -> Option<OccurrenceClaim> {
        let occurrence = self.by_id.get_mut(id)?.occurrences.entry(at).or_default();
        if occurrence.run.is_some() || occurrence.claim_until.is_some_and(|until| until > now) {
            return None;
        }
        occurrence.attempt += 1;
        occurrence.claim_until = Some(later(now, hold));
        Some(OccurrenceClaim { schedule: id.to_owned(), occurrence: at, attempt: occurrence.attempt })
    }

    pub(super) fn record(&mut self, claim: &OccurrenceClaim, outcome: RunOutcome, now: Timestamp) -> bool {
        let occurrence = self.by_id.get_mut(&claim.schedule).and_then(|schedule| schedule.occurrences.get_mut(&claim.occurrence));
        let Some(occurrence) = occurrence.filter(|known| known.run.is_none() && known.attempt == claim.attempt) else { return false };
        occurrence.run = Some(ScheduleRun { occurrence: claim.occurrence, at: now, outcome });
        true
    }

    pub(super) fn runs(&self, id: &str, max: usize) -> Vec<ScheduleRun> {
        let occurrences = self.by_id.get(id).into_iter().flat_map(|schedule| &schedule.occurrences);
        occurrences.rev().filter_map(|(_, occurrence)| occurrence.run.clone()).take(max).collect()
    }

    pub(super) fn open_runs(&self, max: usize) -> Vec<OpenRun> {
        let runs = self.by_id.iter().flat_map(|(id, schedule)| schedule.occurrences.values().map(move |occurrence| (id, occurrence)));
        let open = runs.filter_map(|(id, occurrence)| Some((id, occurrence.run.as_ref().filter(|run| run.outcome.is_open())?)));
        let mut open: Vec<_> = open.map(|(id, run)| OpenRun { schedule: id.clone(), run: run.clone() }).collect();
        open.sort_unstable_by(|a, b| (a.run.at, &a.schedule).cmp(&(b.run.at, &b.schedule)));
        open.truncate(max);
        open
    }

    pub(super) fn update(&mut self, id: &str, at: Timestamp, outcome: RunOutcome) -> bool {
        let occurrence = self.by_id.get_mut(id).and_then(|schedule| schedule.occurrences.get_mut(&at));
        let Some(run) = occurrence.and_then(|occurrence| occurrence.run.as_mut()) else { return false };
        run.outcome = outcome;
        true
    }

    pub(super) fn prune(&mut self, before: Timestamp) -> u64 {
        let mut pruned = 0;
        for schedule in self.by_id.values_mut() {
            let known = schedule.occurrences.len();
            schedule.occurrences.retain(|_, occurrence| occurrence.run.as_ref().is_none_or(|run| run.at >= before));
            pruned += (known - schedule.occurrences.len()) as u64;
        }
        pruned
    }

    /// Voids every claim.
    pub(super) fn forget_holders(&mut self) {
        for occurrence in self.by_id.values_mut().flat_map(|schedule| schedule.occurrences.values_mut()) {
            occurrence.claim_until = None;
        }
    }
}
