//! Answers.

/// A status, and what comes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn json(value: &serde_json::Value) -> Self {
        Self { status: 200, content_type: "application/json; charset=utf-8", body: value.to_string() }
    }

    pub(super) fn text(status: u16, text: impl Into<String>) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: text.into() }
    }

    pub(super) fn page(html: &str) -> Self {
        Self { status: 200, content_type: "text/html; charset=utf-8", body: html.to_owned() }
    }

    pub(super) fn not_found() -> Self {
        Self::text(404, "Not Found")
    }

    pub(super) fn no_content() -> Self {
        Self::text(204, "")
    }
}
