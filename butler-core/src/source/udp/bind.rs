//! Opening the socket.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

use super::buffer::ReceiveBuffer;
use crate::listen::{Setting, remedy};
use crate::source::SourceError;

const SETTING: Setting = Setting {
    key: "[udp] listen",
    usual_host: "0.0.0.0",
    usual_port: 9998,
    protocol: "UDP",
    along: ", and the log appender of Qlik Sense to the same",
};

/// A socket that hears.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) socket: Socket,
    pub(super) address: SocketAddr,
    pub(super) buffer: ReceiveBuffer,
}

/// Binds `listen`, and does not wait where it can be helped: only a name has to be resolved.
pub(super) async fn bind(listen: &str, receive_buffer: usize) -> Result<Bound, SourceError> {
    let fail = |why: io::Error| {
        let remedy = remedy(&SETTING, listen, &why);
        SourceError::Bind { address: listen.to_owned(), what: "log datagrams", why, remedy }
    };
    let mut addresses: Vec<SocketAddr> = match listen.parse() {
        Ok(address) => vec![address],
        Err(_) => tokio::net::lookup_host(listen).await.map_err(fail)?.collect(),
    };
    // What Qlik Sense is told to send to is an IPv4 address nearly always.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let mut first_error = None;
    for address in addresses {
        match open(address, receive_buffer) {
            Ok(bound) => return Ok(bound),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(fail(first_error.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))))
}

fn open(address: SocketAddr, receive_buffer: usize) -> io::Result<Bound> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        // Systems differ in their default. A system without IPv4 may refuse, and loses nothing by it.
        let _ = socket.set_only_v6(false);
    }
    // Before it is bound: the first datagram may come at once.
    let buffer = ReceiveBuffer::set(&socket, receive_buffer);
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    let address = socket.local_addr()?.as_socket().unwrap_or(address);
    Ok(Bound { socket, address, buffer })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_and_names_of_both_versions_are_bound() {
        for listen in ["127.0.0.1:0", "[::1]:0", "localhost:0"] {
            let bound = bind(listen, 1 << 16).await.expect(listen);
            assert!(bound.address.ip().is_loopback() && bound.address.port() != 0, "{listen}: {}", bound.address);
            assert_eq!(bound.address.is_ipv6(), listen.starts_with('['));
        }
    }

    #[tokio::test]
    async fn a_port_in_use_names_the_port_and_the_way_out() {
        let first = bind("127.0.0.1:0", 1 << 16).await.expect("a free port");
        let error = bind(&first.address.to_string(), 1 << 16).await.expect_err("bound twice").to_string();
        let port = first.address.port().to_string();
        assert!(error.contains(&format!("can't listen on 127.0.0.1:{port} for log datagrams: ")), "{error}");
        assert!(error.contains("perhaps by another Butler") && error.contains("set another `[udp] listen`"), "{error}");
    }

    #[tokio::test]
    async fn a_foreign_address_and_a_malformed_one_are_told_apart() {
        // Not every emulation of Windows minds whose address it is.
        if cfg!(target_os = "linux") {
            let error = bind("192.0.2.1:9998", 1 << 16).await.expect_err("a foreign address").to_string();
            assert!(error.ends_with("set `[udp] listen` to one that is, or to `0.0.0.0:9998` for all of them"), "{error}");
        }
        for listen in ["9998", "localhost", "127.0.0.1:port"] {
            let error = bind(listen, 1 << 16).await.expect_err("no address").to_string();
            assert!(error.ends_with("Write `[udp] listen` as `host:port`, such as `0.0.0.0:9998`; an IPv6 address in brackets"), "{error}");
        }
    }

    #[test]
    fn every_remedy_reads_well() {
        let text = |kind: io::ErrorKind, listen: &str| remedy(&SETTING, listen, &kind.into());
        let remedies = [
            text(io::ErrorKind::PermissionDenied, "0.0.0.0:514"),
            text(io::ErrorKind::PermissionDenied, "0.0.0.0:9998"),
            text(io::ErrorKind::AddrNotAvailable, "192.0.2.1:9998"),
            text(io::ErrorKind::Other, "sense:9998"),
        ];
        insta::assert_snapshot!(remedies.join("\n"), @r"
        Ports below 1024 need special rights: set `[udp] listen` to a higher one, such as 9998, and the log appender of Qlik Sense to the same
        The system keeps port 9998 for itself or for another user: set another `[udp] listen`
        The address is none of this machine's: set `[udp] listen` to one that is, or to `0.0.0.0:9998` for all of them
        Check `[udp] listen`; `0.0.0.0:9998` is fine on most machines
        ");
    }
}
