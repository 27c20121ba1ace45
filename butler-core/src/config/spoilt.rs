//! Windows paths in double quotes.
//!
//! In TOML a backslash in double quotes starts an escape. Most paths then are faults of syntax; but `"C:\butler\new"` is not, and means a path with a backspace and a line
//! end in it, which is nowhere to be found.

use toml::{Table, Value};

use super::issues::{Issues, join, segment};

/// What to do, also where the escape is a fault of syntax.
pub(super) const SINGLE_QUOTES: &str =
    r"in double quotes a backslash starts an escape: write a Windows path in single quotes, such as 'C:\butler\certs', or with slashes";

/// Reports them, and has nothing more said about them.
pub(super) fn spoilt_paths(table: &Table, path: &str, issues: &mut Issues) {
    for (key, value) in table {
        let mut dotted = path.to_owned();
        join(&mut dotted, &segment(key));
        spoilt(value, &dotted, issues);
    }
}

fn spoilt(value: &Value, key: &str, issues: &mut Issues) {
    match value {
        Value::Table(table) => spoilt_paths(table, key, issues),
        Value::Array(array) => array.iter().enumerate().for_each(|(index, value)| spoilt(value, &format!("{key}[{index}]"), issues)),
        Value::String(text) if is_spoilt(text) => {
            issues.at_with_help(key, "this path holds an escape, and so is another one than it seems", SINGLE_QUOTES);
            issues.explained(key);
        }
        _ => {}
    }
}

fn is_spoilt(text: &str) -> bool {
    let of_drive = |rest: &str| rest.starts_with(|c: char| c.is_control() || c == '\\');
    let starts_as_path = match text.as_bytes() {
        [b'\\', ..] => true,
        [letter, b':', ..] => letter.is_ascii_alphabetic() && of_drive(&text[2..]),
        _ => false,
    };
    starts_as_path && text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_escapes_are_found_wherever_they_stand() {
        let text = r#"
            spoilt = "C:\butler\file"
            share = "\\server\new"
            fine = 'C:\butler\certs'
            fine_too = ["C:\\butler", "C:/butler", "two\nlines", "a:\\b"]
            list = [{ folder = "c:\temp" }]
        "#;
        let mut issues = Issues::default();
        spoilt_paths(&toml::from_str(text).unwrap(), "", &mut issues);
        let keys: Vec<_> = issues.iter().map(|issue| issue.key.as_str()).collect();
        assert_eq!(keys, ["list[0].folder", "share", "spoilt"]);
    }
}
