//! What is to be done for each schedule, one after the other.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::job::Job;
use super::runner::Subject;

/// What is to be done for each schedule, one after the other: a schedule is never at work twice, so that what a slow start held up does not come in a heap afterwards.
#[derive(Debug, Default)]
pub(super) struct Lanes(Mutex<HashMap<String, Lane>>);

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<(Subject, Job)>,
    /// The occurrence that is being worked at.
    current: Option<Timestamp>,
}

impl Lanes {
    /// Adds jobs. Whether nobody is at work there yet: then the caller has to begin.
    pub(super) fn push(&self, subject: &Subject, jobs: VecDeque<Job>) -> bool {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !lanes.contains_key(&subject.schedule.id);
        let lane = lanes.entry(subject.schedule.id.clone()).or_default();
        for job in jobs {
            if matches!(job, Job::Run(_)) {
                lane.supersede();
            }
            lane.waiting.push_back((subject.clone(), job));
        }
        is_new
    }

    /// The next job of a schedule. If there is none, nobody is at work there any more.
    pub(super) fn next(&self, id: &str) -> Option<(Subject, Job)> {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.get_mut(id)?;
        match lane.waiting.pop_front() {
            Some((subject, job)) => {
                lane.current = Some(job.occurrence());
                Some((subject, job))
            }
            None => {
                lanes.remove(id);
                None
            }
        }
    }

    /// The oldest occurrence that is not done with.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        let lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = |lane: &Lane| lane.waiting.iter().map(|(_, job)| job.occurrence()).min();
        lanes.values().filter_map(|lane| waiting(lane).into_iter().chain(lane.current).min()).min()
    }
}

impl Lane {
    /// An occurrence that waits still when the next one comes has had its time.
    fn supersede(&mut self) {
        for (_, job) in &mut self.waiting {
            if let Job::Run(at) = *job {
                let why = "the run before it had not come to an end when the next one was due".to_owned();
                *job = Job::Miss { at, why, is_told: false };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::SignedDuration;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::schedule::Schedule;

    #[test]
    fn of_those_that_wait_only_the_latest_is_run() {
        let at = |minutes| Timestamp::constant(1_715_580_000, 0) + SignedDuration::from_mins(minutes);
        let subject = Subject { schedule: Arc::new(Schedule::new("a", "* * * * *").with_id("a")), zone: TimeZone::UTC };
        let lanes = Lanes::default();
        assert!(lanes.push(&subject, VecDeque::from([Job::MakeUp(at(0)), Job::Run(at(1))])));
        assert!(!lanes.push(&subject, VecDeque::from([Job::Run(at(2))])));
        assert_eq!(lanes.oldest(), Some(at(0)));
        assert_eq!(lanes.next("a").unwrap().1, Job::MakeUp(at(0)));
        assert_eq!(lanes.oldest(), Some(at(0)), "it is under way");
        assert!(matches!(lanes.next("a").unwrap().1, Job::Miss { at: missed, is_told: false, .. } if missed == at(1)));
        assert_eq!(lanes.next("a").unwrap().1, Job::Run(at(2)));
        assert!(lanes.next("a").is_none() && lanes.next("a").is_none());
        assert_eq!(lanes.oldest(), None);
        assert!(lanes.push(&subject, VecDeque::from([Job::Run(at(3))])), "it begins anew");
    }
}
