//! The thread that reads.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::UdpSettings;
use super::allow::Allowed;
use super::bind::Bound;
#[cfg(target_os = "linux")]
use super::receive_many as receive;
#[cfg(not(target_os = "linux"))]
use super::receive_one as receive;
use super::report::Tally;
use crate::clock::Clock;
use crate::event::SourceName;
use crate::source::{Datagram, Intake, RejectReason, Rejection, SourceError};

/// How many datagrams are read at a time.
pub(super) const BATCH: usize = 64;
/// The time that `max_per_minute` is about.
const MINUTE: Duration = Duration::from_mins(1);
/// What a datagram takes of the receive buffer at the least.
const SMALLEST: usize = 256;
/// How many faults in a row are taken for passing ones.
const FAULTS: u32 = 50;
/// The pause after a fault.
const FAULT_PAUSE: Duration = Duration::from_millis(20);

/// A datagram as the system hands it out.
pub(super) struct Packet<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) from: Option<SocketAddr>,
    /// It was longer than the room for it.
    pub(super) cut: bool,
}

/// The running thread. Dropping it stops the thread and waits for it, so that the port is free again.
#[derive(Debug)]
pub(super) struct Reader {
    stop: receive::Stopper,
    ended: oneshot::Receiver<()>,
    thread: Option<thread::JoinHandle<io::Result<()>>>,
}

impl Reader {
    /// Starts the thread.
    pub(super) fn start(bound: Bound, checks: Checks) -> io::Result<Self> {
        // What the buffer held when the thread was told to stop is handed over, be the datagrams ever so small; a flood that goes on is no reason to go on.
        let left = bound.buffer.granted / SMALLEST;
        let (stop, half) = receive::prepare(bound.socket)?;
        let (end, ended) = oneshot::channel();
        let thread = thread::Builder::new().name("butler-udp".into()).spawn(move || {
            // Dropped at the end, also by a panic: that is the signal.
            let _end: oneshot::Sender<()> = end;
            let receiver = half.receiver(checks.max_message);
            read(receiver, checks, left)
        })?;
        Ok(Self { stop, ended, thread: Some(thread) })
    }

    /// Resolves when the thread has ended.
    pub(super) async fn ended(&mut self) {
        // An error is the signal: nothing is ever sent.
        let _ = (&mut self.ended).await;
    }

    /// Makes the thread hand over what was received and end, and tells how it ended.
    pub(super) async fn stop(mut self) -> Result<(), SourceError> {
        self.stop.stop();
        if !self.ended.is_terminated() {
            self.ended().await;
        }
        match self.thread.take().map(thread::JoinHandle::join) {
            Some(Ok(result)) => Ok(result?),
            Some(Err(_)) => Err(SourceError::Other("the thread that reads datagrams panicked; this is a bug".into())),
            None => Ok(()),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.stop.stop();
            // How it ended interests nobody any more.
            let _ = thread.join();
        }
    }
}

fn read(mut receiver: receive::Receiver, mut checks: Checks, mut left: usize) -> io::Result<()> {
    let mut faults = 0;
    loop {
        // Asked before reading: what arrived before the stop is then read for certain.
        let stopping = receiver.is_stopping();
        checks.start_batch();
        match receiver.receive(|packet| checks.take(packet)) {
            Ok(count) => {
                faults = 0;
                if stopping {
                    left = left.saturating_sub(count);
                    if count == 0 || left == 0 {
                        return Ok(());
                    }
                } else if count == 0 {
                    receiver.wait()?;
                }
            }
            // The socket stays open as long as it may recover, because what waits in it would be lost.
            Err(error) => {
                faults += 1;
                if faults == FAULTS || stopping {
                    return Err(error);
                }
                thread::sleep(FAULT_PAUSE);
            }
        }
    }
}

/// What is looked at before a datagram is handed in.
#[derive(Debug)]
pub(super) struct Checks {
    intake: Intake,
    allowed: Arc<ArcSwap<Allowed>>,
    tally: Arc<Tally>,
    clock: Arc<dyn Clock>,
    settings: UdpSettings,
    source: SourceName,
    max_message: usize,
    /// Of the batch at hand; asking for each datagram would be a waste.
    received: Timestamp,
    admitted: Arc<Allowed>,
    window: Window,
}

/// How many datagrams there were within the running minute. It runs from the first one after the last minute ended.
#[derive(Debug, Default)]
struct Window {
    now: Duration,
    ends: Duration,
    count: u32,
}

impl Window {
    /// Whether one more is within the limit.
    fn admit(&mut self, limit: Option<u32>) -> bool {
        let Some(limit) = limit else { return true };
        if self.now >= self.ends {
            self.ends = self.now.saturating_add(MINUTE);
            self.count = 0;
        }
        let within = self.count < limit;
        self.count = self.count.saturating_add(u32::from(within));
        within
    }
}

impl Checks {
    pub(super) fn new(
        settings: UdpSettings,
        source: SourceName,
        intake: Intake,
        clock: Arc<dyn Clock>,
        allowed: Arc<ArcSwap<Allowed>>,
        tally: Arc<Tally>,
    ) -> Self {
        let (received, admitted, window) = (clock.now(), allowed.load_full(), Window::default());
        // There is no longer datagram, so there need be no more room.
        let max_message = settings.max_message.min(usize::from(u16::MAX));
        Self { intake, allowed, tally, clock, settings, source, max_message, received, admitted, window }
    }

    pub(super) fn start_batch(&mut self) {
        self.received = self.clock.now();
        self.admitted = self.allowed.load_full();
        self.window.now = self.clock.monotonic();
    }

    pub(super) fn take(&mut self, packet: Packet<'_>) {
        let from = packet.from.map(|from| SocketAddr::new(from.ip().to_canonical(), from.port()));
        if let Some(from) = from.filter(|from| !self.admitted.admits(from.ip())) {
            self.tally.count_sender(from.ip());
            let detail = format!("{} is neither loopback nor one of the hosts that are allowed", from.ip());
            return self.reject(RejectReason::Sender, Some(from), detail);
        }
        if packet.cut || packet.bytes.len() > self.max_message {
            self.tally.count(RejectReason::TooLong);
            return self.reject(RejectReason::TooLong, from, format!("longer than {} bytes", self.max_message));
        }
        if !self.window.admit(self.settings.max_per_minute) {
            self.tally.count(RejectReason::RateLimit);
            let limit = self.settings.max_per_minute.unwrap_or(u32::MAX);
            return self.reject(RejectReason::RateLimit, from, format!("more than {limit} a minute"));
        }
        let taken = self.intake.offer(Datagram {
            bytes: Bytes::copy_from_slice(packet.bytes),
            from,
            site: self.settings.site.clone(),
            source: self.source.clone(),
            received: self.received,
        });
        if !taken {
            self.tally.count(RejectReason::QueueFull);
        }
    }

    fn reject(&self, reason: RejectReason, from: Option<SocketAddr>, detail: String) {
        self.intake.reject(Rejection { at: self.received, reason, from, detail });
    }
}
