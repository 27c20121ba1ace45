//! Where events come from.
//!
//! An [`EventSource`] listens or asks, and hands what it hears to an [`Intake`]. Two ways in: [`Intake::submit`] waits until the journal has the event, which is the
//! acknowledgement that a source may pass on; [`Intake::offer`] takes a raw datagram, never waits, and counts what it has to drop.

pub mod decode;
mod intake;
#[cfg(feature = "mqtt")]
pub mod mqtt_in;
#[cfg(feature = "qlik")]
pub mod qrs_poll;
pub mod udp;

pub use intake::{Datagram, Intake, IntakeCounters, IntakeError, IntakeQueue, IntakeRequest, RejectReason, Rejection};

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use async_trait::async_trait;
pub use tokio_util::sync::CancellationToken as Stop;

/// Listens or asks, and hands what it hears to the intake.
///
/// # Contract
/// * `open` returns once the source can hear: sockets are bound, so that a port in use is found before the program says that it is ready.
/// * `run` of the returned value goes on until `stop` is cancelled, then ends soon, having handed over what it had received.
/// * After `run` has ended with an error, `open` may be called again.
/// * A source never drops anything silently: what it can't hand over it gives to [`Intake::reject`], with the reason.
///
/// # Errors
/// [`SourceError`], in words that name the address and the remedy.
#[async_trait]
pub trait EventSource: std::fmt::Debug + Send + Sync + 'static {
    /// Its name in events and logs.
    fn name(&self) -> crate::event::SourceName;

    /// Makes it hear.
    async fn open(&self, intake: Intake, stop: Stop) -> Result<Open, SourceError>;
}

/// A source that hears.
pub struct Open {
    /// Where it listens, for the readiness line.
    pub addresses: Vec<SocketAddr>,
    /// Its work; to be polled until it ends.
    pub run: Pin<Box<dyn Future<Output = Result<(), SourceError>> + Send>>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// Why a source can't hear, or no longer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The address can't be listened on.
    #[error("can't listen on {address} for {what}: {why}. {remedy}")]
    Bind {
        /// The address.
        address: String,
        /// What for: `log datagrams`.
        what: &'static str,
        /// What the system said.
        why: std::io::Error,
        /// What to do.
        remedy: String,
    },
    /// Receiving failed.
    #[error("receiving failed: {0}")]
    Io(#[from] std::io::Error),
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}
