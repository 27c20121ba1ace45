//! Connects, and secures the connection.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::broker::Broker;
use super::fault::{Fault, FaultKind};
use crate::tls;

/// A connection, secured or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

/// Connects to a broker, as far as TLS goes.
pub(super) async fn dial(broker: &Broker) -> Result<Box<dyn Stream>, Fault> {
    let tls = broker.tls().await?;
    let failed = |why: io::Error| Fault::new(FaultKind::Unreachable, format!("can't connect to {}: {why}", broker.shown()));
    let stream = TcpStream::connect((broker.host.as_str(), broker.port)).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    match tls {
        None => Ok(Box::new(stream)),
        Some((name, connector)) => match connector.connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(why) => Err(broken(&why, broker)),
        },
    }
}

/// What an error of a connection means.
pub(super) fn broken(why: &io::Error, broker: &Broker) -> Fault {
    match tls::error_within(why) {
        Some(error) => Fault::tls(error.clone(), &broker.shown()),
        None if why.kind() == io::ErrorKind::UnexpectedEof => {
            Fault::new(FaultKind::Unreachable, format!("{} closed the connection", broker.shown()))
        }
        None => Fault::new(FaultKind::Unreachable, format!("lost the connection to {}: {why}", broker.shown())),
    }
}
