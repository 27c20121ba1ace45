//! Where in a file each key stands.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::issues::{Issues, around, join, segment};
use super::secret::looks_secret;
use super::spoilt::SINGLE_QUOTES;

/// A file that was read: how it is called, and the line of each of its keys.
#[derive(Debug)]
pub(super) struct Source {
    /// The file, as messages call it.
    pub(super) label: Arc<str>,
    /// Lines by dotted key, elements of arrays included.
    lines: BTreeMap<String, usize>,
}

impl Source {
    /// Parses a text and remembers where everything stands.
    ///
    /// # Errors
    /// All faults of syntax.
    pub(super) fn parse(label: &str, text: &str) -> Result<(Arc<Self>, toml::Table), Issues> {
        let label: Arc<str> = label.into();
        let starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let (root, mut errors) = DeTable::parse_recoverable(text);
        let mut lines = BTreeMap::new();
        if errors.is_empty() {
            collect(root.get_ref(), "", &|at| line_at(&starts, at), &mut lines);
        }
        let source = Arc::new(Self { label, lines });
        if errors.is_empty() {
            match toml::from_str(text) {
                Ok(table) => return Ok((source, table)),
                Err(error) => errors.push(error),
            }
        }
        let mut issues = Issues::of(Some(source));
        let mut last = 0;
        errors.sort_by_key(|error| error.span().unwrap_or_default().start);
        for error in errors {
            let Range { start, .. } = error.span().unwrap_or_default();
            let line = line_at(&starts, start);
            // What follows in the same line mostly comes of the first fault.
            if line > last {
                let before = &text[starts[line - 1]..floor(text, start)];
                let raw = &text[starts[line - 1]..starts.get(line).copied().unwrap_or(text.len())];
                let help = (raw.contains('\\') && raw.contains('"')).then(|| SINGLE_QUOTES.to_owned());
                let message = error.message().replace('\n', " ");
                issues.syntax(line, before.chars().count() + 1, message, excerpt(text, &starts, line), help);
                last = line;
            }
        }
        Err(issues)
    }

    /// The line of a key, if it is written.
    pub(super) fn line_at(&self, dotted: &str) -> Option<usize> {
        self.lines.get(dotted).copied()
    }

    /// The line of a key, or of the nearest table around it.
    pub(super) fn line_of(&self, dotted: &str) -> Option<usize> {
        around(dotted).find_map(|key| self.lines.get(key)).copied()
    }
}

fn collect(table: &DeTable<'_>, path: &str, line: &dyn Fn(usize) -> usize, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let mut dotted = path.to_owned();
        join(&mut dotted, &segment(key.get_ref()));
        let at = line(key.span().start);
        collect_value(value.get_ref(), &dotted, line, lines);
        // Checks of options name a key as it is, without the quotes that it may need.
        let mut plain = path.to_owned();
        join(&mut plain, key.get_ref());
        lines.entry(plain).or_insert(at);
        lines.insert(dotted, at);
    }
}

fn collect_value(value: &DeValue<'_>, path: &str, line: &dyn Fn(usize) -> usize, lines: &mut BTreeMap<String, usize>) {
    match value {
        DeValue::Table(table) => collect(table, path, line, lines),
        DeValue::Array(array) => {
            for (index, element) in array.iter().enumerate() {
                let dotted = format!("{path}[{index}]");
                lines.insert(dotted.clone(), line(element.span().start));
                collect_value(element.get_ref(), &dotted, line, lines);
            }
        }
        _ => {}
    }
}

/// The number of the line that holds the byte at `at`.
fn line_at(starts: &[usize], at: usize) -> usize {
    starts.partition_point(|start| *start <= at).max(1)
}

/// The greatest place of a character that is not behind `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// A line as it may be shown: what follows the `=` is masked if it, or the key that it continues, may hold a secret.
fn excerpt(text: &str, starts: &[usize], line: usize) -> String {
    const LONGEST: usize = 120;
    let shown = |line: usize| {
        let end = starts.get(line).copied().unwrap_or(text.len());
        text[starts[line - 1]..end].trim_end_matches(['\r', '\n'])
    };
    let this = shown(line);
    let names_key = |line: &str| {
        let start = line.trim_start();
        start.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '"') && start.contains('=')
    };
    // A string over several lines has its key further up.
    let first = (1..=line).rev().find(|line| names_key(shown(*line)) || shown(*line).trim_start().starts_with('['));
    let secret = (first.unwrap_or(1)..=line).any(|line| looks_secret(shown(line)));
    let line = if !secret {
        this.to_owned()
    } else if let Some((key, _)) = this.split_once('=').filter(|_| names_key(this)) {
        format!("{key}= ***")
    } else {
        "***".to_owned()
    };
    line.chars().take(LONGEST).filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_line() {
        let text =
            "[sites.prod]\nhost = 'a'\n\n[[routes]]\nevents = [\n  'x',\n  'y',\n]\n[[routes]]\nwhen.task = 'b'\n[\"odd name\".x]\ny = 1\n";
        let (source, _) = Source::parse("butler.toml", text).unwrap();
        let line = |key| source.line_of(key);
        assert_eq!(line("sites.prod"), Some(1));
        assert_eq!(line("sites.prod.host"), Some(2));
        assert_eq!(line("sites.prod.port"), Some(1), "the nearest table");
        assert_eq!(line("routes[0].events[1]"), Some(7));
        assert_eq!(line("routes[1]"), Some(9));
        assert_eq!(line("routes[1].when.task"), Some(10));
        assert_eq!(line("\"odd name\".x.y"), Some(12));
        assert_eq!(line("odd name"), Some(11));
        assert_eq!(line("store.path"), None);
    }

    #[test]
    fn faults_of_syntax_show_their_line_but_no_secret() {
        let shown = |text: &str| Source::parse("butler.toml", text).unwrap_err().to_string();
        assert!(shown("[sites.prod]\nhost = å b\n").contains("\n  | host = å b\n"));
        for text in [
            "[sinks.a.options]\npassword = 'hunter2\n",
            "[sinks.a.options]\npassword = \"\"\"\nhunter2 \\q\n\"\"\"\n",
            "[sinks.a.options]\nwebhook_url = hunter2\n",
            "options = { api_key = \"hunter2\n",
            "options = { api_key = [\n  \"x\",\n \"hunter2\n",
        ] {
            let shown = shown(text);
            assert!(!shown.contains("hunter2") && shown.contains("***"), "{shown}");
        }
    }
}
