//! How it is said that pairs were not stored or removed.

use axum::http::StatusCode;

use crate::api::problem::Refusal;
use crate::kv::KvError;

impl From<KvError> for Refusal {
    fn from(error: KvError) -> Self {
        let (status, remedy) = match error {
            KvError::Store(error) => return error.into(),
            KvError::TooLong { what: "value", .. } => (StatusCode::PAYLOAD_TOO_LARGE, None),
            KvError::TooLong { .. } => (StatusCode::BAD_REQUEST, None),
            KvError::Full { .. } => (StatusCode::CONFLICT, Some("Delete keys that nobody needs, or raise the limit.")),
            KvError::StoreFull => (StatusCode::INSUFFICIENT_STORAGE, None),
            KvError::Changed { .. } => (StatusCode::PRECONDITION_FAILED, Some("Read it again, and decide anew.")),
            KvError::NoKey { .. } | KvError::NoNamespace { .. } => (StatusCode::NOT_FOUND, None),
            KvError::NoNumber { .. } => (StatusCode::CONFLICT, Some("Put a number first.")),
        };
        let refusal = Self::new(status, error.to_string());
        match remedy {
            Some(remedy) => refusal.remedy(remedy),
            None => refusal,
        }
    }
}
