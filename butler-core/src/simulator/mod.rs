//! A simulated Qlik Sense site, and receivers for what Butler sends.

pub mod inbox;
mod kept;
pub mod site;
