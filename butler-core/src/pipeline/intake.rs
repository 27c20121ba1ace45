//! The first stage: takes what the sources hand in, decodes it, and puts it into the journal in groups.
//!
//! While the journal refuses, what waits is kept in memory as far as it fits, readiness fails, and one warning goes to the sinks past the journal.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::alarm::Alarm;
use super::health::Health;
use crate::clock::Clock;
use crate::event::NewEvent;
use crate::source::{IntakeError, IntakeQueue, IntakeRequest, Stop, decode};
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
}

type Reply = oneshot::Sender<Result<Appended, IntakeError>>;

impl IntakeStage {
    /// Works until it is told to stop, then empties the queue.
    pub(super) async fn run(&mut self) {
        loop {
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
            let (events, replies) = self.decode(requests);
            self.append(events, replies).await;
        }
    }

    fn decode(&self, requests: Vec<IntakeRequest>) -> (Vec<NewEvent>, Vec<Option<Reply>>) {
        let mut events = Vec::with_capacity(requests.len());
        let mut replies = Vec::with_capacity(requests.len());
        for request in requests {
            match request {
                IntakeRequest::Event(event, reply) => {
                    events.push(*event);
                    replies.push(Some(reply));
                }
                IntakeRequest::Datagram(datagram) => match decode::to_event(&datagram) {
                    Ok(event) => {
                        events.push(event);
                        replies.push(None);
                    }
                    Err(rejection) => {
                        tracing::debug!(reason = %rejection.reason, detail = rejection.detail, "A datagram is not taken.");
                        self.queue.counters().reject(rejection, 1);
                    }
                },
            }
        }
        (events, replies)
    }

    /// Puts events into the journal. Those whose source waits for an answer learn of a failure at once; the others are kept until it succeeds.
    async fn append(&self, mut events: Vec<NewEvent>, mut replies: Vec<Option<Reply>>) {
        let mut is_first = true;
        while !events.is_empty() {
            match self.journal.append(events.clone()).await {
                Ok(appended) => {
                    self.queue.counters().count_appended(&appended);
                    for (reply, appended) in replies.into_iter().zip(appended) {
                        if let Some(reply) = reply {
                            // Whoever no longer waits will hand it in again, and it will be a duplicate.
                            let _ = reply.send(Ok(appended));
                        }
                    }
                    if !is_first {
                        tracing::info!("The store takes events again.");
                    }
                    self.health.update(|health| health.store = None);
                    return;
                }
                Err(error) => {
                    let error = Arc::new(error);
                    if is_first {
                        self.refused(&error);
                        is_first = false;
                    }
                    (events, replies) = refuse_waiting(events, replies, &error);
                    if matches!(*error, StoreError::Closed) {
                        tracing::error!(lost = events.len(), "The store was closed before the last datagrams were journalled.");
                        return;
                    }
                    self.clock.sleep(PAUSE).await;
                }
            }
        }
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

/// Tells those who wait that their events were not taken, and keeps the rest.
fn refuse_waiting(events: Vec<NewEvent>, replies: Vec<Option<Reply>>, error: &Arc<StoreError>) -> (Vec<NewEvent>, Vec<Option<Reply>>) {
    let mut kept = Vec::with_capacity(events.len());
    for (event, reply) in events.into_iter().zip(replies) {
        match reply {
            Some(reply) => {
                // Whoever no longer waits needs no answer.
                let _ = reply.send(Err(IntakeError::Store(Arc::clone(error))));
            }
            None => kept.push(event),
        }
    }
    let replies = kept.iter().map(|_| None).collect();
    (kept, replies)
}
