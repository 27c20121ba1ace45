//! What to do when an address can't be listened on.

use std::io;

/// A setting that names an address to listen on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// How it stands in the configuration: `[udp] listen`.
    pub(crate) key: &'static str,
    /// An address that is fine in most places, without the port.
    pub(crate) usual_host: &'static str,
    /// A port that is free in most places.
    pub(crate) usual_port: u16,
    /// What listens on ports of this sort, as the system's tools call it: `UDP` or `TCP`.
    pub(crate) protocol: &'static str,
    /// What else has to be changed with the port; empty if nothing has.
    pub(crate) along: &'static str,
}

/// What to do about `why`.
pub(crate) fn remedy(setting: &Setting, listen: &str, why: &io::Error) -> String {
    let Setting { key, usual_host, usual_port, protocol, along } = setting;
    let port = listen.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    match (why.kind(), port) {
        (_, None) => format!("Write `{key}` as `host:port`, such as `{usual_host}:{usual_port}`; an IPv6 address in brackets"),
        (io::ErrorKind::AddrInUse, Some(port)) => {
            let sockets = if *protocol == "UDP" { "-lunp" } else { "-ltnp" };
            let find = if cfg!(windows) {
                format!("netstat -abno -p {protocol} | findstr :{port}")
            } else {
                format!("ss {sockets} sport = :{port}")
            };
            format!("Port {port} is taken, perhaps by another Butler: `{find}` shows by whom. Stop that program, or set another `{key}`")
        }
        (io::ErrorKind::PermissionDenied, Some(port)) if port < 1024 => {
            format!("Ports below 1024 need special rights: set `{key}` to a higher one, such as {usual_port}{along}")
        }
        (io::ErrorKind::PermissionDenied, Some(port)) => {
            format!("The system keeps port {port} for itself or for another user: set another `{key}`")
        }
        (io::ErrorKind::AddrNotAvailable, Some(port)) => {
            format!("The address is none of this machine's: set `{key}` to one that is, or to `0.0.0.0:{port}` for all of them")
        }
        (_, Some(port)) => format!("Check `{key}`; `{usual_host}:{port}` is fine on most machines"),
    }
}
