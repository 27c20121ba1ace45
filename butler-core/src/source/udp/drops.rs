//! What the kernel dropped because the receive buffer was full.
//!
//! The kernel counts for each socket, and shows it in a table under `/proc`, one line per socket, found by the socket's inode. (It would also attach the
//! count to the datagrams themselves, but says nothing after the last one of a burst.)

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use socket2::Socket;

/// Counts the drops of one socket.
#[derive(Debug)]
pub(super) struct KernelDrops {
    /// Keeps the socket in the table until the last drop is counted.
    _socket: Socket,
    table: &'static str,
    inode: u64,
    seen: u32,
}

impl KernelDrops {
    /// For a socket that is new, so that whatever was dropped is counted.
    pub(super) fn of(socket: &Socket, is_ipv6: bool) -> io::Result<Self> {
        let inode = fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd()))?.ino();
        let table = if is_ipv6 { "/proc/self/net/udp6" } else { "/proc/self/net/udp" };
        let drops = Self { _socket: socket.try_clone()?, table, inode, seen: 0 };
        drops.total()?;
        Ok(drops)
    }

    /// How many there were since the last call.
    pub(super) fn new_ones(&mut self) -> io::Result<u64> {
        let now = self.total()?;
        let new = now.wrapping_sub(self.seen);
        self.seen = now;
        Ok(u64::from(new))
    }

    fn total(&self) -> io::Result<u32> {
        let table = fs::read_to_string(self.table)?;
        find(&table, self.inode).ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("the socket is not in {}", self.table)))
    }
}

/// The last column of the line whose tenth is the inode.
fn find(table: &str, inode: u64) -> Option<u32> {
    const INODE: usize = 9;
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace();
        (columns.nth(INODE)?.parse() == Ok(inode)).then(|| columns.next_back()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;
    use std::net::UdpSocket;
    use std::time::{Duration, Instant};

    use super::*;

    const TABLE: &str = "\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  101: 0100007F:270E 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 0
 1201: 00000000:14E9 00000000:0000 07 00000000:00000000 00:00000000 00000000   108        0 4712 2 ffff8b8f 4294967295
";

    #[test]
    fn the_line_of_the_inode_counts() {
        assert_eq!((find(TABLE, 4711), find(TABLE, 4712), find(TABLE, 4713), find("", 1)), (Some(0), Some(u32::MAX), None, None));
    }

    #[test]
    fn drops_of_both_versions_are_counted() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let std = UdpSocket::bind(address).expect("a free port");
            let target = std.local_addr().expect("its address");
            let socket = Socket::from(std);
            socket.set_recv_buffer_size(4096).expect("a small buffer");
            let mut drops = KernelDrops::of(&socket, target.is_ipv6()).expect("a line of its own");
            let sender = UdpSocket::bind(address).expect("a free port");
            for _ in 0..100 {
                sender.send_to(&[0; 300], target).expect("loopback");
            }
            socket.set_nonblocking(true).expect("set");
            let (mut read, mut dropped) = (0, 0);
            let patience = Instant::now() + Duration::from_secs(10);
            while read + dropped < 100 && Instant::now() < patience {
                while socket.recv(&mut [MaybeUninit::uninit(); 300]).is_ok() {
                    read += 1;
                }
                dropped += drops.new_ones().expect("a line of its own");
            }
            assert!(dropped > 0 && dropped + read == 100, "{dropped} dropped, {read} read");
            assert_eq!(drops.new_ones().expect("a line of its own"), 0);
        }
    }
}
