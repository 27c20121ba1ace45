//! A site's state as a file, and whether it makes sense.

use std::collections::HashSet;
use std::path::Path;

use jiff::tz::TimeZone;
use uuid::Uuid;

use super::error::StateError;
use super::state::SiteState;

impl SiteState {
    /// A small site in the form of its file, commented: apps, tasks of all types, and names that are hard to quote.
    pub const EXAMPLE: &str = include_str!("example.toml");

    /// The site of [`SiteState::EXAMPLE`].
    #[must_use]
    pub fn example() -> Self {
        Self::from_toml("example.toml", Self::EXAMPLE).unwrap_or_else(|error| unreachable!("the example is tested: {error}"))
    }

    /// Reads a file: JSON if its name ends in `.json`, else TOML.
    ///
    /// # Errors
    /// [`StateError`]; an unknown key is one, and is named.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, StateError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|why| StateError::Unreadable { path: path.to_owned(), why })?;
        let name = path.display().to_string();
        let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        if is_json { Self::from_json(&name, &text) } else { Self::from_toml(&name, &text) }
    }

    /// Reads TOML; `name` is what errors call it.
    ///
    /// # Errors
    /// See [`SiteState::from_file`].
    pub fn from_toml(name: &str, text: &str) -> Result<Self, StateError> {
        let fault = |key: String, error: &toml::de::Error| StateError::Invalid {
            name: name.to_owned(),
            line: error.span().map(|span| 1 + text.as_bytes().iter().take(span.start).filter(|b| **b == b'\n').count()),
            key,
            why: error.message().to_owned(),
        };
        let reader = toml::de::Deserializer::parse(text).map_err(|error| fault(String::new(), &error))?;
        let state: Self = serde_path_to_error::deserialize(reader).map_err(|error| fault(key(&error), error.inner()))?;
        state.checked(name)
    }

    /// Reads JSON; `name` is what errors call it.
    ///
    /// # Errors
    /// See [`SiteState::from_file`].
    pub fn from_json(name: &str, text: &str) -> Result<Self, StateError> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = serde_path_to_error::deserialize(&mut reader);
        let state: Self = read.map_err(|error| StateError::Invalid {
            name: name.to_owned(),
            line: Some(error.inner().line()),
            key: key(&error),
            why: error.inner().to_string(),
        })?;
        state.checked(name)
    }

    fn checked(self, name: &str) -> Result<Self, StateError> {
        match self.check() {
            Err(StateError::Inconsistent(why)) => Err(StateError::Invalid { name: name.to_owned(), line: None, key: String::new(), why }),
            other => other.map(|()| self),
        }
    }

    /// Whether everything that is named is there, and named once.
    ///
    /// # Errors
    /// [`StateError::Inconsistent`], about the first thing that does not fit.
    pub fn check(&self) -> Result<(), StateError> {
        let fault = |why: String| Err(StateError::Inconsistent(why));
        if let Some(name) = &self.time_zone
            && TimeZone::get(name).is_err()
        {
            return fault(format!("`{name}` is no time zone; write an IANA name such as `Europe/Stockholm`"));
        }
        let ids = [
            ("stream", self.streams.iter().map(|stream| stream.id).collect::<Vec<_>>()),
            ("user", self.users.iter().map(|user| user.id).collect()),
            ("app", self.apps.iter().map(|app| app.id).collect()),
            ("task", self.tasks.iter().map(|task| task.id).collect()),
            ("execution", self.executions.iter().map(|execution| execution.id).collect()),
        ];
        for (what, ids) in ids {
            let mut seen = HashSet::new();
            if ids.contains(&Uuid::nil()) {
                return fault(format!("a {what} has no id"));
            }
            if let Some(twice) = ids.into_iter().find(|id| !seen.insert(*id)) {
                return fault(format!("two {what}s have the id {twice}"));
            }
        }
        for app in &self.apps {
            if self.user(app.owner).is_none() {
                return fault(format!("the app `{}` is owned by {}, but there is no such user", app.name, app.owner));
            }
            if let Some(stream) = app.stream.filter(|stream| self.stream(*stream).is_none()) {
                return fault(format!("the app `{}` is in the stream {stream}, but there is no such stream", app.name));
            }
        }
        for task in &self.tasks {
            if let Some(app) = task.app.filter(|app| self.app(*app).is_none()) {
                return fault(format!("the task `{}` is about the app {app}, but there is no such app", task.name));
            }
        }
        match self.executions.iter().find(|execution| self.task(execution.task).is_none()) {
            Some(lost) => fault(format!("the execution {} is of the task {}, but there is no such task", lost.id, lost.task)),
            None => Ok(()),
        }
    }
}

fn key<E>(error: &serde_path_to_error::Error<E>) -> String {
    let key = error.path().to_string();
    if key == "." { String::new() } else { key }
}

impl Default for SiteState {
    fn default() -> Self {
        Self {
            node: "sense-node-1".to_owned(),
            version: "14.173.4".to_owned(),
            time_zone: None,
            script_log_api: Default::default(),
            execution_ids: Default::default(),
            never_ran: Default::default(),
            streams: Vec::new(),
            users: Vec::new(),
            apps: Vec::new(),
            tasks: Vec::new(),
            executions: Vec::new(),
        }
    }
}
