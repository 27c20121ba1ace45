//! A configuration as it may be shown: what holds, where it comes from, and nothing that is secret.

use serde::{Deserialize, Serialize};
use toml::Value;

use super::issues::{join, segment};
use super::load::Config;

/// A configuration as it may be shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct ShownConfig {
    /// All of it as a text, with what may be a secret masked.
    pub text: String,
    /// The same, value by value.
    pub values: Vec<ShownValue>,
}

/// A value of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct ShownValue {
    /// Its dotted key.
    pub key: String,
    /// The value; masked if it may be secret.
    pub value: serde_json::Value,
    /// Where it was written, as `file:line`; `None` if nothing is written and this is what holds then.
    pub origin: Option<String>,
}

/// So many characters stay of what is not secret but nobody else's business.
const OF_HOSTS: usize = 3;
const OF_PEOPLE: usize = 5;
const OF_ADDRESSES: usize = 10;
const REST: &str = "**********";

impl Config {
    /// What may be shown of it.
    #[must_use]
    pub fn shown(&self) -> ShownConfig {
        let text = self.effective();
        let mut values = Vec::new();
        if let Ok(table) = text.parse::<toml::Table>() {
            collect(&Value::Table(table), "", &mut |key, value| {
                let origin = self.found.place_of(key);
                values.push(ShownValue { key: key.to_owned(), value: serde_json::to_value(value).unwrap_or_default(), origin });
            });
        }
        ShownConfig { text, values }
    }

    /// The same for strangers, who are asked for help: of hosts, people and addresses only the beginning is there.
    #[must_use]
    pub fn shown_to_strangers(&self) -> ShownConfig {
        let ShownConfig { text, mut values } = self.shown();
        for shown in &mut values {
            mask(&shown.key, &mut shown.value);
        }
        let text = match text.parse::<toml::Table>() {
            Ok(table) => {
                let mut root = Value::Table(table);
                mask_toml(&mut root, "");
                toml::to_string(&root).unwrap_or_default()
            }
            Err(_) => String::new(),
        };
        ShownConfig { text, values }
    }
}

fn collect(value: &Value, key: &str, give: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                let mut dotted = key.to_owned();
                join(&mut dotted, &segment(name));
                collect(value, &dotted, give);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_table) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, &format!("{key}[{index}]"), give);
            }
        }
        other => give(key, other),
    }
}

/// How many characters may stay of what stands at a key; `None` for all.
fn stays(key: &str) -> Option<usize> {
    let name = key.rsplit('.').next().unwrap_or(key).trim_end_matches(|c: char| c == ']' || c == '[' || c.is_ascii_digit());
    match name {
        // A folder, not somebody.
        "from" if key.trim_start_matches('.').starts_with("files.") => None,
        "host" | "server_name" | "listen" | "username" | "client_id" | "user" | "account_id" | "notify_listen" => Some(OF_HOSTS),
        "from" | "recipients" | "reply_to" | "allow" | "owner" | "directory" | "user_id" | "userId" => Some(OF_PEOPLE),
        name if name.ends_with("url") || key.contains("headers.") || key.contains("links.") => Some(OF_ADDRESSES),
        _ => None,
    }
}

fn shortened(text: &str, stays: usize) -> String {
    if text.is_empty() { String::new() } else { text.chars().take(stays).chain(REST.chars()).collect() }
}

fn mask(key: &str, value: &mut serde_json::Value) {
    let Some(stays) = stays(key) else { return };
    match value {
        serde_json::Value::String(text) => *text = shortened(text, stays),
        serde_json::Value::Number(number) => *value = shortened(&number.to_string(), stays).into(),
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| mask(key, item)),
        _ => {}
    }
}

fn mask_toml(value: &mut Value, key: &str) {
    match value {
        Value::Table(table) => {
            for (name, value) in table.iter_mut() {
                mask_toml(value, &format!("{key}.{name}"));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask_toml(item, key)),
        Value::String(text) => {
            if let Some(stays) = stays(key) {
                *text = shortened(text, stays);
            }
        }
        Value::Integer(number) => {
            if let Some(stays) = stays(key) {
                *value = Value::String(shortened(&number.to_string(), stays));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
[sites.prod]
host = "sense.example.com"
[sinks.ops]
type = "slack"
options.webhook_url = "https://hooks.example.com/services/PLANTED"
[[routes]]
events = ["*"]
sinks = ["ops"]
[sinks.mail]
type = "email"
options = { host = "mail.example.com", server_name = "smtp.example.com", from = "butler@example.com", recipients = ["someone@example.com"], app_owner = { include = [{ directory = "SOMEWHERE", user_id = "SOMEBODY" }] } }
[[routes]]
events = ["*"]
sinks = ["mail"]
when.owner = "SOMEONE"
[[files.copy]]
from = "/data/in"
to = "/data/out"
"#;

    #[test]
    fn each_value_says_where_it_comes_from() {
        let shown = Config::parse("butler.toml", TEXT, "".into()).unwrap().shown();
        let of =
            |key: &str| shown.values.iter().find(|value| value.key == key).unwrap_or_else(|| panic!("{key}: {:?}", shown.values)).clone();
        assert_eq!((of("sites.prod.host").value, of("sites.prod.host").origin), ("sense.example.com".into(), Some("butler.toml:3".into())));
        assert_eq!((of("store.path").value, of("store.path").origin), ("butler.db".into(), None));
        assert_eq!(of("routes[0].events").origin.as_deref(), Some("butler.toml:8"));
        // A table that is written does not make its defaults written ones.
        assert_eq!(of("sites.prod.timeout").origin, None);
        assert!(!format!("{shown:?}").contains("PLANTED"));
    }

    #[test]
    fn strangers_see_the_beginning_of_names() {
        let shown = Config::parse("butler.toml", TEXT, "".into()).unwrap().shown_to_strangers();
        for whole in [
            "sense.example.com",
            "mail.example.com",
            "butler@example.com",
            "someone@example.com",
            "127.0.0.1:8080",
            "smtp.example.com",
            "SOMEWHERE",
            "SOMEBODY",
            "SOMEONE",
            "PLANTED",
        ] {
            assert!(!shown.text.contains(whole) && !format!("{:?}", shown.values).contains(whole), "{whole}: {}", shown.text);
        }
        assert!(shown.text.contains("/data/in"), "{}", shown.text);
        assert!(shown.text.contains("host = \"sen**********\"") && shown.text.contains("\"someo**********\""), "{}", shown.text);
    }
}
