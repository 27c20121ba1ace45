//! How the program ends, and what it says then.

use butler_core::StartError;
use butler_core::config::ConfigError;

/// An end that is no success.
#[derive(Debug)]
pub struct Exit {
    reason: Reason,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Usage,
    Unavailable,
    Internal,
    Configuration,
    Unhealthy,
}

impl Exit {
    /// The arguments make no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { reason: Reason::Usage, message: message.into() }
    }

    /// Something that is needed is not there: a port, a file, a running Butler.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { reason: Reason::Unavailable, message: message.into() }
    }

    /// The program is at fault.
    pub fn internal(message: impl Into<String>) -> Self {
        Self { reason: Reason::Internal, message: message.into() }
    }

    /// The configuration is at fault.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self { reason: Reason::Configuration, message: message.into() }
    }

    /// A Butler that is looked after is not well.
    pub fn unhealthy(message: impl Into<String>) -> Self {
        Self { reason: Reason::Unhealthy, message: message.into() }
    }

    /// The exit code, from `sysexits.h`.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self.reason {
            Reason::Usage => 64,
            Reason::Unavailable => 69,
            Reason::Internal => 70,
            Reason::Configuration => 78,
            // Those who ask for it know no other.
            Reason::Unhealthy => 1,
        }
    }

    /// What to say.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl From<ConfigError> for Exit {
    fn from(error: ConfigError) -> Self {
        Self::configuration(error.to_string())
    }
}

impl From<StartError> for Exit {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(error) => error.into(),
            StartError::Store(_) | StartError::Source(_) | StartError::Api(_) => Self::unavailable(error.to_string()),
            StartError::Qlik(_) | StartError::Engine(_) | StartError::NotInThisBuild(_) => Self::configuration(error.to_string()),
            other => Self::internal(other.to_string()),
        }
    }
}
