//! How far a site's results have been read.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::SiteName;
use crate::store::{StateStore, StoreError};

/// How far before the cursor a round begins.
pub(super) const OVERLAP: SignedDuration = SignedDuration::from_mins(5);
/// How far before the cursor it begins every now and then.
pub(super) const DEEP_OVERLAP: SignedDuration = SignedDuration::from_hours(2);
/// How long before the first start a failure may have been to be told.
const FIRST_MARGIN: SignedDuration = SignedDuration::from_mins(5);
/// How many of the results that were read are kept with the cursor; the others are recognised by the journal.
const KEPT: usize = 1_000;

/// How exactly it is kept when a round last came to its end: a quiet site is no reason to write all the time.
const LOOKED_STEP: SignedDuration = SignedDuration::from_hours(1);

/// What outlives a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    /// Of this form.
    version: u32,
    read_to: Timestamp,
    #[serde(default)]
    began: Option<Timestamp>,
    #[serde(default)]
    newest: Option<Timestamp>,
    #[serde(default)]
    read: BTreeMap<Uuid, Timestamp>,
    #[serde(default)]
    silent_since: Option<Timestamp>,
    #[serde(default)]
    looked: Option<Timestamp>,
}

const VERSION: u32 = 1;

/// How far a site's results have been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    name: String,
    /// Of the stored entry; 0 if there is none.
    version: u64,
    stored: Option<String>,
    /// What ended before was read.
    pub(super) read_to: Timestamp,
    /// When the first round of all began to look: nothing before is ever read.
    began: Option<Timestamp>,
    /// The latest end of an execution that was read.
    newest: Option<Timestamp>,
    /// Results that were read and will be listed again, with the time of their end.
    read: BTreeMap<Uuid, Timestamp>,
    /// Since when no datagram comes although executions end badly; none if they come.
    pub(super) silent_since: Option<Timestamp>,
    /// When a round last came to its end, to the hour.
    looked: Option<Timestamp>,
}

impl Cursor {
    /// The stored one, or one that begins now.
    pub(super) async fn load(store: &dyn StateStore, site: &SiteName, now: Timestamp) -> Result<Self, StoreError> {
        let name = format!("qrs_poll/{site}");
        let entry = store.state(&name).await?;
        let (version, text) = entry.map_or((0, None), |entry| (entry.version, Some(entry.value)));
        let stored = text.as_deref().map(serde_json::from_str::<Stored>);
        let begun = |began: Timestamp| Stored {
            version: VERSION,
            read_to: began,
            began: Some(began),
            newest: None,
            read: BTreeMap::new(),
            silent_since: None,
            looked: None,
        };
        let begins = now.saturating_sub(FIRST_MARGIN).unwrap_or(now);
        let Stored { read_to, began, newest, read, silent_since, looked, .. } = match stored {
            None => begun(begins),
            Some(Ok(stored)) if stored.version <= VERSION => stored,
            Some(other) => {
                let why = other.err().map_or_else(|| "a later version of the program wrote it".to_owned(), |why| why.to_string());
                return Err(StoreError::Corrupt { what: format!("the state `{name}`"), why });
            }
        };
        Ok(Self { name, version, stored: text, read_to, began, newest, read, silent_since, looked })
    }

    /// Stores it, if it has changed. `false` if somebody else has moved it meanwhile.
    pub(super) async fn save(&mut self, store: &dyn StateStore) -> Result<bool, StoreError> {
        let recent = self.read.iter().filter(|(_, stopped)| **stopped >= before(self.read_to, OVERLAP));
        let mut read: Vec<_> = recent.map(|(id, stopped)| (*id, *stopped)).collect();
        read.sort_by_key(|(_, stopped)| std::cmp::Reverse(*stopped));
        read.truncate(KEPT);
        let Self { read_to, began, newest, silent_since, looked, .. } = *self;
        let stored = Stored { version: VERSION, read_to, began, newest, read: read.into_iter().collect(), silent_since, looked };
        let text = serde_json::to_string(&stored).map_err(|why| StoreError::Failed(format!("the state `{}`: {why}", self.name)))?;
        if self.stored.as_ref() == Some(&text) {
            return Ok(true);
        }
        let Some(version) = store.set_state(&self.name, &text, self.version).await? else { return Ok(false) };
        (self.version, self.stored) = (version, Some(text));
        Ok(true)
    }

    /// Where a round begins.
    pub(super) fn start(&self, overlap: SignedDuration) -> Timestamp {
        let start = before(self.read_to, overlap);
        self.began.map_or(start, |began| start.max(began.min(self.read_to)))
    }

    /// Brings a cursor that is in the future back: the wall clock was wrong, or is.
    ///
    /// It goes back by `look_back` at the most, counted from what was read: what was told longer ago would not be recognised.
    pub(super) fn not_after(&mut self, now: Timestamp, look_back: SignedDuration) {
        if self.read_to <= now {
            return;
        }
        let least = self.newest.map_or(now, |newest| before(newest, look_back));
        self.read_to = self.read_to.min(now.max(least));
    }

    /// A page was read: everything that ended before `to`, which is not in the future, and what is named.
    pub(super) fn advance(&mut self, to: Timestamp, now: Timestamp) {
        self.read_to = self.read_to.max(to.min(now));
        let oldest = before(self.read_to, DEEP_OVERLAP);
        self.read.retain(|_, stopped| *stopped >= oldest);
    }

    /// A round came to its end.
    pub(super) fn looked(&mut self, now: Timestamp) {
        let is_recent = |looked: Timestamp| (looked..=looked + LOOKED_STEP).contains(&now);
        if !self.looked.is_some_and(is_recent) {
            self.looked = Some(now);
        }
    }

    /// Since when nothing was read: executions that ended later may be unknown.
    pub(super) fn unread_since(&self) -> Option<Timestamp> {
        self.looked.map(|looked| looked.max(self.read_to))
    }

    /// Whether a result was read before.
    pub(super) fn has_read(&self, result: Uuid) -> bool {
        self.read.contains_key(&result)
    }

    /// A result was read.
    pub(super) fn note(&mut self, result: Option<Uuid>, stopped: Timestamp, now: Timestamp) {
        if let Some(result) = result {
            self.read.insert(result, stopped);
        }
        self.newest = self.newest.max(Some(stopped.min(now)));
    }
}

pub(super) fn before(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::constant(1_715_580_131, 0);

    fn cursor() -> Cursor {
        Cursor {
            name: String::new(),
            version: 0,
            stored: None,
            read_to: AT,
            began: None,
            newest: Some(AT),
            read: BTreeMap::new(),
            silent_since: None,
            looked: None,
        }
    }

    fn later(hours: i64) -> Timestamp {
        AT + SignedDuration::from_hours(hours)
    }

    #[test]
    fn it_is_never_in_the_future_and_goes_back_by_no_more_than_is_remembered() {
        let week = SignedDuration::from_hours(7 * 24);
        let mut ahead = cursor();
        ahead.advance(later(5), later(1));
        assert_eq!(ahead.read_to, later(1));
        ahead.not_after(later(2), week);
        assert_eq!(ahead.read_to, later(1));
        ahead.not_after(AT, week);
        assert_eq!(ahead.read_to, AT);
        // A clock that lost its battery.
        ahead.not_after(Timestamp::UNIX_EPOCH, week);
        assert_eq!(ahead.read_to, later(-7 * 24));
        // Nothing was read yet: the clock was ahead at the first start.
        let mut unread = Cursor { newest: None, began: Some(AT), ..cursor() };
        unread.not_after(later(-1), week);
        assert_eq!((unread.read_to, unread.start(OVERLAP)), (later(-1), later(-1)));
    }

    #[test]
    fn what_is_listed_again_is_remembered_and_nothing_else() {
        let (mut cursor, id) = (cursor(), Uuid::from_u128(7));
        cursor.note(Some(id), AT, AT);
        cursor.advance(later(2), later(2));
        assert!(cursor.has_read(id));
        cursor.advance(later(3), later(3));
        assert!(!cursor.has_read(id));
    }
}
