//! How an attempt failed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An attempt that failed: what failed, and whether to try again. The message is for people and holds no secret.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct DeliveryError {
    /// What failed.
    pub reason: Reason,
    /// Whether to try again, and when.
    pub retry: Retry,
    /// In words: what was tried, what the remote said, what to do. At most a few hundred characters.
    pub message: String,
    /// What lies beneath.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl DeliveryError {
    /// A failure that may pass.
    pub fn transient(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, retry: Retry::Backoff, message: message.into(), source: None }
    }

    /// A failure that will not pass by itself.
    pub fn permanent(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, retry: Retry::Never, message: message.into(), source: None }
    }

    /// The same failure, to be tried again after this time.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry = Retry::After(wait);
        self
    }

    /// The same failure, with what lies beneath.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }
}

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No connection: name, address, network, connection reset.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The certificate or the handshake.
    Tls,
    /// Not allowed: 401, 403, 407, SMTP 530, 535.
    Refused,
    /// The remote does not want this message: other 4xx, SMTP 5xx.
    Rejected,
    /// Too many: 429.
    Throttled,
    /// The remote is at fault: 5xx, SMTP 4xx.
    ServerError,
    /// The answer makes no sense.
    Protocol,
    /// The message is too long for the remote; the pipeline then sends it in plain words.
    TooLarge,
    /// The remote can't read the message as its template made it; the pipeline then sends it in plain words.
    Malformed,
    /// The sink panicked.
    Panicked,
    /// Leases that never returned: the message takes the process down.
    Lost,
    /// Too old.
    Expired,
    /// The store was full.
    Overflow,
    /// What was stored about it can't be read back.
    Unreadable,
}

impl Reason {
    /// Its name in lists and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
            Self::Throttled => "throttled",
            Self::ServerError => "server_error",
            Self::Protocol => "protocol",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Panicked => "panicked",
            Self::Lost => "lost",
            Self::Expired => "expired",
            Self::Overflow => "overflow",
            Self::Unreadable => "unreadable",
        }
    }

    /// Whether this says something about the sink as a whole, not about the one message: such failures in a row mean that it is down.
    #[must_use]
    pub fn concerns_sink(self) -> bool {
        matches!(self, Self::Unreachable | Self::Timeout | Self::Tls | Self::Refused | Self::Throttled | Self::ServerError)
    }
}

/// Whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It would not help.
    Never,
    /// After a while that grows.
    Backoff,
    /// After this time, as the remote asked; the pipeline bounds it.
    After(Duration),
}
