//! The source itself.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::QrsPollSettings;
use super::notified::Notified;
use super::round::{Poll, RoundError, Summary};
use super::subscribed::{Evidence, Subscribed};
use crate::clock::Clock;
use crate::event::SourceName;
use crate::qlik::{QlikError, RepositoryClient};
use crate::source::{EventSource, Intake, IntakeError, Open, SourceError, Stop};
use crate::store::StateStore;

/// The longest time between two rounds when one fails after the other, unless `every` is longer.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// How long is waited after a call for others that belong to it: tasks end in chains. Also the shortest time between two rounds that were called for.
const SETTLES: Duration = Duration::from_secs(1);
/// How long the repository is told at the end that it need not call any more.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Reads execution results from a site's repository; see the [module](super).
#[derive(Debug, Clone)]
pub struct QrsPollSource {
    settings: QrsPollSettings,
    client: Arc<RepositoryClient>,
    store: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
    name: SourceName,
}

impl QrsPollSource {
    /// A source named `qrs_poll`. It asks by `client`, which may have other users, and keeps its cursor in `store`.
    #[must_use]
    pub fn new(settings: QrsPollSettings, client: Arc<RepositoryClient>, store: Arc<dyn StateStore>, clock: Arc<dyn Clock>) -> Self {
        Self { settings, client, store, clock, name: "qrs_poll".into() }
    }

    /// The same under another name, for a process that has more than one site.
    #[must_use]
    pub fn named(self, name: impl Into<SourceName>) -> Self {
        Self { name: name.into(), ..self }
    }
}

#[async_trait]
impl EventSource for QrsPollSource {
    fn name(&self) -> SourceName {
        self.name.clone()
    }

    /// Asks nothing yet: a repository that is down must not keep anything from starting.
    async fn open(&self, intake: Intake, stop: Stop) -> Result<Open, SourceError> {
        let Self { settings, client, store, clock, name } = self.clone();
        let calls = match &settings.notifications {
            None => None,
            Some(notifications) => {
                let subscribed = Subscribed::new(&settings.site, settings.successes, Arc::clone(&client), Arc::clone(&store));
                Some(Calls { notified: Notified::listen(notifications).await?, subscribed, called: false })
            }
        };
        let addresses = calls.iter().map(|calls| calls.notified.address()).collect();
        let poll = Poll::new((settings, name), client, store, Arc::clone(&clock), intake, stop.clone());
        Ok(Open { addresses, run: Box::pin(run(poll, calls, clock, stop)) })
    }
}

/// Calls of the repository, where it is told to make some.
struct Calls {
    notified: Notified,
    subscribed: Subscribed,
    /// Whether the round at hand was called for.
    called: bool,
}

impl Calls {
    /// Keeps the subscription after a round, given what it found and whether the one before it failed.
    async fn keep(&mut self, summary: &Summary, was_away: bool, clock: &dyn Clock) {
        let evidence = match (was_away, summary.unread) {
            _ if !self.subscribed.is_made() => Evidence::None,
            (true, _) => Evidence::WasAway,
            (false, 1..) if !self.called && !self.is_about_to_be_called(clock).await => Evidence::Untold,
            _ => Evidence::None,
        };
        self.subscribed.keep(evidence, &self.notified).await;
    }

    /// Whether a call comes that the round was only a little earlier than.
    async fn is_about_to_be_called(&self, clock: &dyn Clock) -> bool {
        tokio::select! {
            biased;
            () = self.notified.called() => {
                // It may be about something that the round did not see yet.
                self.notified.call();
                true
            }
            () = clock.sleep(SETTLES) => false,
        }
    }

    /// Waits for a call, and a little for others that belong to it.
    async fn called(&mut self, clock: &dyn Clock) {
        self.notified.called().await;
        self.called = true;
        clock.sleep(SETTLES).await;
    }

    async fn end(mut self, clock: &dyn Clock) {
        let ended = tokio::select! {
            ended = self.subscribed.end() => ended.map_err(|error| error.to_string()),
            () = clock.sleep(LAST_WORD) => Err("the repository does not answer".to_owned()),
        };
        if let Err(error) = ended {
            tracing::debug!(error, "The repository was not told to call no more; whoever starts next tells it.");
        }
    }
}

async fn run(mut poll: Poll, mut calls: Option<Calls>, clock: Arc<dyn Clock>, stop: Stop) -> Result<(), SourceError> {
    let ended = rounds(&mut poll, calls.as_mut(), &*clock, &stop).await;
    if let Some(calls) = calls {
        calls.end(&*clock).await;
    }
    ended
}

async fn rounds(poll: &mut Poll, mut calls: Option<&mut Calls>, clock: &dyn Clock, stop: &Stop) -> Result<(), SourceError> {
    let (every, site) = (poll.settings.every, poll.settings.site.clone());
    let mut failures = 0;
    loop {
        let round = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            round = poll.round() => round,
        };
        let wait = match round {
            Ok(summary) => {
                if let Some(calls) = &mut calls {
                    calls.keep(&summary, failures > 0, clock).await;
                }
                if failures > 0 {
                    tracing::info!(%site, new = summary.new, "Execution results are read from the repository again.");
                }
                failures = 0;
                tracing::debug!(%site, ?summary, "Execution results were read from the repository.");
                every
            }
            Err(error) => {
                // The client has told already that the repository is down, and it lets hardly a request through.
                let is_outage =
                    matches!(&error, RoundError::Repository(error) if matches!(error, QlikError::Down { .. }) || error.is_outage());
                if !is_outage && failures == 0 {
                    tracing::warn!(%site, %error, "Execution results can't be read from the repository; it is tried again.");
                } else {
                    tracing::debug!(%site, %error, "Execution results can't be read from the repository.");
                }
                failures += 1;
                match error {
                    // Nobody takes events any more; the end is near.
                    RoundError::Intake(IntakeError::Closed) => LONGEST_WAIT,
                    _ if is_outage => every,
                    _ => pause(every, failures),
                }
            }
        };
        let called = async {
            match &mut calls {
                None => std::future::pending().await,
                Some(calls) => {
                    calls.called = false;
                    calls.called(clock).await;
                }
            }
        };
        tokio::select! {
            () = called => {}
            () = clock.sleep(wait) => {}
            () = stop.cancelled() => return Ok(()),
        }
    }
}

/// The wait after so many failures in a row.
fn pause(every: Duration, failures: u32) -> Duration {
    let doubled = every.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16)));
    doubled.min(LONGEST_WAIT.max(every))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_limit_and_are_never_shorter_than_usual() {
        let seconds = |every, failures| pause(Duration::from_secs(every), failures).as_secs();
        assert_eq!([1, 2, 3, 4, 5, 99].map(|failures| seconds(30, failures)), [30, 60, 120, 240, 300, 300]);
        assert_eq!([1, 2].map(|failures| seconds(3_600, failures)), [3_600, 3_600]);
    }
}
