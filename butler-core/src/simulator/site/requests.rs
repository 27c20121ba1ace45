//! The requests that a site has got.

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteRequest {
    /// `GET`, `POST`, `DELETE`.
    pub method: String,
    /// The path below `/qrs/`: `task/full`.
    pub path: String,
    /// The decoded parameters, without the key against request forgery.
    pub parameters: Vec<(String, String)>,
    /// On whose behalf: `X-Qlik-User` as it was sent.
    pub user: Option<String>,
    /// The body; empty if there is none.
    pub body: String,
}

impl SiteRequest {
    /// The first parameter of this name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}
