//! The statement of a script that is being carried out, from its numbered lines.
//!
//! The log shows no `;`, so where a statement begins is told by its first word. Long ones are held by their beginning and their end.

use std::collections::VecDeque;

/// Lines shown of one statement, at the most; and of these at its beginning.
pub(super) const MAX_LINES: usize = 8;
const MAX_FIRST: usize = 3;
/// Bytes kept of one line.
const MAX_LINE: usize = 512;

/// Words that begin a statement, or its prefix.
const STARTS: [&str; 46] = [
    "add",
    "alias",
    "binary",
    "buffer",
    "call",
    "comment",
    "concatenate",
    "connect",
    "crosstable",
    "custom",
    "declare",
    "derive",
    "directory",
    "disconnect",
    "do",
    "drop",
    "execute",
    "exit",
    "flushlog",
    "for",
    "generic",
    "hierarchy",
    "intervalmatch",
    "let",
    "lib",
    "load",
    "loop",
    "loosen",
    "map",
    "mapping",
    "next",
    "noconcatenate",
    "odbc",
    "oledb",
    "qualify",
    "rename",
    "section",
    "select",
    "set",
    "sleep",
    "sql",
    "star",
    "store",
    "sub",
    "trace",
    "unqualify",
];
/// Prefixes that are functions as well: they are prefixes only before one of [`JOINS`].
const SIDES: [&str; 4] = ["left", "right", "inner", "outer"];
const JOINS: [&str; 2] = ["join", "keep"];
/// Words of the list above that are those of a database too.
const SQL_WORDS: [&str; 6] = ["select", "set", "for", "do", "comment", "declare"];

#[derive(Debug, Default)]
pub(super) struct Statement {
    first: Vec<String>,
    last: VecDeque<String>,
    left_out: bool,
    is_sql: bool,
    /// All of it so far only says how what follows is to be taken: a label, `LEFT JOIN (x)`.
    is_prefix: bool,
    prints: bool,
}

impl Statement {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes the next line of the script.
    pub(super) fn line(&mut self, number: &str, text: &str) {
        let words = Words::of(text);
        let is_sql_word = [&SQL_WORDS[..], &SIDES, &JOINS].iter().any(|list| list.contains(&&*words.first));
        let begins = words.begin_statement() && !(self.is_sql && is_sql_word);
        if begins && !self.is_prefix {
            self.clear();
        }
        if self.first.is_empty() || self.is_prefix {
            self.is_prefix = words.is_prefix();
            self.is_sql |= words.first == "sql" || words.first == "select";
            self.prints |= words.first == "trace";
        }
        self.push(format!("{number} {text}"));
    }

    /// Takes what goes on in a line of its own, without a number.
    pub(super) fn more(&mut self, text: &str) {
        self.push(text.to_owned());
    }

    /// Whether what it prints is the script's own words.
    pub(super) fn prints(&self) -> bool {
        self.prints
    }

    /// Its lines; of a long one the beginning and the end.
    pub(super) fn lines(&self) -> Vec<String> {
        let gap = self.left_out.then(|| "…".to_owned());
        self.first.iter().cloned().chain(gap).chain(self.last.iter().cloned()).collect()
    }

    fn push(&mut self, line: String) {
        let line = cut(&line);
        if self.first.len() < MAX_FIRST {
            return self.first.push(line);
        }
        self.last.push_back(line);
        if self.last.len() > MAX_LINES - MAX_FIRST {
            self.last.pop_front();
            // One line gives way to the mark of the gap.
            if !std::mem::replace(&mut self.left_out, true) {
                self.last.pop_front();
            }
        } else if self.left_out && self.last.len() == MAX_LINES - MAX_FIRST {
            self.last.pop_front();
        }
    }
}

/// A line, no longer than is kept.
pub(super) fn cut(line: &str) -> String {
    let line = line.trim_end();
    if line.len() <= MAX_LINE { line.to_owned() } else { format!("{}…", &line[..line.floor_char_boundary(MAX_LINE)]) }
}

/// What the script sets `ErrorMode` to in this line: `SET ErrorMode=0`.
pub(super) fn error_mode(text: &str) -> Option<char> {
    let (word, rest) = text.trim().split_once(char::is_whitespace)?;
    if !word.eq_ignore_ascii_case("set") && !word.eq_ignore_ascii_case("let") {
        return None;
    }
    let (name, value) = rest.split_once('=')?;
    let value = value.trim().trim_matches(['\'', '"', ';']);
    name.trim().eq_ignore_ascii_case("errormode").then(|| value.chars().next()).flatten()
}

/// The first words of a line of the script, in lower case.
struct Words<'a> {
    text: &'a str,
    first: String,
    second: String,
}

impl<'a> Words<'a> {
    fn of(text: &'a str) -> Self {
        let text = text.trim();
        let word = |text: &str| -> String {
            text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').take(32).flat_map(char::to_lowercase).collect()
        };
        let first = word(text);
        let rest = text.get(first.len()..).unwrap_or_default();
        Self { text, second: word(rest.trim_start()), first }
    }

    fn is_label(&self) -> bool {
        let Some(name) = self.text.strip_suffix(':') else { return false };
        let is_quoted = name.starts_with('[') && name.ends_with(']') || name.starts_with('"') && name.ends_with('"');
        is_quoted || !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '%' | '#' | '@' | '-'))
    }

    fn begin_statement(&self) -> bool {
        let after = self.text.get(self.first.len()..).and_then(|rest| rest.chars().next());
        let is_word = after.is_none_or(|c| c.is_whitespace() || c == '(' && self.is_join());
        let is_side = SIDES.contains(&&*self.first) && JOINS.contains(&&*self.second);
        // A field that is called like a word of the script is followed by a comma or a new name.
        let is_field =
            self.text.ends_with(',') && self.first != "load" && self.first != "select" && self.first != "sql" || self.second == "as";
        let is_if = self.first == "if" && self.text.to_lowercase().ends_with("then");
        let is_end = self.first == "end" && matches!(&*self.second, "if" | "sub" | "switch");
        self.is_label() || is_if || is_end || is_word && !is_field && (is_side || self.is_join() || STARTS.contains(&&*self.first))
    }

    fn is_join(&self) -> bool {
        JOINS.contains(&&*self.first) || matches!(&*self.first, "concatenate" | "crosstable" | "intervalmatch" | "hierarchy" | "buffer")
    }

    fn is_prefix(&self) -> bool {
        let is_side = SIDES.contains(&&*self.first) && JOINS.contains(&&*self.second);
        let takes_load = is_side || self.is_join() || matches!(&*self.first, "mapping" | "noconcatenate" | "generic" | "add" | "sql");
        let has_load =
            self.text.split(|c: char| !c.is_alphanumeric()).any(|w| w.eq_ignore_ascii_case("load") || w.eq_ignore_ascii_case("select"));
        let is_bare_sql = self.first != "sql" || self.second.is_empty();
        self.is_label() || takes_load && !has_load && is_bare_sql
    }
}
