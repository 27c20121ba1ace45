//! What somebody may do over the API.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::issues::nearest;

/// A part of what the API can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub enum Scope {
    /// See events, deliveries, silences, tasks, which apps there are, and how everything stands; change nothing.
    #[serde(rename = "read")]
    Read,
    /// Read from the key-value store.
    #[serde(rename = "kv:read")]
    KvRead,
    /// Write to the key-value store.
    #[serde(rename = "kv:write")]
    KvWrite,
    /// Start tasks, as far as `[tasks] start_filter` allows it, and reload apps.
    #[serde(rename = "tasks:start")]
    TasksStart,
    /// See all that an app is made of: its script and its connections too, in which people write what not everybody is to know.
    #[serde(rename = "apps:dump")]
    AppsDump,
    /// Copy, move, delete and create files and directories below the approved ones.
    #[serde(rename = "files:write")]
    FilesWrite,
    /// See, change and run schedules.
    #[serde(rename = "schedules")]
    Schedules,
    /// Send messages on: Slack, MQTT, New Relic.
    #[serde(rename = "messages")]
    Messages,
    /// Everything, all of the above included.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::KvRead,
        Self::KvWrite,
        Self::TasksStart,
        Self::AppsDump,
        Self::FilesWrite,
        Self::Schedules,
        Self::Messages,
        Self::Admin,
    ];

    /// A list of it alone.
    #[cfg(feature = "api")]
    pub(crate) fn alone(self) -> &'static [Self] {
        let place = Self::ALL.iter().position(|scope| *scope == self).unwrap_or(Self::ALL.len() - 1);
        const ALL: &[Scope] = &Scope::ALL;
        &ALL[place..=place]
    }

    /// Its name, as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::KvRead => "kv:read",
            Self::KvWrite => "kv:write",
            Self::TasksStart => "tasks:start",
            Self::AppsDump => "apps:dump",
            Self::FilesWrite => "files:write",
            Self::Schedules => "schedules",
            Self::Messages => "messages",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no scope, with the nearest one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no scope `{given}`; {help}")]
pub struct UnknownScope {
    given: String,
    help: String,
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let names = Self::ALL.map(Self::as_str);
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| {
            let all = names.join(", ");
            let help = nearest(text, &names).map_or_else(|| format!("known: {all}"), |near| format!("did you mean `{near}`? Known: {all}"));
            UnknownScope { given: text.chars().take(40).collect(), help }
        })
    }
}

/// Several scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema), schema(value_type = Vec<Scope>))]
#[serde(from = "Vec<Scope>", into = "Vec<Scope>")]
pub struct Scopes(u16);

impl Scopes {
    /// None.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(1 << Scope::Admin as u16);

    /// Whether a scope is among them; `admin` includes all.
    #[must_use]
    pub fn include(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u16 | Self::ALL.0) != 0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | 1 << scope as u16))
    }
}

impl From<Vec<Scope>> for Scopes {
    fn from(scopes: Vec<Scope>) -> Self {
        scopes.into_iter().collect()
    }
}

impl From<Scopes> for Vec<Scope> {
    fn from(scopes: Scopes) -> Self {
        Scope::ALL.into_iter().filter(|scope| scopes.0 & (1 << *scope as u16) != 0).collect()
    }
}

/// Their names, with commas between.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Vec::from(*self).into_iter().map(Scope::as_str).collect();
        f.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_written_as_it_is_read() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
        let error = "kv-write".parse::<Scope>().unwrap_err().to_string();
        assert!(error.starts_with("there is no scope `kv-write`; did you mean `kv:write`? Known: read, kv:read,"), "{error}");
    }

    #[test]
    fn admin_includes_all_and_the_others_themselves_alone() {
        for scope in Scope::ALL {
            assert!(Scopes::ALL.include(scope) && !Scopes::NONE.include(scope));
            let alone: Scopes = [scope].into_iter().collect();
            let included: Vec<_> = Scope::ALL.into_iter().filter(|other| alone.include(*other)).collect();
            assert_eq!(included, if scope == Scope::Admin { Scope::ALL.to_vec() } else { vec![scope] });
        }
        let two: Scopes = [Scope::Messages, Scope::KvRead, Scope::Messages].into_iter().collect();
        assert_eq!(
            (two.to_string().as_str(), serde_json::to_value(two).unwrap()),
            ("kv:read, messages", serde_json::json!(["kv:read", "messages"]))
        );
    }
}
