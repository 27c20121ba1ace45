//! Receiving on Linux: many datagrams a call, and a wait that ends at once when it is told to.

use std::io::{self, IoSliceMut, Write};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg};
use socket2::Socket;

use super::reader::{BATCH, Packet};

/// Tells the reading thread to stop.
#[derive(Debug)]
pub(super) struct Stopper {
    stop: Arc<AtomicBool>,
    wake: UnixStream,
}

impl Stopper {
    pub(super) fn stop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // One byte always fits; if the thread has ended, nobody needs it.
        let _ = self.wake.write(&[0]);
    }
}

/// What the thread takes along; the receiver itself can't change threads.
pub(super) struct Half {
    socket: Socket,
    stop: Arc<AtomicBool>,
    woken: UnixStream,
}

pub(super) fn prepare(socket: Socket) -> io::Result<(Stopper, Half)> {
    let (wake, woken) = UnixStream::pair()?;
    let stop = Arc::new(AtomicBool::new(false));
    Ok((Stopper { stop: Arc::clone(&stop), wake }, Half { socket, stop, woken }))
}

impl Half {
    pub(super) fn receiver(self, max_message: usize) -> Receiver {
        let Self { socket, stop, woken } = self;
        // One byte more than may be taken, to see what is too long. The pages that no datagram reaches are never touched, and so cost no memory.
        let room = max_message + 1;
        Receiver { socket, stop, woken, room, buffer: vec![0; room * BATCH], headers: MultiHeaders::preallocate(BATCH, None) }
    }
}

/// Reads datagrams.
pub(super) struct Receiver {
    socket: Socket,
    stop: Arc<AtomicBool>,
    woken: UnixStream,
    room: usize,
    buffer: Vec<u8>,
    // The kernel overwrites the address lengths in these with those of each datagram, which on one socket are always the same.
    headers: MultiHeaders<SockaddrStorage>,
}

impl Receiver {
    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Hands out what is there, up to a batch, and does not wait for more.
    pub(super) fn receive(&mut self, mut take: impl FnMut(Packet<'_>)) -> io::Result<usize> {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self.buffer.chunks_exact_mut(self.room).map(|room| [IoSliceMut::new(room)]).collect();
        let received = match recvmmsg(self.socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None) {
            Ok(received) => received,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let mut count = 0;
        for message in received {
            count += 1;
            let from = message.address.as_ref().and_then(address);
            let bytes = message.iovs().next().unwrap_or_default();
            take(Packet { bytes, from, cut: message.flags.contains(MsgFlags::MSG_TRUNC) });
        }
        Ok(count)
    }

    /// Waits until there is something to read, or to stop.
    pub(super) fn wait(&self) -> io::Result<()> {
        let mut either = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN), PollFd::new(self.woken.as_fd(), PollFlags::POLLIN)];
        match poll(&mut either, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|v4| SocketAddr::V4(SocketAddrV4::from(*v4)));
    v4.or_else(|| storage.as_sockaddr_in6().map(|v6| SocketAddr::V6(SocketAddrV6::from(*v6))))
}
