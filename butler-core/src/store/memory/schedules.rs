//! Schedules and their occurrences.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::store::rules::later;
use crate::store::{OccurrenceClaim, RunOutcome, ScheduleRecord, ScheduleRun};

/// Schedules in the order in which they were first stored.
#[derive(Debug, Default)]
pub(super) struct Schedules(Vec<Schedule>);

#[derive(Debug)]
struct Schedule {
    record: ScheduleRecord,
    occurrences: BTreeMap<Timestamp, Occurrence>,
}

#[derive(Debug, Default)]
struct Occurrence {
    attempt: u32,
    claim_until: Option<Timestamp>,
    run: Option<ScheduleRun>,
}

impl Schedules {
    fn find(&mut self, id: &str) -> Option<&mut Schedule> {
        self.0.iter_mut().find(|schedule| schedule.record.id == id)
    }

    pub(super) fn all(&self) -> Vec<ScheduleRecord> {
        self.0.iter().map(|schedule| schedule.record.clone()).collect()
    }

    pub(super) fn upsert(&mut self, record: ScheduleRecord) {
        match self.find(&record.id) {
            Some(schedule) => schedule.record = record,
            None => self.0.push(Schedule { record, occurrences: BTreeMap::new() }),
        }
    }

    pub(super) fn remove(&mut self, id: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|schedule| schedule.record.id != id);
        self.0.len() < before
    }

    pub(super) fn claim(&mut self, id: &str, at: Timestamp, hold: Duration, now: Timestamp) -> Option<OccurrenceClaim> {
        let occurrence = self.find(id)?.occurrences.entry(at).or_default();
        if occurrence.run.is_some() || occurrence.claim_until.is_some_and(|until| until > now) {
            return None;
        }
        occurrence.attempt += 1;
        occurrence.claim_until = Some(later(now, hold));
        Some(OccurrenceClaim { schedule: id.to_owned(), occurrence: at, attempt: occurrence.attempt })
    }

    pub(super) fn record(&mut self, claim: &OccurrenceClaim, outcome: RunOutcome, now: Timestamp) -> bool {
        let occurrence = self.find(&claim.schedule).and_then(|schedule| schedule.occurrences.get_mut(&claim.occurrence));
        let Some(occurrence) = occurrence.filter(|known| known.run.is_none() && known.attempt == claim.attempt) else { return false };
        occurrence.run = Some(ScheduleRun { occurrence: claim.occurrence, at: now, outcome });
        true
    }

    pub(super) fn runs(&self, id: &str, max: usize) -> Vec<ScheduleRun> {
        let occurrences = self.0.iter().find(|schedule| schedule.record.id == id).into_iter().flat_map(|schedule| &schedule.occurrences);
        occurrences.rev().filter_map(|(_, occurrence)| occurrence.run.clone()).take(max).collect()
    }

    /// Voids every claim.
    pub(super) fn forget_holders(&mut self) {
        for occurrence in self.0.iter_mut().flat_map(|schedule| schedule.occurrences.values_mut()) {
            occurrence.claim_until = None;
        }
    }
}
