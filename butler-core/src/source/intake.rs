//! The way in: from the sources to the journal, through one bounded queue.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::event::{NewEvent, SiteName, SourceName};
use crate::store::{Appended, StoreError};

/// A raw log datagram, as it came off the wire.
#[derive(Debug, Clone)]
pub struct Datagram {
    /// Its bytes.
    pub bytes: Bytes,
    /// Who sent it; `None` if it did not come over the network.
    pub from: Option<SocketAddr>,
    /// The site that the listening address belongs to.
    pub site: SiteName,
    /// Who received it.
    pub source: SourceName,
    /// When.
    pub received: Timestamp,
}

/// Why something was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RejectReason {
    /// The sender is not on the list.
    Sender,
    /// Longer than allowed.
    TooLong,
    /// More a minute than allowed.
    RateLimit,
    /// The intake queue was full.
    QueueFull,
    /// Not UTF-8.
    NotUtf8,
    /// The first field names no known message.
    UnknownType,
    /// Too few fields: cut off on the way.
    Truncated,
    /// No task id where one has to be.
    NoTaskId,
    /// An id that is none.
    BadId,
    /// Dropped by the system's socket buffer before anybody could read it.
    KernelDrop,
}

impl RejectReason {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::Sender,
        Self::TooLong,
        Self::RateLimit,
        Self::QueueFull,
        Self::NotUtf8,
        Self::UnknownType,
        Self::Truncated,
        Self::NoTaskId,
        Self::BadId,
        Self::KernelDrop,
    ];

    /// Its name in lists and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::TooLong => "too_long",
            Self::RateLimit => "rate_limit",
            Self::QueueFull => "queue_full",
            Self::NotUtf8 => "not_utf8",
            Self::UnknownType => "unknown_type",
            Self::Truncated => "truncated",
            Self::NoTaskId => "no_task_id",
            Self::BadId => "bad_id",
            Self::KernelDrop => "kernel_drop",
        }
    }

    fn index(self) -> usize {
        Self::ALL.iter().position(|reason| *reason == self).unwrap_or(0)
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: RejectReason,
    /// Who sent it.
    pub from: Option<SocketAddr>,
    /// More about it, in words: the limit, the field, the start of the text. At most about 200 characters.
    pub detail: String,
}

/// What has been counted at the way in.
#[derive(Debug, Default)]
pub struct IntakeCounters {
    received: AtomicU64,
    accepted: AtomicU64,
    duplicates: AtomicU64,
    queued: AtomicUsize,
    queued_bytes: AtomicUsize,
    rejected: [AtomicU64; RejectReason::ALL.len()],
    recent: Mutex<VecDeque<Rejection>>,
}

impl IntakeCounters {
    /// How many rejections are remembered one by one.
    const RECENT: usize = 200;

    /// Datagrams and events handed in, whatever became of them.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Events that the journal took as new.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Events that had been told before.
    pub fn duplicates(&self) -> u64 {
        self.duplicates.load(Ordering::Relaxed)
    }

    /// What waits to be journalled.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// What was not taken, by reason; reasons that did not occur are left out.
    pub fn rejected(&self) -> Vec<(RejectReason, u64)> {
        let counts = RejectReason::ALL.into_iter().map(|reason| (reason, self.rejected[reason.index()].load(Ordering::Relaxed)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// The latest rejections, newest first.
    pub fn recent(&self) -> Vec<Rejection> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }

    /// Counts what the journal said about handed-in events.
    pub fn count_appended(&self, appended: &[Appended]) {
        let new = appended.iter().filter(|a| matches!(a, Appended::New(_))).count() as u64;
        self.accepted.fetch_add(new, Ordering::Relaxed);
        self.duplicates.fetch_add(appended.len() as u64 - new, Ordering::Relaxed);
    }

    fn reject(&self, rejection: Rejection, count: u64) {
        self.rejected[rejection.reason.index()].fetch_add(count, Ordering::Relaxed);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == Self::RECENT {
            recent.pop_front();
        }
        recent.push_back(rejection);
    }
}

/// What stands in the queue.
#[derive(Debug)]
pub enum IntakeRequest {
    /// A raw datagram, still to be decoded.
    Datagram(Datagram),
    /// An event whose source waits for the acknowledgement.
    Event(Box<NewEvent>, oneshot::Sender<Result<Appended, IntakeError>>),
}

/// Why an event was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntakeError {
    /// The program is shutting down.
    #[error("no more events are taken: shutting down")]
    Closed,
    /// The journal refused it.
    #[error(transparent)]
    Store(#[from] Arc<StoreError>),
}

/// The way into the journal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Intake {
    queue: mpsc::Sender<IntakeRequest>,
    counters: Arc<IntakeCounters>,
}

/// The far end of an [`Intake`]: what the pipeline takes from.
#[derive(Debug)]
pub struct IntakeQueue {
    queue: mpsc::Receiver<IntakeRequest>,
    counters: Arc<IntakeCounters>,
}

impl Intake {
    /// How many requests wait at the most.
    pub const QUEUE: usize = 65_536;
    /// How many bytes of datagrams wait at the most.
    pub const QUEUE_BYTES: usize = 32 << 20;

    /// A queue and both its ends.
    #[must_use]
    pub fn channel() -> (Self, IntakeQueue) {
        let (sender, receiver) = mpsc::channel(Self::QUEUE);
        let counters = Arc::new(IntakeCounters::default());
        (Self { queue: sender, counters: Arc::clone(&counters) }, IntakeQueue { queue: receiver, counters })
    }

    /// Hands in an event; resolves once the journal has it. That is the acknowledgement.
    ///
    /// # Errors
    /// [`IntakeError`]: the event was not accepted and should be handed in again later.
    ///
    /// # Cancellation
    /// Dropping the future leaves open whether the event was accepted; handing it in again is harmless if it has keys.
    pub async fn submit(&self, event: NewEvent) -> Result<Appended, IntakeError> {
        self.counters.received.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        self.counters.queued.fetch_add(1, Ordering::Relaxed);
        if self.queue.send(IntakeRequest::Event(Box::new(event), reply)).await.is_err() {
            self.counters.queued.fetch_sub(1, Ordering::Relaxed);
            return Err(IntakeError::Closed);
        }
        answer.await.unwrap_or(Err(IntakeError::Closed))
    }

    /// Hands in a raw datagram. Never waits: what does not fit is dropped and counted.
    pub fn offer(&self, datagram: Datagram) {
        self.counters.received.fetch_add(1, Ordering::Relaxed);
        let size = datagram.bytes.len();
        let waiting = self.counters.queued_bytes.fetch_add(size, Ordering::Relaxed);
        self.counters.queued.fetch_add(1, Ordering::Relaxed);
        let refused = if waiting + size > Self::QUEUE_BYTES {
            Some(datagram)
        } else {
            match self.queue.try_send(IntakeRequest::Datagram(datagram)) {
                Ok(()) => None,
                Err(mpsc::error::TrySendError::Full(request) | mpsc::error::TrySendError::Closed(request)) => match request {
                    IntakeRequest::Datagram(datagram) => Some(datagram),
                    IntakeRequest::Event(..) => None,
                },
            }
        };
        if let Some(datagram) = refused {
            self.counters.queued_bytes.fetch_sub(size, Ordering::Relaxed);
            self.counters.queued.fetch_sub(1, Ordering::Relaxed);
            self.reject(Rejection {
                at: datagram.received,
                reason: RejectReason::QueueFull,
                from: datagram.from,
                detail: format!("{} requests wait to be journalled", self.counters.queued()),
            });
        }
    }

    /// Counts something that was received but not taken.
    pub fn reject(&self, rejection: Rejection) {
        self.reject_many(rejection, 1);
    }

    /// Counts `count` alike that were not taken.
    pub fn reject_many(&self, rejection: Rejection, count: u64) {
        self.counters.reject(rejection, count);
    }

    /// What has been counted.
    #[must_use]
    pub fn counters(&self) -> &Arc<IntakeCounters> {
        &self.counters
    }
}

impl IntakeQueue {
    /// Waits for requests and takes up to `max` of them. Empty once every [`Intake`] is gone and the queue is drained.
    pub async fn take(&mut self, max: usize) -> Vec<IntakeRequest> {
        let mut requests = Vec::new();
        self.queue.recv_many(&mut requests, max).await;
        for request in &requests {
            self.counters.queued.fetch_sub(1, Ordering::Relaxed);
            if let IntakeRequest::Datagram(datagram) = request {
                self.counters.queued_bytes.fetch_sub(datagram.bytes.len(), Ordering::Relaxed);
            }
        }
        requests
    }

    /// Takes no more; what waits can still be taken.
    pub fn close(&mut self) {
        self.queue.close();
    }

    /// What has been counted.
    #[must_use]
    pub fn counters(&self) -> &Arc<IntakeCounters> {
        &self.counters
    }
}
