//! Datagrams that do not come any more.

use jiff::{SignedDuration, Timestamp};

use super::QrsPollSettings;
use crate::event::{Body, DedupKey, Kind, NewEvent, Notice};

/// How many executions have to have ended badly without a word,
const UNTOLD: u64 = 3;
/// over how long a time.
const OVER: SignedDuration = SignedDuration::from_mins(10);

/// Notices that executions end badly and no datagram says so.
///
/// Those that succeeded prove nothing: many sites have only failures told.
#[derive(Debug)]
pub(super) struct Silence {
    /// What ended before is no evidence: it may have been told while nobody listened.
    since: Timestamp,
    heard: u64,
    /// How many, and when the first and the latest of them ended.
    untold: Option<(u64, Timestamp, Timestamp)>,
}

impl Silence {
    pub(super) fn new(now: Timestamp, heard: u64) -> Self {
        Self { since: now, heard, untold: None }
    }

    /// Whether a datagram came since the last time; `heard` is how many came in all.
    pub(super) fn is_broken(&mut self, heard: u64) -> bool {
        let broken = heard != self.heard;
        self.heard = heard;
        if broken {
            self.untold = None;
        }
        broken
    }

    /// An execution ended badly at `stopped`, and nobody had told of it.
    pub(super) fn untold(&mut self, stopped: Timestamp) {
        if stopped < self.since {
            return;
        }
        let (count, first, last) = self.untold.unwrap_or((0, stopped, stopped));
        self.untold = Some((count + 1, first.min(stopped), last.max(stopped)));
    }

    /// Since when it has been silent, and how many executions nobody told of, if it has for long enough.
    pub(super) fn is_long(&self) -> Option<(u64, Timestamp)> {
        let (count, first, last) = self.untold?;
        (count >= UNTOLD && last.duration_since(first) > OVER).then_some((count, first))
    }
}

/// What is told about it, with the remedy.
pub(super) fn event(settings: &QrsPollSettings, address: &str, count: u64, first: Timestamp, now: Timestamp) -> NewEvent {
    let site = &settings.site;
    let port = address.rsplit(':').next().unwrap_or(address);
    let title = format!("No log datagram comes from the site `{site}` any more");
    let text = format!(
        "Since {first:.0} the repository has shown {count} executions that failed or were aborted, and no datagram told of any. Butler reads them from the repository instead, so nothing is \
         lost, but each is told up to {every} later. See that each scheduler node still has the log appender (`LocalLogConfig.xml` in \
         `C:\\ProgramData\\Qlik\\Sense\\Scheduler`), that it sends to this machine's name and the UDP port {port}, and that every firewall in between lets UDP to port {port} through; Butler \
         listens on {address}. If the site is not meant to send any, say so with `enabled = false` in its `udp` table.",
        every = humantime::format_duration(settings.every),
    );
    let fields = [("count", count.to_string()), ("since", first.to_string()), ("address", address.to_owned())];
    NewEvent {
        site: site.clone(),
        kind: Kind::Other("butler.source_silent".into()),
        at: now,
        source: "butler".into(),
        keys: vec![DedupKey::Exact(format!("silent|{site}|{first}"))],
        body: Body::Notice(Notice { title, text, task: None, fields: fields.map(|(name, value)| (name.to_owned(), value)).into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::constant(1_715_580_131, 0);

    #[test]
    fn three_untold_over_more_than_ten_minutes_are_a_silence_and_a_datagram_ends_it() {
        let at = |minutes| AT + SignedDuration::from_mins(minutes);
        let mut silence = Silence::new(AT, 7);
        // It ended while nobody listened.
        silence.untold(at(-20));
        [0, 5, 10].into_iter().for_each(|minutes| silence.untold(at(minutes)));
        assert_eq!(silence.is_long(), None);
        assert!(!silence.is_broken(7));
        silence.untold(at(11));
        assert_eq!(silence.is_long(), Some((4, AT)));
        assert!(silence.is_broken(8));
        assert_eq!(silence.is_long(), None);
        silence.untold(at(30));
        silence.untold(at(45));
        assert_eq!(silence.is_long(), None);
    }
}
