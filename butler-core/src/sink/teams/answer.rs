//! What Teams means by its answers. Workflows answer as others do. The connectors of old answer 200 and then say in words that nothing was posted.

use crate::sink::http::{Accepted, HttpRemote};
use crate::sink::{DeliveryError, Reason, Receipt};

/// What a connector answers when it has posted a message.
const POSTED: &str = "1";
/// What an answer says that is none, wherever it comes from.
const NOT_POSTED: [&str; 2] = ["Webhook message delivery failed", "Microsoft Teams endpoint returned HTTP error"];
/// What an answer says when the card can't be read: in plain words the message may still be posted.
const UNREADABLE: [&str; 6] = [
    "Summary or Text is required",
    "Bad payload received",
    "Invalid webhook request",
    "TriggerInputSchemaMismatch",
    "InvalidRequestContent",
    "InvalidTemplate",
];

/// Whether the message was posted; `is_connector`: the remote is a connector of old, which says so.
pub(super) fn judge(accepted: &Accepted, is_connector: bool, remote: &HttpRemote) -> Result<Receipt, DeliveryError> {
    let said = accepted.answer.trim();
    let is_posted = if is_connector { said == POSTED } else { !NOT_POSTED.iter().any(|words| said.contains(words)) };
    if is_posted {
        return Ok(accepted.receipt());
    }
    let shown = match remote.clean(said) {
        said if said.is_empty() => "nothing".to_owned(),
        said => said,
    };
    let message = format!("{} accepted the request, but did not post the message; it says: {shown}", remote.shown());
    Err(match status_in(said) {
        Some(413) => DeliveryError::permanent(Reason::TooLarge, message),
        Some(429) => DeliveryError::transient(Reason::Throttled, message),
        Some(400) => DeliveryError::permanent(Reason::Malformed, message),
        Some(401 | 403) => DeliveryError::permanent(Reason::Refused, message),
        Some(500..=599) => DeliveryError::transient(Reason::ServerError, message),
        Some(_) => DeliveryError::permanent(Reason::Rejected, message),
        None if is_unreadable(said) => DeliveryError::permanent(Reason::Malformed, message),
        None => DeliveryError::transient(Reason::Protocol, message),
    })
}

/// Tells cards that can't be read from messages that are not wanted.
pub(super) fn misread(error: DeliveryError) -> DeliveryError {
    match error.reason {
        Reason::Rejected if is_unreadable(&error.message) => DeliveryError { reason: Reason::Malformed, ..error },
        _ => error,
    }
}

fn is_unreadable(said: &str) -> bool {
    UNREADABLE.iter().any(|words| said.contains(words))
}

/// The status that an answer tells in words: `... returned HTTP error 429 with ContextId ...`.
fn status_in(said: &str) -> Option<u16> {
    let (_, rest) = said.split_once("HTTP error ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
