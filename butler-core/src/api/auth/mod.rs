//! Who asks, and what they may do.
//!
//! The [front](super::front) finds out who sent a request and puts a [`Caller`] into its extensions. A route says with [`require`] which scope it takes; one that says nothing is open to
//! every caller that is known.

mod access;
mod caller;
mod require;
#[cfg(test)]
mod tests;
mod tokens;

pub use access::Access;
pub(super) use caller::Shown;
pub use caller::{Caller, Who};
#[cfg(feature = "qlik")]
pub(super) use require::check;
pub(super) use require::{behind, require, require_any};
pub(super) use tokens::TokenError;
