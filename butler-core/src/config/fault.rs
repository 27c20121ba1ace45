//! What a deserializer says, in words for whoever wrote the file.

use toml::Value;

/// What was wrong with a value, or with a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A key that nothing knows, and those that are known in its place.
    UnknownKey(Vec<String>),
    /// A key that has to be there.
    Missing(String),
    /// A value that can't be taken.
    Value {
        /// What is wrong with it.
        message: String,
        /// What could stand there instead.
        help: Option<String>,
    },
}

impl Fault {
    /// Reads a deserializer's message about `value`. That of a secret is never quoted.
    pub(super) fn of(message: &str, value: Option<&Value>, secret: bool) -> Self {
        if let Some(rest) = message.strip_prefix("unknown field ") {
            let known = rest.split_once(", expected ").map_or(Vec::new(), |(_, known)| quoted(known));
            return Self::UnknownKey(known);
        }
        if let Some(field) = message.strip_prefix("missing field ") {
            return Self::Missing(field.trim_matches('`').to_owned());
        }
        let fault = |message: String| Self::Value { message, help: None };
        if let Some(rest) = message.strip_prefix("unknown variant ") {
            let known = rest.rsplit_once(", expected ").map_or(Vec::new(), |(_, known)| quoted(known));
            return match value.and_then(Value::as_str) {
                Some(given) if !secret => {
                    let near = super::issues::nearest(given, &known.iter().map(String::as_str).collect::<Vec<_>>());
                    let help = near.map(|near| format!("did you mean `{near}`? Known: {}", known.join(", ")));
                    let help = help.unwrap_or_else(|| format!("known: {}", known.join(", ")));
                    Self::Value { message: format!("unknown value `{given}`"), help: Some(help) }
                }
                _ => fault(format!("unknown value; known: {}", known.join(", "))),
            };
        }
        if (message.starts_with("invalid type") || message.starts_with("invalid value"))
            && let Some((_, expected)) = message.rsplit_once(", expected ")
        {
            let found = value.map_or(String::new(), |value| format!(", found {}", sort(value, secret)));
            let wanted = wanted(expected);
            let help = value.filter(|_| !secret).and_then(|value| unquoted(value, &wanted));
            return Self::Value { message: format!("expected {wanted}{found}"), help };
        }
        // A message of the type itself; of a secret's only those are known not to quote it that are our own.
        match () {
            () if message.starts_with("data did not match any variant") => fault("no value of the right form".into()),
            () if secret && !message.starts_with("expected `{ env") && !message.starts_with("`env` and `file`") => {
                fault("this value can't be taken; it is not shown, for it may be a secret".into())
            }
            () => fault(message.to_owned()),
        }
    }
}

/// The texts between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// What a value is.
fn sort(value: &Value, secret: bool) -> String {
    match value {
        Value::Integer(_) if secret => "a number".into(),
        Value::String(_) => "text".into(),
        Value::Integer(number) => format!("the number {number}"),
        Value::Float(_) => "a decimal number".into(),
        Value::Boolean(_) if secret => "`true` or `false`".into(),
        Value::Boolean(flag) => format!("`{flag}`"),
        Value::Datetime(_) => "a date or time".into(),
        Value::Array(_) => "an array".into(),
        Value::Table(_) => "a table".into(),
    }
}

/// What to do about a number, or a `true`, that was written as text.
fn unquoted(value: &Value, wanted: &str) -> Option<String> {
    let text = value.as_str()?;
    let is_number = wanted.contains("number") && text.parse::<f64>().is_ok();
    let is_flag = wanted.contains("`true`") && text.parse::<bool>().is_ok();
    (is_number || is_flag).then(|| format!("write it without the quotes: {text}"))
}

/// What a deserializer expected, without the names of types.
fn wanted(expected: &str) -> String {
    let text = match expected {
        "a string" | "string" | "path string" | "a borrowed string" | "a character" => "text in quotes",
        "a boolean" => "`true` or `false`",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" | "u128" => "a whole number of 0 or more",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "a nonzero u8" | "a nonzero u16" | "a nonzero u32" | "a nonzero u64" | "a nonzero usize" => "a whole number of 1 or more",
        "f32" | "f64" => "a number",
        "a sequence" => "an array",
        "a map" => "a table",
        "unit" | "option" => "nothing",
        _ if expected.starts_with("struct ") => "a table",
        _ if expected.starts_with("enum ") => "one of its known values",
        _ if expected.starts_with("tuple ") || expected.starts_with("an array of ") => "an array",
        other => other,
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_described_but_secrets_are_not_quoted() {
        let text = |message: &str, value: Value, secret| match Fault::of(message, Some(&value), secret) {
            Fault::Value { message, help } => format!("{message}|{}", help.unwrap_or_default()),
            other => format!("{other:?}"),
        };
        let string = |text: &str| Value::String(text.into());
        assert_eq!(
            text("invalid type: string \"x\", expected u16", string("x"), false),
            "expected a whole number from 0 to 65535, found text|"
        );
        let number = "invalid type: string \"4242\", expected u16";
        assert_eq!(
            text(number, string("4242"), false),
            "expected a whole number from 0 to 65535, found text|write it without the quotes: 4242"
        );
        assert!(!text(number, string("4242"), true).contains("4242"));
        assert_eq!(text("it is hunter2", string("hunter2"), false), "it is hunter2|");
        assert!(!text("it is hunter2", string("hunter2"), true).contains("hunter2"));
        assert!(!text("unknown variant `hunter2`, expected `a` or `b`", string("hunter2"), true).contains("hunter2"));
        assert_eq!(
            text("unknown variant `jsn`, expected `text` or `json`", string("jsn"), false),
            "unknown value `jsn`|did you mean `json`? Known: text, json"
        );
    }

    #[test]
    fn keys_are_found_in_the_message() {
        assert_eq!(Fault::of("missing field `url`", None, false), Fault::Missing("url".into()));
        let unknown = Fault::of("unknown field `x`, expected one of `a`, `b`", None, false);
        assert_eq!(unknown, Fault::UnknownKey(vec!["a".into(), "b".into()]));
        assert_eq!(Fault::of("unknown field `x`, there are no fields", None, false), Fault::UnknownKey(vec![]));
    }
}
