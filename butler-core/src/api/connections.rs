//! Connections: how many there may be, what each of them does, and which has to go.
//!
//! A client that is slow, stuck or silent must not hold what others need. So every connection has a [`Seat`] that says what it waits for and since when. What waits for its client too
//! long is closed. And when all seats are taken, a new connection is not left to wait: of those that wait for their client the one goes that does so longest, first among those of the
//! address that has the most. A connection whose request is being worked on never goes; only if all are does a new one wait.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::answers::ConnectionCounts;

/// How many connections there may be, and how long each may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// For the handshake of TLS.
    pub handshake: Duration,
    /// From the connection, or the first byte of a request, to the end of the request's head.
    pub head: Duration,
    /// How long a client may send nothing of the body of its request.
    pub body: Duration,
    /// From an answer to the next request.
    pub idle: Duration,
    /// How long a client may take nothing of its answer.
    pub answer: Duration,
    /// How long requests under way may take to end when the server does.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            connections: 512,
            handshake: seconds(10),
            head: seconds(15),
            body: seconds(20),
            idle: seconds(72),
            answer: seconds(30),
            drain: seconds(30),
        }
    }
}

/// How often it is looked whose time is up.
const LOOK: Duration = Duration::from_millis(250);
/// How long a new connection waits for one that was told to go, before another is.
const MAKE_ROOM: Duration = Duration::from_millis(50);
/// What has not even asked yet is given no more time than this when the server ends.
const LAST_CALL: Duration = Duration::from_secs(1);

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// Waits for the client to agree on keys.
    Handshake,
    /// Waits for the head of a request.
    Head,
    /// Waits for more of its body.
    Body,
    /// Works on it.
    Work,
    /// Waits for the client to take the answer.
    Answer,
    /// Waits for more of an answer that is not there yet.
    Stream,
    /// Waits for the next request.
    Idle,
}

/// What one connection does, and since when.
#[derive(Debug)]
pub(super) struct Seat(Mutex<(Doing, Instant)>);

impl Seat {
    pub(super) fn new() -> Self {
        Self(Mutex::new((Doing::Head, Instant::now())))
    }

    fn now(&self) -> (Doing, Instant) {
        *lock(&self.0)
    }

    /// From now on it does this.
    pub(super) fn turn(&self, doing: Doing) {
        *lock(&self.0) = (doing, Instant::now());
    }

    /// There is more of the answer, or there will be.
    pub(super) fn streams(&self, there_is_more: bool) {
        let mut state = lock(&self.0);
        match (state.0, there_is_more) {
            (Doing::Answer, false) => *state = (Doing::Stream, state.1),
            (Doing::Stream, true) => *state = (Doing::Answer, Instant::now()),
            _ => {}
        }
    }

    /// The client said something.
    pub(super) fn heard(&self) {
        let mut state = lock(&self.0);
        // The rest of a head or a body does not begin anew with each byte.
        if state.0 == Doing::Idle {
            *state = (Doing::Head, Instant::now());
        }
    }

    /// The client took something.
    pub(super) fn taken(&self) {
        let mut state = lock(&self.0);
        if state.0 == Doing::Answer {
            state.1 = Instant::now();
        }
    }

    /// The client takes nothing at the moment.
    pub(super) fn stalled(&self) {
        let mut state = lock(&self.0);
        // What there is of the answer was handed over, but not to the client.
        if matches!(state.0, Doing::Idle | Doing::Stream) {
            *state = (Doing::Answer, Instant::now());
        }
    }

    /// The whole answer was handed over, to the client or to what is written next.
    pub(super) fn answered(&self) {
        let mut state = lock(&self.0);
        if matches!(state.0, Doing::Answer | Doing::Stream) {
            *state = (Doing::Idle, Instant::now());
        }
    }
}

/// All connections of a server.
#[derive(Debug)]
pub(super) struct Connections {
    limits: Limits,
    permits: Arc<Semaphore>,
    taken: Mutex<HashMap<u64, Taken>>,
    next: AtomicU64,
    ending: AtomicBool,
    displaced: AtomicU64,
    timed_out: AtomicU64,
    turned_away: AtomicU64,
}

#[derive(Debug)]
struct Taken {
    address: Option<IpAddr>,
    seat: Arc<Seat>,
    task: AbortHandle,
}

/// Room for one more connection.
#[derive(Debug)]
pub(super) struct Room {
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(limits.connections)),
            limits,
            taken: Mutex::default(),
            next: AtomicU64::new(0),
            ending: AtomicBool::new(false),
            displaced: AtomicU64::new(0),
            timed_out: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
        })
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Waits for room, and makes some if there is none.
    pub(super) async fn room(&self) -> Room {
        loop {
            if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
                return Room { _permit: permit };
            }
            self.displace();
            // The semaphore is never closed; if it were, nothing would hold the connections back.
            if let Ok(Ok(permit)) = timeout(MAKE_ROOM, Arc::clone(&self.permits).acquire_owned()).await {
                return Room { _permit: permit };
            }
        }
    }

    /// Gives a connection its seat. `start` starts it, with the seat and what has to live as long as it does.
    pub(super) fn seat(self: &Arc<Self>, address: Option<IpAddr>, room: Room, start: impl FnOnce(Arc<Seat>, Leave) -> AbortHandle) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let seat = Arc::new(Seat::new());
        // Held until the seat is taken, so that a connection that ends at once leaves it afterwards.
        let mut taken = lock(&self.taken);
        let task = start(Arc::clone(&seat), Leave { connections: Arc::clone(self), id, _room: room });
        taken.insert(id, Taken { address, seat, task });
    }

    /// A connection was turned away because of where it came from.
    pub(super) fn turned_away(&self, client: Option<SocketAddr>) {
        let before = self.turned_away.fetch_add(1, Ordering::Relaxed);
        // Who knocks again and again must not fill the log: the first is told, then each that doubles their number.
        if (before + 1).is_power_of_two() {
            let client = client.map_or_else(|| "an unknown address".to_owned(), |client| client.ip().to_string());
            tracing::warn!(
                target: "butler::audit", address = client, count = before + 1,
                "A connection was turned away, for its address is not in `[api] allow`; so many were since the start."
            );
        }
    }

    /// Closes what waits for its client too long, again and again. Never ends.
    pub(super) async fn watch(&self) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look(Instant::now());
        }
    }

    /// From now on, what has not asked for anything yet has little time left to do so.
    pub(super) fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> ConnectionCounts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ConnectionCounts {
            open: lock(&self.taken).len(),
            displaced: count(&self.displaced),
            timed_out: count(&self.timed_out),
            turned_away: count(&self.turned_away),
        }
    }

    fn look(&self, now: Instant) {
        let ending = self.ending.load(Ordering::Relaxed);
        let mut taken = lock(&self.taken);
        taken.retain(|_, Taken { seat, task, .. }| {
            let (doing, since) = seat.now();
            let limit = match doing {
                Doing::Handshake => self.limits.handshake,
                Doing::Head => self.limits.head,
                // The body has a time limit of its own, which is answered; this one is for who does not even take that answer.
                Doing::Body => self.limits.body + self.limits.answer,
                Doing::Answer => self.limits.answer,
                Doing::Idle => self.limits.idle,
                // Nobody waits for the end of what has none.
                Doing::Stream if ending => LAST_CALL,
                Doing::Work | Doing::Stream => return true,
            };
            let asks_nothing = matches!(doing, Doing::Handshake | Doing::Head | Doing::Idle);
            let limit = if ending && asks_nothing { limit.min(LAST_CALL) } else { limit };
            let stays = now.saturating_duration_since(since) < limit;
            if !stays {
                tracing::debug!(?doing, "A connection waited for its client too long, and is closed.");
                self.timed_out.fetch_add(1, Ordering::Relaxed);
                task.abort();
            }
            stays
        });
    }

    /// Closes the connection that waits for its client longest, of the address that has the most of those that wait.
    fn displace(&self) {
        let mut taken = lock(&self.taken);
        let waiting = taken.iter().filter_map(|(id, Taken { address, seat, .. })| {
            let (doing, since) = seat.now();
            (doing != Doing::Work).then_some((*id, *address, since))
        });
        let waiting: Vec<_> = waiting.collect();
        let mut of_address: HashMap<_, usize> = HashMap::new();
        for (_, address, _) in &waiting {
            *of_address.entry(address).or_default() += 1;
        }
        let longest = waiting.iter().max_by_key(|(id, address, since)| {
            (of_address.get(&address).copied().unwrap_or_default(), std::cmp::Reverse(*since), std::cmp::Reverse(*id))
        });
        if let Some(gone) = longest.and_then(|(id, _, _)| taken.remove(id)) {
            tracing::debug!(address = ?gone.address, "A connection that waited for its client made room for a new one.");
            self.displaced.fetch_add(1, Ordering::Relaxed);
            gone.task.abort();
        }
    }
}

/// Leaves a seat, and its room, when the connection ends in whatever way.
#[derive(Debug)]
pub(super) struct Leave {
    connections: Arc<Connections>,
    id: u64,
    _room: Room,
}

impl Drop for Leave {
    fn drop(&mut self) {
        lock(&self.connections.taken).remove(&self.id);
    }
}

/// Nobody panics while holding one of these, and if somebody did what they hold would be whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::FutureExt;
    use tokio::task::JoinHandle;

    use super::*;

    /// A connection that lasts until it has to go.
    async fn connect(connections: &Arc<Connections>, address: u8) -> (Arc<Seat>, JoinHandle<()>) {
        let room = connections.room().await;
        let mut taken = None;
        connections.seat(Some(IpAddr::from([192, 0, 2, address])), room, |seat, leave| {
            let task = tokio::spawn(async move {
                let _leave = leave;
                pending().await
            });
            let handle = task.abort_handle();
            taken = Some((seat, task));
            handle
        });
        taken.expect("it is started at once")
    }

    async fn has_to_go(connection: (Arc<Seat>, JoinHandle<()>)) {
        assert!(connection.1.await.unwrap_err().is_cancelled());
    }

    #[tokio::test]
    async fn who_waits_longest_makes_room_first_of_the_address_that_has_the_most() {
        let connections = Connections::new(Limits { connections: 4, ..Limits::default() });
        let alone = connect(&connections, 1).await;
        let (first, second) = (connect(&connections, 2).await, connect(&connections, 2).await);
        let at_work = connect(&connections, 1).await;
        at_work.0.turn(Doing::Work);
        assert_eq!(connections.counts().displaced, 0);
        // Of the address with two that wait: what is worked on does not count.
        let third = connect(&connections, 3).await;
        has_to_go(first).await;
        // Now each address has one, and it has waited longer than the others, but for the one that has just been heard of.
        alone.0.turn(Doing::Idle);
        let fourth = connect(&connections, 4).await;
        has_to_go(second).await;
        for connection in [&alone, &third, &fourth] {
            connection.0.turn(Doing::Work);
        }
        let fifth = connect(&connections, 5);
        tokio::pin!(fifth);
        assert!(fifth.as_mut().now_or_never().is_none(), "what is worked on had to go");
        assert_eq!((connections.counts().open, connections.counts().displaced), (4, 2));
        third.0.turn(Doing::Answer);
        fifth.await;
        has_to_go(third).await;
        assert!(![alone.1, at_work.1, fourth.1].iter().any(JoinHandle::is_finished));
        assert_eq!((connections.counts().open, connections.counts().displaced), (4, 3));
    }
}
