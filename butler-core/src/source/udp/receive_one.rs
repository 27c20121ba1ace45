//! Receiving where the system hands out one datagram a call, and a wait can't be ended from outside.

use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::Socket;

use super::reader::{BATCH, Packet};

/// How soon the thread sees that it is to stop.
const GLANCE: Duration = Duration::from_millis(50);

/// Tells the reading thread to stop.
#[derive(Debug)]
pub(super) struct Stopper(Arc<AtomicBool>);

impl Stopper {
    pub(super) fn stop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// What the thread takes along.
pub(super) struct Half {
    socket: UdpSocket,
    stop: Arc<AtomicBool>,
}

pub(super) fn prepare(socket: Socket) -> io::Result<(Stopper, Half)> {
    let socket = UdpSocket::from(socket);
    socket.set_read_timeout(Some(GLANCE))?;
    let stop = Arc::new(AtomicBool::new(false));
    Ok((Stopper(Arc::clone(&stop)), Half { socket, stop }))
}

impl Half {
    pub(super) fn receiver(self, max_message: usize) -> Receiver {
        // One byte more than may be taken, to see what is too long.
        Receiver { socket: self.socket, stop: self.stop, buffer: vec![0; max_message + 1] }
    }
}

/// Reads datagrams.
pub(super) struct Receiver {
    socket: UdpSocket,
    stop: Arc<AtomicBool>,
    buffer: Vec<u8>,
}

impl Receiver {
    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Hands out what is there, up to a batch, and does not wait for more.
    pub(super) fn receive(&mut self, mut take: impl FnMut(Packet<'_>)) -> io::Result<usize> {
        for count in 0..BATCH {
            match self.socket.recv_from(&mut self.buffer) {
                Ok((length, from)) => {
                    let bytes = self.buffer.get(..length).unwrap_or_default();
                    take(Packet { bytes, from: Some(from), cut: false });
                }
                Err(error) if is_too_long(&error) => take(Packet { bytes: &[], from: None, cut: true }),
                Err(error) if is_nothing(&error) || count > 0 => return Ok(count),
                Err(error) => return Err(error),
            }
        }
        Ok(BATCH)
    }

    /// Waits until there is something to read, or for a moment.
    pub(super) fn wait(&self) -> io::Result<()> {
        self.socket.set_nonblocking(false)?;
        // Whatever comes of it is seen when it is read.
        let _ = self.socket.peek_from(&mut [0]);
        self.socket.set_nonblocking(true)
    }
}

/// Windows reports a datagram that is longer than the room for it as an error.
fn is_too_long(error: &io::Error) -> bool {
    const WSAEMSGSIZE: i32 = 10_040;
    cfg!(windows) && error.raw_os_error() == Some(WSAEMSGSIZE)
}

/// Windows reports an unreachable addressee of an earlier datagram when reading; we send none, so that it means nothing.
fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted | ErrorKind::ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_are_read_one_by_one_and_a_stop_is_seen() {
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let target = socket.local_addr().expect("its address");
        socket.set_nonblocking(true).expect("set");
        let (mut stopper, half) = prepare(socket.into()).expect("prepared");
        let mut receiver = half.receiver(5);
        for text in ["a", "", "12345", "123456789"] {
            sender.send_to(text.as_bytes(), target).expect("loopback");
        }
        let mut read = Vec::new();
        while read.len() < 4 {
            receiver.wait().expect("a socket that hears");
            let from = sender.local_addr().ok();
            let count = receiver.receive(|packet| {
                assert!(packet.from == from || packet.cut);
                // Systems differ in how they tell that there was more than fits.
                let too_long = packet.cut || packet.bytes.len() > 5;
                read.push(if too_long { "too long".to_owned() } else { String::from_utf8_lossy(packet.bytes).into_owned() });
            });
            assert!(count.is_ok());
        }
        assert_eq!(read, ["a", "", "12345", "too long"]);
        assert_eq!(receiver.receive(|_| panic!("nothing was sent")).ok(), Some(0));
        assert!(!receiver.is_stopping());
        stopper.stop();
        receiver.wait().expect("a socket that hears");
        assert!(receiver.is_stopping());
    }
}
