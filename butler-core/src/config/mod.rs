//! Configuration: one TOML file, checked as a whole, with every fault at its place.

mod issues;
mod options;
mod secret;

pub use issues::{Issue, Issues};
pub use options::OptionsTable;
pub use secret::{Secret, SecretError};
