//! The line of a script log that says why the reload failed, found while the log streams by.
//!
//! The engine writes each statement of the script as numbered lines (`0019 LOAD * ...`), then what came of it. An error is one of the lines without a number. What a script
//! prints itself (`TRACE`) stands there as well, and may say anything; it is known by the statement before it. A script may go on after an error (`ErrorMode=0`), so
//! the first error counts only until one comes that did end the script. Held are one error and one statement, both of bounded size.

mod line;
mod shape;
mod statement;

use line::Line;
use shape::{Shape, ends_script, shape};
use statement::Statement;

use crate::event::ScriptError;

/// Bytes kept of what an error says.
const MAX_TEXT: usize = 2 * 1024;
/// How many lines of an error are taken beyond its first.
const MAX_MORE: u32 = 4;

/// Takes the lines of a script log, one by one, and keeps why the reload failed.
#[derive(Debug, Default)]
pub(super) struct ErrorFinder {
    row: u64,
    /// Whether lines of this log begin with the time. One that does not then goes on with the line before it.
    timed: bool,
    last: Last,
    statement: Statement,
    /// The script has asked to go on after errors.
    goes_on: bool,
    found: Option<Found>,
}

/// What the line before was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Last {
    #[default]
    Other,
    Script,
    /// The error that was found; so many of its lines may follow.
    Error(u32),
    /// The engine is about to show where the error occurred.
    Where,
}

#[derive(Debug)]
struct Found {
    error: ScriptError,
    shape: Shape,
    /// The script went on after it.
    survived: bool,
    /// No statement has come since.
    here: bool,
}

impl ErrorFinder {
    /// Takes the next line, without its end.
    pub(super) fn line(&mut self, line: &str) {
        self.row += 1;
        let line = Line::of(line);
        self.timed |= line.timed;
        if line.text.is_empty() {
            return;
        }
        if self.timed && !line.timed {
            return self.goes_on_with(line.text);
        }
        match line.script() {
            Some((number, text)) => self.script(number, text),
            None => self.told(line.text),
        }
    }

    /// Why the reload failed, if a line says so.
    pub(super) fn finish(self) -> Option<ScriptError> {
        self.found.map(|found| found.error)
    }

    fn script(&mut self, number: &str, text: &str) {
        if self.last != Last::Script {
            self.statement.clear();
        }
        self.statement.line(number, text);
        if let Some(mode) = statement::error_mode(text) {
            self.goes_on = mode == '0';
        }
        if let Some(found) = &mut self.found {
            found.here = false;
        }
        self.last = Last::Script;
    }

    /// A line without a time, in a log that has them.
    fn goes_on_with(&mut self, text: &str) {
        match (self.last, &mut self.found) {
            (Last::Script, _) => self.statement.more(text),
            (Last::Error(left @ 1..), Some(found)) => {
                append(&mut found.error.text, text);
                self.last = Last::Error(left - 1);
            }
            _ => {}
        }
    }

    fn told(&mut self, text: &str) {
        let last = std::mem::take(&mut self.last);
        // Whether it is what the script printed itself can only be known as long as the statement is: what comes after is the engine's.
        if last == Last::Script && self.statement.prints() && !ends_script(text) {
            return;
        }
        match (last, &mut self.found) {
            (Last::Error(left), Some(found)) if found.error.text.ends_with(':') && !ends_script(text) => {
                // It was announced; here it is.
                if found.shape == Shape::Announced {
                    found.error.text.clear();
                    found.error.row = self.row;
                }
                append(&mut found.error.text, text);
                found.shape = match shape(text) {
                    Some(little @ (Shape::Ended | Shape::Unnamed)) => little,
                    _ => Shape::Named,
                };
                self.last = Last::Error(left.saturating_sub(1));
                return;
            }
            (Last::Where, Some(found)) if !ends_script(text) && found.error.statement.len() < statement::MAX_LINES => {
                found.error.statement.push(statement::cut(text));
                self.last = Last::Where;
                return;
            }
            _ => {}
        }
        if shape::is_where(text) {
            let unknown = self.found.as_ref().is_some_and(|found| found.here && found.error.statement.is_empty());
            self.last = if unknown { Last::Where } else { Last::Other };
        } else if let Some(shape) = shape(text) {
            self.error(text, shape);
        }
    }

    fn error(&mut self, text: &str, shape: Shape) {
        let is_better = match &self.found {
            None => true,
            // Several lines about one failure: that which says most.
            Some(found) if found.here => shape > found.shape,
            Some(found) => found.survived && !self.goes_on && shape > Shape::Ended,
        };
        if is_better {
            let statement = self.statement.lines();
            let mut error = ScriptError { text: String::new(), row: self.row, statement };
            append(&mut error.text, text);
            self.found = Some(Found { error, shape, survived: self.goes_on, here: true });
            self.last = Last::Error(MAX_MORE);
        }
    }
}

fn append(text: &mut String, more: &str) {
    let left = MAX_TEXT - text.len().min(MAX_TEXT);
    if !text.is_empty() && left > 0 {
        text.push(' ');
    }
    text.push_str(&more[..more.floor_char_boundary(left)]);
    if more.len() > left && !text.ends_with('…') {
        text.push('…');
    }
}

#[cfg(test)]
mod tests;
