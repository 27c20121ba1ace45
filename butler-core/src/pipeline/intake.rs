//! The first stage: takes what the sources hand in, decodes it, and puts it into the journal in groups.
//!
//! While the journal refuses, what waits is kept in memory as far as it fits, readiness fails, and one warning goes to the sinks past the journal.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::alarm::Alarm;
use super::feed::Happening;
use super::health::Health;
use crate::clock::Clock;
use crate::event::NewEvent;
use crate::source::{IntakeError, IntakeQueue, IntakeRequest, RejectReason, Rejection, Stop, decode};
use crate::store::{Appended, Journal, StoreError};

/// How many events go into the journal at once at the most.
const GROUP: usize = 1024;
/// How long to wait before asking a journal again that refused.
const PAUSE: Duration = Duration::from_secs(1);

/// Feeds the journal.
#[derive(Debug)]
pub(super) struct IntakeStage {
    pub(super) queue: IntakeQueue,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) health: Arc<Health>,
    pub(super) alarm: Alarm,
    pub(super) stop: Stop,
    pub(super) held: Held,
}

/// What was taken from the queue and is not in the journal yet. It outlives a panic of the journal, and is handed in again.
#[derive(Debug, Default)]
pub(super) struct Held {
    events: Vec<NewEvent>,
    /// Who waits for an answer, event by event.
    replies: Vec<Option<Reply>>,
}

type Reply = oneshot::Sender<Result<Appended, IntakeError>>;

impl IntakeStage {
    /// Works until it is told to stop, then empties the queue.
    pub(super) async fn run(&mut self) {
        loop {
            self.append().await;
            let requests = tokio::select! {
                biased;
                requests = self.queue.take(GROUP) => requests,
                () = self.stop.cancelled() => {
                    self.queue.close();
                    self.queue.take(GROUP).await
                }
            };
            if requests.is_empty() {
                return;
            }
            self.decode(requests);
        }
    }

    fn decode(&mut self, requests: Vec<IntakeRequest>) {
        for request in requests {
            match request {
                IntakeRequest::Event(event, reply) => self.held.push(*event, Some(reply)),
                IntakeRequest::Datagram(datagram) => match decode::to_event(&datagram) {
                    Ok(event) => {
                        self.queue.counters().count_heard(&event.site);
                        self.held.push(event, None);
                    }
                    Err(rejection) => {
                        tracing::debug!(reason = %rejection.reason, detail = rejection.detail, "A datagram is not taken.");
                        self.queue.counters().reject(rejection, 1);
                    }
                },
            }
        }
    }

    /// Puts what is held into the journal. Those whose source waits for an answer learn of a failure at once; the others are kept until it succeeds.
    async fn append(&mut self) {
        let mut is_first = true;
        while !self.held.events.is_empty() {
            match self.journal.append(self.held.events.clone()).await {
                Ok(appended) => {
                    self.queue.counters().count_appended(&appended);
                    self.tell(&appended);
                    self.held.answer(&appended);
                    if !is_first {
                        tracing::info!("The store takes events again.");
                    }
                    self.health.update(|health| health.store = None);
                }
                Err(error) => {
                    let error = Arc::new(error);
                    if is_first {
                        self.refused(&error);
                        is_first = false;
                    }
                    self.held.refuse_waiting(&error);
                    if matches!(*error, StoreError::Closed) {
                        return self.lose();
                    }
                    self.clock.sleep(PAUSE).await;
                }
            }
        }
    }

    /// Tells those who watch what is new.
    fn tell(&self, appended: &[Appended]) {
        let accepted = |(event, appended): (&NewEvent, &Appended)| match appended {
            Appended::New(id) => {
                Some(Happening::Accepted { event: *id, kind: event.kind.clone(), site: event.site.clone(), source: event.source.clone() })
            }
            Appended::Duplicate(_) => None,
        };
        self.health.feed().tell(|| self.held.events.iter().zip(appended).filter_map(accepted).collect::<Vec<_>>());
    }

    fn refused(&self, error: &Arc<StoreError>) {
        tracing::error!(%error, "The store takes no events; what arrives is kept in memory as far as it fits.");
        let now = self.clock.now();
        self.health.update(|health| {
            health.store.get_or_insert((now, error.to_string()));
        });
        self.alarm.store_failing(error);
    }
}

impl IntakeStage {
    /// Counts what is held and will never be taken.
    fn lose(&mut self) {
        let lost = std::mem::take(&mut self.held).events.len();
        if lost == 0 {
            return;
        }
        tracing::error!(lost, "Events that were received could not be stored before the end; whoever sent them does not know.");
        let detail = format!("{lost} events could not be stored before the end");
        let rejection = Rejection { at: self.clock.now(), reason: RejectReason::ShuttingDown, from: None, detail };
        self.queue.counters().reject(rejection, u64::try_from(lost).unwrap_or(u64::MAX));
    }
}

impl Drop for IntakeStage {
    /// What the store did not take before the end is lost, and nobody else is left to say so.
    fn drop(&mut self) {
        self.queue.close();
        for request in self.queue.rest() {
            if let IntakeRequest::Datagram(datagram) = request
                && let Ok(event) = decode::to_event(&datagram)
            {
                self.held.push(event, None);
            }
        }
        self.lose();
    }
}

impl Held {
    fn push(&mut self, event: NewEvent, reply: Option<Reply>) {
        self.events.push(event);
        self.replies.push(reply);
    }

    /// Tells those who wait what became of their events.
    fn answer(&mut self, appended: &[Appended]) {
        self.events.clear();
        for (reply, appended) in self.replies.drain(..).zip(appended) {
            if let Some(reply) = reply {
                // Whoever no longer waits will hand it in again, and it will be a duplicate.
                let _ = reply.send(Ok(*appended));
            }
        }
    }

    /// Tells those who wait that their events were not taken, and keeps the rest.
    fn refuse_waiting(&mut self, error: &Arc<StoreError>) {
        let events = std::mem::take(&mut self.events);
        for (event, reply) in events.into_iter().zip(self.replies.drain(..)) {
            match reply {
                Some(reply) => {
                    // Whoever no longer waits needs no answer.
                    let _ = reply.send(Err(IntakeError::Store(Arc::clone(error))));
                }
                None => self.events.push(event),
            }
        }
        self.replies.resize_with(self.events.len(), || None);
    }
}
