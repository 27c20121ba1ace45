//! One round: from the cursor to the latest execution that has ended.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::QrsPollSettings;
use super::cursor::{Cursor, DEEP_OVERLAP, OVERLAP, before};
use super::pages::Pages;
use super::silence::{self, Silence};
use super::to_event::to_event;
use crate::clock::Clock;
use crate::event::{SourceName, TaskFacts, TaskOutcome};
use crate::qlik::{EndedExecution, QlikError, RepositoryClient};
use crate::source::{Intake, IntakeError, Stop};
use crate::store::{Appended, StateStore, StoreError};

/// Every how many rounds one begins further back.
const DEEP_EVERY: u64 = 20;
/// How long is waited for the name of a task.
const NAME_BUDGET: Duration = Duration::from_secs(10);
/// How long after the end of an execution its datagram may come.
pub(super) const DATAGRAMS_TAKE: Duration = Duration::from_secs(2);

/// Why a round ended early. What it had read by then is read.
#[derive(Debug, thiserror::Error)]
pub(super) enum RoundError {
    #[error(transparent)]
    Repository(#[from] QlikError),
    #[error(transparent)]
    Intake(#[from] IntakeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("somebody else has moved the cursor: do two Butlers use one store?")]
    Moved,
}

/// What a round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Summary {
    pub(super) pages: usize,
    /// Executions that were listed, most of them not for the first time.
    pub(super) listed: usize,
    /// The most that were listed at once.
    pub(super) largest: usize,
    /// Executions that were listed for the first time.
    pub(super) unread: usize,
    /// Events that nobody had told of.
    pub(super) new: usize,
}

/// Reads, round by round.
#[derive(Debug)]
pub(super) struct Poll {
    pub(super) settings: QrsPollSettings,
    pub(super) name: SourceName,
    pub(super) client: Arc<RepositoryClient>,
    pub(super) store: Arc<dyn StateStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) intake: Intake,
    pub(super) stop: Stop,
    silence: Silence,
    cursor: Option<Cursor>,
    /// What ended before is left alone; only ever goes back, for the clock may have been wrong.
    floor: Option<Timestamp>,
    rounds: u64,
}

impl Poll {
    pub(super) fn new(
        (settings, name): (QrsPollSettings, SourceName),
        client: Arc<RepositoryClient>,
        store: Arc<dyn StateStore>,
        clock: Arc<dyn Clock>,
        intake: Intake,
        stop: Stop,
    ) -> Self {
        let silence = Silence::new(clock.now(), intake.counters().heard(&settings.site));
        Self { settings, name, client, store, clock, intake, stop, silence, cursor: None, floor: None, rounds: 0 }
    }

    /// Reads what is new.
    pub(super) async fn round(&mut self) -> Result<Summary, RoundError> {
        let now = self.clock.now();
        let mut cursor = match self.cursor.take() {
            Some(cursor) => cursor,
            None => Cursor::load(&*self.store, &self.settings.site, now).await?,
        };
        let outcome = self.read(&mut cursor, now).await;
        // One that somebody else has moved is loaded anew.
        self.cursor = (!matches!(outcome, Err(RoundError::Moved))).then_some(cursor);
        self.rounds += u64::from(outcome.is_ok());
        outcome
    }

    async fn read(&mut self, cursor: &mut Cursor, now: Timestamp) -> Result<Summary, RoundError> {
        let look_back = SignedDuration::try_from(self.settings.look_back).unwrap_or(SignedDuration::MAX);
        cursor.not_after(now, look_back);
        self.save(cursor).await?;
        let overlap = if self.rounds.is_multiple_of(DEEP_EVERY) { DEEP_OVERLAP } else { OVERLAP };
        let mut from = cursor.start(overlap).max(self.floor(cursor, now, look_back));
        let client = Arc::clone(&self.client);
        let mut pages = Pages::new(&client, self.settings.successes);
        let mut summary = Summary::default();
        loop {
            let page = pages.next(from, now).await?;
            let mut last = None;
            if page.count != Some(0) {
                let ended = match client.ended(page.span).await {
                    Err(QlikError::Malformed { .. }) if pages.less_than(&page) => continue,
                    answer => answer?,
                };
                last = ended.last().map(|ended| ended.stopped);
                summary.pages += 1;
                summary.listed += ended.len();
                summary.largest = summary.largest.max(ended.len());
                let (unread, new) = self.hand_in(cursor, ended, now).await?;
                summary.unread += unread;
                summary.new += new;
            }
            // Only now: everything of the page is in the journal.
            if let Some(to) = page.span.before.or(last) {
                cursor.advance(to, now);
            }
            let Some(end) = page.span.before else { break };
            self.save(cursor).await?;
            if self.stop.is_cancelled() {
                return Ok(summary);
            }
            from = end;
        }
        cursor.looked(now);
        self.listen(cursor, now).await?;
        self.save(cursor).await?;
        Ok(summary)
    }

    async fn save(&self, cursor: &mut Cursor) -> Result<(), RoundError> {
        if cursor.save(&*self.store).await? { Ok(()) } else { Err(RoundError::Moved) }
    }

    /// What ended before this moment is left alone. It is found out once; a clock that goes back takes it along.
    fn floor(&mut self, cursor: &Cursor, now: Timestamp, look_back: SignedDuration) -> Timestamp {
        let floor = before(now, look_back);
        if self.floor.is_none()
            && let Some(since) = cursor.unread_since().filter(|since| *since < floor)
        {
            let look_back = humantime::format_duration(self.settings.look_back);
            tracing::warn!(
                site = %self.settings.site,
                "Executions that ended between {since:.0} and {floor:.0} are not read from the repository: that is longer ago than `look_back`, {look_back}."
            );
        }
        let floor = self.floor.map_or(floor, |known| known.min(floor));
        self.floor = Some(floor);
        floor
    }

    /// Hands in what was not read before, and waits until the journal has it; how much that was, and how much of it nobody had told.
    async fn hand_in(&mut self, cursor: &mut Cursor, ended: Vec<EndedExecution>, now: Timestamp) -> Result<(usize, usize), RoundError> {
        let unread: Vec<_> = ended.into_iter().filter(|ended| ended.result.id.is_none_or(|id| !cursor.has_read(id))).collect();
        self.leave_time_for_datagrams(&unread, now).await;
        let mut events = Vec::with_capacity(unread.len());
        let mut names = true;
        for ended in &unread {
            let task = if names { self.task(ended, &mut names).await } else { None };
            events.extend(to_event(&self.settings.site, &self.name, &self.settings.time_zone, ended, task.as_deref()));
        }
        let outcomes: Vec<_> = events.iter().map(|event| (event.kind.outcome(), event.at)).collect();
        // At once, so that they share a commit.
        let appended = join_all(events.into_iter().map(|event| self.intake.submit(event))).await;
        let mut new = 0;
        for (appended, (outcome, stopped)) in appended.into_iter().zip(outcomes) {
            if matches!(appended?, Appended::New(_)) {
                new += 1;
                if matches!(outcome, Some(TaskOutcome::Failed | TaskOutcome::Aborted)) {
                    self.silence.untold(stopped);
                }
            }
        }
        for ended in &unread {
            cursor.note(ended.result.id, ended.stopped, now);
        }
        Ok((unread.len(), new))
    }

    /// A datagram says more than a result does, so one that is under way comes first: the result of what ended just now waits for it.
    async fn leave_time_for_datagrams(&self, unread: &[EndedExecution], now: Timestamp) {
        if self.settings.datagrams_at.is_none() {
            return;
        }
        let Some(latest) = unread.iter().map(|ended| ended.stopped).max() else { return };
        let age = Duration::try_from(now.duration_since(latest)).unwrap_or_default();
        let wait = DATAGRAMS_TAKE.saturating_sub(age);
        if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
    }

    /// What is known of a task; it is not waited for long, and after one failure for no other of the page.
    async fn task(&self, ended: &EndedExecution, names: &mut bool) -> Option<Arc<TaskFacts>> {
        let id = ended.task_id?;
        let found = tokio::select! {
            biased;
            found = self.client.task(id) => found,
            () = self.clock.sleep(NAME_BUDGET) => {
                *names = false;
                return None;
            }
        };
        found.unwrap_or_else(|error| {
            tracing::debug!(task = %id, %error, "The task of an execution could not be looked up.");
            *names = false;
            None
        })
    }

    /// Sees whether datagrams still come.
    async fn listen(&mut self, cursor: &mut Cursor, now: Timestamp) -> Result<(), RoundError> {
        if self.silence.is_broken(self.intake.counters().heard(&self.settings.site)) {
            if cursor.silent_since.take().is_some() {
                tracing::info!(site = %self.settings.site, "Log datagrams come again.");
            }
            return Ok(());
        }
        let Some(address) = &self.settings.datagrams_at else { return Ok(()) };
        if cursor.silent_since.is_none()
            && let Some((count, first)) = self.silence.is_long()
        {
            self.intake.submit(silence::event(&self.settings, address, count, first, now)).await?;
            tracing::warn!(site = %self.settings.site, address, since = %first, count, "Executions end badly, and no log datagram tells of it.");
            cursor.silent_since = Some(first);
        }
        Ok(())
    }
}
