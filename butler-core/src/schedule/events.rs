//! `schedule.failed` and `schedule.missed`: what nobody would know of otherwise.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::definition::Schedule;
use super::passed::Passed;
use crate::event::{Body, DedupKey, Kind, NewEvent, Notice, NoticeTask, SiteName, SourceName};

/// The kind of an event about an occurrence whose action failed: for tasks, at least one could not be started.
pub const FAILED: &str = "schedule.failed";
/// The kind of an event about occurrences at which nothing was run.
pub const MISSED: &str = "schedule.missed";
/// The name of the source of these events.
pub(super) const SOURCE: &str = "scheduler";

/// About a schedule at one of its occurrences.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) site: &'a SiteName,
    pub(super) schedule: &'a Schedule,
    pub(super) occurrence: Timestamp,
    pub(super) zone: &'a TimeZone,
    pub(super) now: Timestamp,
}

/// Its action failed.
pub(super) fn failed(about: About<'_>, why: &str) -> NewEvent {
    let (name, due) = (&about.schedule.name, about.local(about.occurrence));
    let title = format!("Schedule failed: {name}");
    let text = format!("The schedule \"{name}\" was due at {due}, and could not do all that it should: {why}.");
    about.event(FAILED, title, text, BTreeMap::from([("reason", why.to_owned())]))
}

/// Nothing was run.
pub(super) fn missed(about: About<'_>, why: &str) -> NewEvent {
    let (name, due) = (&about.schedule.name, about.local(about.occurrence));
    let title = format!("Schedule missed: {name}");
    let text = format!("The schedule \"{name}\" was due at {due}, and nothing was run: {why}.");
    about.event(MISSED, title, text, BTreeMap::from([("reason", why.to_owned()), ("count", "1".to_owned())]))
}

/// Nothing was run at several occurrences, the latest of which it is about.
pub(super) fn missed_several(about: About<'_>, passed: &Passed, why: &str) -> NewEvent {
    let (name, count) = (&about.schedule.name, passed.count());
    let (first, last) = (about.local(passed.first), about.local(passed.last()));
    let title = format!("Schedule missed {count} times: {name}");
    let text = format!("The schedule \"{name}\" was due {count} times between {first} and {last}, and nothing was run: {why}.");
    let fields = BTreeMap::from([("reason", why.to_owned()), ("count", count.to_string()), ("first", passed.first.to_string())]);
    about.event(MISSED, title, text, fields)
}

impl About<'_> {
    fn local(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    /// The task that it is about, if that is one and no other: by it routes match such an event as they match the task's own.
    fn task(&self) -> Option<NoticeTask> {
        let targets = self.schedule.targets();
        let [id] = &targets.tasks[..] else { return None };
        let is_alone = targets.tags.is_empty() && targets.custom_properties.is_empty();
        let task_id = id.trim().parse().ok().filter(|_| is_alone)?;
        Some(NoticeTask { task_id, ..NoticeTask::default() })
    }

    fn event(&self, kind: &str, title: String, text: String, fields: BTreeMap<&str, String>) -> NewEvent {
        let Schedule { id, name, when, .. } = self.schedule;
        let own =
            [("scheduleId", id.clone()), ("scheduleName", name.clone()), ("schedule", when.clone()), ("due", self.occurrence.to_string())];
        NewEvent {
            site: self.site.clone(),
            kind: Kind::Other(kind.into()),
            at: self.now,
            source: SourceName::from(SOURCE),
            keys: vec![DedupKey::Exact(format!("{kind}|{id}|{}", self.occurrence))],
            body: Body::Notice(Notice {
                title,
                text,
                fields: fields.into_iter().chain(own).map(|(name, value)| (name.to_owned(), value)).collect(),
                task: self.task(),
            }),
        }
    }
}
