//! Log datagrams over UDP.

use crate::event::SiteName;

/// Where and from whom datagrams are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UdpSettings {
    /// `host:port`; port 0 takes a free one.
    pub listen: String,
    /// The site that this address belongs to.
    pub site: SiteName,
    /// Hosts (names or addresses) from which datagrams are taken, beside loopback; `None` takes them from anywhere.
    pub allow: Option<Vec<String>>,
    /// The longest datagram that is taken, in bytes.
    pub max_message: usize,
    /// How many are taken a minute; `None` for as many as come.
    pub max_per_minute: Option<u32>,
    /// The receive buffer to ask of the system, in bytes.
    pub receive_buffer: usize,
}
