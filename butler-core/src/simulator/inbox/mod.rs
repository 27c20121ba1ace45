//! In-process receivers for what Butler sends.
