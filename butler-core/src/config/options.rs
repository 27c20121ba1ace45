//! The options of a sink, before their type is known.

use serde::de::DeserializeOwned;

use super::Issues;

/// A table of options that is read once the registry has said of which type they are.
#[derive(Debug, Clone, Default)]
pub struct OptionsTable(toml::Table);

impl From<toml::Table> for OptionsTable {
    fn from(table: toml::Table) -> Self {
        Self(table)
    }
}

impl OptionsTable {
    /// Reads the options as `C`; what is wrong is added to `issues` below `options`.
    pub fn read<C: DeserializeOwned>(self, issues: &mut Issues) -> Option<C> {
        match C::deserialize(toml::Value::Table(self.0)) {
            Ok(config) => Some(config),
            Err(error) => {
                issues.at("options", error.message());
                None
            }
        }
    }
}
