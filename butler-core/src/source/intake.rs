//! The way in: from the sources to the journal, through one bounded queue.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
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
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
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
    /// The program was shutting down: nothing more is taken.
    ShuttingDown,
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
    pub const ALL: [Self; 11] = [
        Self::Sender,
        Self::TooLong,
        Self::RateLimit,
        Self::QueueFull,
        Self::ShuttingDown,
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
            Self::ShuttingDown => "shutting_down",
            Self::NotUtf8 => "not_utf8",
            Self::UnknownType => "unknown_type",
            Self::Truncated => "truncated",
            Self::NoTaskId => "no_task_id",
            Self::BadId => "bad_id",
            Self::KernelDrop => "kernel_drop",
        }
    }

    /// What it means, for people.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Sender => "the sender is neither this machine, nor the site's host, nor listed in `[udp] allow`",
            Self::TooLong => "longer than `[udp] max_message`",
            Self::RateLimit => "more than `[udp] max_per_minute`",
            Self::QueueFull => "too many waited to be stored",
            Self::ShuttingDown => "the program was ending",
            Self::NotUtf8 => "not UTF-8 text",
            Self::UnknownType => "no message that Butler knows",
            Self::Truncated => "cut off on the way",
            Self::NoTaskId => "no task id",
            Self::BadId => "an id that is none",
            Self::KernelDrop => "lost before Butler could read them: the system's receive buffer was full",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Rejection {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: RejectReason,
    /// Who sent it.
    #[cfg_attr(feature = "api", schema(value_type = Option<String>))]
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
    heard: Mutex<BTreeMap<SiteName, u64>>,
    recent: Mutex<Recent>,
}

/// The latest rejections, each reason for itself, so that a flood of one does not push out the one of another that somebody looks for.
#[derive(Debug, Default)]
struct Recent {
    /// Numbers them, because the wall clock may jump.
    count: u64,
    by_reason: [VecDeque<(u64, Rejection)>; RejectReason::ALL.len()],
}

impl IntakeCounters {
    /// How many rejections of each reason are remembered one by one.
    const RECENT: usize = 50;

    /// Datagrams and events handed in, whatever became of them. What a source turned away itself, or never got to see, is not among them: see
    /// [`rejected`](Self::rejected).
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

    /// The latest rejections, newest first; up to 50 of each reason.
    pub fn recent(&self) -> Vec<Rejection> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = recent.by_reason.iter().flatten().collect();
        all.sort_unstable_by_key(|(number, _)| Reverse(*number));
        all.into_iter().map(|(_, rejection)| rejection.clone()).collect()
    }

    /// Datagrams of a site that told of something.
    pub fn heard(&self, site: &SiteName) -> u64 {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).get(site).copied().unwrap_or_default()
    }

    /// Counts a datagram that told of something.
    pub(crate) fn count_heard(&self, site: &SiteName) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match heard.get_mut(site) {
            Some(count) => *count += 1,
            None => drop(heard.insert(site.clone(), 1)),
        }
    }

    /// Counts what the journal said about handed-in events.
    pub fn count_appended(&self, appended: &[Appended]) {
        let new = appended.iter().filter(|a| matches!(a, Appended::New(_))).count() as u64;
        self.accepted.fetch_add(new, Ordering::Relaxed);
        self.duplicates.fetch_add(appended.len() as u64 - new, Ordering::Relaxed);
    }

    pub(crate) fn reject(&self, rejection: Rejection, count: u64) {
        let index = rejection.reason.index();
        self.rejected[index].fetch_add(count, Ordering::Relaxed);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.count += 1;
        let numbered = (recent.count, rejection);
        let alike = &mut recent.by_reason[index];
        if alike.len() == Self::RECENT {
            alike.pop_front();
        }
        alike.push_back(numbered);
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
        let place = self.queue.reserve().await.map_err(|_| IntakeError::Closed)?;
        let (reply, answer) = oneshot::channel();
        self.counters.queued.fetch_add(1, Ordering::Relaxed);
        place.send(IntakeRequest::Event(Box::new(event), reply));
        answer.await.unwrap_or(Err(IntakeError::Closed))
    }

    /// Hands in a raw datagram and says whether it was taken. Never waits: what does not fit is dropped and counted.
    pub fn offer(&self, datagram: Datagram) -> bool {
        self.counters.received.fetch_add(1, Ordering::Relaxed);
        let size = datagram.bytes.len();
        let (at, from) = (datagram.received, datagram.from);
        let queued = self.counters.queued.fetch_add(1, Ordering::Relaxed);
        let queued_bytes = self.counters.queued_bytes.fetch_add(size, Ordering::Relaxed);
        let full = if queued_bytes + size > Self::QUEUE_BYTES {
            true
        } else {
            match self.queue.try_send(IntakeRequest::Datagram(datagram)) {
                Ok(()) => return true,
                Err(error) => matches!(error, mpsc::error::TrySendError::Full(_)),
            }
        };
        self.counters.queued.fetch_sub(1, Ordering::Relaxed);
        self.counters.queued_bytes.fetch_sub(size, Ordering::Relaxed);
        let (reason, detail) = if full {
            (RejectReason::QueueFull, format!("{queued} requests with {queued_bytes} bytes of datagrams wait to be journalled"))
        } else {
            (RejectReason::ShuttingDown, "no more datagrams are taken: shutting down".to_owned())
        };
        self.reject(Rejection { at, reason, from, detail });
        false
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
        requests.iter().for_each(|request| self.count_taken(request));
        requests
    }

    fn count_taken(&self, request: &IntakeRequest) {
        self.counters.queued.fetch_sub(1, Ordering::Relaxed);
        if let IntakeRequest::Datagram(datagram) = request {
            self.counters.queued_bytes.fetch_sub(datagram.bytes.len(), Ordering::Relaxed);
        }
    }

    /// Takes what waits, and does not wait for more.
    pub(crate) fn rest(&mut self) -> Vec<IntakeRequest> {
        let mut requests = Vec::new();
        while let Ok(request) = self.queue.try_recv() {
            self.count_taken(&request);
            requests.push(request);
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::event::{Body, Kind, Notice};

    fn datagram(bytes: impl Into<Bytes>) -> Datagram {
        Datagram { bytes: bytes.into(), from: None, site: "prod".into(), source: "udp".into(), received: Timestamp::UNIX_EPOCH }
    }

    fn event() -> NewEvent {
        NewEvent {
            site: "prod".into(),
            kind: Kind::Other("butler.test".into()),
            at: Timestamp::UNIX_EPOCH,
            source: "test".into(),
            keys: Vec::new(),
            body: Body::Notice(Notice::default()),
        }
    }

    #[test]
    fn reasons_stand_in_order() {
        for (index, reason) in RejectReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index, "{reason}");
            assert_eq!(serde_json::to_string(&reason).expect("text"), format!("{:?}", reason.as_str()));
        }
    }

    #[tokio::test]
    async fn datagrams_come_out_in_their_order() {
        let (intake, mut queue) = Intake::channel();
        for text in ["a", "b", "c"] {
            assert!(intake.offer(datagram(text)));
        }
        assert_eq!((intake.counters().received(), intake.counters().queued()), (3, 3));
        let first = queue.take(2).await;
        assert!(matches!(&first[..], [IntakeRequest::Datagram(a), IntakeRequest::Datagram(b)] if a.bytes == "a" && b.bytes == "b"));
        drop(intake);
        assert_eq!((queue.take(2).await.len(), queue.take(2).await.len(), queue.counters().queued()), (1, 0, 0));
    }

    #[tokio::test]
    async fn the_queue_has_bounds_and_counts_what_exceeds_them() {
        let (intake, mut queue) = Intake::channel();
        for _ in 0..Intake::QUEUE {
            assert!(intake.offer(datagram("x")));
        }
        assert!(!intake.offer(datagram("x")));
        assert_eq!(intake.counters().rejected(), [(RejectReason::QueueFull, 1)]);
        queue.take(Intake::QUEUE).await;

        let large = Bytes::from(vec![0; Intake::QUEUE_BYTES / 2]);
        assert!(intake.offer(datagram(large.clone())) && intake.offer(datagram(large)));
        assert!(!intake.offer(datagram("x")));
        assert_eq!(intake.counters().queued(), 2);
        assert_eq!(intake.counters().recent()[0].detail, "2 requests with 33554432 bytes of datagrams wait to be journalled");
        queue.take(1).await;
        assert!(intake.offer(datagram("x")));
    }

    #[tokio::test]
    async fn a_closed_queue_hands_out_what_it_has_and_takes_no_more() {
        let (intake, mut queue) = Intake::channel();
        assert!(intake.offer(datagram("x")));
        queue.close();
        assert!(!intake.offer(datagram("y")));
        assert_eq!(intake.counters().rejected(), [(RejectReason::ShuttingDown, 1)]);
        assert!(matches!(intake.submit(event()).await, Err(IntakeError::Closed)));
        assert_eq!((queue.take(10).await.len(), queue.counters().queued()), (1, 0));
    }

    #[tokio::test]
    async fn submit_resolves_with_the_answer() {
        let (intake, mut queue) = Intake::channel();
        let answer = async {
            match queue.take(1).await.pop() {
                Some(IntakeRequest::Event(_, reply)) => drop(reply.send(Err(IntakeError::Store(Arc::new(StoreError::Closed))))),
                other => panic!("no event: {other:?}"),
            }
        };
        let (submitted, ()) = tokio::join!(intake.submit(event()), answer);
        assert!(matches!(submitted, Err(IntakeError::Store(_))));
        // An answer that never comes is no acknowledgement.
        let (submitted, _) = tokio::join!(intake.submit(event()), async { drop(queue.take(1).await) });
        assert!(matches!(submitted, Err(IntakeError::Closed)));
    }

    #[tokio::test]
    async fn a_submission_dropped_while_it_waits_for_a_place_leaves_no_trace() {
        let (intake, mut queue) = Intake::channel();
        while intake.offer(datagram("x")) {}
        assert!(intake.submit(event()).now_or_never().is_none());
        assert_eq!(intake.counters().queued(), Intake::QUEUE);
        assert_eq!(queue.take(usize::MAX).await.len(), Intake::QUEUE);
        assert_eq!(queue.counters().queued(), 0);
    }

    #[test]
    fn a_flood_does_not_hide_a_rare_rejection() {
        let (intake, _queue) = Intake::channel();
        let reject = |reason, detail: &str| {
            intake.reject(Rejection { at: Timestamp::UNIX_EPOCH, reason, from: None, detail: detail.into() });
        };
        reject(RejectReason::BadId, "rare");
        for number in 0..1000 {
            reject(RejectReason::RateLimit, &number.to_string());
        }
        let recent = intake.counters().recent();
        assert_eq!((recent.len(), recent[0].detail.as_str(), recent[50].detail.as_str()), (51, "999", "rare"));
        let last = Rejection { reason: RejectReason::KernelDrop, ..recent[0].clone() };
        intake.reject_many(last, 7);
        assert_eq!(
            intake.counters().rejected(),
            [(RejectReason::RateLimit, 1000), (RejectReason::BadId, 1), (RejectReason::KernelDrop, 7)]
        );
    }
}
