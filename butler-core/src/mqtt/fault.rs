//! How talking to a broker failed.

/// What failed, in words and as a kind. It holds no secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What sort of failure it is.
    pub kind: FaultKind,
    /// In words, one line.
    pub message: String,
    /// What is wrong with the certificate or the handshake, if that is what failed.
    #[source]
    pub tls: Option<rustls::Error>,
}

/// The sorts of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// No connection, or none any more.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The certificate or the handshake.
    Tls,
    /// Not let in, or not allowed to publish there.
    Refused,
    /// The broker does not want this message.
    Rejected,
    /// Too much at the moment.
    Throttled,
    /// The broker is at fault.
    Busy,
    /// The message is too long for the broker.
    TooLarge,
    /// What came makes no sense.
    Protocol,
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), tls: None }
    }

    pub(super) fn tls(error: rustls::Error, broker: &str) -> Self {
        Self { kind: FaultKind::Tls, message: format!("no trusted connection to {broker}: {error}"), tls: Some(error) }
    }
}
