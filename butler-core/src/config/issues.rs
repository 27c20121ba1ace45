//! What is wrong with a configuration, all of it at once.

use std::fmt;

use crate::sink::BuildError;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The dotted key that it is about.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do, if that is not plain.
    pub help: Option<String>,
}

/// Faults, each at the key that it is about.
#[derive(Debug, Default)]
pub struct Issues {
    found: Vec<Issue>,
    path: Vec<String>,
}

impl Issues {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Does something with keys taken below `key`.
    pub fn within<R>(&mut self, key: &str, check: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(key.to_owned());
        let result = check(self);
        self.path.pop();
        result
    }

    /// Adds a fault at `key` below the current place; an empty key is the place itself.
    pub fn at(&mut self, key: &str, message: impl Into<String>) {
        self.push(key, message.into(), None);
    }

    /// Adds a fault with its remedy.
    pub fn at_with_help(&mut self, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.push(key, message.into(), Some(help.into()));
    }

    /// Adds a fault about a name that is none of `known`, with the nearest of them as a suggestion.
    pub fn at_with_choices(&mut self, key: &str, message: impl Into<String>, given: &str, known: &[&str]) {
        let near = known.iter().map(|k| (strsim::jaro_winkler(given, k), k)).filter(|(score, _)| *score > 0.75);
        let near = near.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| *name);
        let all = known.join(", ");
        let help = near.map_or_else(|| format!("known: {all}"), |near| format!("did you mean `{near}`? Known: {all}"));
        self.push(key, message.into(), Some(help));
    }

    /// Adds what a sink said when it could not be built.
    pub fn build_error(&mut self, error: &BuildError) {
        match error {
            BuildError::Secret { key, source } => self.push(key, source.to_string(), None),
            BuildError::File { key, path, why } => self.push(key, format!("can't read `{}`: {why}", path.display()), None),
            BuildError::Invalid { key, why } => self.push(key, why.clone(), None),
        }
    }

    /// The faults.
    pub fn iter(&self) -> impl Iterator<Item = &Issue> {
        self.found.iter()
    }

    fn push(&mut self, key: &str, message: String, help: Option<String>) {
        let parts = self.path.iter().map(String::as_str).chain((!key.is_empty()).then_some(key));
        let key = parts.collect::<Vec<_>>().join(".");
        self.found.push(Issue { key, message, help });
    }
}

impl fmt::Display for Issues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for issue in &self.found {
            writeln!(f, "{}: {}", issue.key, issue.message)?;
            if let Some(help) = &issue.help {
                writeln!(f, "  {help}")?;
            }
        }
        Ok(())
    }
}
