//! Every schedule, and when each is due next.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::definition::Schedule;
use super::passed::Passed;
use super::timetable::Timetable;

/// Every schedule, and when each is due next.
#[derive(Debug, Default)]
pub(super) struct Book {
    by_place: BTreeMap<u64, Entry>,
    places: HashMap<String, u64>,
    /// When somebody is due, and who.
    due: BTreeSet<(Timestamp, u64)>,
    count: u64,
}

/// A schedule in the book.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) schedule: Arc<Schedule>,
    /// None if nobody can tell when it is due.
    pub(super) timetable: Option<Timetable>,
    /// Up to when its occurrences were looked at.
    seen: Timestamp,
    /// The next one; none if it does not run.
    next: Option<Timestamp>,
}

/// A schedule that is due.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) schedule: Arc<Schedule>,
    /// The zone of its times.
    pub(super) zone: TimeZone,
    /// How much later than its occurrences it does its work.
    pub(super) offset: SignedDuration,
    pub(super) passed: Passed,
}

impl Book {
    /// Puts a schedule in, in place of one with the same id. Its occurrences after `seen` are still to come.
    pub(super) fn put(&mut self, schedule: Arc<Schedule>, timetable: Option<Timetable>, seen: Timestamp) {
        let place = self.places.get(&schedule.id).copied().unwrap_or_else(|| {
            self.count += 1;
            self.places.insert(schedule.id.clone(), self.count);
            self.count
        });
        let next = timetable.as_ref().filter(|_| schedule.is_running()).and_then(|timetable| timetable.next_after(seen));
        let entry = Entry { schedule, timetable, seen, next };
        let due = entry.due();
        if let Some(old) = self.by_place.insert(place, entry) {
            self.forget(place, old.due());
        }
        self.due.extend(due.map(|due| (due, place)));
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Arc<Schedule>> {
        let place = self.places.remove(id)?;
        let entry = self.by_place.remove(&place)?;
        self.forget(place, entry.due());
        Some(entry.schedule)
    }

    fn forget(&mut self, place: u64, due: Option<Timestamp>) {
        if let Some(due) = due {
            self.due.remove(&(due, place));
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&Entry> {
        self.by_place.get(self.places.get(id)?)
    }

    /// All, in the order in which they came.
    pub(super) fn all(&self) -> impl Iterator<Item = &Entry> {
        self.by_place.values()
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Takes those out that are due, with their occurrences up to now. Each is due next at its first occurrence after them.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<Due> {
        let mut taken = Vec::new();
        while let Some((due, place)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.due.remove(&(due, place));
            let Some(entry) = self.by_place.get_mut(&place) else { continue };
            let (Some(first), Some(timetable)) = (entry.next, &entry.timetable) else { continue };
            let (offset, zone) = (entry.schedule.offset(), timetable.zone().clone());
            let passed = Passed::between(timetable, first, now.saturating_sub(offset).unwrap_or(first));
            entry.seen = passed.last();
            entry.next = timetable.next_after(entry.seen);
            let next = entry.due();
            taken.push(Due { schedule: Arc::clone(&entry.schedule), zone, offset, passed });
            // Never at once again, so that this comes to an end.
            self.due.extend(next.map(|next| (next.max(due), place)));
        }
        taken
    }

    /// After the clock was put back: the occurrences from now on are to come again. Who had them already knows.
    pub(super) fn put_back(&mut self, now: Timestamp) {
        let ahead: Vec<_> = self.by_place.values().filter(|entry| entry.seen > now).cloned().collect();
        for Entry { schedule, timetable, .. } in ahead {
            self.put(schedule, timetable, now);
        }
    }
}

impl Entry {
    /// When the next occurrence does its work.
    fn due(&self) -> Option<Timestamp> {
        let next = self.next?;
        Some(next.saturating_add(self.schedule.offset()).unwrap_or(next))
    }

    /// Up to when its occurrences were looked at.
    pub(super) fn seen(&self) -> Timestamp {
        self.seen
    }

    /// The zone whose clocks count; none if nobody can tell when it is due.
    pub(super) fn zone(&self) -> Option<TimeZone> {
        self.timetable.as_ref().map(|timetable| timetable.zone().clone())
    }

    /// The next occurrence, if it runs.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next
    }
}

impl Schedule {
    /// Whether both run at the same times.
    pub(super) fn has_times_of(&self, other: &Self) -> bool {
        let times = |schedule: &Self| {
            (schedule.state, schedule.when.clone(), schedule.timezone.clone(), schedule.rules.only.clone(), schedule.rules.jitter)
        };
        times(self) == times(other)
    }

    /// How much later than its occurrences it does its work: a part of the jitter that stays the same from day to day, so that the times between two runs do as well.
    pub(super) fn offset(&self) -> SignedDuration {
        let jitter = SignedDuration::try_from(self.rules.jitter.0).unwrap_or(SignedDuration::ZERO);
        if jitter.is_zero() {
            return jitter;
        }
        let mut hasher = DefaultHasher::new();
        self.id.hash(&mut hasher);
        let millis = jitter.as_millis().clamp(1, i128::from(u32::MAX)) as u64;
        SignedDuration::from_millis((hasher.finish() % millis) as i64)
    }
}
