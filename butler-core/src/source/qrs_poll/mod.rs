//! What the repository knows and no datagram told: execution results are read from it, again and again.
//!
//! A datagram may get lost, the program may have been down, a site may never have been told to send any. So every `every` the results of executions that ended
//! are listed and handed to the intake like anything else; the journal recognises by their keys what was told before.
//!
//! * **The cursor** is a time: what ended before it was read. It is kept in the store, and moves only after the journal has taken every event of a page.
//! * **What becomes visible late** (another node's clock, a repository that synchronises) is found because every round begins some minutes before the cursor, and every
//!   twentieth two hours. What was read already is remembered, so that it is not handed in again.
//! * **A page** is a span of time, chosen so that few enough executions ended within it: they are counted first. The last one has no end, so that nobody's clock decides
//!   about it.
//! * **The wall clock** decides where the first round of all begins, how far the first one after a start looks back, and that the cursor is never in the future. It may jump: if it goes
//!   back, the cursor follows, at most by `look_back`, and what is read twice is recognised; if it goes forward, nothing is passed over.
//! * **The repository can call** when an execution ends, if it is told to ([`Notifications`]). A call says only that it is time to read, so that it is read at once; nothing depends on it.
//! * **While the repository is down** one request a round fails, or is refused by the client at once; the cursor stays.

#[cfg(all(test, feature = "testkit"))]
mod called_tests;
mod cursor;
mod notified;
mod pages;
mod round;
mod silence;
mod source;
mod subscribed;
#[cfg(all(test, feature = "testkit"))]
mod tests;
mod to_event;

pub use source::QrsPollSource;

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::event::SiteName;

/// How a site's results are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QrsPollSettings {
    /// The site.
    pub site: SiteName,
    /// The time from the end of one round to the next.
    pub every: Duration,
    /// How far back is read after a time in which nothing was: what ended longer ago is left alone. Keep it well below the retention of the store, by whose keys it is recognised what was
    /// told before.
    pub look_back: Duration,
    /// Whether executions that succeeded are wanted. Where no route wants them they would only fill the store.
    pub successes: bool,
    /// The zone of the site's local times.
    pub time_zone: TimeZone,
    /// Where the site's datagrams are received; none if they are not, and then nobody misses any.
    pub datagrams_at: Option<String>,
    /// Where the repository calls when an execution ends; none if it does not.
    pub notifications: Option<Notifications>,
}

/// Where the repository calls when an execution ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notifications {
    /// What the repository calls: `http://host:port`. Port 0 stands for the port that is listened on.
    pub url: String,
    /// Where the calls are listened for: `host:port`.
    pub listen: String,
}

impl Notifications {
    /// The address without a path, with the port that is listened on where it leaves that open.
    fn base(&self, port: u16) -> String {
        let base = self.url.trim_end_matches('/');
        base.strip_suffix(":0").map_or_else(|| base.to_owned(), |host| format!("{host}:{port}"))
    }
}

impl QrsPollSettings {
    /// A good `every`.
    pub const EVERY: Duration = Duration::from_secs(30);
    /// A good `look_back`.
    pub const LOOK_BACK: Duration = Duration::from_hours(7 * 24);
}
