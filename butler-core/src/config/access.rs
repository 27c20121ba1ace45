//! Who may use the API, as it is configured.

/// Who may do everything without saying who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Anonymous {
    /// Whoever connects from this machine.
    #[default]
    Loopback,
    /// Nobody.
    Nobody,
    /// Everybody.
    Everyone,
}

/// Who may use the API.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessSettings {
    /// Who needs no token.
    pub anonymous: Anonymous,
}
