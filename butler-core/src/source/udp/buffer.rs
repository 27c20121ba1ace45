//! The socket's receive buffer.

use socket2::Socket;

/// What the system gave of the buffer that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReceiveBuffer {
    /// What was asked for.
    pub(super) asked: usize,
    /// What the system says that it is. Linux doubles what it is asked for, to make room for its own overhead.
    pub(super) granted: usize,
}

/// More can't be asked for: the system call takes 31 bits, and Linux doubles them.
const MOST: usize = (1 << 30) - 1;

impl ReceiveBuffer {
    /// Makes the buffer of `socket` as big as is asked for, or as big as the system allows.
    pub(super) fn set(socket: &Socket, asked: usize) -> Self {
        let asked = asked.min(MOST);
        if !force(socket, asked) {
            // Linux and Windows cut the size to what they allow; others refuse what is too big.
            let mut size = asked;
            while size > 0 && socket.set_recv_buffer_size(size).is_err() {
                size /= 2;
            }
        }
        // A socket always tells; if not, the warning that follows does no harm.
        Self { asked, granted: socket.recv_buffer_size().unwrap_or(0) }
    }

    /// Whether the system gave less than was asked for.
    pub(super) fn is_short(self) -> bool {
        let overhead = if cfg!(target_os = "linux") { 2 } else { 1 };
        self.granted < self.asked.saturating_mul(overhead)
    }

    /// How many datagrams of about 350 bytes fit.
    pub(super) fn datagrams(self) -> usize {
        // Linux counts the memory that a datagram occupies, about 1,280 bytes for one of this length; others count its bytes.
        self.granted / if cfg!(target_os = "linux") { 1280 } else { 350 }
    }

    /// What to do for a bigger one.
    pub(super) fn remedy(self) -> String {
        if !self.is_short() {
            return "Ask for more with `[udp] receive_buffer`".to_owned();
        }
        let asked = self.asked;
        if cfg!(target_os = "linux") {
            format!("Allow it with `sysctl -w net.core.rmem_max={asked}` (in /etc/sysctl.d for good) or the capability CAP_NET_ADMIN")
        } else {
            format!("Let the system allow a receive buffer of {asked} bytes")
        }
    }

    /// Says so if the system gave less than was asked for.
    pub(super) fn warn_if_short(self) {
        if self.is_short() {
            tracing::warn!(
                asked = self.asked,
                granted = self.granted,
                "The system gave the UDP socket a smaller receive buffer than asked for: it holds about {} log datagrams, and a burst of more may lose \
                 some. {}.",
                self.datagrams(),
                self.remedy()
            );
        }
    }
}

/// Goes beyond the system's limit, if the process may.
#[cfg(target_os = "linux")]
fn force(socket: &Socket, size: usize) -> bool {
    use nix::sys::socket::{setsockopt, sockopt::RcvBufForce};
    setsockopt(socket, RcvBufForce, &size).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn force(_socket: &Socket, _size: usize) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use socket2::{Domain, Type};

    use super::*;

    #[test]
    fn what_is_small_is_granted_and_what_is_huge_is_cut() {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
        let small = ReceiveBuffer::set(&socket, 64 << 10);
        assert!(!small.is_short() && small.datagrams() > 50, "{small:?}");
        let huge = ReceiveBuffer::set(&socket, usize::MAX);
        assert!(huge.asked == MOST && huge.granted >= small.granted, "{huge:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_short_buffer_names_the_remedy() {
        let short = ReceiveBuffer { asked: 16 << 20, granted: 425_984 };
        assert!(short.is_short());
        assert_eq!(short.datagrams(), 332);
        assert_eq!(
            short.remedy(),
            "Allow it with `sysctl -w net.core.rmem_max=16777216` (in /etc/sysctl.d for good) or the capability CAP_NET_ADMIN"
        );
        let full = ReceiveBuffer { asked: 16 << 20, granted: 32 << 20 };
        assert_eq!(
            (full.is_short(), full.datagrams(), full.remedy().as_str()),
            (false, 26_214, "Ask for more with `[udp] receive_buffer`")
        );
    }
}
