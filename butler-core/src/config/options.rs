//! The options of a sink, before their type is known.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use toml::Value;

use super::Issues;
use super::read::read;
use super::secret::{holds_secrets, looks_secret};

/// A table of options that is read once the registry has said of which type they are.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct OptionsTable(toml::Table);

impl std::fmt::Debug for OptionsTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Nobody knows yet which of the values are secret.
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl From<toml::Table> for OptionsTable {
    fn from(table: toml::Table) -> Self {
        Self(table)
    }
}

impl OptionsTable {
    /// As it is written, but for what may be a secret.
    pub(super) fn masked<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        mask_table(&self.0, false).serialize(serializer)
    }

    /// Reads the options as `C`. Everything that is wrong with them is added to `issues` below `options`: each key that is not known, with a suggestion; each
    /// value of the wrong type; each key that is missing. With faults that can be left out this still gives the rest, so that it can be checked further.
    pub fn read<C: DeserializeOwned>(self, issues: &mut Issues) -> Option<C> {
        issues.within("options", |issues| read(self.0, issues))
    }
}

const MASK: &str = "***";

fn mask_table(table: &toml::Table, inside: bool) -> toml::Table {
    let masked = |(key, value): (&String, &Value)| (key.clone(), mask(value, looks_secret(key), inside || holds_secrets(key)));
    table.iter().map(masked).collect()
}

/// Whether a table says where a secret is, which is none itself.
fn is_reference(table: &toml::Table) -> bool {
    table.len() == 1 && (table.contains_key("env") || table.contains_key("file"))
}

fn mask(value: &Value, secret: bool, inside: bool) -> Value {
    match value {
        Value::Table(table) if is_reference(table) => value.clone(),
        Value::Table(table) => Value::Table(mask_table(table, inside)),
        Value::Array(values) => Value::Array(values.iter().map(|value| mask(value, secret, inside)).collect()),
        // An address with a user in it has the password there as well.
        Value::String(text) if secret || inside || text.contains("://") && text.contains('@') => Value::String(MASK.into()),
        Value::Integer(_) if inside => Value::String(MASK.into()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let text = r#"
            webhook_url = "hunter2"
            urls = ["hunter2"]
            proxy = "https://me:hunter2@proxy"
            headers = { X-Thing = "hunter2", X-Number = 12345 }
            hooks = [{ name = "shown", password = "hunter2", token = { env = "SHOWN" } }]
            channel = "shown"
        "#;
        let options = OptionsTable::from(toml::from_str::<toml::Table>(text).unwrap());
        let masked = mask_table(&options.0, false).to_string();
        assert!(!masked.contains("hunter2") && !masked.contains("12345"), "{masked}");
        assert_eq!((masked.matches("shown").count(), masked.matches("SHOWN").count()), (2, 1));
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
