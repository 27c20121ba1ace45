//! The ends of a script log, taken while it streams by.
//!
//! A script log can be hundreds of megabytes; what is held of it is bounded: the first and the last lines that were asked for, and of each end no
//! more than [`MAX_END`] bytes, of each line no more than [`MAX_LINE`]; and why the reload failed, wherever in the log that stands.

use std::collections::VecDeque;

use super::script_error::ErrorFinder;
use crate::event::{LogLines, ScriptLog};

/// Bytes kept of either end, at the most.
pub(super) const MAX_END: usize = 64 * 1024;
/// Bytes kept of one line, at the most; a longer one ends in `…`.
pub(super) const MAX_LINE: usize = 8 * 1024;

/// Takes a script log in pieces and keeps its ends.
#[derive(Debug)]
pub(super) struct LogEnds {
    wanted: LogLines,
    /// Bytes at the end of a piece that may go on as one character in the next.
    partial: Vec<u8>,
    at_start: bool,
    line: String,
    line_cut: bool,
    /// Whether anything, be it a line end, was read since the last line was closed.
    open: bool,
    head: Vec<String>,
    head_bytes: usize,
    head_full: bool,
    tail: VecDeque<String>,
    tail_bytes: usize,
    rows: u64,
    characters: u64,
    error: ErrorFinder,
}

impl LogEnds {
    pub(super) fn new(wanted: LogLines) -> Self {
        Self {
            wanted,
            partial: Vec::new(),
            at_start: true,
            line: String::new(),
            line_cut: false,
            open: false,
            head: Vec::new(),
            head_bytes: 0,
            head_full: wanted.head == 0,
            tail: VecDeque::new(),
            tail_bytes: 0,
            rows: 0,
            characters: 0,
            error: ErrorFinder::default(),
        }
    }

    /// Takes the next piece; pieces may end anywhere, also within a character.
    pub(super) fn feed(&mut self, piece: &[u8]) {
        if self.partial.is_empty() {
            self.bytes(piece);
        } else {
            let mut joined = std::mem::take(&mut self.partial);
            joined.extend_from_slice(piece);
            self.bytes(&joined);
        }
    }

    /// The ends, after the last piece.
    pub(super) fn finish(mut self) -> ScriptLog {
        if !self.partial.is_empty() {
            self.partial.clear();
            self.text("\u{fffd}");
        }
        if self.open {
            self.close_line();
        }
        let error = self.error.finish();
        ScriptLog { head: self.head, tail: self.tail.into(), rows: self.rows, characters: self.characters, error }
    }

    fn bytes(&mut self, mut bytes: &[u8]) {
        loop {
            match std::str::from_utf8(bytes) {
                Ok(text) => return self.text(text),
                Err(error) => {
                    let (valid, rest) = bytes.split_at(error.valid_up_to());
                    self.text(&String::from_utf8_lossy(valid));
                    let Some(bad) = error.error_len() else {
                        // The piece ends within a character, or so it seems; at most three bytes.
                        self.partial = rest.to_vec();
                        return;
                    };
                    self.text("\u{fffd}");
                    bytes = rest.get(bad..).unwrap_or_default();
                }
            }
        }
    }

    fn text(&mut self, mut text: &str) {
        if text.is_empty() {
            return;
        }
        if std::mem::take(&mut self.at_start) {
            text = text.strip_prefix('\u{feff}').unwrap_or(text);
        }
        // Counting bytes is enough where all of them are characters of one unit.
        let units = if text.is_ascii() { text.len() } else { text.encode_utf16().count() };
        self.characters += units as u64;
        let mut parts = text.split('\n');
        if let Some(first) = parts.next() {
            self.extend_line(first);
        }
        for part in parts {
            self.close_line();
            self.extend_line(part);
        }
    }

    fn extend_line(&mut self, part: &str) {
        if part.is_empty() {
            return;
        }
        self.open = true;
        if self.line_cut {
            return;
        }
        let left = MAX_LINE - self.line.len().min(MAX_LINE);
        if part.len() <= left {
            self.line.push_str(part);
        } else {
            self.line.push_str(&part[..part.floor_char_boundary(left)]);
            self.line_cut = true;
        }
    }

    fn close_line(&mut self) {
        self.open = false;
        self.rows += 1;
        let mut line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.line_cut) {
            line.push('…');
        } else if line.ends_with('\r') {
            line.pop();
        }
        // No remote of ours takes a zero byte or an escape sequence for text, and some refuse the message for it.
        if line.contains(is_no_text) {
            line = line.replace(is_no_text, "\u{fffd}");
        }
        self.error.line(&line);
        if !self.head_full {
            if self.head_bytes + line.len() <= MAX_END {
                self.head_bytes += line.len();
                self.head.push(line.clone());
            } else {
                self.head_full = true;
            }
            self.head_full |= self.head.len() >= self.wanted.head as usize;
        }
        if self.wanted.tail > 0 {
            self.tail_bytes += line.len();
            self.tail.push_back(line);
            while self.tail.len() > self.wanted.tail as usize || self.tail_bytes > MAX_END {
                let Some(old) = self.tail.pop_front() else { break };
                self.tail_bytes -= old.len();
            }
        }
    }
}

fn is_no_text(c: char) -> bool {
    c.is_control() && c != '\t'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOG: &str = "\u{feff}2024-05-13 06:02:03      Execution started.\r\n2024-05-13 06:02:09      0013 försäljning:\r\n\
        2024-05-13 06:02:10      Error: 🚀\r\n2024-05-13 06:02:10      Execution finished.\r\n";

    fn ends(pieces: &[&[u8]], head: u32, tail: u32) -> ScriptLog {
        let mut ends = LogEnds::new(LogLines { head, tail });
        for piece in pieces {
            ends.feed(piece);
        }
        ends.finish()
    }

    #[test]
    fn the_ends_are_kept_and_the_whole_is_counted() {
        let log = ends(&[LOG.as_bytes()], 1, 2);
        assert_eq!(log.head, ["2024-05-13 06:02:03      Execution started."]);
        assert_eq!(log.tail, ["2024-05-13 06:02:10      Error: 🚀", "2024-05-13 06:02:10      Execution finished."]);
        assert_eq!(log.rows, 4);
        let units = LOG.strip_prefix('\u{feff}').map(|text| text.encode_utf16().count() as u64);
        assert_eq!(Some(log.characters), units, "the mark is no part of the log, a line end is two characters, a rocket two units");
    }

    #[test]
    fn a_log_shorter_than_asked_for_is_both_head_and_tail() {
        let log = ends(&[b"one\ntwo"], 5, 5);
        assert_eq!((log.head.len(), log.tail.len(), log.rows), (2, 2, 2));
        assert_eq!(ends(&[b"one\ntwo"], 0, 0), ScriptLog { rows: 2, characters: 7, ..ScriptLog::default() });
        assert_eq!(ends(&[], 5, 5), ScriptLog::default());
    }

    #[test]
    fn empty_lines_count() {
        let log = ends(&[b"\r\n\r\nlast\r\n"], 9, 1);
        assert_eq!(log.head, ["", "", "last"]);
        assert_eq!(log.rows, 3);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let log = ends(&[b"a\xffb\n\xf0\x9f"], 9, 0);
        assert_eq!(log.head, ["a\u{fffd}b", "\u{fffd}"]);
        let log = ends(&[b"a\0b\x1b[1m\tc\rd\r\n"], 9, 9);
        assert_eq!((log.head, log.characters), (vec!["a\u{fffd}b\u{fffd}[1m\tc\u{fffd}d".to_owned()], 13));
    }

    #[test]
    fn huge_lines_and_many_lines_are_bounded() {
        let mut ends = LogEnds::new(LogLines { head: u32::MAX, tail: u32::MAX });
        let piece = "ö".repeat(50_000);
        for _ in 0..20 {
            ends.feed(piece.as_bytes());
        }
        for number in 0..50_000 {
            ends.feed(format!("\nline {number}").as_bytes());
        }
        let log = ends.finish();
        assert_eq!(log.rows, 50_001);
        assert_eq!(log.head[0].len(), MAX_LINE + '…'.len_utf8());
        assert!(log.head.iter().map(String::len).sum::<usize>() <= MAX_END);
        assert!(log.tail.iter().map(String::len).sum::<usize>() <= MAX_END);
        assert_eq!(log.tail.last().map(String::as_str), Some("line 49999"));
    }

    proptest! {
        #[test]
        fn where_the_pieces_are_cut_does_not_matter(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..200, head in 0u32..4, tail in 0u32..4) {
            let cut = cut.min(bytes.len());
            prop_assert_eq!(ends(&[&bytes], head, tail), ends(&[&bytes[..cut], &bytes[cut..]], head, tail));
        }

        #[test]
        fn the_ends_are_those_of_the_whole(text in "[a-zåß🚀\n]{0,80}", head in 0u32..5, tail in 0u32..5) {
            let lines: Vec<_> = text.lines().collect();
            let log = ends(&[text.as_bytes()], head, tail);
            prop_assert_eq!(log.rows as usize, lines.len());
            prop_assert_eq!(log.head, &lines[..lines.len().min(head as usize)]);
            prop_assert_eq!(log.tail, &lines[lines.len().saturating_sub(tail as usize)..]);
        }
    }
}
