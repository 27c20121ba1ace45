//! The file as it is written: members, and the lines on which they stand.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_saphyr::Spanned;

use super::YamlError;

/// The name of the list.
pub(super) const LIST: &str = "butlerSchedule";

#[derive(Deserialize)]
struct File {
    #[serde(rename = "butlerSchedule")]
    schedules: Option<Vec<Spanned<Members>>>,
}

/// The members of a schedule, in their order.
struct Members(Vec<(String, Spanned<Value>)>);

/// A schedule of the file.
pub(super) struct Entry {
    pub(super) line: u64,
    pub(super) members: Vec<Member>,
}

pub(super) struct Member {
    pub(super) name: String,
    pub(super) line: u64,
    pub(super) value: Value,
}

pub(super) fn entries(text: &str) -> Result<Vec<Entry>, YamlError> {
    let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
    let file: File = serde_saphyr::from_str_with_options(text, options).map_err(|error| YamlError {
        line: error.location().map(|location| location.line()),
        what: format!("this is no YAML, or no list of schedules: {error}. An expression that begins with a star has to stand in quotes"),
    })?;
    let schedules = file
        .schedules
        .ok_or_else(|| YamlError { line: None, what: format!("there is no list `{LIST}` in it: no schedule file of Butler") })?;
    let entry = |spanned: Spanned<Members>| {
        let member = |(name, value): (String, Spanned<Value>)| Member { name, line: value.referenced.line(), value: value.value };
        Entry { line: spanned.referenced.line(), members: spanned.value.0.into_iter().map(member).collect() }
    };
    Ok(schedules.into_iter().map(entry).collect())
}

impl Entry {
    /// Takes a member out, as text; also says on which line it stood. What can't be text stays.
    pub(super) fn take_text(&mut self, name: &str) -> Option<(String, u64)> {
        let place = self.members.iter().position(|member| member.name == name)?;
        let text = match &self.members[place].value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(is) => is.to_string(),
            Value::Null => String::new(),
            Value::Array(_) | Value::Object(_) => return None,
        };
        let member = self.members.remove(place);
        Some((text, member.line))
    }

    /// Takes a member out.
    pub(super) fn take(&mut self, name: &str) -> Option<Member> {
        let place = self.members.iter().position(|member| member.name == name)?;
        Some(self.members.remove(place))
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a schedule with its members")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}
