//! Whether a repository answers, so that events share one wait while it does not.
//!
//! The first request that gives up opens the circuit. From then on every request is refused at once, but for one every [`PROBE_EVERY`] that
//! tries whether the repository is back. Any answer, be it an error, closes the circuit again. A request that is dropped before it was answered says
//! something too: nobody drops one early but for the sake of a deadline, so one that had waited for [`PATIENCE`] counts as unanswered.
//! A failure counts only if nobody was answered since that request began: one slow question does not make a dead repository.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::event::SiteName;

/// How often one request tries whether the repository is back.
pub(super) const PROBE_EVERY: Duration = Duration::from_secs(5);
/// How long a dropped request must have waited to count as unanswered.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// How a repository stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RepositoryState {
    /// Since when it does not answer; `None` while it does, or was not asked yet.
    pub down_since: Option<Timestamp>,
    /// How its latest failed request failed.
    pub last_error: Option<String>,
}

type Hook = Box<dyn Fn(&RepositoryState) + Send + Sync>;

pub(super) struct Circuit {
    site: SiteName,
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
    hook: Option<Hook>,
}

#[derive(Debug, Default)]
struct Inner {
    shown: RepositoryState,
    last_answer: Option<Duration>,
    last_failure: Option<(Duration, String)>,
    /// While down: when the next probe may start.
    next_probe: Duration,
    probing: bool,
}

/// Why a request is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) since: Timestamp,
    pub(super) why: String,
}

impl std::fmt::Debug for Circuit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Circuit").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl Circuit {
    pub(super) fn new(site: SiteName, clock: Arc<dyn Clock>) -> Self {
        Self { site, clock, inner: Mutex::default(), hook: None }
    }

    /// Has every change of the state told to `hook`.
    pub(super) fn set_hook(&mut self, hook: Hook) {
        self.hook = Some(hook);
    }

    pub(super) fn state(&self) -> RepositoryState {
        self.lock().shown.clone()
    }

    /// How the latest request failed, if one did at `from` or later. One that was dropped did not fail by itself.
    pub(super) fn failure_since(&self, from: Duration) -> Option<String> {
        self.lock().last_failure.as_ref().filter(|(at, _)| *at >= from).map(|(_, why)| why.clone())
    }

    /// Lets a request begin, or refuses it.
    pub(super) fn enter(&self) -> Result<Passage<'_>, Refusal> {
        let now = self.clock.monotonic();
        let mut inner = self.lock();
        let is_probe = inner.shown.down_since.is_some();
        if let Some(refusal) = inner.refusal(now) {
            return Err(refusal);
        }
        inner.probing = is_probe;
        Ok(Passage { circuit: self, began: now, is_probe, settled: false })
    }

    /// Whether a request would be refused now.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.lock().refusal(self.clock.monotonic())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, write: impl FnOnce(&mut Inner, Duration)) {
        let now = self.clock.monotonic();
        let mut inner = self.lock();
        let before = inner.shown.clone();
        write(&mut inner, now);
        let after = inner.shown.clone();
        // The hook may do as it likes, also ask for the state.
        drop(inner);
        let (site, why) = (&self.site, after.last_error.as_deref().unwrap_or_default());
        match (before.down_since, after.down_since) {
            (None, Some(_)) => tracing::warn!(%site, why, "The repository does not answer; events leave without its facts until it does."),
            (Some(since), None) => tracing::info!(%site, %since, "The repository answers again."),
            _ => {}
        }
        if let Some(hook) = self.hook.as_ref().filter(|_| before != after) {
            hook(&after);
        }
    }
}

impl Inner {
    fn refusal(&self, now: Duration) -> Option<Refusal> {
        let since = self.shown.down_since?;
        let why = self.shown.last_error.clone().unwrap_or_default();
        (self.probing || now < self.next_probe).then_some(Refusal { since, why })
    }
}

/// A request under way. Dropping it unsettled is a verdict too: see the module.
#[derive(Debug)]
pub(super) struct Passage<'a> {
    circuit: &'a Circuit,
    began: Duration,
    is_probe: bool,
    settled: bool,
}

impl Passage<'_> {
    /// Whether this request tries whether the repository is back; it is not repeated when it fails.
    pub(super) fn is_probe(&self) -> bool {
        self.is_probe
    }

    /// An attempt failed that will be repeated.
    pub(super) fn stumbled(&self, why: &str) {
        self.circuit.change(|inner, now| inner.last_failure = Some((now, why.to_owned())));
    }

    /// The repository answered; `fault` if not as it should.
    pub(super) fn answered(mut self, fault: Option<&str>) {
        self.settled = true;
        self.circuit.change(|inner, now| {
            inner.last_answer = Some(now);
            inner.shown.down_since = None;
            if let Some(fault) = fault {
                inner.last_failure = Some((now, fault.to_owned()));
                inner.shown.last_error = Some(fault.to_owned());
            }
            inner.probing = false;
        });
    }

    /// It did not, and this request gives up.
    pub(super) fn failed(mut self, why: &str) {
        self.settled = true;
        self.stumbled(why);
        self.give_up(why);
    }

    fn give_up(&self, why: &str) {
        let wall = self.circuit.clock.now();
        self.circuit.change(|inner, now| {
            inner.shown.last_error = Some(why.to_owned());
            if self.is_probe {
                inner.probing = false;
            }
            if inner.last_answer.is_none_or(|answer| answer < self.began) {
                // Whoever fails late, having begun before, does not put off the next probe.
                if self.is_probe || inner.shown.down_since.is_none() {
                    inner.next_probe = now + PROBE_EVERY;
                }
                inner.shown.down_since.get_or_insert(wall);
            }
        });
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let waited = self.circuit.clock.monotonic().saturating_sub(self.began);
        if waited >= PATIENCE {
            let known = self.circuit.failure_since(self.began);
            self.give_up(&known.unwrap_or_else(|| format!("no answer within {} s", waited.as_secs())));
        } else if self.is_probe {
            self.circuit.change(|inner, _| inner.probing = false);
        }
    }
}

#[cfg(all(test, feature = "testkit"))]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::testkit::TestClock;

    fn circuit() -> (TestClock, Circuit) {
        let clock = TestClock::default();
        (clock.clone(), Circuit::new("prod".into(), Arc::new(clock)))
    }

    #[test]
    fn one_failure_opens_and_one_probe_at_a_time_tries() {
        let (clock, circuit) = circuit();
        let opened = clock.now();
        circuit.enter().unwrap().failed("connection refused");
        assert_eq!(circuit.enter().unwrap_err(), Refusal { since: opened, why: "connection refused".into() });
        clock.advance(PROBE_EVERY);
        assert_eq!(circuit.refusal(), None);
        let probe = circuit.enter().unwrap();
        assert!(probe.is_probe());
        assert!(circuit.enter().is_err(), "a second probe was let through");
        probe.failed("still refused");
        assert_eq!(circuit.enter().unwrap_err(), Refusal { since: opened, why: "still refused".into() });
        clock.advance(PROBE_EVERY);
        circuit.enter().unwrap().answered(None);
        assert_eq!(circuit.state().down_since, None);
        assert!(!circuit.enter().unwrap().is_probe());
    }

    #[test]
    fn a_failure_does_not_count_when_others_are_answered() {
        let (clock, circuit) = circuit();
        let slow = circuit.enter().unwrap();
        clock.advance(Duration::from_secs(1));
        circuit.enter().unwrap().answered(None);
        slow.failed("no answer");
        assert_eq!(circuit.state(), RepositoryState { down_since: None, last_error: Some("no answer".into()) });
    }

    #[test]
    fn those_who_fail_late_do_not_put_off_the_probe() {
        let (clock, circuit) = circuit();
        let late = circuit.enter().unwrap();
        circuit.enter().unwrap().failed("connection refused");
        clock.advance(PROBE_EVERY);
        late.failed("no answer");
        assert!(circuit.enter().unwrap().is_probe());
    }

    #[test]
    fn a_request_dropped_after_a_long_wait_counts_as_unanswered() {
        let (clock, circuit) = circuit();
        drop(circuit.enter().unwrap());
        assert_eq!(circuit.refusal(), None, "a request that was hardly begun says nothing");
        let request = circuit.enter().unwrap();
        clock.advance(PATIENCE);
        drop(request);
        assert_eq!(circuit.refusal().map(|refusal| refusal.why), Some("no answer within 3 s".into()));
        clock.advance(PROBE_EVERY);
        drop(circuit.enter().unwrap());
        assert!(circuit.enter().unwrap().is_probe(), "a dropped probe frees its place");
    }

    #[test]
    fn each_change_is_told_once() {
        let (_, mut circuit) = circuit();
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        circuit.set_hook(Box::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        }));
        circuit.enter().unwrap().answered(None);
        assert_eq!(told.load(Ordering::Relaxed), 0);
        circuit.enter().unwrap().failed("refused");
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }
}
