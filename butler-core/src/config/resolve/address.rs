//! Addresses, as they are written.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::config::issues::Issues;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listen {
    /// The port.
    pub(super) port: u16,
    /// Whether only this machine can reach it.
    pub(super) loopback: bool,
}

/// Reads `host:port`; reports what is no such thing.
pub(super) fn listen(text: &str, key: &str, issues: &mut Issues) -> Option<Listen> {
    const FORM: &str = "write an address and a port, such as \"127.0.0.1:8080\", \"0.0.0.0:9998\" or \"[::1]:8080\"";
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(Listen { port: address.port(), loopback: address.ip().to_canonical().is_loopback() });
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, Some(port)),
        None => (text, None),
        Some(_) => {
            issues.at_with_help(key, format!("`{text}` is no address to listen on"), FORM);
            return None;
        }
    };
    match (host_fault(host), port.map(str::parse)) {
        (None, Some(Ok(port))) => Some(Listen { port, loopback: host.eq_ignore_ascii_case("localhost") }),
        (None, None) => {
            issues.at_with_help(key, format!("`{text}` has no port"), FORM);
            None
        }
        (None, Some(Err(_))) => {
            issues.at_with_help(key, format!("the port of `{text}` is no number from 0 to 65535"), FORM);
            None
        }
        (Some(_), _) => {
            issues.at_with_help(key, format!("`{text}` is no address to listen on"), FORM);
            None
        }
    }
}

/// What is wrong with a host name or address.
pub(super) fn host_fault(host: &str) -> Option<&'static str> {
    if host.parse::<IpAddr>().is_ok() {
        return None;
    }
    if host.trim().is_empty() {
        return Some("is empty");
    }
    if host.contains("://") {
        return Some("is a web address; only the host name is wanted");
    }
    if host.split_once('/').is_some_and(|(ip, bits)| ip.parse::<IpAddr>().is_ok() && bits.parse::<u8>().is_ok()) {
        return Some("is a network; only single hosts are taken, by name or address");
    }
    if host.split_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) && host.parse::<Ipv6Addr>().is_err() {
        return Some("holds a port; only the host name is wanted");
    }
    let label = |label: &str| {
        let inner = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        !label.is_empty() && label.len() <= 63 && label.chars().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    let fine = host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(label);
    // Digits and dots alone are an address that is none.
    let numeric = host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    (!fine || numeric).then_some("is no host name and no IP address")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_listen_on() {
        let mut issues = Issues::default();
        let mut loopback = |text: &str| listen(text, "listen", &mut issues).map(|listen| listen.loopback);
        assert_eq!(loopback("127.0.0.1:0"), Some(true));
        assert_eq!(loopback("127.3.2.1:80"), Some(true));
        assert_eq!(loopback("[::1]:80"), Some(true));
        assert_eq!(loopback("[::ffff:127.0.0.1]:80"), Some(true));
        assert_eq!(loopback("LocalHost:80"), Some(true));
        assert_eq!(loopback("0.0.0.0:80"), Some(false));
        assert_eq!(loopback("[::]:80"), Some(false));
        assert_eq!(loopback("localhost.example.com:80"), Some(false));
        for bad in ["", "8080", ":80", "127.0.0.1", "::1:80", "host:99999", "http://host:80", "1.2.3:80", "a b:80"] {
            assert_eq!(loopback(bad), None, "{bad}");
        }
        assert_eq!(issues.len(), 9);
    }

    #[test]
    fn hosts() {
        for fine in ["sense", "sense.example.com.", "10.0.0.1", "::1", "sense_1.local", "åäö.se"] {
            assert_eq!(host_fault(fine), None, "{fine}");
        }
        for bad in ["", " ", "https://sense", "sense:4242", "10.0.0.0/8", "a b", "-a", "a..b", "300.1.1.1", "*"] {
            assert!(host_fault(bad).is_some(), "{bad}");
        }
    }
}
