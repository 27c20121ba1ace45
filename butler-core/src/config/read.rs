//! From a table to a typed value, with every fault and not only the first.
//!
//! A deserializer stops at the first fault. So it is run again and again: what it stumbled over is reported and taken out of its way, until it gets
//! through. A key is removed; an element of an array gets a value of another type in its place, so that the others keep their numbers; a key
//! that is missing gets one as well, so that the next missing one is found.

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use toml::{Table, Value};

use super::fault::Fault;
use super::issues::{Issues, join, nearest, segment};
use super::secret::{holds_secrets, looks_secret};

/// After so many faults nobody reads on.
const MOST_FAULTS: usize = 200;

/// One step from a table or an array to what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// A place that holds a value of ours, to see what else is wrong.
struct Filled {
    path: Vec<Step>,
    tries: usize,
}

/// Reads a table as a `T`; what is wrong is added to `issues` below the current place.
///
/// With faults that left all that `T` must have, this is still the rest of it, so that more can be checked; nothing more is then said about the keys whose values
/// were left out. No value is quoted whose key looks as if it were a secret.
pub(super) fn read<T: DeserializeOwned>(table: Table, issues: &mut Issues) -> Option<T> {
    let mut tree = Value::Table(table);
    let mut filled: Vec<Filled> = Vec::new();
    let mut was_missing = false;
    let mut faults = 0;
    // Each round reports a fault or tries the next filling.
    while faults < MOST_FAULTS {
        let error = match serde_path_to_error::deserialize::<_, T>(tree.clone()) {
            Ok(value) => return (!was_missing).then_some(value),
            Err(error) => error,
        };
        let mut path = steps(&tree, error.path());
        let secret = is_secret(&path);
        let fault = Fault::of(error.inner().message(), get(&tree, &path), secret);
        if let Some(known) = filled.iter_mut().find(|filled| path.starts_with(&filled.path)) {
            known.tries += 1;
            let (path, tries) = (known.path.clone(), known.tries);
            if !fill(&mut tree, &path, tries) {
                filled.retain(|filled| filled.path != path);
                // No value of ours fits. An element goes with its array; of a missing key no more can be known.
                let Some(Step::Index(_)) = path.last() else { return None };
                let array = &path[..path.len() - 1];
                issues.explained(&dotted(array));
                if !remove(&mut tree, array) {
                    return None;
                }
            }
            continue;
        }
        faults += 1;
        match fault {
            Fault::Missing(key) => {
                path.push(Step::Key(key));
                let key = dotted(&path);
                issues.at(&key, "missing");
                issues.explained(&key);
                was_missing = true;
                if !fill(&mut tree, &path, 0) {
                    return None;
                }
                filled.push(Filled { path, tries: 0 });
                continue;
            }
            Fault::UnknownKey(known) => unknown_key(&path, &known, issues),
            Fault::Value { message, help } => {
                let key = dotted(&path);
                match help {
                    Some(help) => issues.at_with_help(&key, message, help),
                    None => issues.at(&key, message),
                }
                issues.explained(&key);
            }
        }
        if matches!(path.last(), Some(Step::Index(_))) {
            fill(&mut tree, &path, 0);
            filled.push(Filled { path, tries: 0 });
        } else if !remove(&mut tree, &path) {
            return None;
        }
    }
    issues.at("", format!("more than {MOST_FAULTS} faults; the rest is not shown"));
    None
}

fn unknown_key(path: &[Step], known: &[String], issues: &mut Issues) {
    let key = dotted(path);
    let Some((Step::Key(given), around)) = path.split_last() else {
        return issues.at(&key, "unknown key");
    };
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    match nearest(given, &names) {
        Some(near) => {
            issues.at_with_help(&key, "unknown key", format!("did you mean `{near}`?"));
            // That this one is missing, as it then seems, needs no saying.
            let mut meant = dotted(around);
            join(&mut meant, &segment(near));
            issues.explained(&meant);
        }
        None if names.is_empty() => issues.at_with_help(&key, "unknown key", "no keys are known here"),
        None => issues.at_with_help(&key, "unknown key", format!("known: {}", names.join(", "))),
    }
}

/// Whether a place looks as if it held a secret, by its key and by what it is in.
fn is_secret(path: &[Step]) -> bool {
    let mut keys = path.iter().rev().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Index(_) => None,
    });
    match keys.next() {
        // What somebody may do by a secret is none.
        Some("scopes") | None => false,
        Some(key) => looks_secret(key) || keys.any(holds_secrets),
    }
}

/// The path of a fault, as far as the tree knows it.
fn steps(tree: &Value, path: &serde_path_to_error::Path) -> Vec<Step> {
    let mut steps = Vec::new();
    for segment in path {
        let step = match segment {
            Segment::Seq { index } => Step::Index(*index),
            Segment::Map { key } | Segment::Enum { variant: key } => Step::Key(key.clone()),
            Segment::Unknown => break,
        };
        steps.push(step);
        if get(tree, &steps).is_none() {
            steps.pop();
            break;
        }
    }
    steps
}

fn dotted(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) => join(&mut text, &segment(key)),
            Step::Index(index) => join(&mut text, &format!("[{index}]")),
        }
    }
    text
}

fn get<'a>(tree: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(tree, |value, step| match step {
        Step::Key(key) => value.as_table()?.get(key),
        Step::Index(index) => value.as_array()?.get(*index),
    })
}

fn get_mut<'a>(tree: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    path.iter().try_fold(tree, |value, step| match step {
        Step::Key(key) => value.as_table_mut()?.get_mut(key),
        Step::Index(index) => value.as_array_mut()?.get_mut(*index),
    })
}

/// Takes a key out of its table, or an element out of its array. The root can't be taken out.
fn remove(tree: &mut Value, path: &[Step]) -> bool {
    let Some((last, around)) = path.split_last() else { return false };
    match (get_mut(tree, around), last) {
        (Some(Value::Table(table)), Step::Key(key)) => table.remove(key).is_some(),
        (Some(Value::Array(array)), Step::Index(index)) if *index < array.len() => {
            array.remove(*index);
            true
        }
        _ => false,
    }
}

/// Puts a value of ours in a place, each time of another type; false when there are no more.
fn fill(tree: &mut Value, path: &[Step], tries: usize) -> bool {
    let value = match tries {
        0 => Value::String(String::new()),
        1 => Value::Table(Table::new()),
        2 => Value::Integer(1),
        3 => Value::Boolean(false),
        4 => Value::Array(Vec::new()),
        5 => Value::Float(1.0),
        _ => return false,
    };
    let Some((last, around)) = path.split_last() else { return false };
    match (get_mut(tree, around), last) {
        (Some(Value::Table(table)), Step::Key(key)) => {
            table.insert(key.clone(), value);
            true
        }
        (Some(Value::Array(array)), Step::Index(index)) => match array.get_mut(*index) {
            Some(element) => {
                *element = value;
                true
            }
            None => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::config::Secret;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Outer {
        name: String,
        port: u16,
        names: Vec<String>,
        inner: Vec<Inner>,
        mode: Option<Mode>,
        modes: Vec<Mode>,
        password: Option<Secret>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        url: String,
        count: u32,
        #[serde(default)]
        on: bool,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        Fast,
        Slow,
    }

    fn faults(text: &str) -> (Option<Outer>, String) {
        let mut issues = Issues::default();
        let value = read(toml::from_str(text).unwrap(), &mut issues);
        (value, issues.to_string())
    }

    #[test]
    fn what_is_fine_is_read() {
        let (value, faults) = faults("name = 'a'\ninner = [{ url = 'u', count = 2 }]\nmode = 'slow'");
        assert_eq!(faults, "");
        let inner = vec![Inner { url: "u".into(), count: 2, on: false }];
        assert_eq!(value, Some(Outer { name: "a".into(), inner, mode: Some(Mode::Slow), ..Outer::default() }));
    }

    #[test]
    fn every_fault_is_found_and_the_rest_is_read() {
        let (value, faults) = faults("name = 1\nprot = 1\nport = 70000\nnames = ['a', 2, 'c', true]\nmode = 'fats'\nmodes = ['fast', 'x']");
        insta::assert_snapshot!(faults, @r"
        mode: unknown value `fats`
          did you mean `fast`? Known: fast, slow
        modes[1]: unknown value `x`
          known: fast, slow
        name: expected text in quotes, found the number 1
        names[1]: expected text in quotes, found the number 2
        names[3]: expected text in quotes, found `true`
        port: expected a whole number from 0 to 65535, found the number 70000
        prot: unknown key
          did you mean `port`?
        ");
        let value = value.unwrap();
        assert_eq!((value.port, value.names.len(), value.modes), (0, 4, vec![]));
    }

    #[test]
    fn every_missing_key_is_found_and_nothing_is_made_up() {
        let (value, faults) = faults("inner = [{ on = 1 }, { url = 'a', count = 1, cuont = 2 }]");
        insta::assert_snapshot!(faults, @r"
        inner[0].on: expected `true` or `false`, found the number 1
        inner[0].url: missing
        inner[0].count: missing
        inner[1].cuont: unknown key
          did you mean `count`?
        ");
        assert_eq!(value, None);
    }

    #[test]
    fn faults_of_a_secret_show_none() {
        for text in ["password = 12345", "password = ['hunter2']", "password = { env = 12345 }", "password = { evn = 'hunter2' }"] {
            let (_, faults) = faults(text);
            assert!(faults.starts_with("password"), "{faults}");
            assert!(!faults.contains("hunter2") && !faults.contains("12345"), "{faults}");
        }
        insta::assert_snapshot!(faults("password = {}").1, @r#"password: expected `{ env = "NAME" }` or `{ file = "path" }`"#);
    }
}
