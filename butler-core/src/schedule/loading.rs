//! What the store and the configuration have, when Butler starts.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::definition::{Origin, Schedule, State};
use super::desk::{Inner, ListedSchedule, record, wire_time};
use super::settings::Patterns;
use crate::store::{ScheduleRecord, StoreError};

/// So many schedules are named in the log one by one.
const NAMED: usize = 100;

impl Inner {
    /// Loads what the store and the configuration have.
    pub(super) async fn load(&self, watermark: Option<Timestamp>) -> Result<(), StoreError> {
        let now = self.now();
        let catch_up = SignedDuration::try_from(self.settings.catch_up).unwrap_or(SignedDuration::MAX);
        let earliest = now.saturating_sub(catch_up).unwrap_or(Timestamp::MIN);
        if let Some(at) = watermark.filter(|at| *at < earliest) {
            tracing::warn!("What schedules missed between {at:.0} and {earliest:.0} is left alone: that is longer ago than `catch_up`.");
        }
        let since = watermark.map_or(now, |at| at.clamp(earliest, now.max(earliest)));
        let mut declared: HashMap<_, _> = self.settings.declared.iter().map(|schedule| (schedule.id.as_str(), schedule)).collect();
        let mut patterns = HashMap::new();
        for ScheduleRecord { id, definition } in self.runner.store.schedules().await? {
            let stored = match serde_json::from_str::<Schedule>(&definition) {
                Ok(stored) => stored,
                Err(error) => {
                    tracing::error!(id, %error, "A schedule of the store can't be read, and is left alone.");
                    continue;
                }
            };
            let schedule = match (stored.origin, declared.remove(id.as_str())) {
                (Origin::Configuration, Some(declared)) => Schedule { created: stored.created.clone(), ..declared.clone() },
                (Origin::Configuration, None) => {
                    tracing::info!(id, "A schedule is no longer in the configuration, and is removed.");
                    self.runner.store.remove_schedule(&id).await?;
                    continue;
                }
                (Origin::Api, Some(_)) => {
                    tracing::error!(
                        id,
                        "A schedule of the configuration has the id of another that was made over the API, which goes on. Give it another id."
                    );
                    stored.clone()
                }
                (Origin::Api, None) => stored.clone(),
            };
            let seen = if stored.is_running() { since.saturating_sub(schedule.offset()).unwrap_or(since) } else { now };
            self.begin(schedule, Some(&stored), seen, &mut patterns).await?;
        }
        let new: Vec<_> = self.settings.declared.iter().filter(|schedule| declared.contains_key(schedule.id.as_str())).collect();
        for schedule in new {
            self.begin(Schedule { created: Some(wire_time(now)), ..schedule.clone() }, None, now, &mut patterns).await?;
        }
        self.announce();
        Ok(())
    }

    /// Puts a schedule in that was loaded, in the state in which it begins.
    async fn begin(
        &self,
        mut schedule: Schedule,
        stored: Option<&Schedule>,
        seen: Timestamp,
        patterns: &mut Patterns,
    ) -> Result<(), StoreError> {
        schedule.state = schedule.startup.state();
        let timetable = match self.settings.timetable_with(&schedule, patterns) {
            Ok(timetable) => Some(timetable),
            Err(error) => {
                tracing::error!(id = schedule.id, name = schedule.name, %error, "A schedule does not run.");
                schedule.state = State::Stopped;
                None
            }
        };
        if stored != Some(&schedule) {
            self.runner.store.upsert_schedule(record(&schedule)).await?;
        }
        self.book().put(Arc::new(schedule), timetable, seen);
        Ok(())
    }

    fn announce(&self) {
        let all: Vec<_> = self.book().all().map(ListedSchedule::of).collect();
        for ListedSchedule { schedule, zone, next } in all.iter().take(NAMED) {
            let zone_name = zone.as_ref().map_or("none", |zone| zone.iana_name().unwrap_or("of this machine"));
            let next = next.map_or_else(|| "never".to_owned(), |next| next.to_string());
            tracing::info!(
                id = schedule.id,
                name = schedule.name,
                schedule = schedule.when,
                zone = zone_name,
                next,
                "A schedule is loaded."
            );
        }
        if !all.is_empty() {
            tracing::info!(count = all.len(), running = all.iter().filter(|listed| listed.next.is_some()).count(), "Schedules are loaded.");
        }
    }
}
