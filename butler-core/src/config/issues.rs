//! What is wrong with a configuration, all of it at once.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::source::Source;
use crate::sink::BuildError;

/// How bad an [`Issue`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Nothing starts with it.
    Error,
    /// It is allowed, but hardly meant.
    Warning,
}

/// One fault, or one warning.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// The file, if the configuration comes from one.
    pub file: Option<Arc<str>>,
    /// The line, counted from 1, if there is one.
    pub line: Option<usize>,
    /// The column, counted from 1 in characters; known for faults of syntax.
    pub column: Option<usize>,
    /// The dotted key that it is about; empty for faults of syntax.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// The line itself, for faults of syntax; what may be a secret is masked.
    pub excerpt: Option<String>,
    /// What to do, if that is not plain.
    pub help: Option<String>,
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
            for number in [self.line, self.column].into_iter().flatten() {
                write!(f, "{number}:")?;
            }
            f.write_str(" ")?;
        }
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        if let Some(excerpt) = &self.excerpt {
            write!(f, "\n  | {excerpt}")?;
        }
        match &self.help {
            Some(help) => write!(f, "\n  {help}"),
            None => Ok(()),
        }
    }
}

impl Issue {
    /// The same for a log, which knows the severity and wants one line.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        let place = self.file.as_ref().map(|file| self.line.map_or_else(|| format!("{file}: "), |line| format!("{file}:{line}: ")));
        let key = if self.key.is_empty() { String::new() } else { format!("{}: ", self.key) };
        let help = self.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{}{key}{}{help}", place.unwrap_or_default(), self.message)
    }
}

/// Faults and warnings, each at the key that it is about.
///
/// Whoever checks something says where it stands with [`within`](Self::within), and names the key below that place. Of a configuration that was read from a
/// file the line is found by the key.
#[derive(Debug, Clone, Default)]
pub struct Issues {
    found: Vec<Issue>,
    path: Vec<String>,
    source: Option<Arc<Source>>,
    /// Keys whose values could not be read, or were written under another name: what is said about them afterwards is about a value that nobody gave.
    explained: BTreeSet<String>,
}

impl Issues {
    /// None so far, in a configuration that was read from `source`.
    pub(super) fn of(source: Option<Arc<Source>>) -> Self {
        Self { source, ..Self::default() }
    }

    /// Where a key is written, as `file:line`; `None` if it is not.
    pub(super) fn place_of(&self, dotted: &str) -> Option<String> {
        let source = self.source.as_ref()?;
        Some(format!("{}:{}", source.label, source.line_at(dotted)?))
    }

    /// How many faults there are; warnings do not count.
    #[must_use]
    pub fn len(&self) -> usize {
        self.errors().count()
    }

    /// Whether there are no faults; there may be warnings.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Does something with keys taken below `key`, which is a key, or several joined by dots.
    pub fn within<R>(&mut self, key: &str, check: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(key.to_owned());
        let result = check(self);
        self.path.pop();
        result
    }

    /// Adds a fault at `key` below the current place; an empty key is the place itself.
    pub fn at(&mut self, key: &str, message: impl Into<String>) {
        self.push(Severity::Error, key, message.into(), None);
    }

    /// Adds a fault with its remedy.
    pub fn at_with_help(&mut self, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Error, key, message.into(), Some(help.into()));
    }

    /// Adds a fault about a name that is none of `known`, with the nearest of them as a suggestion.
    pub fn at_with_choices(&mut self, key: &str, message: impl Into<String>, given: &str, known: &[&str]) {
        let help = match (nearest(given, known), known.join(", ")) {
            (Some(near), all) => format!("did you mean `{near}`? Known: {all}"),
            (None, all) if all.is_empty() => "there are none".to_owned(),
            (None, all) => format!("known: {all}"),
        };
        self.push(Severity::Error, key, message.into(), Some(help));
    }

    /// Adds a warning: something that is allowed, but hardly meant.
    pub fn warn(&mut self, key: &str, message: impl Into<String>) {
        self.push(Severity::Warning, key, message.into(), None);
    }

    /// Adds a warning with its remedy.
    pub fn warn_with_help(&mut self, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Warning, key, message.into(), Some(help.into()));
    }

    /// Adds what a sink said when it could not be built.
    pub fn build_error(&mut self, error: &BuildError) {
        match error {
            BuildError::Secret { key, source } => self.at(key, source.to_string()),
            BuildError::File { key, path, why } => self.at(key, format!("can't read `{}`: {why}", path.display())),
            BuildError::Invalid { key, why } => self.at(key, why.clone()),
            BuildError::Several(errors) => errors.iter().for_each(|error| self.build_error(error)),
        }
    }

    /// Faults and warnings, in the order of their lines; those without a line come last.
    pub fn iter(&self) -> impl Iterator<Item = &Issue> {
        let mut sorted: Vec<_> = self.found.iter().collect();
        sorted.sort_by_key(|issue| (issue.line.is_none(), issue.line));
        sorted.into_iter()
    }

    /// The faults.
    pub fn errors(&self) -> impl Iterator<Item = &Issue> {
        self.found.iter().filter(|issue| issue.severity == Severity::Error)
    }

    /// The warnings, in the order of their lines.
    pub fn warnings(&self) -> impl Iterator<Item = &Issue> {
        self.iter().filter(|issue| issue.severity == Severity::Warning)
    }

    /// Adds a fault of syntax.
    pub(super) fn syntax(&mut self, line: usize, column: usize, message: String, excerpt: String, help: Option<String>) {
        self.found.push(Issue {
            severity: Severity::Error,
            file: self.source.as_ref().map(|source| Arc::clone(&source.label)),
            line: Some(line),
            column: Some(column),
            key: String::new(),
            message,
            excerpt: Some(excerpt),
            help,
        });
    }

    /// From now on nothing more is said about `key` below the current place, nor about what is in it.
    pub(super) fn explained(&mut self, key: &str) {
        let key = self.dotted(key);
        self.explained.insert(key);
    }

    fn dotted(&self, key: &str) -> String {
        let mut dotted = String::new();
        for part in self.path.iter().map(String::as_str).chain([key]) {
            join(&mut dotted, part);
        }
        dotted
    }

    fn push(&mut self, severity: Severity, key: &str, message: String, help: Option<String>) {
        let key = self.dotted(key);
        if around(&key).any(|key| self.explained.contains(key)) {
            return;
        }
        let line = self.source.as_ref().and_then(|source| source.line_of(&key));
        let file = self.source.as_ref().map(|source| Arc::clone(&source.label));
        self.found.push(Issue { severity, file, line, column: None, key, message, excerpt: None, help });
    }
}

impl fmt::Display for Issues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|issue| writeln!(f, "{issue}"))
    }
}

/// Puts one more part to a dotted key; an index (`[2]`) follows without a dot.
pub(super) fn join(dotted: &mut String, part: &str) {
    if !dotted.is_empty() && !part.is_empty() && !part.starts_with('[') {
        dotted.push('.');
    }
    dotted.push_str(part);
}

/// A dotted key, the table or array around it, and so on.
pub(super) fn around(dotted: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(dotted), |key| key.rfind(['.', '[']).map(|end| &key[..end]))
}

/// A key as it is written in a dotted one: quoted unless it is plain.
pub(super) fn segment(key: &str) -> Cow<'_, str> {
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if plain { Cow::Borrowed(key) } else { Cow::Owned(format!("{key:?}")) }
}

/// Which of `known` was probably meant.
pub(super) fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let given = given.to_lowercase();
    let near = known.iter().map(|known| (strsim::jaro_winkler(&given, &known.to_lowercase()), *known));
    near.filter(|(score, _)| *score > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_from_the_root() {
        let mut issues = Issues::default();
        issues.within("sinks", |issues| {
            issues.within("ops", |issues| {
                issues.at("", "the place itself");
                issues.within("options", |issues| issues.at_with_help("hooks[1].url", "is no address", "write `https://...`"));
            });
        });
        issues.warn("log", "hardly meant");
        assert_eq!(issues.len(), 2);
        assert_eq!(issues.warnings().count(), 1);
        insta::assert_snapshot!(issues, @r"
        sinks.ops: the place itself
        sinks.ops.options.hooks[1].url: is no address
          write `https://...`
        warning: log: hardly meant
        ");
    }

    #[test]
    fn a_warning_is_no_fault() {
        let mut issues = Issues::default();
        issues.warn_with_help("sinks.ops", "no route names it", "name it in a route");
        assert!(issues.is_empty());
    }

    #[test]
    fn the_nearest_name_is_suggested_if_it_is_near() {
        assert_eq!(nearest("Webhok_url", &["webhook_url", "template"]), Some("webhook_url"));
        assert_eq!(nearest("colour", &["webhook_url", "template"]), None);
    }

    #[test]
    fn what_is_explained_is_not_said_again() {
        let mut issues = Issues::default();
        issues.within("udp", |issues| {
            issues.at("listen", "expected text");
            issues.explained("listen");
            issues.at("listen", "is no address");
        });
        assert_eq!(issues.len(), 1);
    }
}
