//! Log datagrams over UDP.
//!
//! A datagram that nobody reads in time is gone: the scheduler does not send it twice. So receiving does nothing but receive. A thread of its own reads, many
//! datagrams a call where the system offers it, looks at the sender, the size and the rate, and puts the bytes into the intake's queue, which never makes it
//! wait. Nothing is decoded, looked up, logged or written there. The system's receive buffer bridges the moments in which the thread does not run; it is made as big as
//! was asked for, or as big as the system allows, and then a warning names the remedy.
//!
//! Beside the thread a future does what may take time: it resolves the hosts from which datagrams are taken, now and every five minutes, counts what the kernel had to
//! drop, and sums up in the log what was turned away. The thread starts once the hosts have been resolved; until then the datagrams wait in the receive buffer.
//!
//! | turned away | counted as |
//! | --- | --- |
//! | the sender is neither loopback nor on the list | [`Sender`](super::RejectReason::Sender) |
//! | longer than `max_message` | [`TooLong`](super::RejectReason::TooLong) |
//! | more than `max_per_minute` | [`RateLimit`](super::RejectReason::RateLimit) |
//! | the queue was full | [`QueueFull`](super::RejectReason::QueueFull) |
//! | the receive buffer was full (Linux; other systems do not tell) | [`KernelDrop`](super::RejectReason::KernelDrop) |

mod allow;
mod bind;
mod buffer;
#[cfg(target_os = "linux")]
mod drops;
mod reader;
#[cfg(target_os = "linux")]
mod receive_many;
#[cfg(any(not(target_os = "linux"), test))]
mod receive_one;
mod report;
mod source;
#[cfg(all(test, feature = "testkit"))]
mod tests;

pub use source::UdpSource;

use crate::event::SiteName;

/// Where and from whom datagrams are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UdpSettings {
    /// `host:port`; port 0 takes a free one. The host is a name or an address, an IPv6 address in brackets; `[::]` listens on all addresses of both
    /// versions. A name that has several addresses is listened to on the first, IPv4 before IPv6.
    pub listen: String,
    /// The site that this address belongs to.
    pub site: SiteName,
    /// Hosts (names or addresses) from which datagrams are taken, beside loopback; `None` takes them from anywhere. A name is resolved again every five
    /// minutes and keeps the addresses it had when it can't be; from a name that was never resolved nothing is taken.
    pub allow: Option<Vec<String>>,
    /// The longest datagram that is taken, in bytes.
    pub max_message: usize,
    /// How many are taken a minute; `None` for as many as come.
    pub max_per_minute: Option<u32>,
    /// The receive buffer to ask of the system, in bytes. The system counts its own overhead as well: see [`UdpSettings::RECEIVE_BUFFER`].
    pub receive_buffer: usize,
}

impl UdpSettings {
    /// A good `max_message`: the longest datagram that UDP over IPv4 can carry.
    pub const MAX_MESSAGE: usize = 65_507;
    /// A good `receive_buffer`: 16 MiB. On Linux, which doubles what it is asked for and then counts about 1,280 bytes for each datagram of the usual length, it holds
    /// some 26,000 datagrams. It is taken from the system only while datagrams wait in it.
    pub const RECEIVE_BUFFER: usize = 16 << 20;
}
